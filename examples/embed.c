/* An echo server inside of somebody else's event loop: here one that polls standard input. "quit" ends it. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

static int serve_client(void *arg)
{
    weir_auto weir_conn *client = arg;
    char *data;
    ssize_t size;
    while ((size = weir_receive(client, &data)) > 0)
        if (weir_send_all(client, data, size) < 0)
            break;
    return 0;
}

static int accept_clients(void *arg)
{
    weir_conn *client;
    while ((client = weir_accept(arg)))
        if (!weir_spawn(serve_client, client, WEIR_OPTIONS(weir_fiber_options, .detached = true)))
            weir_close(client);
    return 0;
}

/* How long poll may wait for, in its milliseconds: as long as the loop has nothing to do by itself. */
static int milliseconds_until(int64_t deadline)
{
    if (deadline == WEIR_FOREVER)
        return -1;
    int64_t left = deadline == WEIR_NOW ? 0 : deadline - weir_now();
    return left <= 0 ? 0 : (int)(left / WEIR_MS(1)) + 1;
}

static void run_both(weir_loop *loop)
{
    char line[100];
    struct pollfd descriptors[] = {{0, POLLIN, 0}, {weir_loop_fd(loop), POLLIN, 0}};
    do {
        if (poll(descriptors, 2, milliseconds_until(weir_loop_deadline(loop))) < 0 ||
            weir_loop_once(loop, WEIR_NOW) < 0)
            return;
        if (!descriptors[0].revents)
            continue;
        if (!fgets(line, sizeof line, stdin) || strcmp(line, "quit\n") == 0)
            return;
        printf("you said %s", line);
    } while (true);
}

int main(void)
{
    weir_loop *loop = weir_loop_new(NULL);
    weir_listener *listener = loop ? weir_listen("tcp://127.0.0.1:8000", NULL) : NULL;
    if (listener && weir_spawn(accept_clients, listener, WEIR_OPTIONS(weir_fiber_options, .detached = true)))
        run_both(loop);
    else
        weir_log_error();
    weir_loop_free(loop);
    weir_listener_close(listener);
    return 0;
}

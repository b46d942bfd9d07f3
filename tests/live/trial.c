/*
 * A server whose handler does what its clients tell it, a line at a time: what it does not know it sends back.
 *
 *     trial ENDPOINT [--processes N] [OPTION OF SERVERS]...
 *
 *     overflow   the handler calls itself until its stack is full
 *     crash      it writes where nothing is          abort   it fails an assertion
 *     exit N     it ends the process
 *     pid        the process that serves is told
 *
 * At SIGHUP each process that serves says so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/weir.h>

struct settings {
    int64_t processes, ready_fd;
};

static const weir_option own_options[] = {
    {WEIR_OPTION_INTEGER, "processes", 0, "N", offsetof(struct settings, processes), "that many", "1", NULL, 1, 64},
    {WEIR_OPTION_INTEGER, "ready-fd", 0, "N", offsetof(struct settings, ready_fd), "told when ready"},
    {0},
};

static volatile int *nowhere;
static volatile bool deeper = true;

static int go_deeper(int depth)
{
    volatile char piece[512];
    memset((char *)piece, depth, sizeof piece);
    return (deeper ? go_deeper(depth + 1) : 0) + piece[3];
}

static int send_line(weir_conn *client, const char *line, size_t length)
{
    struct iovec both[] = {{.iov_base = (char *)line, .iov_len = length}, {.iov_base = (char *)"\n", .iov_len = 1}};
    return weir_send_vector_all(client, both, 2);
}

static int answer(weir_conn *client, const char *line, size_t length)
{
    char text[32];
    if (strcmp(line, "overflow") == 0)
        return go_deeper(0);
    if (strcmp(line, "crash") == 0)
        *nowhere = 1;
    if (strcmp(line, "abort") == 0)
        abort();
    if (strncmp(line, "exit ", 5) == 0)
        _exit(atoi(line + 5));
    if (strcmp(line, "pid") == 0)
        return send_line(client, text, (size_t)snprintf(text, sizeof text, "%d", (int)getpid()));
    return send_line(client, line, length);
}

static void serve(weir_conn *client, void *arg)
{
    char *line;
    size_t length;
    (void)arg;
    while (weir_read_line(client, &line, &length, weir_line_limit()) > 0)
        if (answer(client, line, length) < 0)
            return;
}

static void reload(void *arg)
{
    (void)arg;
    weir_log(WEIR_LOG_INFO, "trial: process %d was told to reload", (int)getpid());
}

static int run(weir_server *server, const struct settings *settings)
{
    weir_run_options options = {
        .size = sizeof options,
        .processes = (int)settings->processes,
        .ready_fd = (int)settings->ready_fd,
        .reload = reload,
    };
    return weir_run_servers(&server, 1, &options);
}

int main(int argc, char **argv)
{
    weir_server_options options = {.size = sizeof options, .name = "trial"};
    struct settings settings = {0};
    weir_option_set sets[] = {{own_options, &settings}, {weir_server_option_table, &options}};
    weir_arguments arguments;
    weir_server *server = NULL;
    int result = weir_options_parse(sets, 2, argc - 1, argv + 1, &arguments);
    if (result == 0)
        result = arguments.count == 1 && (server = weir_server_new(&options)) ? 0 : -1;
    if (result == 0)
        result = weir_server_add(server, arguments.items[0], serve, NULL);
    if (result == 0)
        result = run(server, &settings);
    if (result < 0)
        weir_log_error();
    weir_server_free(server);
    weir_options_free(sets, 2, &arguments);
    return result < 0;
}

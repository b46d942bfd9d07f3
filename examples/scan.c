/* A port scanner: a hundred fibers try the ports of a range, a second each. */
#include <stdio.h>
#include <stdlib.h>
#include <weir/weir.h>

enum { FIBERS = 100 };

struct scan {
    const char *host;
    int next, last;
};

static int try_ports(void *arg)
{
    struct scan *scan = arg;
    while (scan->next <= scan->last) {
        char endpoint[300];
        snprintf(endpoint, sizeof endpoint, "tcp://%s:%d", scan->host, scan->next++);
        weir_conn *server = weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(1)));
        if (server)
            printf("%s is open\n", endpoint);
        weir_close(server);
    }
    return 0;
}

/* weir_run returns when the last fiber has ended: nobody needs to be joined. */
static int start(void *scan)
{
    for (int i = 0; i < FIBERS; i++)
        if (!weir_spawn(try_ports, scan, WEIR_OPTIONS(weir_fiber_options, .name = "scan", .detached = true)))
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s HOST FIRST LAST\n", argv[0]);
        return 2;
    }
    struct scan scan = {argv[1], atoi(argv[2]), atoi(argv[3])};
    return weir_run(start, &scan, NULL);
}

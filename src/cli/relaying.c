/* Relaying streams: one connection to the other end for each client, and the two joined until both have ended. */
#include "relaying.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Between two complaints: an endpoint that is down is met by every client. */
#define COMPLAINT_PAUSE WEIR_S(1)

void relay_complain(struct relay *relay, const char *whose)
{
    int64_t now = weir_now(), next = atomic_load(&relay->next_line);
    if (now < next || !atomic_compare_exchange_strong(&relay->next_line, &next, now + COMPLAINT_PAUSE)) {
        atomic_fetch_add(&relay->more_lines, 1);
        return;
    }
    char more[64] = "";
    uint64_t left_out = atomic_exchange(&relay->more_lines, 0);
    if (left_out)
        snprintf(more, sizeof more, " (and %" PRIu64 " more)", left_out);
    weir_log(WEIR_LOG_WARNING, "%s: %s%s", whose, weir_error()->sentence, more);
}

void relay_halve_connections(weir_server_options *server)
{
    struct rlimit limit;
    if (server->max_connections || getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max > INT64_MAX / 100)
        return;
    int64_t share = server->model == WEIR_MODEL_THREAD ? 22 : 45;
    int64_t most = (int64_t)limit.rlim_max * share / 100;
    server->max_connections = most > 0 ? most : 1;
}

weir_conn *relay_connect(struct relay *relay, const char *whose)
{
    weir_conn *conn = relay->dial ? relay->dial(relay) : weir_connect(relay->to.text, &relay->connect);
    if (conn)
        return conn;
    atomic_fetch_add(&relay->counters->unreached, 1);
    if (errno != ECANCELED)
        relay_complain(relay, whose);
    return NULL;
}

/* --- streams --- */

/*
 * What only the beginning and the end of a conversation need is apart from what waits through it, so that a pair that is
 * silent has no more of a stack than it must.
 */
static __attribute__((noinline)) weir_conn *begin(struct relay *relay, weir_conn *client, char **name)
{
    char text[400];
    weir_peer_endpoint(client, text, sizeof text); /* which one that was cut has no more */
    *name = relay->verbose ? strdup(text) : NULL;
    weir_conn *to = relay_connect(relay, text);
    if (to)
        weir_share_limits(to, client);
    return to;
}

static __attribute__((noinline)) void tell(const char *name, const uint64_t bytes[2], int64_t began, int result)
{
    weir_log(WEIR_LOG_INFO, "%s: %" PRIu64 " bytes there, %" PRIu64 " bytes back, %.3f s: %s", name, bytes[0], bytes[1],
             (double)(weir_now() - began) / 1e9, result < 0 ? weir_error()->sentence : "ended");
}

void relay_stream(weir_conn *client, void *arg)
{
    struct relay *relay = arg;
    uint64_t bytes[2];
    char *name;
    int64_t began = weir_now();
    weir_conn *to = begin(relay, client, &name);
    if (!to) {
        weir_abort(client); /* so that it does not look like an end */
        free(name);
        return;
    }
    int result = weir_copy(client, to, bytes);
    if (result < 0)
        atomic_fetch_add(&relay->counters->cut, 1);
    if (name)
        tell(name, bytes, began, result);
    free(name);
    weir_close(to);
}

/* The limit on connections, and the log lines that tell of limits that were reached. */
#include <errno.h>
#include <weir/log.h>

#include "server/server.h"

/* Of a loop that had no memory to wait with. */
#define PAUSE_FOR_WANT WEIR_MS(10)

enum { SECONDS_BETWEEN_LINES = 60 };

/* A thread needs a descriptor of its own to wait with. */
int64_t weir__default_max_connections(weir_model model)
{
    struct rlimit limit;
    if (weir__system()->getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return -1;
    uint64_t most = limit.rlim_cur / 10 * 9 + limit.rlim_cur % 10 * 9 / 10;
    if (model == WEIR_MODEL_THREAD)
        most /= 2;
    return most ? (int64_t)most : 1;
}

static bool has_its_one(struct weir__worker *worker)
{
    if (worker->server->options.model != WEIR_MODEL_ITERATIVE)
        return false;
    pthread_mutex_lock(&worker->lock);
    bool busy = worker->active > 0;
    pthread_mutex_unlock(&worker->lock);
    return busy;
}

bool weir__slot_free(struct weir__worker *worker)
{
    const weir_server *server = worker->server;
    return !has_its_one(worker) &&
           (server->max_connections < 0 || atomic_load(&server->connections) < server->max_connections);
}

bool weir__slot_take(struct weir__worker *worker)
{
    weir_server *server = worker->server;
    if (has_its_one(worker))
        return false;
    if (atomic_fetch_add(&server->connections, 1) < server->max_connections || server->max_connections < 0)
        return true;
    atomic_fetch_sub(&server->connections, 1);
    return false;
}

/* A gate counts itself as paused before it looks for a free slot once more, so that it cannot miss the last one that is given. */
void weir__slot_give(weir_server *server)
{
    atomic_fetch_sub(&server->connections, 1);
    if (atomic_load(&server->paused) == 0)
        return;
    for (size_t i = 0; i < server->worker_count; i++)
        weir__worker_wake(server->workers[i]);
}

void weir__paused(weir_server *server, int change)
{
    atomic_fetch_add(&server->paused, (unsigned)change);
}

static bool due(struct weir__seldom *line, int64_t *times)
{
    return weir__seldom(line, weir__now(), WEIR_S(SECONDS_BETWEEN_LINES), times);
}

void weir__log_limit(weir_server *server)
{
    int64_t times;
    if (due(&server->limit_line, &times))
        weir_log(WEIR_LOG_WARNING,
                 "%s: %lld connections, the most there may be: accepting waits for one to end (%lld times)",
                 server->name, (long long)server->max_connections, (long long)times);
}

void weir__log_resources(weir_server *server, const char *consequence, int error)
{
    int64_t times;
    errno = error;
    if (due(&server->resources_line, &times))
        weir_log(WEIR_LOG_WARNING, "%s: %m: %s (%lld times)", server->name, consequence, (long long)times);
}

void weir__log_address(weir_server *server, const weir_address *address)
{
    int64_t times;
    char text[WEIR_ADDRESS_TEXT];
    if (due(&server->address_line, &times))
        weir_log(WEIR_LOG_WARNING, "%s: %s has %lld connections already: closed (%lld such)", server->name,
                 weir_address_text(address, text, sizeof text), (long long)server->options.max_per_address,
                 (long long)times);
}

void weir__log_rule(weir_server *server, const weir_address *address)
{
    int64_t times;
    char text[WEIR_ADDRESS_TEXT];
    if (due(&server->rule_line, &times))
        weir_log(WEIR_LOG_WARNING, "%s: %s is not allowed here (%lld such)", server->name,
                 weir_address_text(address, text, sizeof text), (long long)times);
}

/* Each second at most: who has set something up wrong looks for his own. */
void weir__log_handshake(weir_server *server)
{
    int64_t times;
    if (weir__seldom(&server->handshake_line, weir__now(), WEIR_S(1), &times))
        weir_log(WEIR_LOG_WARNING, "%s: %s (%lld such)", server->name, weir_error()->sentence, (long long)times);
}

bool weir__refused_by_rule(struct weir__worker *worker, const struct weir__place *place, const weir_address *address)
{
    weir_server *server = worker->server;
    if (!server->rules || place->scheme == WEIR_SCHEME_UNIX || weir__rules_allow(server->rules, address))
        return false;
    weir__count(worker->counters, refused_rule, 1);
    weir__log_rule(server, address);
    return true;
}

bool weir__pause_for_want(weir_server *server)
{
    if (errno != ENOMEM && errno != ENOBUFS && errno != EAGAIN)
        return false;
    weir__log_resources(server, "it pauses", errno);
    weir__system()->poll(NULL, 0, PAUSE_FOR_WANT);
    return true;
}

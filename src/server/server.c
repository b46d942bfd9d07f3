/* Servers as their callers see them: made, added to, asked, freed. How they live is in life.c. */
#include "server/server.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    MOST_WORKERS = 1024,
    LINE_LIMIT = 64 * 1024,
    BACKLOG = 4096,
    CONNECTIONS_PER_ADDRESS = 100,
    REPLIES_PER_SECOND = 1000,
};

/* --- options --- */

static void preset(int64_t *option, int64_t value)
{
    if (*option == 0)
        *option = value;
}

int weir__server_defaults(weir_server_options *resolved, const weir_server_options *given)
{
    *resolved = (weir_server_options){.size = sizeof *resolved};
    if (given)
        memcpy(resolved, given, given->size < sizeof *resolved ? given->size : sizeof *resolved);
    preset(&resolved->max_per_address, CONNECTIONS_PER_ADDRESS);
    preset(&resolved->idle_timeout, WEIR_MINUTES(5));
    preset(&resolved->write_timeout, WEIR_MINUTES(1));
    preset(&resolved->message_timeout, WEIR_S(10));
    preset(&resolved->lifetime, WEIR_FOREVER);
    preset(&resolved->line_limit, LINE_LIMIT);
    preset(&resolved->drain_timeout, WEIR_S(30));
    preset(&resolved->replies_per_second, REPLIES_PER_SECOND);
    preset(&resolved->listen.backlog, BACKLOG);
    if (resolved->model > WEIR_MODEL_ITERATIVE || resolved->backend > WEIR_BACKEND_EPOLL || resolved->workers < 0 ||
        resolved->workers > MOST_WORKERS || resolved->listen.backlog < 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "server", "", "an option is out of its bounds");
    return 0;
}

size_t weir__server_workers(const weir_server *server, size_t processes)
{
    cpu_set_t cpus;
    if (server->options.workers)
        return (size_t)server->options.workers;
    if (processes > 1 || server->options.model == WEIR_MODEL_ITERATIVE)
        return 1;
    int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    return count < MOST_WORKERS ? (size_t)count : MOST_WORKERS;
}

/* --- life --- */

/* The strings among the options are the caller's: the server keeps copies. */
static int copy_texts(weir_server *server)
{
    const char *name = server->options.name ? server->options.name : program_invocation_short_name;
    server->options.listen.scheme = NULL;
    if (!(server->name = strdup(name)))
        return -1;
    if (server->options.scheme && !(server->scheme = strdup(server->options.scheme)))
        return -1;
    server->options.name = server->name;
    server->options.scheme = server->scheme;
    return 0;
}

weir_server *weir_server_new(const weir_server_options *options)
{
    weir_server_options resolved;
    struct weir__rules *rules = NULL;
    struct weir__tls_context *tls = NULL;
    if (weir__server_defaults(&resolved, options) < 0 || weir__rules_parse(&resolved.rules, &rules) < 0)
        return NULL;
    const weir_tls_options *given = &resolved.listen.tls;
    if ((given->cert || given->key || given->ca) && !(tls = weir__tls_server(given))) {
        weir__rules_free(rules);
        return NULL;
    }
    weir_server *server = calloc(1, sizeof *server);
    if (!server)
        goto no_server;
    server->system = weir__system();
    server->options = resolved;
    server->options.rules = (weir_option_list){0};      /* the caller's */
    server->options.listen.tls = (weir_tls_options){0}; /* the same; see `tls` */
    server->rules = rules;
    server->tls = tls;
    if (copy_texts(server) < 0)
        goto no_texts;
    weir__addresses_init(&server->addresses);
    server->deadline = WEIR_FOREVER;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    weir__list_init(&server->waits);
    return server;

no_texts:
    free(server->name);
    free(server);
no_server:
    weir__tls_drop(tls);
    weir__rules_free(rules);
    weir__fail_memory("server");
    return NULL;
}

void weir_server_free(weir_server *server)
{
    if (!server)
        return;
    weir_server_stop(server, WEIR_NOW);
    weir__server_await_end(server);
    weir__server_free_workers(server);
    weir__places_free(server);
    weir__counters_free(server);
    weir__budget_free(server->budget);
    weir__addresses_free(&server->addresses);
    weir__rules_free(server->rules);
    weir__tls_drop(server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server->name);
    free(server->scheme);
    free(server);
}

/* --- what it serves --- */

static int add(weir_server *server, const char *endpoint, const struct weir__place *like)
{
    if (server->state != WEIR__NOT_STARTED)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "add", endpoint, "the server has been started already");
    if (like->datagram && !server->budget && !(server->budget = weir__budget_new()))
        return weir__fail_memory("add");
    return weir__places_add(server, endpoint, like);
}

int weir_server_add(weir_server *server, const char *endpoint, weir_stream_handler *handler, void *arg)
{
    struct weir__place like = {.stream = handler, .arg = arg};
    return add(server, endpoint, &like);
}

int weir_server_add_datagrams(weir_server *server, const char *endpoint, weir_datagram_handler *handler, void *arg)
{
    struct weir__place like = {.datagram = handler, .arg = arg};
    return add(server, endpoint, &like);
}

int weir_server_reload(weir_server *server)
{
    return server->tls ? weir__tls_reload(server->tls) : 0;
}

size_t weir_server_count(const weir_server *server)
{
    return server->place_count;
}

const char *weir_server_endpoint(const weir_server *server, size_t index)
{
    return index < server->place_count ? server->places[index]->text : NULL;
}

/* --- what its handlers ask --- */

weir_server *weir_server_self(void)
{
    return weir__server_here();
}

size_t weir_server_process(const weir_server *server)
{
    return server->workers_wanted ? server->first_socket / server->workers_wanted : 0;
}

size_t weir_line_limit(void)
{
    const weir_server *server = weir__server_here();
    if (!server)
        return LINE_LIMIT;
    return server->options.line_limit < 0 ? SIZE_MAX : (size_t)server->options.line_limit;
}

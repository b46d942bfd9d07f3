/* A server's life: starting its workers, stopping, waiting for its end. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "server/gate.h"
#include "server/inlet.h"
#include "server/server.h"

/* --- workers --- */

static void worker_free(struct weir__worker *worker)
{
    for (size_t i = 0; worker->inlets && i < worker->inlet_count; i++)
        weir__inlet_free(worker->inlets[i]);
    free(worker->inlets);
    free(worker->gates);
    pthread_mutex_destroy(&worker->lock);
    free(worker);
}

static void worker_init(struct weir__worker *worker, weir_server *server, size_t index)
{
    const weir_server_options *options = &server->options;
    worker->server = server;
    worker->index = index;
    worker->counters = &server->counters[index];
    worker->shared_limits = (struct weir__conn_limits){
        .idle = options->idle_timeout,
        .write = options->write_timeout,
        .message = options->message_timeout,
        .shared = weir__server_has_threads(server),
    };
    worker->limits = worker->shared_limits;
    worker->limits.moved[0] = weir__counter(worker->counters, bytes_in);
    worker->limits.moved[1] = weir__counter(worker->counters, bytes_out);
    worker->limits.uncounted = &worker->shared_limits;
    pthread_mutex_init(&worker->lock, NULL);
    weir__list_init(&worker->clients);
}

/* Makes its gates and inlets. 0, or -1 without memory. */
static int worker_furnish(struct weir__worker *worker)
{
    weir_server *server = worker->server;
    worker->gates = calloc(server->place_count + 1, sizeof *worker->gates);
    worker->inlets = calloc(server->place_count + 1, sizeof(struct weir__inlet *));
    if (!worker->gates || !worker->inlets)
        return -1;
    for (size_t i = 0; i < server->place_count; i++) {
        struct weir__place *place = server->places[i];
        if (place->stream)
            weir__gate_init(&worker->gates[worker->gate_count++], worker, place);
        else if (!(worker->inlets[worker->inlet_count++] = weir__inlet_new(worker, place)))
            return -1;
    }
    return 0;
}

static struct weir__worker *worker_new(weir_server *server, size_t index)
{
    struct weir__worker *worker = calloc(1, sizeof *worker);
    if (!worker)
        return NULL;
    worker_init(worker, server, index);
    if (worker_furnish(worker) == 0)
        return worker;
    worker_free(worker);
    return NULL;
}

static void free_workers(weir_server *server)
{
    for (size_t i = 0; i < server->worker_count; i++)
        worker_free(server->workers[i]);
    free(server->workers);
    server->workers = NULL;
    server->worker_count = 0;
}

static int make_workers(weir_server *server, size_t count)
{
    server->worker_count = 0;
    server->workers = calloc(count, sizeof(struct weir__worker *));
    while (server->workers && server->worker_count < count) {
        struct weir__worker *worker = worker_new(server, server->worker_count);
        if (!worker)
            break;
        server->workers[server->worker_count++] = worker;
    }
    if (server->worker_count == count)
        return 0;
    free_workers(server);
    return weir__fail_memory("start");
}

/* --- their threads --- */

/* Signals are for the program's own threads; a fault stays with who caused it. */
static void block_signals(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGTRAP);
    weir__system()->thread_mask(SIG_SETMASK, &all, before);
}

/* As start_threads where there are none: the keepers are fibers that begin when the caller next parks. */
static size_t start_fibers(weir_server *server)
{
    size_t started = 0;
    while (started < server->worker_count && weir__worker_spawn(server->workers[started]) == 0)
        started++;
    server->ready = started;
    if (started < server->worker_count)
        server->start_error = errno;
    for (size_t i = 0; server->start_error && i < started; i++)
        server->workers[i]->done = true;
    return started;
}

/* Starts them all, or as many as can be; returns how many. */
static size_t start_threads(weir_server *server)
{
    sigset_t before;
    size_t started = 0;
    int error = 0;
    block_signals(&before);
    while (started < server->worker_count && !error) {
        struct weir__worker *worker = server->workers[started];
        error = pthread_create(&worker->thread, NULL, weir__worker_run, worker);
        started += error == 0;
    }
    weir__system()->thread_mask(SIG_SETMASK, &before, NULL);
    if (error)
        server->start_error = error;
    return started;
}

/* Waits until the workers have their loops, and lets them begin if all have. 0, or -1 with errno. */
static int open_workers(weir_server *server, size_t started)
{
    pthread_mutex_lock(&server->lock);
    while (server->ready < started)
        pthread_cond_wait(&server->changed, &server->lock);
    errno = server->start_error;
    bool whole = !server->start_error;
    server->opened = whole ? 1 : -1;
    server->state = whole ? WEIR__RUNNING_SERVER : WEIR__NOT_STARTED;
    server->running = whole ? started : 0;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return whole ? 0 : -1;
}

static void join_threads(weir_server *server, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (server->workers[i]->keeper)
            weir__join_uncancelled(server->workers[i]->keeper);
        else
            pthread_join(server->workers[i]->thread, NULL);
}

void weir__server_free_workers(weir_server *server)
{
    join_threads(server, server->worker_count);
    free_workers(server);
}

static int run_workers(weir_server *server)
{
    server->ready = 0;
    server->opened = 0;
    server->start_error = 0;
    *server->start_reason = '\0';
    size_t started = weir__threadless() ? start_fibers(server) : start_threads(server);
    if (open_workers(server, started) == 0)
        return 0;
    int error = errno;
    join_threads(server, started);
    free_workers(server);
    if (*server->start_reason)
        return weir_fail(server->start_kind, error, "start", server->name, "%s", server->start_reason);
    return weir__fail_system(error, "start", server->name);
}

/* --- starting --- */

static int prepare(weir_server *server, size_t count)
{
    if (weir__places_open(server, server->first_socket + count) < 0)
        return -1;
    if (!server->counters && weir__counters_make(server, count) < 0)
        return weir__fail_memory("start");
    server->max_connections = server->options.max_connections;
    if (!server->max_connections)
        server->max_connections = weir__default_max_connections(server->options.model);
    return make_workers(server, count);
}

/* Takes the server from one state to another; false if it is in a third. */
static bool change(weir_server *server, enum weir__server_state from, enum weir__server_state to)
{
    pthread_mutex_lock(&server->lock);
    bool changed = server->state == from;
    if (changed)
        server->state = to;
    pthread_mutex_unlock(&server->lock);
    return changed;
}

int weir_server_start(weir_server *server)
{
    if (!change(server, WEIR__NOT_STARTED, WEIR__STARTING))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "start", server->name, "it was started or stopped already");
    if (prepare(server, server->workers_wanted ? server->workers_wanted : weir__server_workers(server, 1)) < 0) {
        change(server, WEIR__STARTING, WEIR__NOT_STARTED);
        return -1;
    }
    return run_workers(server);
}

/* --- stopping --- */

static void wake_waits(weir_server *server)
{
    struct weir__list *link;
    weir__list_each(link, &server->waits) weir__wake(&weir__list_entry(link, struct weir__server_wait, link)->slot);
}

void weir_server_stop(weir_server *server, int64_t deadline)
{
    pthread_mutex_lock(&server->lock);
    if (deadline < atomic_load(&server->deadline))
        atomic_store(&server->deadline, deadline);
    atomic_store(&server->stopping, true);
    if (server->state == WEIR__NOT_STARTED) {
        server->state = WEIR__STOPPED;
        wake_waits(server);
    }
    for (size_t i = 0; server->state == WEIR__RUNNING_SERVER && i < server->worker_count; i++)
        weir__worker_wake(server->workers[i]);
    pthread_mutex_unlock(&server->lock);
}

bool weir_server_stopping(const weir_server *server)
{
    return server && atomic_load(&server->stopping);
}

void weir__server_worker_ended(weir_server *server)
{
    pthread_mutex_lock(&server->lock);
    if (--server->running == 0) {
        server->state = WEIR__STOPPED;
        wake_waits(server);
    }
    pthread_mutex_unlock(&server->lock);
}

/* --- waiting --- */

static bool has_stopped(weir_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool stopped = server->state == WEIR__STOPPED;
    pthread_mutex_unlock(&server->lock);
    return stopped;
}

static int park(weir_server *server, struct weir__server_wait *wait, int64_t deadline, bool cancellable)
{
    while (!has_stopped(server)) {
        if (!weir__wait_begin(&wait->slot))
            return -1;
        if (has_stopped(server)) {
            weir__wait_abandon(&wait->slot);
            break;
        }
        int result =
            cancellable ? weir__wait_park(&wait->slot, deadline) : weir__wait_park_uncancelled(&wait->slot, deadline);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int fail_wait(const weir_server *server)
{
    if (errno == ETIMEDOUT)
        return weir__fail_deadline("wait", server->name);
    return errno == ECANCELED ? weir__fail_cancelled("wait", server->name) : weir__fail_memory("wait");
}

/* Keeps the errno of a failure. */
static int wait_as(weir_server *server, struct weir__server_wait *wait, int64_t deadline, bool cancellable)
{
    pthread_mutex_lock(&server->lock);
    weir__list_push_back(&server->waits, &wait->link);
    pthread_mutex_unlock(&server->lock);
    int result = park(server, wait, deadline, cancellable);
    pthread_mutex_lock(&server->lock);
    weir__list_remove(&wait->link);
    pthread_mutex_unlock(&server->lock);
    return result;
}

int weir__server_wait(weir_server *server, int64_t deadline, bool cancellable)
{
    struct weir__server_wait *wait = calloc(1, sizeof *wait);
    if (!wait)
        return weir__fail_memory("wait");
    int result = wait_as(server, wait, deadline, cancellable);
    free(wait);
    return result < 0 ? fail_wait(server) : 0;
}

void weir__server_await_end(weir_server *server)
{
    while (wait_as(server, &server->last_wait, WEIR_FOREVER, false) < 0)
        weir_sleep(WEIR_MS(1)); /* this thread has no memory to wait with */
}

int weir_server_wait(weir_server *server, int64_t deadline)
{
    if (weir__server_here() == server)
        return weir_fail(WEIR_ERROR_USAGE, EDEADLK, "wait", server->name, "its own handlers cannot wait for its end");
    return weir__server_wait(server, deadline, true);
}

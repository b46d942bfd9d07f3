/* Workers: the thread, its loop, and the keeper that has its gates and inlets work. */
#include <errno.h>
#include <stdlib.h>
#include <weir/error.h>
#include <weir/log.h>

#include "base/text.h"
#include "engine/loop.h"
#include "server/client.h"
#include "server/drain.h"
#include "server/gate.h"
#include "server/inlet.h"
#include "server/server.h"

static _Thread_local weir_server *server_here;

/* The calling fiber where there are no threads; NULL. */
static struct weir_fiber *threadless_fiber(void)
{
    return weir__threadless() ? weir__fiber_running() : NULL;
}

weir_server *weir__server_here(void)
{
    const struct weir_fiber *fiber = threadless_fiber();
    return fiber ? fiber->server : server_here;
}

void weir__server_enter(weir_server *server)
{
    struct weir_fiber *fiber = threadless_fiber();
    if (fiber)
        fiber->server = server;
    else
        server_here = server;
}

void weir__worker_wake(struct weir__worker *worker)
{
    atomic_store(&worker->woken, true);
    weir__wake(&worker->news);
}

void weir__worker_wait(struct weir__worker *worker, int64_t deadline)
{
    if (!weir__wait_begin(&worker->news))
        return;
    if (atomic_load(&worker->woken))
        weir__wait_abandon(&worker->news);
    else
        weir__wait_park_uncancelled(&worker->news, deadline);
}

/* --- the keeper --- */

/* Another gate is the first each time, so that in an iterative server every place has its turn. */
static void work_gates(struct weir__worker *worker)
{
    size_t first = worker->gate_count ? worker->turn++ % worker->gate_count : 0;
    for (size_t i = 0; i < worker->gate_count; i++)
        weir__gate_work(&worker->gates[(first + i) % worker->gate_count]);
}

static int64_t gates_due(const struct weir__worker *worker)
{
    int64_t due = WEIR_FOREVER;
    for (size_t i = 0; i < worker->gate_count; i++)
        if (weir__gate_due(&worker->gates[i]) < due)
            due = weir__gate_due(&worker->gates[i]);
    return due;
}

static int keep(void *arg)
{
    struct weir__worker *worker = arg;
    if (worker->done)
        return 0; /* another worker could not start */
    for (size_t i = 0; i < worker->inlet_count; i++)
        weir__inlet_start(worker->inlets[i]);
    while (!atomic_load(&worker->server->stopping)) {
        atomic_store(&worker->woken, false);
        if (atomic_load(&worker->server->stopping))
            break;
        work_gates(worker);
        weir__worker_wait(worker, gates_due(worker));
    }
    weir__drain(worker);
    worker->done = true;
    return 0;
}

/* --- the thread --- */

static weir_loop *make_loop(const weir_server *server)
{
    weir_loop_options options = {
        .size = sizeof options,
        .backend = server->options.backend,
        .stack_size = server->options.stack_size,
    };
    return weir_loop_new(&options);
}

/* Says that this worker has got ready, or why not, and waits for the others. Whether it may begin. */
static bool wait_for_others(weir_server *server, int error)
{
    pthread_mutex_lock(&server->lock);
    server->ready++;
    if (error && !server->start_error) {
        server->start_error = error;
        server->start_kind = weir_error()->kind;
        weir__copy_text(server->start_reason, weir_error()->sentence, sizeof server->start_reason);
    }
    pthread_cond_broadcast(&server->changed);
    while (!server->opened)
        pthread_cond_wait(&server->changed, &server->lock);
    bool may_begin = server->opened > 0;
    pthread_mutex_unlock(&server->lock);
    return may_begin;
}

static void work(struct weir__worker *worker, weir_loop *loop)
{
    while (weir__loop_run_until(loop, &worker->done) < 0) {
        if (weir__pause_for_want(worker->server))
            continue;
        weir_log(WEIR_LOG_ERROR, "%s: a worker has lost its loop: %m", worker->server->name);
        abort();
    }
}

static weir_fiber *spawn_keeper(struct weir__worker *worker)
{
    weir_fiber_options options = {.size = sizeof options, .name = "keeper", .detached = true};
    return weir_spawn(keep, worker, &options);
}

void *weir__worker_run(void *arg)
{
    struct weir__worker *worker = arg;
    weir_server *server = worker->server;
    weir__system_here = server->system;
    weir__server_enter(server);
    pthread_setname_np(pthread_self(), "weir-worker");
    weir__catch_overflow_here();
    weir_loop *loop = make_loop(server);
    bool whole = loop && spawn_keeper(worker);
    if (wait_for_others(server, whole ? 0 : errno) && whole) {
        work(worker, loop);
        weir_loop_free(loop);
        weir__client_threads_join(worker);
        weir__server_worker_ended(server);
        return NULL;
    }
    worker->done = true;
    weir_loop_free(loop);
    return NULL;
}

/* --- without a thread --- */

static int keep_here(void *arg)
{
    struct weir__worker *worker = arg;
    bool begins = !worker->done;
    weir__server_enter(worker->server);
    keep(worker);
    if (begins)
        weir__server_worker_ended(worker->server);
    return 0;
}

int weir__worker_spawn(struct weir__worker *worker)
{
    weir_fiber_options options = {.size = sizeof options, .name = "keeper"};
    worker->keeper = weir_spawn(keep_here, worker, &options);
    return worker->keeper ? 0 : -1;
}

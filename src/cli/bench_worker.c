/* weir bench's workers: a thread with a loop each, on it a fiber a connection; and what every conversation counts by. */
#include <errno.h>
#include <stdlib.h>

#include "bench.h"

enum { DIALLING_AT_ONCE = 128 };

/* --- counting --- */

void bench_increment(bench_count *count)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

void bench_answered(struct bench_worker *worker, int64_t began, int64_t now)
{
    bench_increment(&worker->counts.answered);
    if (!bench_over(worker->bench, now))
        bench_increment(&worker->counts.in_time);
    histogram_add(&worker->latency, now > began ? (uint64_t)(now - began) : 0);
}

void bench_fault(struct bench_worker *worker, enum bench_fault fault)
{
    bench_increment(&worker->counts.faults[fault]);
    if (atomic_fetch_add(&worker->bench->told[fault], 1) == 0)
        bench_tell_fault();
}

void bench_call_failed(struct bench_worker *worker)
{
    bench_fault(worker, weir_error()->kind == WEIR_ERROR_DEADLINE ? BENCH_TIMED_OUT : BENCH_CUT);
}

bool bench_over(const struct bench *bench, int64_t now)
{
    return now >= atomic_load_explicit(&bench->end, memory_order_relaxed);
}

bool bench_rest(struct bench *bench, int64_t deadline)
{
    char nothing;
    return weir_channel_receive(bench->finish, &nothing, deadline) < 0 && errno != ETIMEDOUT;
}

int64_t bench_due(const struct bench *bench, size_t index, uint64_t number)
{
    uint64_t rate = (uint64_t)bench->settings.rate;
    uint64_t turn = number * (uint64_t)bench->settings.connections + index;
    /* In two parts: the product alone would overflow after a while. */
    return atomic_load_explicit(&bench->begin, memory_order_relaxed) + WEIR_S(turn / rate) +
           (int64_t)(turn % rate * UINT64_C(1000000000) / rate);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t bench_next_due(const struct bench *bench, size_t index, uint64_t number, int64_t now)
{
    if (bench_over(bench, now))
        return WEIR_FOREVER;
    int64_t due = earlier(bench_due(bench, index, number), now + WEIR_MS(500));
    return earlier(due, atomic_load_explicit(&bench->end, memory_order_relaxed));
}

size_t bench_depth(const struct bench *bench)
{
    if (bench->settings.depth > 0)
        return (size_t)bench->settings.depth;
    return bench->settings.rate > 0 ? 64 : 1;
}

int64_t bench_timeout(const struct bench *bench)
{
    const int64_t longest = WEIR_S(365 * 24 * 3600);
    int64_t timeout = bench->settings.timeout;
    if (timeout == 0)
        return bench->endpoint.datagram ? WEIR_S(1) : WEIR_S(10);
    return timeout < longest ? timeout : longest;
}

/* --- connecting --- */

static weir_conn *dial(const struct bench *bench, size_t turn)
{
    char source[32];
    weir_connect_options options = {.size = sizeof options,
                                    .timeout = bench_timeout(bench),
                                    .tls = bench->settings.tls,
                                    .via = bench->settings.via.items};
    if (bench->sources > 0) {
        snprintf(source, sizeof source, "127.0.0.%u", 1 + (unsigned)(turn % bench->sources));
        options.bind = source;
    }
    return weir_connect(bench->target, &options);
}

weir_conn *bench_connect(struct bench_worker *worker, size_t turn)
{
    char token = 0;
    if (weir_channel_send(worker->dialling, &token, WEIR_FOREVER) < 0)
        return NULL;
    weir_conn *conn = dial(worker->bench, turn);
    if (!conn)
        bench_fault(worker, BENCH_UNCONNECTED);
    weir_channel_receive(worker->dialling, &token, WEIR_NOW);
    return conn;
}

/* --- a connection --- */

struct connection {
    struct bench_worker *worker;
    size_t index;
};

/* Told that it is ready or never will be, waits for the measured time to begin. */
static void wait_for_gate(struct bench *bench, bool ready)
{
    char nothing;
    if (ready)
        atomic_fetch_add(&bench->ready, 1);
    atomic_fetch_add(&bench->settled, 1);
    if (ready)
        weir_channel_receive(bench->gate, &nothing, WEIR_FOREVER);
}

/* A fiber. */
static int hold_connection(void *arg)
{
    struct connection *connection = arg;
    struct bench_worker *worker = connection->worker;
    const struct bench_mode *mode = worker->bench->mode;
    weir_conn *conn = NULL;
    bool ready = mode->prepare(worker, connection->index, &conn);
    wait_for_gate(worker->bench, ready);
    if (ready)
        mode->converse(worker, connection->index, conn);
    weir_close(conn);
    return 0;
}

/* --- a worker --- */

/* Where a connection has no fiber, it counts as one that could not be made. */
static void give_up(struct bench_worker *worker, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bench_fault(worker, BENCH_UNCONNECTED);
    atomic_fetch_add(&worker->bench->settled, count);
}

static void hold_connections(struct bench_worker *worker, weir_fiber **fibers, struct connection *connections)
{
    size_t count = 0;
    for (; count < worker->count; count++) {
        connections[count] = (struct connection){worker, worker->first + count};
        fibers[count] = weir_spawn(hold_connection, &connections[count],
                                   WEIR_OPTIONS(weir_fiber_options, .name = "bench: connection"));
        if (!fibers[count])
            break;
    }
    if (count < worker->count)
        give_up(worker, worker->count - count);
    while (count > 0)
        weir_join(fibers[--count], NULL, WEIR_FOREVER);
}

/* The first fiber of a worker's loop. */
static int work(void *arg)
{
    struct bench_worker *worker = arg;
    atomic_store(&worker->bench->backend, weir_loop_backend(weir_loop_self()));
    weir_fiber **fibers = calloc(worker->count, sizeof(weir_fiber *));
    struct connection *connections = calloc(worker->count, sizeof *connections);
    if (fibers && connections) {
        hold_connections(worker, fibers, connections);
    } else {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "bench", worker->bench->target, NULL);
        give_up(worker, worker->count);
    }
    free(fibers);
    free(connections);
    return 0;
}

void *bench_work(void *arg)
{
    struct bench_worker *worker = arg;
    struct bench *bench = worker->bench;
    weir_loop_options options = {.size = sizeof options, .backend = (weir_backend)bench->settings.backend};
    worker->dialling = weir_channel_new(1, DIALLING_AT_ONCE);
    if (!worker->dialling || weir_run(work, worker, &options) < 0)
        give_up(worker, worker->count);
    weir_channel_free(worker->dialling);
    atomic_fetch_sub(&bench->running, 1);
    return NULL;
}

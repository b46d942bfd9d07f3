/* weir bench --idle: one message on every connection, silence for the measured time, then one more. */
#include "bench.h"

static bool prepare(struct bench_worker *worker, size_t index, weir_conn **conn)
{
    *conn = bench_connect(worker, index);
    return *conn && bench_exchange(worker, index, *conn, weir_now());
}

static void converse(struct bench_worker *worker, size_t index, weir_conn *conn)
{
    bench_rest(worker->bench, WEIR_FOREVER);
    bench_exchange(worker, index, conn, weir_now());
}

const struct bench_mode bench_idle_mode = {.name = "idle", .prepare = prepare, .converse = converse};

/* weir bench --churn: connect, one message, close, again and again; the time of all three counts. */
#include "bench.h"

static bool prepare(struct bench_worker *worker, size_t index, weir_conn **conn)
{
    (void)worker, (void)index;
    *conn = NULL;
    return true;
}

/* Connects from the next address each time: a port stays taken for a while after its connection. */
static bool once(struct bench_worker *worker, size_t index, uint64_t number, int64_t began)
{
    weir_conn *conn = bench_connect(worker, index + number);
    bool right = conn && bench_exchange(worker, index, conn, began);
    weir_close(conn);
    return right;
}

/* When to begin the next: now, or with --rate when it is due. */
static int64_t beginning(const struct bench *bench, size_t index, uint64_t number)
{
    return bench->settings.rate > 0 ? bench_due(bench, index, number) : weir_now();
}

static void converse(struct bench_worker *worker, size_t index, weir_conn *conn)
{
    struct bench *bench = worker->bench;
    bool has_rate = bench->settings.rate > 0;
    uint64_t number = 0;
    (void)conn;
    for (int64_t began; !bench_over(bench, began = beginning(bench, index, number)); number++) {
        if (has_rate ? bench_rest(bench, began) : bench_over(bench, weir_now()))
            break;
        /* A server that refuses is not to be asked a million times a second. */
        if (!once(worker, index, number, began) && bench_rest(bench, weir_deadline(WEIR_MS(10))))
            break;
    }
    for (; has_rate && !bench_over(bench, bench_due(bench, index, number)); number++)
        bench_increment(&worker->counts.behind);
}

const struct bench_mode bench_churn_mode = {.name = "churn", .prepare = prepare, .converse = converse};

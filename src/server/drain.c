/* Stopping a worker. */
#include "server/drain.h"

#include <weir/time.h>

#include "server/client.h"
#include "server/gate.h"
#include "server/inlet.h"

/* What a handler has after it was cancelled, before its connection is cut. */
#define GRACE WEIR_S(1)

static void begin(struct weir__worker *worker)
{
    for (size_t i = 0; i < worker->gate_count; i++)
        weir__gate_drain(&worker->gates[i]);
    for (size_t i = 0; i < worker->inlet_count; i++)
        weir__inlet_drain(worker->inlets[i]);
}

/* Has gates serve what is left of their queues, or drops it if it is too late. Whether all are closed. */
static bool finish_gates(struct weir__worker *worker, bool late)
{
    size_t closed = 0;
    for (size_t i = 0; i < worker->gate_count; i++) {
        struct weir__gate *gate = &worker->gates[i];
        if (late)
            weir__gate_close(gate);
        else
            weir__gate_work(gate);
        closed += gate->state == WEIR__GATE_CLOSED;
    }
    return closed == worker->gate_count;
}

static bool finish_inlets(struct weir__worker *worker)
{
    size_t closed = 0;
    for (size_t i = 0; i < worker->inlet_count; i++)
        closed += weir__inlet_closed(worker->inlets[i]);
    return closed == worker->inlet_count;
}

static void cut(struct weir__worker *worker)
{
    weir__clients_cut(worker);
    for (size_t i = 0; i < worker->inlet_count; i++)
        weir__inlet_cut(worker->inlets[i]);
}

static int64_t next_look(const struct weir__worker *worker, int64_t deadline)
{
    for (size_t i = 0; i < worker->gate_count; i++)
        if (weir__gate_due(&worker->gates[i]) < deadline)
            deadline = weir__gate_due(&worker->gates[i]);
    return deadline;
}

/* Cancels all, and a second later cuts off those who go on because they never wait. Returns when to look again. */
static int64_t cut_what_is_left(struct weir__worker *worker, int64_t abort_at)
{
    if (!worker->cut) {
        cut(worker);
        return weir_now() + GRACE;
    }
    if (weir_now() < abort_at)
        return abort_at;
    weir__clients_abort(worker);
    return WEIR_FOREVER;
}

void weir__drain(struct weir__worker *worker)
{
    int64_t abort_at = WEIR_FOREVER;
    begin(worker);
    for (;;) {
        atomic_store(&worker->woken, false);
        int64_t deadline = atomic_load(&worker->server->deadline);
        bool late = weir_now() >= deadline;
        if (late)
            abort_at = cut_what_is_left(worker, abort_at);
        bool closed = finish_gates(worker, late);
        if (finish_inlets(worker) && closed && weir__clients_gone(worker))
            return;
        weir__worker_wait(worker, late ? abort_at : next_look(worker, deadline));
    }
}

/*
 * Joining two connections: what comes from each goes to the other.
 *
 * The caller alone works both directions, each a pump, and waits for both at once: so a pair that is joined and silent costs
 * one fiber. Whichever direction fails first aborts both connections, and its error is the one that is told. But who was cut
 * off, since it has closed or crashed, may have sent something before: that still goes to the other side, which is told of
 * the cut, not of an end, only then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/pump.h"

struct copying {
    struct weir__watches watches;
    struct weir__pump pumps[2];
    bool ended[2];               /* and the half-close was passed on */
    const struct weir__end *cut; /* where it was found that a connection was cut off; NULL: none */
    int number;                  /* the errno that told */
};

/* For what a side sent before it was cut off, to reach the other: the longest time in which none of it gets there. */
#define LAST_WORDS WEIR_S(5)

/* --- the four sides --- */

static int enter(struct weir__end *ends[4])
{
    for (int i = 0; i < 4; i++) {
        if (weir__end_enter(ends[i]) == 0)
            continue;
        while (i-- > 0)
            weir__end_leave(ends[i]);
        return -1;
    }
    return 0;
}

/* Those of the directions that go on. Returns how many. */
static size_t find_open(const struct copying *copying, const struct weir__end *ends[4])
{
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        if (copying->ended[i])
            continue;
        ends[count++] = &copying->pumps[i].from;
        ends[count++] = &copying->pumps[i].to;
    }
    return count;
}

/* --- going on --- */

static void end(struct copying *copying, int direction)
{
    copying->ended[direction] = true;
    weir__pump_end(&copying->pumps[direction]);
}

/*
 * Where the half-close does not get through any more, the other direction finds out why. There is none of who was cut off.
 * What TLS keeps of it goes by further steps of the pump.
 */
static void pass_on_end(struct copying *copying, int direction)
{
    struct weir__pump *pump = &copying->pumps[direction];
    if (!copying->cut || copying->cut->conn != pump->from.conn)
        weir_shutdown(pump->to.conn, SHUT_WR);
    pump->from.blocked = false;
    if (!weir__end_owes(&pump->to))
        end(copying, direction);
}

/* A reset, or TCP's own time-out: of a connection that is cut off both directions find that out, the second without news. */
static bool is_cut(const struct copying *copying, const struct weir__end *at)
{
    const weir_error_info *error = weir_error();
    bool reset = error->number == EPIPE || error->number == ECONNRESET;
    bool lost = error->number == ETIMEDOUT && error->kind != WEIR_ERROR_DEADLINE;
    return (reset || lost) && (!copying->cut || copying->cut->conn == at->conn);
}

/*
 * A direction failed. Whether something is still to be done: of a connection that was cut off, what it sent before goes to the
 * other side. That is read until it fails or ends as well, and what was read is written.
 */
static bool goes_on(struct copying *copying, int direction)
{
    struct weir__pump *pump = &copying->pumps[direction];
    bool by_sink = strcmp(weir_error()->step, pump->to.step) == 0;
    const struct weir__end *at = by_sink ? &pump->to : &pump->from;
    if (!is_cut(copying, at))
        return false;
    copying->cut = at;
    copying->number = weir_error()->number;
    if (by_sink) {
        end(copying, direction);
        return true;
    }
    pump->ended = true;
    pump->from.blocked = false;
    if (!copying->ended[!direction])
        end(copying, !direction);
    return true;
}

/* One step of both directions. 1 if something moved, 0 if all that is left waits, -1. */
static int step_both(struct copying *copying)
{
    bool moved = false;
    for (int i = 0; i < 2; i++) {
        if (copying->ended[i])
            continue;
        enum weir__pumped pumped = weir__pump_step(&copying->pumps[i]);
        if (pumped == WEIR__PUMP_FAILED && !goes_on(copying, i))
            return -1;
        if (pumped == WEIR__PUMP_DONE)
            pass_on_end(copying, i);
        moved |= pumped != WEIR__PUMP_BLOCKED;
    }
    return moved;
}

static int wait_for_either(struct copying *copying)
{
    const struct weir__end *ends[4];
    size_t count = find_open(copying, ends);
    int64_t until = WEIR_FOREVER;
    for (int i = 0; i < 2; i++) {
        int64_t settled = weir__pump_settle(&copying->pumps[i]);
        until = settled < until ? settled : until;
    }
    return weir__ends_wait(&copying->watches, ends, count, until);
}

/* Whether it has been reset too: then nobody will acknowledge anything. */
static bool is_gone(const weir_conn *conn)
{
    struct pollfd query = {.fd = conn->watch.fd};
    return atomic_load_explicit(&conn->broken, memory_order_relaxed) ||
           (weir__system()->poll(&query, 1, 0) == 1 && query.revents & POLLERR);
}

/* As each step does: 0, or -1 if either connection was cancelled or aborted meanwhile, or its deadline has passed. */
static int go_on(const struct copying *copying)
{
    for (int i = 0; i < 2; i++)
        if (weir__end_go_on(&copying->pumps[i].from) < 0 || weir__end_go_on(&copying->pumps[i].to) < 0)
            return -1;
    return 0;
}

/*
 * Waits until the peer has acknowledged what was sent: an abort would drop the rest. Nothing tells when, so look, rarer and
 * rarer; not beyond the connection's lifetime, however little at a time the peer takes. 0, or -1 as go_on.
 */
static int let_go_out(const struct copying *copying, weir_conn *conn)
{
    int queued = 0, before = 0;
    int64_t deadline = weir_deadline(LAST_WORDS), now;
    for (int64_t pause = WEIR_MS(1); (now = weir_now()) < deadline && now < conn->lifetime_end;
         pause = pause < WEIR_MS(50) ? pause * 2 : pause) {
        if (go_on(copying) < 0)
            return -1;
        if (is_gone(conn) || weir__system()->ioctl(conn->watch.fd, TIOCOUTQ, &queued) < 0 || queued == 0)
            return 0;
        if (weir_sleep(pause) < 0)
            return weir__conn_wait_failed(conn, WEIR__WRITABLE, "send");
        if (queued < before)
            deadline = weir_deadline(LAST_WORDS);
        before = queued;
    }
    return 0;
}

/* Tells of a side that was cut off, once what it sent before has been delivered. 0 where there was none, or -1. */
static int tell_cut(const struct copying *copying)
{
    const struct weir__end *at = copying->cut;
    if (!at)
        return 0;
    weir_conn *const *both = (weir_conn *[]){copying->pumps[0].from.conn, copying->pumps[0].to.conn};
    if (let_go_out(copying, both[both[0] == at->conn]) < 0)
        return -1;
    return weir__conn_fail(at->conn, copying->number, at->step);
}

static int copy_both(struct copying *copying)
{
    while (!copying->ended[0] || !copying->ended[1]) {
        int moved = step_both(copying);
        if (moved < 0 || (moved == 0 && wait_for_either(copying) < 0)) {
            if (errno != ECANCELED)
                tell_cut(copying);
            return -1;
        }
    }
    return tell_cut(copying);
}

/* What ended one of them has ended the other too, as far as a server counts. */
static void share_failure(weir_conn *a, weir_conn *b)
{
    if (!a->failure)
        a->failure = (uint8_t)b->failure;
    if (!b->failure)
        b->failure = (uint8_t)a->failure;
}

/* --- the call --- */

static void init(struct copying *copying, weir_conn *conns[2])
{
    for (int i = 0; i < 2; i++) {
        struct weir__pump *pump = &copying->pumps[i];
        pump->from = weir__end_conn(conns[i], WEIR__READABLE);
        pump->to = weir__end_conn(conns[!i], WEIR__WRITABLE);
        pump->most = UINT64_MAX;
        pump->restart = true;
        weir__pump_init(pump);
    }
}

static int copy(struct copying *copying, weir_conn *conns[2])
{
    struct weir__pump *pumps = copying->pumps;
    struct weir__end *ends[4] = {&pumps[0].from, &pumps[0].to, &pumps[1].from, &pumps[1].to};
    init(copying, conns);
    if (enter(ends) < 0)
        return -1;
    weir_release(conns[0]);
    weir_release(conns[1]);
    int result = copy_both(copying);
    weir__pump_end(&pumps[0]);
    weir__pump_end(&pumps[1]);
    for (int i = 0; i < 4; i++)
        weir__end_leave(ends[i]);
    return result;
}

int weir_copy(weir_conn *a, weir_conn *b, uint64_t bytes[2])
{
    weir_conn *conns[2] = {a, b};
    uint64_t done[2] = {0};
    struct copying *copying = calloc(1, sizeof *copying);
    int result = copying ? copy(copying, conns) : weir__fail_memory("copy");
    for (int i = 0; copying && i < 2; i++)
        done[i] = copying->pumps[i].done;
    free(copying);
    if (bytes) {
        bytes[0] = done[0];
        bytes[1] = done[1];
    }
    if (result == 0)
        return 0;
    share_failure(a, b);
    weir_abort(a);
    weir_abort(b);
    return weir__error_transferred(done[0] + done[1]);
}

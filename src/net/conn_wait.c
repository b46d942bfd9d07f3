/* Waiting on a connection: one caller a direction, deadlines and limits, cancel and abort. */
#include <errno.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "net/tls.h"

#define LOOK_AGAIN WEIR_MS(20)

/* The soonest of the times that end a wait, and what that would mean. */
struct bound {
    int64_t deadline;
    enum weir__conn_failure failure;
};

static weir__slot *slot_of(weir_conn *conn, int direction)
{
    return &conn->watch.slot[direction == WEIR__WRITABLE];
}

/* --- entering --- */

int weir__conn_fail_aborted(weir_conn *conn, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    conn->failure = WEIR__FAILURE_OTHER;
    return weir_fail(WEIR_ERROR_CLOSED, ECONNABORTED, step, weir__conn_name(conn, name, sizeof name),
                     "the connection was aborted");
}

static int fail_deadline(weir_conn *conn, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    conn->failure = WEIR__FAILURE_DEADLINE;
    return weir__fail_deadline(step, weir__conn_name(conn, name, sizeof name));
}

static int fail_busy(weir_conn *conn, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    return weir__fail_busy(step, weir__conn_name(conn, name, sizeof name));
}

/* What may forbid a call before it has begun; a failure that is owed is told here, once. */
static int check_entry(weir_conn *conn, struct weir__side *side, const char *step)
{
    if (conn->aborted)
        return weir__conn_fail_aborted(conn, step);
    if (conn->owed && side == weir__conn_side(conn, WEIR__READABLE)) {
        int number = conn->owed;
        conn->owed = 0;
        return weir__conn_fail(conn, number, step);
    }
    int64_t deadline = atomic_load_explicit(&side->deadline, memory_order_relaxed);
    if (deadline != WEIR_FOREVER && deadline <= weir_now())
        return fail_deadline(conn, step);
    return 0;
}

int weir__conn_turn_over(weir_conn *conn, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    if (weir__turn_over() == 0)
        return 0;
    conn->failure = WEIR__FAILURE_CANCELLED;
    return weir__fail_cancelled(step, weir__conn_name(conn, name, sizeof name));
}

/* Of the call that begins. */
static void restart_timeout(weir_conn *conn, struct weir__side *side)
{
    int64_t timeout = atomic_load_explicit(&conn->timeout, memory_order_relaxed);
    side->call_deadline = timeout == WEIR_FOREVER ? WEIR_FOREVER : weir_deadline(timeout);
}

/* As weir__conn_enter_bound, but for TLS. */
static int enter_open(weir_conn *conn, int direction, bool busy, const char *step)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    if (busy)
        return fail_busy(conn, step);
    atomic_store_explicit(&side->cancelled, false, memory_order_relaxed);
    side->stalled = false;
    if (check_entry(conn, side, step) < 0) {
        weir__conn_leave(conn, direction);
        return -1;
    }
    restart_timeout(conn, side);
    return 0;
}

int weir__conn_enter_bound(weir_conn *conn, int direction, bool busy, const char *step)
{
    if (enter_open(conn, direction, busy, step) < 0)
        return -1;
    if (!conn->secure || weir__tls_ready(conn, direction, step) == 0)
        return 0;
    weir__conn_leave(conn, direction);
    return -1;
}

int weir__conn_enter_unshaken(weir_conn *conn, int direction, const char *step)
{
    if (!conn->secure || weir__tls_of(conn)->state != WEIR__TLS_NEW)
        return weir__conn_enter(conn, direction, step);
    bool busy = atomic_exchange_explicit(&weir__conn_side(conn, direction)->busy, true, memory_order_acquire);
    return enter_open(conn, direction, busy, step);
}

int weir__conn_go_on(weir_conn *conn, int direction, const char *step)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    if (atomic_load_explicit(&side->news, memory_order_relaxed) && weir__conn_look(conn, direction, step) < 0)
        return -1;
    return atomic_load_explicit(&conn->bound, memory_order_relaxed) ? check_entry(conn, side, step) : 0;
}

void weir__conn_moved(weir_conn *conn, int direction, bool restart)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    side->stalled = false;
    if (restart && atomic_load_explicit(&conn->bound, memory_order_relaxed))
        restart_timeout(conn, side);
}

void weir__conn_progress(weir_conn *conn, int direction, size_t bytes)
{
    atomic_store_explicit(&weir__conn_side(conn, direction)->progress, weir__now(), memory_order_relaxed);
    _Atomic uint64_t *moved = conn->limits->moved[direction == WEIR__WRITABLE];
    if (!moved)
        return;
    if (conn->limits->shared)
        atomic_fetch_add_explicit(moved, bytes, memory_order_relaxed);
    else
        atomic_store_explicit(moved, atomic_load_explicit(moved, memory_order_relaxed) + bytes, memory_order_relaxed);
}

/* A write that begins to wait has until now made progress. */
static void note_stall(struct weir__side *side, int direction)
{
    if (direction != WEIR__WRITABLE || side->stalled)
        return;
    side->stalled = true;
    atomic_store_explicit(&side->progress, weir__now(), memory_order_relaxed);
}

/* --- bounds --- */

static int64_t add(int64_t time, int64_t duration)
{
    return duration == WEIR_FOREVER || time > WEIR_FOREVER - duration ? WEIR_FOREVER : time + duration;
}

static void sooner(struct bound *bound, int64_t deadline, enum weir__conn_failure failure)
{
    if (deadline < bound->deadline)
        *bound = (struct bound){deadline, failure};
}

/* Each direction looks at the other's too. */
static int64_t progress_of(const struct weir__side *side)
{
    return atomic_load_explicit(&side->progress, memory_order_relaxed);
}

static struct bound bound_of(weir_conn *conn, int direction)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    struct bound bound = {atomic_load(&side->deadline), WEIR__FAILURE_DEADLINE};
    sooner(&bound, side->call_deadline, WEIR__FAILURE_DEADLINE);
    if (!conn->limits)
        return bound;
    if (direction == WEIR__WRITABLE) {
        sooner(&bound, add(progress_of(side), conn->limits->write), WEIR__FAILURE_WRITE);
    } else {
        int64_t sent = progress_of(&conn->side[1]), received = progress_of(side);
        sooner(&bound, add(sent > received ? sent : received, conn->limits->idle), WEIR__FAILURE_IDLE);
        if (conn->message_end)
            sooner(&bound, conn->message_end, WEIR__FAILURE_MESSAGE);
    }
    sooner(&bound, conn->lifetime_end, WEIR__FAILURE_LIFETIME);
    return bound;
}

static int fail_bound(weir_conn *conn, enum weir__conn_failure failure, const char *step)
{
    static const char *const reasons[] = {
        [WEIR__FAILURE_IDLE] = "idle for too long",
        [WEIR__FAILURE_WRITE] = "the peer took no output for too long",
        [WEIR__FAILURE_MESSAGE] = "the message was not completed in time",
        [WEIR__FAILURE_LIFETIME] = "the connection has lasted too long",
    };
    if (failure == WEIR__FAILURE_DEADLINE)
        return fail_deadline(conn, step);
    char name[WEIR_ADDRESS_TEXT];
    conn->failure = (uint8_t)failure;
    return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, step, weir__conn_name(conn, name, sizeof name), "%s",
                     reasons[failure]);
}

/* --- waiting --- */

static bool has_news(void *arg)
{
    return atomic_load(&((struct weir__side *)arg)->news);
}

static int fail_cancelled(weir_conn *conn, const char *step)
{
    char name[WEIR_ADDRESS_TEXT];
    conn->failure = WEIR__FAILURE_CANCELLED;
    return weir__fail_cancelled(step, weir__conn_name(conn, name, sizeof name));
}

int weir__conn_look(weir_conn *conn, int direction, const char *step)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    atomic_store(&side->news, false);
    if (conn->aborted)
        return weir__conn_fail_aborted(conn, step);
    return side->cancelled ? fail_cancelled(conn, step) : 0;
}

int64_t weir__conn_bound(weir_conn *conn, int direction)
{
    note_stall(weir__conn_side(conn, direction), direction);
    return bound_of(conn, direction).deadline;
}

int weir__conn_wait_failed(weir_conn *conn, int direction, const char *step)
{
    if (errno == ECANCELED)
        return fail_cancelled(conn, step);
    if (errno != ETIMEDOUT)
        return weir__conn_fail(conn, errno, step);
    struct bound bound = bound_of(conn, direction);
    return bound.deadline <= weir__now() ? fail_bound(conn, bound.failure, step) : 0;
}

static int64_t soonest(int64_t a, int64_t b, int64_t c)
{
    int64_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* When to look though nothing tells: a wait in the other direction's place is not told of what its own call is to hear. */
static int64_t look_again(weir_conn *conn, int call, int direction)
{
    if (call != direction)
        return weir__now() + LOOK_AGAIN;
    return conn->secure ? weir__tls_look_again(conn, direction) : WEIR_FOREVER;
}

int weir__conn_wait_as(weir_conn *conn, int call, int direction, int64_t until, const char *step)
{
    struct weir__side *side = weir__conn_side(conn, call);
    note_stall(side, call);
    for (;;) {
        if (weir__conn_look(conn, call, step) < 0)
            return -1;
        if (conn->secure && direction == WEIR__READABLE && weir__tls_told(conn))
            return 0;
        int64_t again = look_again(conn, call, direction);
        int64_t bound = soonest(bound_of(conn, call).deadline, until, again);
        if (weir__watch_wait(&conn->watch, direction, bound, has_news, side) == 0) {
            if (!atomic_load(&side->news))
                return 0;
            continue;
        }
        if (weir__conn_wait_failed(conn, call, step) < 0)
            return -1;
        if (until <= weir__now())
            return 1;
        if (again <= weir__now() && call == direction)
            return 0;
    }
}

int weir__conn_wait_until(weir_conn *conn, int direction, int64_t until, const char *step)
{
    return weir__conn_wait_as(conn, direction, direction, until, step);
}

int weir__conn_wait(weir_conn *conn, int direction, const char *step)
{
    return weir__conn_wait_until(conn, direction, WEIR_FOREVER, step);
}

static int park_until(weir_conn *conn, int direction, int64_t deadline)
{
    weir__slot *slot = slot_of(conn, direction);
    if (!weir__wait_begin(slot))
        return -1;
    if (!has_news(weir__conn_side(conn, direction)))
        return weir__wait_park(slot, deadline);
    weir__wait_abandon(slot);
    return 0;
}

int weir__conn_pause(weir_conn *conn, int direction, int64_t pause, const char *step)
{
    int64_t until = weir_deadline(pause);
    do {
        if (weir__conn_look(conn, direction, step) < 0)
            return -1;
        int64_t bound = weir__conn_bound(conn, direction);
        if (park_until(conn, direction, bound < until ? bound : until) < 0 &&
            weir__conn_wait_failed(conn, direction, step) < 0)
            return -1;
    } while (weir_now() < until);
    return 0;
}

/* --- from other threads and fibers --- */

static void tell(weir_conn *conn, int direction)
{
    atomic_store(&weir__conn_side(conn, direction)->news, true);
    weir__wake(slot_of(conn, direction));
}

static void cancel_side(weir_conn *conn, int direction)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    if (!side->busy)
        return;
    side->cancelled = true;
    tell(conn, direction);
}

void weir_cancel(weir_conn *conn)
{
    cancel_side(conn, WEIR__READABLE);
    cancel_side(conn, WEIR__WRITABLE);
}

/* A connect(2) to no address is how TCP is told to reset at once, whoever still holds the descriptor. */
static void reset(weir_conn *conn)
{
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (weir__conn_by_ssh(conn))
        weir__ssh_reset(conn);
    else if (conn->scheme == WEIR_SCHEME_TCP || conn->scheme == WEIR_SCHEME_HTTP || conn->secure)
        weir__system()->connect(conn->watch.fd, &nobody, sizeof nobody);
    else
        weir__system()->shutdown(conn->watch.fd, SHUT_RDWR);
}

void weir_abort(weir_conn *conn)
{
    if (atomic_exchange(&conn->aborted, true))
        return;
    int saved = errno;
    uint8_t none = WEIR__FAILURE_NONE;
    atomic_compare_exchange_strong(&conn->failure, &none, WEIR__FAILURE_OTHER);
    conn->bound = true;
    reset(conn);
    tell(conn, WEIR__READABLE);
    tell(conn, WEIR__WRITABLE);
    errno = saved;
}

void weir_set_timeout(weir_conn *conn, int64_t timeout)
{
    conn->timeout = timeout;
    conn->bound = true;
}

void weir_set_deadline(weir_conn *conn, weir_direction direction, int64_t deadline)
{
    conn->bound = true;
    for (int one = WEIR__READABLE; one <= WEIR__WRITABLE; one++)
        if ((int)direction & one) {
            weir__conn_side(conn, one)->deadline = deadline;
            tell(conn, one);
        }
}

/* The ends of a copy: entering, waiting, failing, for connections and files alike. */
#include "net/ends.h"

#include <errno.h>
#include <weir/time.h>

#include "base/error.h"

/* What the recheck of a wait is about. */
struct waited {
    const struct weir__end *const *ends;
    size_t count;
};

struct weir__end weir__end_conn(weir_conn *conn, int direction)
{
    const char *step = direction == WEIR__READABLE ? "recv" : "send";
    return (struct weir__end){.conn = conn, .step = step, .direction = (uint8_t)direction, .deadline = WEIR_FOREVER};
}

struct weir__end weir__end_file(weir_file *file, int direction, int64_t deadline)
{
    const char *step = direction == WEIR__READABLE ? "read" : "write";
    return (struct weir__end){.file = file, .step = step, .direction = (uint8_t)direction, .deadline = deadline};
}

static enum weir__direction of_file(const struct weir__end *end)
{
    return end->direction == WEIR__READABLE ? WEIR__READING : WEIR__WRITING;
}

static struct weir__watch *watch_of(const struct weir__end *end)
{
    return end->conn ? &end->conn->watch : &end->file->watch;
}

int weir__end_fd(const struct weir__end *end)
{
    return watch_of(end)->fd;
}

/* --- the call --- */

int weir__end_enter(struct weir__end *end)
{
    if (end->file)
        return weir__file_enter(end->file, of_file(end), end->step);
    if (weir__conn_enter(end->conn, end->direction, end->step) < 0)
        return -1;
    struct weir__side *side = weir__conn_side(end->conn, end->direction);
    if (end->deadline < side->call_deadline)
        side->call_deadline = end->deadline;
    return 0;
}

void weir__end_leave(struct weir__end *end)
{
    if (end->file) {
        weir__file_leave(end->file, of_file(end));
        return;
    }
    weir__conn_side(end->conn, end->direction)->call_deadline = WEIR_FOREVER;
    weir__conn_leave(end->conn, end->direction);
}

static int fail_cancelled(const struct weir__end *end)
{
    if (end->file)
        return weir__fail_cancelled(end->step, end->file->name);
    errno = ECANCELED;
    return weir__conn_wait_failed(end->conn, end->direction, end->step);
}

/* WEIR_NOW is not a time that has passed, but says not to wait. */
static bool is_late(const struct weir__end *end)
{
    return end->deadline != WEIR_FOREVER && end->deadline != WEIR_NOW && end->deadline <= weir__now();
}

static int fail_late(const struct weir__end *end)
{
    errno = ETIMEDOUT;
    return end->conn ? weir__conn_wait_failed(end->conn, end->direction, end->step)
                     : weir__fail_deadline(end->step, end->file->name);
}

int weir__end_go_on(const struct weir__end *end)
{
    if (is_late(end))
        return fail_late(end);
    if (end->conn)
        return weir__conn_go_on(end->conn, end->direction, end->step);
    return weir__file_cancelled(end->file, of_file(end)) ? fail_cancelled(end) : 0;
}

int weir__end_fail(const struct weir__end *end, int number)
{
    if (number == ECANCELED)
        return fail_cancelled(end);
    if (end->conn)
        return weir__conn_fail(end->conn, number, end->step);
    return weir__fail_system(number, end->step, end->file ? end->file->name : NULL);
}

/* --- readiness --- */

bool weir__end_maybe_ready(struct weir__end *end)
{
    bool maybe = weir__watch_maybe_ready(watch_of(end), end->direction) ||
                 (end->conn && end->conn->secure && end->direction == WEIR__READABLE && weir__tls_pending(end->conn));
    end->blocked |= !maybe;
    return maybe;
}

void weir__end_would_wait(struct weir__end *end)
{
    end->blocked = true;
    weir__watch_clear(watch_of(end), end->direction);
}

/* --- waiting --- */

static bool has_news(const struct weir__end *end)
{
    return end->conn ? atomic_load(&weir__conn_side(end->conn, end->direction)->news)
                     : weir__file_cancelled(end->file, of_file(end));
}

static bool any_news(void *arg)
{
    const struct waited *waited = arg;
    for (size_t i = 0; i < waited->count; i++)
        if (has_news(waited->ends[i]))
            return true;
    return false;
}

static int look(const struct weir__end *end)
{
    if (end->conn)
        return weir__conn_look(end->conn, end->direction, end->step);
    return weir__file_cancelled(end->file, of_file(end)) ? fail_cancelled(end) : 0;
}

static int look_at_all(const struct waited *waited)
{
    for (size_t i = 0; i < waited->count; i++)
        if (look(waited->ends[i]) < 0)
            return -1;
    return 0;
}

static int64_t bound_of(const struct weir__end *end)
{
    return end->conn ? weir__conn_bound(end->conn, end->direction) : end->deadline;
}

/* Whether its bounds count: it waits for its descriptor, or for the rest of a message to TLS itself. */
static bool waits(const struct weir__end *end)
{
    return end->blocked || (end->conn && end->direction == WEIR__WRITABLE && weir__tls_is_stuck(end->conn));
}

/* Adds all to the watches. Returns the soonest of the times that end the wait. */
static int64_t add_all(struct weir__watches *watches, const struct waited *waited, int64_t until)
{
    weir__watches_clear(watches);
    for (size_t i = 0; i < waited->count; i++) {
        const struct weir__end *end = waited->ends[i];
        weir__watches_add(watches, watch_of(end), end->direction, end->blocked);
        int64_t bound = waits(end) ? bound_of(end) : WEIR_FOREVER;
        int64_t again = end->conn && end->conn->secure ? weir__tls_look_again(end->conn, end->direction) : WEIR_FOREVER;
        bound = again < bound ? again : bound;
        until = bound < until ? bound : until;
    }
    return until;
}

/* A time has passed: that of one of them, or else 0. */
static int time_passed(const struct waited *waited)
{
    for (size_t i = 0; i < waited->count; i++) {
        const struct weir__end *end = waited->ends[i];
        if (!waits(end))
            continue;
        errno = ETIMEDOUT;
        if (end->conn && weir__conn_wait_failed(end->conn, end->direction, end->step) < 0)
            return -1;
        if (end->file && end->deadline <= weir__now())
            return weir__fail_deadline(end->step, end->file->name);
    }
    return 0;
}

static const struct weir__end *first_blocked(const struct waited *waited)
{
    for (size_t i = 0; i < waited->count; i++)
        if (waited->ends[i]->blocked)
            return waited->ends[i];
    return waited->ends[0];
}

/* What cannot be registered is a file that knows what to do about it. */
static int wait_failed(const struct waited *waited, int number)
{
    const struct weir__end *end = first_blocked(waited);
    if (number == EPERM && end->file)
        return weir__file_wait(end->file, of_file(end), end->deadline);
    return number == ETIMEDOUT ? time_passed(waited) : weir__end_fail(end, number);
}

int weir__ends_wait(struct weir__watches *watches, const struct weir__end *const *ends, size_t count, int64_t until)
{
    struct waited waited = {ends, count};
    if (look_at_all(&waited) < 0)
        return -1;
    int64_t deadline = add_all(watches, &waited, until);
    if (weir__watches_wait(watches, deadline, any_news, &waited) == 0)
        return look_at_all(&waited);
    return wait_failed(&waited, errno);
}

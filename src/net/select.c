/* weir_select: the engine's select, with connections for descriptors, each taken as by a call of its direction. */
#include <errno.h>
#include <weir/channel.h>
#include <weir/fiber.h>
#include <weir/time.h>

#include "base/error.h"
#include "engine/select.h"
#include "net/tls.h"

static int direction_of(const weir_case *one)
{
    return one->kind == WEIR_CASE_READABLE ? WEIR__READABLE : one->kind == WEIR_CASE_WRITABLE ? WEIR__WRITABLE : 0;
}

static int enter(weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int direction = direction_of(&cases[i]);
        if (!direction || weir__conn_enter_unshaken(cases[i].conn, direction, "select") == 0)
            continue;
        while (i-- > 0)
            if (direction_of(&cases[i]))
                weir__conn_leave(cases[i].conn, direction_of(&cases[i]));
        return -1;
    }
    return 0;
}

static void leave(weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (direction_of(&cases[i]))
            weir__conn_leave(cases[i].conn, direction_of(&cases[i]));
}

/* Whether TLS has something for a reader: bytes, its end, an error. What has come so far may be less than a record. */
static bool has_plaintext(weir_conn *conn)
{
    char byte;
    return weir__tls_receive(conn, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN;
}

/* What was read ahead is readable, though the descriptor is not. */
static bool ahead(weir_conn *conn)
{
    return (conn->lines && weir__lines_left(conn)) || (conn->secure && has_plaintext(conn));
}

/* --- TLS: the handshakes of all are made beside each other --- */

static bool shakes(const weir_case *one)
{
    return direction_of(one) && one->conn->secure && weir__tls_of(one->conn)->state <= WEIR__TLS_SHAKING;
}

/* Goes on with those that are to be made. The first that has come to nothing, which its next call will tell; or -1. */
static int shake_hands(const weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (shakes(&cases[i]) && weir__tls_try(cases[i].conn) && weir__tls_of(cases[i].conn)->state == WEIR__TLS_FAILED)
            return (int)i;
    return -1;
}

/* What is to be waited for: of a handshake, mostly that the peer says something. */
static weir_case_kind kind_of(const weir_case *one)
{
    if (!shakes(one))
        return one->kind;
    return weir__tls_of(one->conn)->owes ? WEIR_CASE_WRITABLE : WEIR_CASE_READABLE;
}

/* --- waiting --- */

static int read_ahead(const weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cases[i].kind == WEIR_CASE_READABLE && !shakes(&cases[i]) && ahead(cases[i].conn))
            return (int)i;
    return -1;
}

static int fail(int number)
{
    switch (number) {
    case ETIMEDOUT:
        return weir__fail_deadline("select", "");
    case ECANCELED:
        return weir__fail_cancelled("select", "");
    case EBUSY:
        return weir__fail_busy("select", "");
    default:
        return weir__fail_system(number, "select", "");
    }
}

static int select_once(weir_case *cases, size_t count, int64_t deadline)
{
    struct weir__select_case inner[WEIR__SELECT_MOST];
    int failed = shake_hands(cases, count), first = failed >= 0 ? failed : read_ahead(cases, count);
    if (first >= 0) {
        cases[first].error = 0;
        return first;
    }
    for (size_t i = 0; i < count; i++)
        inner[i] =
            (struct weir__select_case){kind_of(&cases[i]), cases[i].channel,
                                       cases[i].fiber,     direction_of(&cases[i]) ? cases[i].conn->watch.fd : -1,
                                       cases[i].item,      0};
    int chosen = weir__select(inner, count, deadline);
    if (chosen < 0)
        return fail(errno);
    cases[chosen].error = inner[chosen].error;
    return chosen;
}

/* A descriptor that is ready may have brought TLS nothing for its user. */
static bool is_useful(const weir_case *one)
{
    if (!direction_of(one) || one->error || !one->conn->secure)
        return true;
    return !shakes(one) && (one->kind == WEIR_CASE_WRITABLE || has_plaintext(one->conn));
}

/* Another call makes its handshake: it is to have its turn. */
static bool is_others(const weir_case *one)
{
    return shakes(one) && weir__tls_of(one->conn)->state == WEIR__TLS_SHAKING;
}

static int select_entered(weir_case *cases, size_t count, int64_t deadline)
{
    for (;;) {
        int chosen = select_once(cases, count, deadline);
        if (chosen < 0 || is_useful(&cases[chosen]))
            return chosen;
        if (is_others(&cases[chosen]) && weir_sleep(WEIR_MS(1)) < 0)
            return fail(ECANCELED);
    }
}

int weir_select(weir_case *cases, size_t count, int64_t deadline)
{
    if (count == 0 || count > WEIR__SELECT_MOST)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "select", "", "%zu cases; 1 to %d are possible", count,
                         WEIR__SELECT_MOST);
    if (enter(cases, count) < 0)
        return -1;
    int chosen = select_entered(cases, count, deadline);
    leave(cases, count);
    return chosen;
}

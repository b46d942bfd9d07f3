/* weir_select: the engine's select, with connections for descriptors, each taken as by a call of its direction. */
#include <errno.h>
#include <weir/channel.h>

#include "base/error.h"
#include "engine/select.h"
#include "net/conn.h"

static int direction_of(const weir_case *one)
{
    return one->kind == WEIR_CASE_READABLE ? WEIR__READABLE : one->kind == WEIR_CASE_WRITABLE ? WEIR__WRITABLE : 0;
}

static int enter(weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int direction = direction_of(&cases[i]);
        if (!direction || weir__conn_enter(cases[i].conn, direction, "select") == 0)
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

static int read_ahead(const weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cases[i].kind == WEIR_CASE_READABLE && ahead(cases[i].conn))
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
    int first = read_ahead(cases, count);
    if (first >= 0) {
        cases[first].error = 0;
        return first;
    }
    for (size_t i = 0; i < count; i++)
        inner[i] = (struct weir__select_case){cases[i].kind,  cases[i].channel,
                                              cases[i].fiber, direction_of(&cases[i]) ? cases[i].conn->watch.fd : -1,
                                              cases[i].item,  0};
    int chosen = weir__select(inner, count, deadline);
    if (chosen < 0)
        return fail(errno);
    cases[chosen].error = inner[chosen].error;
    return chosen;
}

/* A descriptor that is readable may have brought TLS nothing for its reader. */
static int select_entered(weir_case *cases, size_t count, int64_t deadline)
{
    for (;;) {
        int chosen = select_once(cases, count, deadline);
        if (chosen < 0 || cases[chosen].kind != WEIR_CASE_READABLE || cases[chosen].error ||
            !cases[chosen].conn->secure || has_plaintext(cases[chosen].conn))
            return chosen;
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

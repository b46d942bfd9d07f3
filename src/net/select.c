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

/* What was read ahead is readable, though the descriptor is not. */
static int read_ahead(const weir_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (cases[i].kind == WEIR_CASE_READABLE && cases[i].conn->lines && weir__lines_left(cases[i].conn))
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

static int select_entered(weir_case *cases, size_t count, int64_t deadline)
{
    struct weir__select_case inner[WEIR__SELECT_MOST];
    int ahead = read_ahead(cases, count);
    if (ahead >= 0) {
        cases[ahead].error = 0;
        return ahead;
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

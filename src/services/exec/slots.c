/* The slots: a channel that has room for one byte a program. */
#include "slots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/weir.h>

/* A line about waiting or refusing comes at most so often, whoever causes it. */
#define SILENCE WEIR_S(10)

struct exec_slots {
    weir_channel *taken; /* NULL: no limit */
    int64_t most, most_waiting;
    _Atomic int64_t waiting;
    _Atomic int64_t told; /* when a line came last; 0: never */
};

struct exec_slots *exec_slots_new(int64_t most, int64_t waiting)
{
    struct exec_slots *slots = calloc(1, sizeof *slots);
    if (!slots) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "exec", NULL);
        return NULL;
    }
    slots->most = most;
    slots->most_waiting = waiting;
    if (most < 0 || (slots->taken = weir_channel_new(1, (size_t)most)))
        return slots;
    free(slots);
    return NULL;
}

void exec_slots_free(struct exec_slots *slots)
{
    if (slots)
        weir_channel_free(slots->taken);
    free(slots);
}

static bool may_tell(struct exec_slots *slots)
{
    int64_t now = weir_now(), told = atomic_load(&slots->told);
    return (!told || now - told >= SILENCE) && atomic_compare_exchange_strong(&slots->told, &told, now);
}

static int refuse(struct exec_slots *slots, const char *client)
{
    if (may_tell(slots))
        weir_log(WEIR_LOG_WARNING, "exec: %" PRId64 " clients wait already (--max-waiting): %s is refused",
                 slots->most_waiting, client);
    return weir_fail(WEIR_ERROR_LIMIT, EAGAIN, "wait", client, "%" PRId64 " clients wait already", slots->most_waiting);
}

/* Counted as one of those that wait. */
static int wait_for_one(struct exec_slots *slots, const char *client, int64_t deadline)
{
    int64_t before = atomic_fetch_add(&slots->waiting, 1);
    int result;
    if (before >= slots->most_waiting) {
        result = refuse(slots, client);
    } else {
        if (may_tell(slots))
            weir_log(WEIR_LOG_WARNING, "exec: %" PRId64 " programs run, as many as may (--max-programs): %s waits",
                     slots->most, client);
        result = weir_channel_send(slots->taken, "", deadline);
    }
    atomic_fetch_sub(&slots->waiting, 1);
    return result;
}

int exec_slots_take(struct exec_slots *slots, const char *client, int64_t deadline)
{
    if (!slots->taken || weir_channel_send(slots->taken, "", WEIR_NOW) == 0)
        return 0;
    return errno == ETIMEDOUT ? wait_for_one(slots, client, deadline) : -1;
}

void exec_slots_give(struct exec_slots *slots)
{
    char byte;
    if (slots->taken)
        weir_channel_receive(slots->taken, &byte, WEIR_NOW);
}

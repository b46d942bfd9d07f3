/* The slots: a channel that has room for one byte each. */
#include "slots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <weir/weir.h>

/* A line about waiting or refusing comes at most so often, whoever causes it. */
#define SILENCE WEIR_S(10)

struct slots {
    struct slots_words words;
    weir_channel *taken; /* NULL: no limit */
    int64_t most, most_waiting;
    _Atomic int64_t waiting;
    _Atomic int64_t told; /* when a line came last; 0: never */
};

struct slots *slots_new(const struct slots_words *words, int64_t most, int64_t waiting)
{
    struct slots *slots = calloc(1, sizeof *slots);
    if (!slots) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", words->service, NULL);
        return NULL;
    }
    slots->words = *words;
    slots->most = most;
    slots->most_waiting = waiting;
    if (most < 0 || (slots->taken = weir_channel_new(1, (size_t)most)))
        return slots;
    free(slots);
    return NULL;
}

void slots_free(struct slots *slots)
{
    if (slots)
        weir_channel_free(slots->taken);
    free(slots);
}

static bool may_tell(struct slots *slots)
{
    int64_t now = weir_now(), told = atomic_load(&slots->told);
    return (!told || now - told >= SILENCE) && atomic_compare_exchange_strong(&slots->told, &told, now);
}

static int refuse(struct slots *slots, const char *client)
{
    const struct slots_words *words = &slots->words;
    if (may_tell(slots))
        weir_log(WEIR_LOG_WARNING, "%s: %" PRId64 " %s wait already (%s): %s is refused", words->service,
                 slots->most_waiting, words->waiting, words->waiting_option, client);
    return weir_fail(WEIR_ERROR_LIMIT, EAGAIN, "wait", client, "%" PRId64 " %s wait already", slots->most_waiting,
                     words->waiting);
}

/* Counted as one of those that wait. */
static int wait_for_one(struct slots *slots, const char *client, int64_t deadline)
{
    int64_t before = atomic_fetch_add(&slots->waiting, 1);
    int result;
    if (before >= slots->most_waiting) {
        result = refuse(slots, client);
    } else {
        if (slots->words.running && may_tell(slots))
            weir_log(WEIR_LOG_WARNING, "%s: %" PRId64 " %s: %s waits", slots->words.service, slots->most,
                     slots->words.running, client);
        result = weir_channel_send(slots->taken, "", deadline);
    }
    atomic_fetch_sub(&slots->waiting, 1);
    return result;
}

int slots_take(struct slots *slots, const char *client, int64_t deadline)
{
    if (!slots->taken || weir_channel_send(slots->taken, "", WEIR_NOW) == 0)
        return 0;
    return errno == ETIMEDOUT ? wait_for_one(slots, client, deadline) : -1;
}

void slots_give(struct slots *slots)
{
    char byte;
    if (slots->taken)
        weir_channel_receive(slots->taken, &byte, WEIR_NOW);
}

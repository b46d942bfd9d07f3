/* Channels: a ring of items, and the groups that wait to send or to receive. A parked fiber's stack is never written to. */
#include "engine/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/select.h"

weir_channel *weir_channel_new(size_t item_size, size_t capacity)
{
    size_t bytes;
    weir_channel *channel = NULL;
    /* A select of the most cases has a copy of an item for each. */
    if (item_size < SIZE_MAX / (2 * WEIR__SELECT_MOST) && !__builtin_mul_overflow(item_size, capacity, &bytes) &&
        bytes < SIZE_MAX - sizeof *channel)
        channel = malloc(sizeof *channel + bytes);
    if (!channel) {
        weir__fail_memory("channel");
        return NULL;
    }
    memset(channel, 0, sizeof *channel);
    pthread_mutex_init(&channel->lock, NULL);
    channel->item_size = item_size;
    channel->capacity = capacity;
    weir__list_init(&channel->senders);
    weir__list_init(&channel->receivers);
    return channel;
}

void weir_channel_free(weir_channel *channel)
{
    if (!channel)
        return;
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

/* The oldest parked case of a list whose group nobody has completed yet, claimed for us; NULL if there is none. */
static struct weir__node *claim(struct weir__list *list, int error)
{
    struct weir__list *link;
    while ((link = weir__list_pop_front(list))) {
        struct weir__node *node = weir__list_entry(link, struct weir__node, link);
        int none = -1;
        if (!atomic_compare_exchange_strong(&node->group->chosen, &none, (int)(node - node->group->nodes)))
            continue;
        node->group->error = error;
        return node;
    }
    return NULL;
}

/* The group is freed by its waiter, who needs the channel's lock for that: it is there until we let go of it. */
static void complete(struct weir__node *node)
{
    weir__wake(&node->group->slot);
}

static char *place(weir_channel *channel, size_t index)
{
    return channel->ring + (channel->first + index) % channel->capacity * channel->item_size;
}

bool weir__channel_try_send(weir_channel *channel, const void *item, int *error)
{
    *error = channel->closed ? EPIPE : 0;
    if (channel->closed)
        return true;
    struct weir__node *receiver = claim(&channel->receivers, 0);
    if (receiver) {
        weir__channel_copy(channel, receiver->item, item);
        complete(receiver);
        return true;
    }
    if (channel->count == channel->capacity)
        return false;
    weir__channel_copy(channel, place(channel, channel->count++), item);
    return true;
}

/* Takes the oldest item out of the ring; the oldest sender's takes the place that has become free. */
static void take_first(weir_channel *channel, void *item)
{
    weir__channel_copy(channel, item, place(channel, 0));
    channel->first = (channel->first + 1) % channel->capacity;
    channel->count--;
    struct weir__node *sender = claim(&channel->senders, 0);
    if (!sender)
        return;
    weir__channel_copy(channel, place(channel, channel->count++), sender->item);
    complete(sender);
}

bool weir__channel_try_receive(weir_channel *channel, void *item, int *error)
{
    *error = 0;
    if (channel->count) {
        take_first(channel, item);
        return true;
    }
    struct weir__node *sender = claim(&channel->senders, 0);
    if (sender) {
        weir__channel_copy(channel, item, sender->item);
        complete(sender);
        return true;
    }
    *error = channel->closed ? EPIPE : 0;
    return channel->closed;
}

void weir_channel_close(weir_channel *channel)
{
    struct weir__node *node;
    pthread_mutex_lock(&channel->lock);
    channel->closed = true;
    while ((node = claim(&channel->senders, EPIPE)))
        complete(node);
    while ((node = claim(&channel->receivers, EPIPE)))
        complete(node);
    pthread_mutex_unlock(&channel->lock);
}

/* --- sending and receiving: a select of one --- */

static int fail(int number, const char *step)
{
    switch (number) {
    case EPIPE:
        return weir_fail(WEIR_ERROR_CLOSED, EPIPE, step, "channel", "the channel is closed");
    case ETIMEDOUT:
        return weir__fail_deadline(step, "channel");
    case ECANCELED:
        return weir__fail_cancelled(step, "channel");
    case ENOMEM:
        return weir__fail_memory(step);
    default:
        return weir__fail_system(number, step, "channel");
    }
}

static int do_one(weir_case_kind kind, weir_channel *channel, void *item, int64_t deadline, const char *step)
{
    struct weir__select_case one = {.kind = kind, .channel = channel, .item = item};
    if (weir__select(&one, 1, deadline) < 0)
        return fail(errno, step);
    return one.error ? fail(one.error, step) : 0;
}

int weir_channel_send(weir_channel *channel, const void *item, int64_t deadline)
{
    return do_one(WEIR_CASE_SEND, channel, (void *)item, deadline, "send");
}

int weir_channel_receive(weir_channel *channel, void *item, int64_t deadline)
{
    return do_one(WEIR_CASE_RECEIVE, channel, item, deadline, "receive");
}

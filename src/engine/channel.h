/* A channel's inside: what select works on. */
#ifndef WEIR_ENGINE_CHANNEL_H
#define WEIR_ENGINE_CHANNEL_H

#include <pthread.h>
#include <string.h>
#include <weir/channel.h>

#include "base/list.h"
#include "engine/fiber.h"

struct weir_channel {
    pthread_mutex_t lock;
    size_t item_size, capacity;
    size_t first, count; /* of the items in the ring */
    bool closed;
    struct weir__list senders, receivers; /* nodes of parked groups, oldest first */
    char ring[];
};

/*
 * A wait, on the heap: everything that others write to while its fiber is parked. Whoever completes one of its nodes claims
 * the group first, so that exactly one of its cases is done; a wake without a claim means: look again.
 */
struct weir__group {
    weir__slot slot;
    _Atomic int chosen; /* the index of the case that was done; -1 */
    int error;          /* of that case; EPIPE if its channel was closed */
    size_t count;
    struct weir__node *nodes;
};

/* One case of a parked group. */
struct weir__node {
    struct weir__case_waiter end; /* END: published in the fiber's joiner */
    bool published;               /* `end` was */
    atomic_bool delivered;        /* the last touch of whoever took `end` */
    struct weir__group *group;
    struct weir__list link;        /* in its channel's senders or receivers; empty: no longer */
    struct weir__foreign *foreign; /* READABLE, WRITABLE in a fiber */
    char *item;                    /* a copy of what is sent, room for what is received */
};

/* Copies an item; it may be empty, and memcpy(3) wants pointers even then. */
static inline void weir__channel_copy(const weir_channel *channel, void *to, const void *from)
{
    if (channel->item_size)
        memcpy(to, from, channel->item_size);
}

/* Tries to send, or receive, without waiting; with the channel's lock held. False: it would wait. *error: 0 or EPIPE. */
bool weir__channel_try_send(weir_channel *channel, const void *item, int *error);
bool weir__channel_try_receive(weir_channel *channel, void *item, int *error);

#endif

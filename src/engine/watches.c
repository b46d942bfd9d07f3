/*
 * Waiting on several watches at once. In each watch's slot lies a node in place of the fiber; whoever takes one wakes the
 * slot of the whole, where the fiber waits. Watches stay registered between waits, unlike those of weir_select: this is
 * for waits that come again and again on the same few.
 */
#include "engine/watches.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "engine/loop.h"

void weir__watches_clear(struct weir__watches *watches)
{
    watches->count = 0;
}

static void taken(struct weir__case_waiter *self)
{
    struct weir__watches_member *member = (struct weir__watches_member *)self;
    weir__wake(&member->whole->slot);
    atomic_store(&member->delivered, true);
}

void weir__watches_add(struct weir__watches *watches, struct weir__watch *watch, int direction, bool heeded)
{
    if (watches->count == WEIR__WATCHES_MOST)
        abort();
    struct weir__watches_member *member = &watches->members[watches->count++];
    member->waiter.waiter.kind = WEIR__CASE;
    member->waiter.taken = taken;
    member->whole = watches;
    member->watch = watch;
    member->direction = (uint8_t)direction;
    member->heeded = heeded;
}

/* --- the nodes --- */

static weir__slot *slot_of(const struct weir__watches_member *member)
{
    return &member->watch->slot[member->direction == WEIR__WRITABLE];
}

static int publish(struct weir__watches_member *member)
{
    struct weir__waiter *empty = NULL;
    atomic_store(&member->delivered, false);
    member->published = atomic_compare_exchange_strong(slot_of(member), &empty, &member->waiter.waiter);
    if (member->published)
        return 0;
    errno = EBUSY;
    return -1;
}

static int publish_all(struct weir__watches *watches)
{
    for (size_t i = 0; i < watches->count; i++)
        if (publish(&watches->members[i]) < 0)
            return -1;
    return 0;
}

static void withdraw(struct weir__watches_member *member)
{
    struct weir__waiter *self = &member->waiter.waiter;
    if (!member->published)
        return;
    member->published = false;
    if (atomic_compare_exchange_strong(slot_of(member), &self, NULL))
        return;
    /* Whoever took it out is a few instructions away from its last touch. */
    while (!atomic_load(&member->delivered))
        sched_yield();
}

/* --- registering --- */

static void free_visitor(struct weir__watch *watch)
{
    free(watch);
}

/* A fiber of another loop than the watch's home has a registration for the occasion. */
static int visit(weir_loop *loop, struct weir__watches_member *member)
{
    member->visitor = weir__foreign_new(loop, member->watch->fd, &member->whole->slot);
    if (!member->visitor)
        return -1;
    member->visitor->watch.released = free_visitor;
    return loop->backend->watch(loop, &member->visitor->watch, member->direction);
}

static void leave(struct weir__watches_member *member)
{
    if (!member->visitor)
        return;
    member->visitor->target = NULL;
    weir__watch_close(&member->visitor->watch, false);
    member->visitor = NULL;
}

static int watch_one(weir_loop *loop, struct weir__watches_member *member)
{
    struct weir__watch *watch = member->watch;
    if (!member->heeded)
        return 0;
    if (weir__watch_settle(watch, loop, member->direction) != loop)
        return visit(loop, member);
    return watch->armed & member->direction ? 0 : loop->backend->watch(loop, watch, member->direction);
}

static int watch_all(struct weir__watches *watches)
{
    for (size_t i = 0; i < watches->count; i++)
        if (watch_one(weir__loop_here, &watches->members[i]) < 0)
            return -1;
    return 0;
}

/* --- waiting --- */

/* Whether a heeded descriptor may be ready, as far as the watches at home know. */
static bool any_ready(const struct weir__watches *watches)
{
    for (size_t i = 0; i < watches->count; i++) {
        const struct weir__watches_member *member = &watches->members[i];
        if (member->heeded && weir__watch_at_home(member->watch) && (member->watch->ready & member->direction))
            return true;
    }
    return false;
}

static int park_thread(struct weir__watches *watches, int64_t deadline)
{
    struct pollfd descriptors[WEIR__WATCHES_MOST + 1];
    size_t count = 1;
    for (size_t i = 0; i < watches->count; i++) {
        const struct weir__watches_member *member = &watches->members[i];
        if (member->heeded)
            descriptors[count++] =
                (struct pollfd){member->watch->fd, member->direction == WEIR__READABLE ? POLLIN : POLLOUT, 0};
    }
    return weir__thread_park_several(&watches->slot, descriptors, count, deadline);
}

static int park(struct weir__watches *watches, int64_t deadline, bool (*recheck)(void *), void *arg)
{
    bool in_fiber = weir__fiber_running();
    if (!weir__wait_begin(&watches->slot))
        return -1;
    int result = publish_all(watches);
    if (result < 0 || (in_fiber && any_ready(watches)) || (recheck && recheck(arg))) {
        int saved = errno;
        weir__wait_abandon(&watches->slot);
        errno = saved;
        return result;
    }
    return in_fiber ? weir__wait_park(&watches->slot, deadline) : park_thread(watches, deadline);
}

int weir__watches_wait(struct weir__watches *watches, int64_t deadline, bool (*recheck)(void *), void *arg)
{
    int result = weir__fiber_running() ? watch_all(watches) : 0;
    if (result == 0)
        result = park(watches, deadline, recheck, arg);
    int saved = errno;
    for (size_t i = 0; i < watches->count; i++) {
        withdraw(&watches->members[i]);
        leave(&watches->members[i]);
    }
    errno = saved;
    return result;
}

/*
 * Select: tries all its cases under the locks of their channels; if none can be done, leaves a node at each, parks, and
 * takes them back when it wakes. A counterpart that completes a node says so in the group; every other wake means: try again.
 */
#include "engine/select.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "engine/channel.h"
#include "engine/loop.h"

/* --- locks, in the order of their addresses, each once --- */

struct locks {
    weir_channel *channels[WEIR__SELECT_MOST];
    size_t count;
};

static bool of_channel(const struct weir__select_case *one)
{
    return one->kind == WEIR_CASE_SEND || one->kind == WEIR_CASE_RECEIVE;
}

static void insert(struct locks *locks, weir_channel *channel)
{
    size_t at = locks->count;
    while (at > 0 && (uintptr_t)locks->channels[at - 1] > (uintptr_t)channel)
        at--;
    if (at > 0 && locks->channels[at - 1] == channel)
        return;
    memmove(&locks->channels[at + 1], &locks->channels[at], (locks->count - at) * sizeof locks->channels[0]);
    locks->channels[at] = channel;
    locks->count++;
}

static void find_locks(struct locks *locks, const struct weir__select_case *cases, size_t count)
{
    locks->count = 0;
    for (size_t i = 0; i < count; i++)
        if (of_channel(&cases[i]))
            insert(locks, cases[i].channel);
}

static void lock(const struct locks *locks)
{
    for (size_t i = 0; i < locks->count; i++)
        pthread_mutex_lock(&locks->channels[i]->lock);
}

static void unlock(const struct locks *locks)
{
    for (size_t i = locks->count; i-- > 0;)
        pthread_mutex_unlock(&locks->channels[i]->lock);
}

/* --- trying --- */

static bool descriptor_ready(const struct weir__select_case *one)
{
    struct pollfd descriptor = {one->fd, one->kind == WEIR_CASE_READABLE ? POLLIN : POLLOUT, 0};
    return weir__system()->poll(&descriptor, 1, 0) > 0;
}

static bool try_case(struct weir__select_case *one)
{
    one->error = 0;
    switch (one->kind) {
    case WEIR_CASE_SEND:
        return weir__channel_try_send(one->channel, one->item, &one->error);
    case WEIR_CASE_RECEIVE:
        return weir__channel_try_receive(one->channel, one->item, &one->error);
    case WEIR_CASE_END:
        return weir__slot_finished(&one->fiber->joiner);
    default:
        return descriptor_ready(one);
    }
}

/* Does the first that can be done, from a random one on. Its index, or -1. */
static int try_all(struct weir__select_case *cases, size_t count)
{
    uint32_t start = 0;
    if (count > 1)
        weir__system()->random(&start, sizeof start);
    for (size_t i = 0; i < count; i++) {
        size_t index = (start + i) % count;
        if (try_case(&cases[index]))
            return (int)index;
    }
    return -1;
}

/* --- a group --- */

static size_t item_size(const struct weir__select_case *one)
{
    return of_channel(one) ? (one->channel->item_size + 15) & ~(size_t)15 : 0;
}

static void end_taken(struct weir__case_waiter *self)
{
    struct weir__node *node = (struct weir__node *)self;
    weir__wake(&node->group->slot);
    atomic_store(&node->delivered, true);
}

static struct weir__group *group_new(const struct weir__select_case *cases, size_t count)
{
    size_t items = 0;
    for (size_t i = 0; i < count; i++)
        items += item_size(&cases[i]);
    struct weir__group *group = calloc(1, sizeof *group + count * sizeof *group->nodes + items);
    if (!group)
        return NULL;
    group->chosen = -1;
    group->count = count;
    group->nodes = (struct weir__node *)(group + 1);
    char *item = (char *)(group->nodes + count);
    for (size_t i = 0; i < count; i++) {
        struct weir__node *node = &group->nodes[i];
        node->group = group;
        node->end.waiter.kind = WEIR__CASE;
        node->end.taken = end_taken;
        node->item = item;
        weir__list_init(&node->link);
        item += item_size(&cases[i]);
    }
    return group;
}

/* With the locks held, since nothing could be done: leaves a node at each channel. */
static void enqueue(struct weir__group *group, const struct weir__select_case *cases)
{
    for (size_t i = 0; i < group->count; i++) {
        struct weir__node *node = &group->nodes[i];
        const struct weir__select_case *one = &cases[i];
        if (one->kind == WEIR_CASE_SEND) {
            weir__channel_copy(one->channel, node->item, one->item);
            weir__list_push_back(&one->channel->senders, &node->link);
        } else if (one->kind == WEIR_CASE_RECEIVE) {
            weir__list_push_back(&one->channel->receivers, &node->link);
        }
    }
}

static void dequeue(struct weir__group *group, const struct locks *locks)
{
    lock(locks);
    for (size_t i = 0; i < group->count; i++)
        weir__list_remove(&group->nodes[i].link);
    unlock(locks);
}

/* --- ends and descriptors --- */

static int publish_end(struct weir__node *node, weir_fiber *fiber)
{
    struct weir__waiter *empty = NULL;
    atomic_store(&node->delivered, false);
    node->published = atomic_compare_exchange_strong(&fiber->joiner, &empty, &node->end.waiter);
    if (node->published)
        return 0;
    if (empty == &weir__finished) {
        weir__wake(&node->group->slot);
        return 0;
    }
    errno = EBUSY;
    return -1;
}

static void withdraw_end(struct weir__node *node, weir_fiber *fiber)
{
    struct weir__waiter *self = &node->end.waiter;
    if (!node->published || atomic_compare_exchange_strong(&fiber->joiner, &self, NULL))
        return;
    /* Whoever took it out is a few instructions away from its last touch. */
    while (!atomic_load(&node->delivered))
        sched_yield();
}

static void free_foreign(struct weir__watch *watch)
{
    free(watch);
}

static int watch_descriptor(struct weir__node *node, const struct weir__select_case *one)
{
    weir_loop *loop = weir__loop_here;
    if (!weir__fiber_running())
        return 0; /* a thread polls it */
    node->foreign = weir__foreign_new(loop, one->fd, &node->group->slot);
    if (!node->foreign)
        return -1;
    node->foreign->watch.released = free_foreign;
    int direction = one->kind == WEIR_CASE_READABLE ? WEIR__READABLE : WEIR__WRITABLE;
    return loop->backend->watch(loop, &node->foreign->watch, direction);
}

static void unwatch_descriptor(struct weir__node *node)
{
    if (!node->foreign)
        return;
    node->foreign->target = NULL;
    weir__watch_close(&node->foreign->watch, false);
    node->foreign = NULL;
}

/* After the caller was published in the group's slot: has it woken by ends and descriptors too. 0, or -1 and errno. */
static int publish(struct weir__group *group, const struct weir__select_case *cases)
{
    int result = 0;
    for (size_t i = 0; i < group->count && result == 0; i++) {
        if (cases[i].kind == WEIR_CASE_END)
            result = publish_end(&group->nodes[i], cases[i].fiber);
        else if (!of_channel(&cases[i]))
            result = watch_descriptor(&group->nodes[i], &cases[i]);
    }
    return result;
}

static void withdraw(struct weir__group *group, const struct weir__select_case *cases)
{
    for (size_t i = 0; i < group->count; i++) {
        struct weir__node *node = &group->nodes[i];
        if (cases[i].kind == WEIR_CASE_END)
            withdraw_end(node, cases[i].fiber);
        node->published = false;
        unwatch_descriptor(node);
    }
}

/* --- waiting --- */

static int park_thread(struct weir__group *group, const struct weir__select_case *cases, int64_t deadline)
{
    struct pollfd descriptors[WEIR__SELECT_MOST + 1];
    size_t count = 1;
    for (size_t i = 0; i < group->count; i++)
        if (cases[i].kind == WEIR_CASE_READABLE || cases[i].kind == WEIR_CASE_WRITABLE)
            descriptors[count++] =
                (struct pollfd){cases[i].fd, cases[i].kind == WEIR_CASE_READABLE ? POLLIN : POLLOUT, 0};
    return weir__thread_park_several(&group->slot, descriptors, count, deadline);
}

/* Waits once, the nodes being at their channels. 0: woken, for whatever reason; or -1 and errno. */
static int wait_once(struct weir__group *group, const struct weir__select_case *cases, int64_t deadline)
{
    if (!weir__wait_begin(&group->slot))
        return -1;
    int result = publish(group, cases), number = errno;
    if (result < 0 || atomic_load(&group->chosen) >= 0) {
        weir__wait_abandon(&group->slot);
    } else {
        result = weir__fiber_running() ? weir__wait_park(&group->slot, deadline) : park_thread(group, cases, deadline);
        number = errno;
    }
    withdraw(group, cases);
    errno = number;
    return result;
}

/* What a counterpart has done for us, if one has. */
static int outcome(struct weir__group *group, struct weir__select_case *cases)
{
    int chosen = atomic_load(&group->chosen);
    if (chosen < 0)
        return -1;
    struct weir__select_case *one = &cases[chosen];
    one->error = group->error;
    if (one->kind == WEIR_CASE_RECEIVE && !one->error)
        weir__channel_copy(one->channel, one->item, group->nodes[chosen].item);
    return chosen;
}

/* With the locks held, which it lets go; nothing could be done yet. */
static int select_parked(struct weir__group *group, struct weir__select_case *cases, const struct locks *locks,
                         int64_t deadline)
{
    for (;;) {
        enqueue(group, cases);
        unlock(locks);
        int result = wait_once(group, cases, deadline), number = errno;
        dequeue(group, locks);
        /* From here on nobody can complete a node any more. */
        int chosen = outcome(group, cases);
        if (chosen >= 0 || result < 0) {
            errno = number;
            return chosen;
        }
        lock(locks);
        chosen = try_all(cases, group->count);
        if (chosen >= 0) {
            unlock(locks);
            return chosen;
        }
    }
}

int weir__select(struct weir__select_case *cases, size_t count, int64_t deadline)
{
    struct locks locks;
    /* Who never has to wait lets others run all the same; who says that it cannot wait does not. */
    if (deadline != WEIR_NOW && --weir__turn_left == 0 && weir__turn_over() < 0)
        return -1;
    find_locks(&locks, cases, count);
    lock(&locks);
    int chosen = try_all(cases, count);
    struct weir__group *group = NULL;
    if (chosen < 0 && deadline != WEIR_NOW)
        group = group_new(cases, count);
    if (!group) {
        unlock(&locks);
        if (chosen < 0)
            errno = deadline == WEIR_NOW ? ETIMEDOUT : ENOMEM;
        return chosen;
    }
    chosen = select_parked(group, cases, &locks, deadline);
    int saved = errno;
    free(group);
    errno = saved;
    return chosen;
}

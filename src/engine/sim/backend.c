/*
 * The loop's third backend. Waiting is what moves the virtual clock: to the next event, or the next timer. Who watches an object
 * is told of changes a little later, sometimes much later, out of order or for nothing: as a kernel may.
 *
 * Half of all runs let go of a watch as io_uring does, some time after it was unwatched, and tell of room to write once; the
 * others as epoll does, at once, and at every edge.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/loop.h"
#include "engine/sim/backend.h"
#include "engine/sim/check.h"
#include "engine/sim/descriptor.h"
#include "engine/sim/event.h"
#include "engine/sim/host.h"

#define SOON           WEIR_US(40)
#define LATE           WEIR_MS(30)
#define SHORTEST_JUMP  WEIR_MS(5)
#define LONGEST_JUMP   WEIR_S(20)
#define JUMPS_A_STRIKE 50

/* A watch on an object. */
struct registration {
    struct weir__list link; /* in object->watches; alone once it is unwatched */
    struct weir__sim_object *object;
    struct weir__watch *watch;
    unsigned events;                 /* what it is about to be told */
    struct weir__sim_event *telling; /* NULL: nothing */
};

/* When a change is told: soon, or late as a fault. */
int64_t weir__sim_moment(void)
{
    int64_t now = weir__sim_here->now;
    return now + (weir__sim_strikes(WEIR_SIM_EVENTS) ? weir__sim_between(0, LATE) : weir__sim_between(0, SOON));
}

/* --- watching --- */

static struct registration *find(struct weir__sim_object *object, const struct weir__watch *watch)
{
    struct weir__list *link;
    weir__list_each(link, &object->watches)
    {
        struct registration *one = weir__list_entry(link, struct registration, link);
        if (one->watch == watch)
            return one;
    }
    return NULL;
}

static unsigned concerning(const struct weir__watch *watch, unsigned events)
{
    unsigned wanted = POLLERR | POLLHUP;
    if (watch->armed & WEIR__READABLE)
        wanted |= POLLIN | POLLRDHUP;
    if (watch->armed & WEIR__WRITABLE)
        wanted |= POLLOUT;
    return events & wanted;
}

static int directions_of(unsigned events)
{
    if (events & (POLLERR | POLLHUP))
        return WEIR__READABLE | WEIR__WRITABLE;
    return (events & (POLLIN | POLLRDHUP) ? WEIR__READABLE : 0) | (events & POLLOUT ? WEIR__WRITABLE : 0);
}

/* What is no longer so may be left out, as where the kernel looks again before it tells. */
static void tell(void *arg)
{
    struct registration *one = arg;
    struct weir__watch *watch = one->watch;
    unsigned events = concerning(watch, one->events);
    one->telling = NULL;
    one->events = 0;
    if (weir__sim_below(2))
        events &= one->object->kind->ready(one->object);
    if (weir__sim_strikes_rarely(WEIR_SIM_EVENTS, 4))
        events |= concerning(watch, POLLIN | POLLOUT);
    if (!events)
        return;
    int directions = directions_of(events) & watch->armed;
    if ((directions & WEIR__WRITABLE) && weir__sim_here->late_release)
        watch->armed &= (uint8_t)~WEIR__WRITABLE;
    weir__sim_here->delivering = one->object->host;
    if (!watch->armed) { /* who closes it has nothing to end then */
        weir__list_remove(&one->link);
        free(one);
    }
    weir__watch_event(watch, directions, events & (POLLRDHUP | POLLHUP));
}

static void tell_later(struct registration *one, unsigned events)
{
    events = concerning(one->watch, events);
    one->events |= events;
    if (events && !one->telling)
        one->telling = weir__sim_at(weir__sim_moment(), tell, one);
}

void weir__sim_changed(struct weir__sim_object *object, unsigned events)
{
    struct weir__list *link;
    weir__list_each(link, &object->watches) tell_later(weir__list_entry(link, struct registration, link), events);
    if (object->acceptor)
        weir__sim_tell_acceptor(object->acceptor);
}

static struct registration *make_registration(struct weir__sim_object *object, struct weir__watch *watch)
{
    struct registration *one = calloc(1, sizeof *one);
    if (!one)
        return NULL;
    one->object = object;
    one->watch = watch;
    weir__list_push_back(&object->watches, &one->link);
    return one;
}

static int sim_watch(weir_loop *loop, struct weir__watch *watch, int direction)
{
    (void)loop;
    if (watch->armed & direction)
        return 0;
    struct weir__sim_object *object = weir__sim_get(watch->fd);
    if (!object)
        return -1;
    struct registration *one = find(object, watch);
    if (!one && !(one = make_registration(object, watch)))
        return -1;
    watch->armed |= (uint8_t)direction;
    tell_later(one, object->kind->ready(object));
    return 0;
}

static void released(void *arg)
{
    struct registration *one = arg;
    struct weir__watch *watch = one->watch;
    free(one);
    watch->armed = 0;
    weir__watch_released(watch);
}

static bool sim_unwatch(weir_loop *loop, struct weir__watch *watch)
{
    (void)loop;
    struct weir__sim_object *object = weir__sim_get(watch->fd);
    struct registration *one = object ? find(object, watch) : NULL;
    if (!one) {
        watch->armed = 0;
        return true;
    }
    if (one->telling)
        weir__sim_forget(one->telling);
    weir__list_remove(&one->link);
    if (weir__sim_here->late_release) {
        weir__sim_at(weir__sim_moment(), released, one);
        return false;
    }
    free(one);
    watch->armed = 0;
    return true;
}

void weir__sim_watches_end(struct weir__sim_object *object)
{
    if (!weir__list_empty(&object->watches))
        weir__sim_fail("%s#%llu was closed while it is watched", object->kind->name,
                       (unsigned long long)object->number);
    weir__sim_acceptor_move(object, NULL);
}

void weir__sim_watches_move(struct weir__sim_object *from, struct weir__sim_object *to)
{
    struct weir__list *link;
    while ((link = weir__list_pop_front(&from->watches))) {
        weir__list_entry(link, struct registration, link)->object = to;
        weir__list_push_back(&to->watches, link);
    }
    weir__sim_acceptor_move(from, to);
}

/* --- waiting --- */

/* Nothing will ever happen again, and fibers are left. */
static int stuck(weir_loop *loop)
{
    weir__sim_check_stuck(weir__sim_here, loop);
    errno = EDEADLK;
    return -1;
}

static void jump(struct weir__sim *sim)
{
    if (!weir__sim_strikes_rarely(WEIR_SIM_CLOCK, JUMPS_A_STRIKE))
        return;
    int64_t jump = weir__sim_between(SHORTEST_JUMP, LONGEST_JUMP);
    weir__sim_trace(NULL, "clock-jump", jump, NULL, 0);
    sim->now += jump;
}

static int sim_wait(weir_loop *loop, int64_t deadline)
{
    struct weir__sim *sim = weir__sim_here;
    weir__sim_check_turn(sim);
    int64_t next = weir__sim_next_event(sim);
    if (deadline > sim->now) {
        if (next == WEIR_FOREVER && deadline == WEIR_FOREVER)
            return stuck(loop);
        int64_t until = next < deadline ? next : deadline;
        if (until > sim->now)
            sim->now = until;
        jump(sim);
    }
    /* What a turn costs. */
    sim->now += (int64_t)weir__sim_below(2000);
    weir__sim_run_events(sim);
    return sim->over ? stuck(loop) : 0;
}

static void sim_wake(weir_loop *loop)
{
    (void)loop; /* there is no other thread */
}

/* Which of those that can run does so first. */
static void sim_arrange(weir_loop *loop)
{
    struct weir__task *tasks[64];
    size_t count = 0;
    struct weir__task **rest = &loop->ready;
    while (*rest && count < 64) {
        tasks[count++] = *rest;
        *rest = (*rest)->next;
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)weir__sim_below(i);
        struct weir__task *kept = tasks[i - 1];
        tasks[i - 1] = tasks[other];
        tasks[other] = kept;
    }
    struct weir__task *more = loop->ready, **end = &loop->ready;
    for (size_t i = 0; i < count; i++) {
        *end = tasks[i];
        end = &tasks[i]->next;
    }
    *end = more;
    if (!more)
        loop->ready_end = end;
}

/* --- the rest --- */

static int sim_open(weir_loop *loop)
{
    loop->backend_state = weir__sim_here;
    return 0;
}

static void sim_close(weir_loop *loop)
{
    loop->backend_state = NULL;
}

static int sim_descriptor(const weir_loop *loop)
{
    (void)loop;
    errno = EOPNOTSUPP;
    return -1;
}

static bool sim_pending(const weir_loop *loop)
{
    (void)loop;
    return false;
}

/* Watches that were closed are let go of by themselves. */
static void sim_let_go(weir_loop *loop)
{
    (void)loop;
}

const struct weir__backend weir__backend_sim = {
    .name = "sim",
    .open = sim_open,
    .close = sim_close,
    .descriptor = sim_descriptor,
    .pending = sim_pending,
    .watch = sim_watch,
    .unwatch = sim_unwatch,
    .let_go = sim_let_go,
    .accept = weir__sim_accept,
    .accept_stop = weir__sim_accept_stop,
    .wait = sim_wait,
    .wake = sim_wake,
    .arrange = sim_arrange,
    .host = weir__sim_host_of_spawned,
};

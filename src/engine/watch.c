/* Watches and acceptors: what is the same on every backend. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "engine/loop.h"

void weir__watch_init(struct weir__watch *watch, int fd)
{
    memset(watch, 0, sizeof *watch);
    watch->fd = fd;
    watch->ready = WEIR__READABLE | WEIR__WRITABLE;
}

/* The slot of whoever waits for a direction. */
static weir__slot *slot_for(struct weir__watch *watch, int direction)
{
    return &watch->slot[direction == WEIR__WRITABLE];
}

void weir__watch_event(struct weir__watch *watch, int directions, bool hangup)
{
    if (watch->foreign) {
        weir__slot *target = ((struct weir__foreign *)watch)->target;
        if (target)
            weir__wake(target);
        return;
    }
    watch->ready |= (uint8_t)directions;
    watch->hangup |= hangup;
    if (directions & WEIR__READABLE)
        weir__wake(&watch->slot[0]);
    if (directions & WEIR__WRITABLE)
        weir__wake(&watch->slot[1]);
}

/* --- waiting --- */

static int home_wait(weir_loop *loop, struct weir__watch *watch, int direction, int64_t deadline,
                     bool (*recheck)(void *), void *arg)
{
    if (!(watch->armed & direction) && loop->backend->watch(loop, watch, direction) < 0)
        return -1;
    weir__slot *slot = slot_for(watch, direction);
    if (!weir__wait_begin(slot))
        return -1;
    if ((watch->ready & direction) || (recheck && recheck(arg))) {
        weir__wait_abandon(slot);
        return 0;
    }
    return weir__wait_park(slot, deadline);
}

struct weir__foreign *weir__foreign_new(weir_loop *loop, int fd, weir__slot *target)
{
    struct weir__foreign *foreign = calloc(1, sizeof *foreign);
    if (!foreign)
        return NULL;
    weir__watch_init(&foreign->watch, fd);
    foreign->watch.foreign = true;
    foreign->watch.home = loop;
    foreign->copy = -1;
    foreign->target = target;
    weir__loop_refer(loop);
    return foreign;
}

static void free_foreign(struct weir__watch *watch)
{
    free(watch);
}

static int foreign_wait(weir_loop *loop, struct weir__watch *watch, int direction, int64_t deadline,
                        bool (*recheck)(void *), void *arg)
{
    weir__slot *slot = slot_for(watch, direction);
    struct weir__foreign *foreign = weir__foreign_new(loop, watch->fd, slot);
    if (!foreign)
        return -1;
    foreign->watch.released = free_foreign;
    int result = loop->backend->watch(loop, &foreign->watch, direction);
    int saved = errno;
    if (result == 0 && weir__wait_begin(slot)) {
        if (recheck && recheck(arg))
            weir__wait_abandon(slot);
        else
            result = weir__wait_park(slot, deadline);
        saved = errno;
    }
    foreign->target = NULL;
    weir__watch_close(&foreign->watch, false);
    errno = saved;
    return result;
}

static int thread_wait(struct weir__watch *watch, int direction, int64_t deadline, bool (*recheck)(void *), void *arg)
{
    weir__slot *slot = slot_for(watch, direction);
    if (!weir__wait_begin(slot))
        return -1;
    if (recheck && recheck(arg)) {
        weir__wait_abandon(slot);
        return 0;
    }
    return weir__thread_park(slot, watch->fd, direction == WEIR__READABLE ? POLLIN : POLLOUT, deadline);
}

weir_loop *weir__watch_settle(struct weir__watch *watch, weir_loop *loop, int direction)
{
    weir_loop *home = atomic_load(&watch->home);
    if (home || !atomic_compare_exchange_strong(&watch->home, &home, loop))
        return home;
    weir__loop_refer(loop);
    /* What is ready now will be reported again once it is registered. */
    watch->ready &= (uint8_t)~direction;
    return loop;
}

int weir__watch_wait(struct weir__watch *watch, int direction, int64_t deadline, bool (*recheck)(void *), void *arg)
{
    if (!weir__fiber_running())
        return thread_wait(watch, direction, deadline, recheck, arg);
    weir_loop *loop = weir__loop_here, *home = weir__watch_settle(watch, loop, direction);
    return home == loop ? home_wait(loop, watch, direction, deadline, recheck, arg)
                        : foreign_wait(loop, watch, direction, deadline, recheck, arg);
}

/* --- closing --- */

static void release(struct weir__watch *watch)
{
    weir_loop *home = watch->home;
    if (watch->released)
        watch->released(watch);
    if (home)
        weir__loop_release(home);
}

void weir__watch_released(struct weir__watch *watch)
{
    ((weir_loop *)watch->home)->closing--;
    release(watch);
}

/* On the home loop's thread, or on any once that loop has closed its backend. */
static void close_at_home(struct weir__watch *watch, bool close_fd)
{
    weir_loop *home = watch->home;
    bool over = !watch->armed || !home->backend_state || home->backend->unwatch(home, watch);
    if (!over) {
        watch->closing = true;
        home->closing++;
    }
    if (close_fd)
        weir__system()->close(watch->fd);
    if (over)
        release(watch);
    else if (close_fd && (watch->bound || watch->foreign))
        home->backend->let_go(home); /* a connection can wait for the next turn: what it costs, it would cost each */
}

static struct weir__watch *watch_of(struct weir__task *closer)
{
    return (struct weir__watch *)((char *)closer - offsetof(struct weir__watch, closer));
}

static void close_task(struct weir__task *task)
{
    close_at_home(watch_of(task), true);
}

static void let_go_task(struct weir__task *task)
{
    close_at_home(watch_of(task), false);
}

void weir__watch_close(struct weir__watch *watch, bool close_fd)
{
    weir_loop *home = watch->home;
    if (!home) {
        if (close_fd)
            weir__system()->close(watch->fd);
        release(watch);
    } else if (home == weir__loop_here) {
        close_at_home(watch, close_fd);
    } else {
        watch->closer.function = close_fd ? close_task : let_go_task;
        weir__loop_post(home, &watch->closer);
    }
}

/* --- acceptors --- */

bool weir__accept_error_passes(int number)
{
    switch (number) {
    case ECONNABORTED: /* the client has gone again */
    case EINTR:
    case EAGAIN:
    case EPROTO: /* accept(2): pending network errors of the new socket are to be treated like EAGAIN */
    case ENOPROTOOPT:
    case ENETDOWN:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM: /* a firewall's rules */
        return true;
    default:
        return false;
    }
}

int weir__acceptor_start(struct weir__acceptor *acceptor)
{
    weir_loop *loop = weir__loop_here;
    acceptor->loop = loop;
    acceptor->stopping = false;
    if (loop->backend->accept(loop, acceptor) < 0)
        return -1;
    acceptor->armed = true;
    return 0;
}

void weir__acceptor_stopped(struct weir__acceptor *acceptor)
{
    if (acceptor->stopped)
        acceptor->stopped(acceptor);
}

static void stopped_task(struct weir__task *task)
{
    weir__acceptor_stopped((struct weir__acceptor *)((char *)task - offsetof(struct weir__acceptor, stop_task)));
}

void weir__acceptor_stop(struct weir__acceptor *acceptor)
{
    if (acceptor->stopping)
        return;
    acceptor->stopping = true;
    if (acceptor->armed) {
        acceptor->loop->backend->accept_stop(acceptor->loop, acceptor);
        return;
    }
    acceptor->stop_task.function = stopped_task;
    weir__loop_queue(acceptor->loop, &acceptor->stop_task);
}

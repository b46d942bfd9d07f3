/* The backend on epoll: edge-triggered for what fibers wait on, level-triggered for accepting. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "engine/loop.h"

enum {
    EVENTS = 256,
    ACCEPTS_A_TURN = 64,
    /* The lowest bit of an event's pointer tells what it points to. */
    TAG_ACCEPTOR = 1,
};

struct state {
    int fd;
    bool coarse; /* there is no epoll_pwait2 */
    struct epoll_event events[EVENTS];
};

static int epoll_open(weir_loop *loop)
{
    struct state *state = calloc(1, sizeof *state);
    if (!state)
        return -1;
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0)
        goto no_epoll;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (epoll_ctl(state->fd, EPOLL_CTL_ADD, loop->wake_fd, &event) < 0)
        goto no_wake;
    loop->backend_state = state;
    return 0;

no_wake:
    close(state->fd);
no_epoll:
    free(state);
    return -1;
}

static void epoll_close(weir_loop *loop)
{
    struct state *state = loop->backend_state;
    close(state->fd);
    free(state);
    loop->backend_state = NULL;
}

static int epoll_descriptor(const weir_loop *loop)
{
    return ((const struct state *)loop->backend_state)->fd;
}

/* epoll_ctl(2) registers at once. */
static bool epoll_pending(const weir_loop *loop)
{
    (void)loop;
    return false;
}

static uint32_t events_of(int directions)
{
    return (directions & WEIR__READABLE ? EPOLLIN | EPOLLRDHUP : 0) | (directions & WEIR__WRITABLE ? EPOLLOUT : 0) |
           EPOLLET;
}

/*
 * Epoll takes a descriptor once. Where another watch of this loop has it (another fiber waits in the other direction), a
 * watch made for one wait registers a copy, which is closed with it.
 */
static bool watch_copy(struct state *state, struct weir__watch *watch, struct epoll_event *event)
{
    int copy = weir__system()->fcntl(watch->fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return false;
    if (epoll_ctl(state->fd, EPOLL_CTL_ADD, copy, event) < 0) {
        int saved = errno;
        weir__system()->close(copy);
        errno = saved;
        return false;
    }
    ((struct weir__foreign *)watch)->copy = copy;
    return true;
}

static int epoll_watch(weir_loop *loop, struct weir__watch *watch, int direction)
{
    if (watch->armed & direction)
        return 0;
    struct state *state = loop->backend_state;
    int directions = watch->armed | direction;
    struct epoll_event event = {.events = events_of(directions), .data.ptr = watch};
    int operation = watch->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(state->fd, operation, watch->fd, &event) < 0 &&
        !(errno == EEXIST && watch->foreign && watch_copy(state, watch, &event)))
        return -1;
    watch->armed = (uint8_t)directions;
    return 0;
}

static bool epoll_unwatch(weir_loop *loop, struct weir__watch *watch)
{
    struct state *state = loop->backend_state;
    /* Closing the descriptor would not do: a child may have a copy of it, and the events would go on. */
    struct weir__foreign *foreign = watch->foreign ? (struct weir__foreign *)watch : NULL;
    epoll_ctl(state->fd, EPOLL_CTL_DEL, foreign && foreign->copy >= 0 ? foreign->copy : watch->fd, NULL);
    if (foreign && foreign->copy >= 0)
        weir__system()->close(foreign->copy);
    watch->armed = 0;
    return true;
}

static int epoll_accept(weir_loop *loop, struct weir__acceptor *acceptor)
{
    struct state *state = loop->backend_state;
    /* Exclusive: a socket that several workers share (systemd's) wakes one of them. */
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = (char *)acceptor + TAG_ACCEPTOR};
    return epoll_ctl(state->fd, EPOLL_CTL_ADD, acceptor->fd, &event);
}

static void accept_stopped(struct weir__task *task)
{
    struct weir__acceptor *acceptor =
        (struct weir__acceptor *)((char *)task - offsetof(struct weir__acceptor, stop_task));
    weir__acceptor_stopped(acceptor);
}

static void unregister_acceptor(weir_loop *loop, struct weir__acceptor *acceptor)
{
    struct state *state = loop->backend_state;
    epoll_ctl(state->fd, EPOLL_CTL_DEL, acceptor->fd, NULL);
    acceptor->armed = false;
}

static void epoll_accept_stop(weir_loop *loop, struct weir__acceptor *acceptor)
{
    unregister_acceptor(loop, acceptor);
    /* Not at once: an event of it may be among those that are being handed out. */
    acceptor->stop_task.function = accept_stopped;
    weir__loop_queue(loop, &acceptor->stop_task);
}

/* Accepts what is queued, so much a turn that other events have their turn too: the rest is reported again. */
static void accept_some(weir_loop *loop, struct weir__acceptor *acceptor)
{
    for (int i = 0; i < ACCEPTS_A_TURN && acceptor->armed && !acceptor->stopping; i++) {
        int fd = weir__system()->accept4(acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && weir__accept_error_passes(errno))
            continue;
        if (fd < 0) {
            int number = errno;
            unregister_acceptor(loop, acceptor);
            acceptor->accepted(acceptor, -number);
            return;
        }
        acceptor->accepted(acceptor, fd);
    }
}

static void report(weir_loop *loop, const struct epoll_event *event)
{
    uintptr_t tagged = (uintptr_t)event->data.ptr;
    if (!tagged)
        return;
    if (tagged & TAG_ACCEPTOR) {
        accept_some(loop, (struct weir__acceptor *)(tagged - TAG_ACCEPTOR));
        return;
    }
    int directions =
        (event->events & (EPOLLIN | EPOLLRDHUP) ? WEIR__READABLE : 0) | (event->events & EPOLLOUT ? WEIR__WRITABLE : 0);
    if (event->events & (EPOLLERR | EPOLLHUP))
        directions = WEIR__READABLE | WEIR__WRITABLE;
    weir__watch_event((struct weir__watch *)tagged, directions, event->events & (EPOLLRDHUP | EPOLLHUP));
}

/* To the next millisecond. */
static int wait_milliseconds(struct state *state, int64_t left)
{
    int64_t milliseconds = left / WEIR_MS(1) + (left % WEIR_MS(1) != 0);
    return epoll_wait(state->fd, state->events, EVENTS, milliseconds > INT32_MAX ? INT32_MAX : (int)milliseconds);
}

/* Waits as long as asked, to the nanosecond; valgrind does not know how. */
static int wait_for_events(struct state *state, int64_t left)
{
    if (left <= 0)
        return epoll_wait(state->fd, state->events, EVENTS, 0);
    if (left == WEIR_FOREVER)
        return epoll_wait(state->fd, state->events, EVENTS, -1);
    struct timespec time = {left / WEIR_S(1), left % WEIR_S(1)};
    int count = state->coarse ? -1 : epoll_pwait2(state->fd, state->events, EVENTS, &time, NULL);
    if (count >= 0 || (!state->coarse && errno != ENOSYS))
        return count;
    state->coarse = true;
    return wait_milliseconds(state, left);
}

static int epoll_backend_wait(weir_loop *loop, int64_t deadline)
{
    struct state *state = loop->backend_state;
    int64_t left = deadline <= loop->now ? 0 : deadline;
    if (left && deadline != WEIR_FOREVER)
        left = deadline - loop->system->monotonic();
    int count = wait_for_events(state, left);
    if (count < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++)
        report(loop, &state->events[i]);
    return 0;
}

static void epoll_wake(weir_loop *loop)
{
    uint64_t one = 1;
    int saved = errno;
    loop->system->write(loop->wake_fd, &one, sizeof one);
    errno = saved;
}

const struct weir__backend weir__backend_epoll = {
    .name = "epoll",
    .open = epoll_open,
    .close = epoll_close,
    .descriptor = epoll_descriptor,
    .pending = epoll_pending,
    .watch = epoll_watch,
    .unwatch = epoll_unwatch,
    .accept = epoll_accept,
    .accept_stop = epoll_accept_stop,
    .wait = epoll_backend_wait,
    .wake = epoll_wake,
};

/*
 * The backend on io_uring: multishot polls for what fibers wait on, multishot accept, one system call a turn.
 *
 * Data goes by direct recv and send once a poll has told that there is some: measured as cheap as receiving through
 * the ring, without a buffer for every idle connection and without the kernel writing to memory that was given up.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "engine/loop.h"

enum {
    SUBMISSIONS = 512,
    COMPLETIONS = 8192,
    /* The lowest bits of a completion's user data tell what it is about. */
    TAG_READ = 0,
    TAG_WRITE = 1,
    TAG_ACCEPT = 2,
    TAG_WAKE = 3,
    TAG_CANCEL = 4,
    TAG_MASK = 7,
};

struct state {
    struct io_uring ring;
    int event_fd; /* tells who polls the loop from outside; -1: nobody does */
};

static struct io_uring *ring_of(const weir_loop *loop)
{
    return &((struct state *)loop->backend_state)->ring;
}

/* A free submission entry; those that are waiting are handed in if there is none. NULL with EAGAIN if the kernel takes none. */
static struct io_uring_sqe *try_entry(struct io_uring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (!sqe) {
        io_uring_submit(ring);
        sqe = io_uring_get_sqe(ring);
    }
    if (!sqe)
        errno = EAGAIN;
    return sqe;
}

/* An entry for what must not be left undone. The kernel refuses for want of memory alone, and not for long. */
static struct io_uring_sqe *entry(struct io_uring *ring)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = try_entry(ring)))
        ;
    return sqe;
}

static void set_data(struct io_uring_sqe *sqe, const void *pointer, unsigned tag)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)pointer | tag);
}

static void watch_wakes(weir_loop *loop)
{
    struct io_uring_sqe *sqe = entry(ring_of(loop));
    io_uring_prep_poll_multishot(sqe, loop->wake_fd, POLLIN);
    set_data(sqe, NULL, TAG_WAKE);
}

static int uring_open(weir_loop *loop)
{
    struct state *state = malloc(sizeof *state);
    if (!state)
        return -1;
    state->event_fd = -1;
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = COMPLETIONS,
    };
    int result = io_uring_queue_init_params(SUBMISSIONS, &state->ring, &params);
    if (result < 0) {
        free(state);
        errno = -result;
        return -1;
    }
    /* Saves a look-up of the descriptor at each call; where the kernel refuses, nothing is lost. */
    io_uring_register_ring_fd(&state->ring);
    loop->backend_state = state;
    watch_wakes(loop);
    return 0;
}

static void uring_close(weir_loop *loop)
{
    struct state *state = loop->backend_state;
    io_uring_queue_exit(&state->ring);
    if (state->event_fd >= 0)
        loop->system->close(state->event_fd);
    free(state);
    loop->backend_state = NULL;
}

static bool uring_pending(const weir_loop *loop)
{
    return io_uring_sq_ready(ring_of(loop)) > 0;
}

/*
 * Not the ring's own: the kernel leaves work for the loop's thread to finish, and does not wake who polls the ring for it. An
 * eventfd is told of such work, at a cost that only an embedded loop pays: it is registered when it is first asked for. It
 * begins at 1, since something may have come before.
 */
static int uring_descriptor(const weir_loop *loop)
{
    struct state *state = loop->backend_state;
    if (state->event_fd >= 0)
        return state->event_fd;
    int fd = loop->system->eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return weir__fail_system(errno, "loop", "");
    int result = io_uring_register_eventfd(&state->ring, fd);
    if (result < 0) {
        loop->system->close(fd);
        return weir__fail_system(-result, "loop", "");
    }
    return state->event_fd = fd;
}

/* Before the ring is looked at: what comes later is told of again. */
static void empty_event_fd(weir_loop *loop)
{
    int fd = ((struct state *)loop->backend_state)->event_fd;
    uint64_t count;
    if (fd >= 0)
        while (loop->system->read(fd, &count, sizeof count) < 0 && errno == EINTR)
            ;
}

/*
 * Reading is watched for as long as the descriptor is open. Writing only until it is possible once: a datagram or Unix
 * socket would otherwise report that it is writable after all that it sends.
 */
static int uring_watch(weir_loop *loop, struct weir__watch *watch, int direction)
{
    if (watch->armed & direction)
        return 0;
    struct io_uring_sqe *sqe = try_entry(ring_of(loop));
    if (!sqe)
        return -1;
    if (direction == WEIR__READABLE)
        io_uring_prep_poll_multishot(sqe, watch->fd, POLLIN | POLLRDHUP);
    else
        io_uring_prep_poll_add(sqe, watch->fd, POLLOUT);
    set_data(sqe, watch, direction == WEIR__READABLE ? TAG_READ : TAG_WRITE);
    watch->armed |= (uint8_t)direction;
    return 0;
}

/*
 * The kernel adds POLLRDHUP to every poll: once the peer has ended its side, one for writing is over at once though
 * nothing can be written, and so would be the next. A multishot says it once and then goes on to when it is possible.
 */
static void watch_writing_beyond_end(struct weir__watch *watch)
{
    struct io_uring_sqe *sqe = entry(ring_of(watch->home));
    io_uring_prep_poll_multishot(sqe, watch->fd, POLLOUT);
    set_data(sqe, watch, TAG_WRITE);
    watch->armed |= WEIR__WRITABLE;
}

static void cancel(weir_loop *loop, const void *pointer, unsigned tag)
{
    struct io_uring_sqe *sqe = entry(ring_of(loop));
    io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)pointer | tag, 0);
    set_data(sqe, NULL, TAG_CANCEL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static bool uring_unwatch(weir_loop *loop, struct weir__watch *watch)
{
    if (watch->armed & WEIR__READABLE)
        cancel(loop, watch, TAG_READ);
    if (watch->armed & WEIR__WRITABLE)
        cancel(loop, watch, TAG_WRITE);
    return watch->armed == 0;
}

static void uring_let_go(weir_loop *loop)
{
    io_uring_submit_and_get_events(ring_of(loop));
}

static int uring_accept(weir_loop *loop, struct weir__acceptor *acceptor)
{
    struct io_uring_sqe *sqe = try_entry(ring_of(loop));
    if (!sqe)
        return -1;
    io_uring_prep_multishot_accept(sqe, acceptor->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    set_data(sqe, acceptor, TAG_ACCEPT);
    return 0;
}

static void uring_accept_stop(weir_loop *loop, struct weir__acceptor *acceptor)
{
    cancel(loop, acceptor, TAG_ACCEPT);
}

static void report_watch(struct weir__watch *watch, int direction, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        watch->armed &= (uint8_t)~direction;
    if (watch->closing) {
        if (!watch->armed)
            weir__watch_released(watch);
        return;
    }
    /* A poll that failed is reported as an event: the call that follows tells what is the matter. */
    unsigned events = cqe->res < 0 ? POLLERR : (unsigned)cqe->res;
    int directions = (events & (POLLIN | POLLRDHUP) ? WEIR__READABLE : 0) | (events & POLLOUT ? WEIR__WRITABLE : 0);
    if (events & (POLLERR | POLLHUP))
        directions = WEIR__READABLE | WEIR__WRITABLE;
    if (direction == WEIR__WRITABLE && !(directions & WEIR__WRITABLE)) {
        if (!(watch->armed & WEIR__WRITABLE))
            watch_writing_beyond_end(watch);
        if (watch->foreign)
            return;
    }
    weir__watch_event(watch, directions, events & (POLLRDHUP | POLLHUP));
}

/*
 * After the kernel has ended a multishot: what was not the listener's fault passes. Returns 0, or the error for which
 * accepting has stopped.
 */
static int accept_again(weir_loop *loop, struct weir__acceptor *acceptor, int result)
{
    acceptor->armed = false;
    if (result < 0 && !weir__accept_error_passes(-result))
        return -result;
    if (uring_accept(loop, acceptor) < 0)
        return errno;
    acceptor->armed = true;
    return 0;
}

static void report_accept(weir_loop *loop, struct weir__acceptor *acceptor, const struct io_uring_cqe *cqe)
{
    int result = cqe->res;
    if (cqe->flags & IORING_CQE_F_MORE) {
        if (result >= 0)
            acceptor->accepted(acceptor, result);
        return;
    }
    bool stopping = acceptor->stopping;
    int error = stopping ? 0 : accept_again(loop, acceptor, result);
    if (result >= 0)
        acceptor->accepted(acceptor, result);
    if (stopping)
        weir__acceptor_stopped(acceptor);
    else if (error && !acceptor->stopping)
        acceptor->accepted(acceptor, -error);
}

static void report(weir_loop *loop, const struct io_uring_cqe *cqe)
{
    void *pointer = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)TAG_MASK);
    switch (cqe->user_data & TAG_MASK) {
    case TAG_READ:
        report_watch(pointer, WEIR__READABLE, cqe);
        break;
    case TAG_WRITE:
        report_watch(pointer, WEIR__WRITABLE, cqe);
        break;
    case TAG_ACCEPT:
        report_accept(loop, pointer, cqe);
        break;
    case TAG_WAKE:
        if (!(cqe->flags & IORING_CQE_F_MORE))
            watch_wakes(loop);
        break;
    default:
        break;
    }
}

static int submit_and_wait(struct io_uring *ring, int64_t left)
{
    if (left == WEIR_FOREVER)
        return io_uring_submit_and_wait(ring, 1);
    if (left <= 0)
        return io_uring_submit_and_get_events(ring);
    struct __kernel_timespec time = {left / WEIR_S(1), left % WEIR_S(1)};
    struct io_uring_cqe *first;
    return io_uring_submit_and_wait_timeout(ring, &first, 1, &time, NULL);
}

static int uring_wait(weir_loop *loop, int64_t deadline)
{
    struct io_uring *ring = ring_of(loop);
    int64_t left = deadline <= loop->now ? 0 : deadline;
    if (left && deadline != WEIR_FOREVER)
        left = deadline - loop->system->monotonic();
    empty_event_fd(loop);
    int result = submit_and_wait(ring, left);
    /* EBUSY and EAGAIN: completions must be taken before more can be submitted, which is what comes next. */
    if (result < 0 && result != -ETIME && result != -EINTR && result != -EBUSY && result != -EAGAIN) {
        errno = -result;
        return -1;
    }
    unsigned head, count = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(ring, head, cqe)
    {
        report(loop, cqe);
        count++;
    }
    io_uring_cq_advance(ring, count);
    return 0;
}

static void uring_wake(weir_loop *loop)
{
    uint64_t one = 1;
    int saved = errno;
    loop->system->write(loop->wake_fd, &one, sizeof one);
    errno = saved;
}

const struct weir__backend weir__backend_uring = {
    .name = "uring",
    .open = uring_open,
    .close = uring_close,
    .descriptor = uring_descriptor,
    .pending = uring_pending,
    .watch = uring_watch,
    .unwatch = uring_unwatch,
    .let_go = uring_let_go,
    .accept = uring_accept,
    .accept_stop = uring_accept_stop,
    .wait = uring_wait,
    .wake = uring_wake,
};

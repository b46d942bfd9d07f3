/*
 * The engine's inside, as the floors above use it: waiting.
 *
 * Whoever waits - a fiber, or a thread outside of fibers - is a `weir__waiter`. It publishes itself in a slot and
 * parks; whoever has news takes the waiter out of the slot and wakes it. Taking is one atomic exchange, so exactly one
 * taker wakes it, and the waiter cannot go on (and be freed) before that taker has delivered. That is the whole
 * protocol: events, timers, cancels and moved deadlines all come in by it, and the woken looks again at its condition.
 *
 * Nothing that waits lives on a stack: slots and watches are members of connections and other heap objects, waiters and
 * timers of fibers and threads, so that the stack pages of an idle fiber may be taken from it.
 */
#ifndef WEIR_ENGINE_ENGINE_H
#define WEIR_ENGINE_ENGINE_H

#include <stdatomic.h>
#include <weir/error.h>
#include <weir/fiber.h>
#include <weir/loop.h>

#include "base/system.h"

/* Something to be run by a loop: a member of what it is about. */
struct weir__task {
    struct weir__task *next;
    void (*function)(struct weir__task *task);
};

/* The calling thread's loop, and its clock as of its last events; NULL outside of loops. */
extern _Thread_local weir_loop *weir__loop_here __attribute__((tls_model("initial-exec")));
extern _Thread_local const int64_t *weir__clock_here __attribute__((tls_model("initial-exec")));

/* The cached monotonic time of the calling thread's loop, or the clock outside of loops. */
static inline int64_t weir__now(void)
{
    return weir__clock_here ? *weir__clock_here : weir__system()->monotonic();
}

struct weir__waiter;
typedef _Atomic(struct weir__waiter *) weir__slot;

/* The calling fiber, or the calling thread outside of fibers, as a waiter. NULL only if there is no memory for a thread's. */
struct weir__waiter *weir__waiter_self(void);

/*
 * Waiting, in three steps: weir__wait_begin publishes the caller in the slot (which must be empty); the caller then looks
 * at its condition once more; then either weir__wait_park waits until somebody took it out of the slot, or
 * weir__wait_abandon takes it out again because there is nothing to wait for.
 * Begin returns false where nothing was published (a thread that got no descriptor to wait with, errno says why; or a slot
 * that was finished): there is nothing to abandon or to park for then.
 */
bool weir__wait_begin(weir__slot *slot);
void weir__wait_abandon(weir__slot *slot);

/*
 * Returns 0 when woken (for whatever reason: look at your condition), or -1 with ETIMEDOUT of kind DEADLINE at the deadline
 * or ECANCELED if the fiber was cancelled; errno and weir_error() are not set with a sentence, that is the caller's to do.
 * Deliver-once: after it returns nobody holds on to the waiter.
 */
int weir__wait_park(weir__slot *slot, int64_t deadline);

/* The same without looking at the caller's cancellation: for what must be waited out whatever happens. */
int weir__wait_park_uncancelled(weir__slot *slot, int64_t deadline);

/* As weir_cancel_fiber for a thread outside of fibers, which must be there still: what it waits for from now on fails. */
void weir__cancel_thread(struct weir__waiter *thread);

/* Takes whoever waits out of the slot and wakes it. Any thread. Returns whether there was somebody. */
bool weir__wake(weir__slot *slot);

/* As weir_join for ever, whether or not the caller is cancelled. */
void weir__join_uncancelled(weir_fiber *fiber);

/* The directions of a watch, as bits. */
enum { WEIR__READABLE = 1, WEIR__WRITABLE = 2 };

/*
 * A descriptor that fibers of one loop (its home) wait on: edge-triggered, registered at the first wait, for as long as
 * the descriptor is open. `ready` holds what may be ready: bits are set by events, and cleared by whoever uses the
 * descriptor, before a call that will drain it (see weir__watch_clear). Bits are hints: a call may still say EAGAIN.
 */
struct weir__watch {
    int fd;
    uint8_t ready;       /* home loop's thread only */
    uint8_t hangup;      /* an end or error was seen: reading never waits again */
    uint8_t armed;       /* the backend's: what is registered */
    uint8_t closing : 1; /* unregistered, and the backend has not confirmed yet; home loop's thread only */
    uint8_t foreign : 1; /* made for one wait, see watch.c */
    uint8_t bound : 1;   /* to an address that somebody may want as soon as it is closed: a datagram socket */
    _Atomic(weir_loop *) home;
    weir__slot slot[2];       /* [0] who waits to read, [1] to write */
    struct weir__task closer; /* the way to the home loop; no union with the slots, which events look at until then */
    /* Called on the home loop's thread when the backend holds it no more after weir__watch_close. */
    void (*released)(struct weir__watch *);
};

/* Prepares a watch for a descriptor; nothing is registered yet. */
void weir__watch_init(struct weir__watch *watch, int fd);

/*
 * Waits until the descriptor may be ready in one direction, somebody woke watch->slot[], or the deadline. In a fiber of the
 * home loop (the first fiber to wait makes its loop the home) by the registration, in a fiber of another loop by one for the
 * occasion, in a thread by poll(2). `recheck` (may be NULL) is called once the caller is published: returning true means
 * that there is no need to wait. Returns 0 (look again), or -1 with ETIMEDOUT, ECANCELED or the error of registering.
 */
int weir__watch_wait(struct weir__watch *watch, int direction, int64_t deadline, bool (*recheck)(void *), void *arg);

/* Whether the caller's thread is the one that the watch's events come to. */
static inline bool weir__watch_at_home(const struct weir__watch *watch)
{
    weir_loop *home = atomic_load_explicit(&watch->home, memory_order_relaxed);
    return home && home == weir__loop_here;
}

/* Whether a call in that direction is worth trying before waiting: false only if it is known that it would say EAGAIN. */
static inline bool weir__watch_maybe_ready(const struct weir__watch *watch, int direction)
{
    return !weir__watch_at_home(watch) || (watch->ready & direction);
}

/* To be called when a call said EAGAIN: until the next event it would say it again. */
static inline void weir__watch_clear(struct weir__watch *watch, int direction)
{
    if (!weir__watch_at_home(watch))
        return;
    watch->ready &= (uint8_t)~direction;
    if (direction == WEIR__READABLE)
        watch->hangup = false;
}

/* To be called when a read of a stream got less than it asked for: until the next event there is nothing, unless it has ended. */
static inline void weir__watch_drained(struct weir__watch *watch)
{
    if (weir__watch_at_home(watch) && !watch->hangup && (watch->armed & WEIR__READABLE))
        watch->ready &= (uint8_t)~WEIR__READABLE;
}

/*
 * Ends the registration, closes the descriptor (if `close_fd`), and calls watch->released (if set) when the memory may go:
 * at once where nothing was registered, else when the backend has confirmed. Any thread; nobody may be waiting.
 */
void weir__watch_close(struct weir__watch *watch, bool close_fd);

/*
 * Fairness: a fiber whose calls never have to wait would keep its loop from all others. Each such call takes one off; at 0
 * it calls weir__turn_over, which lets the others run and gives new ones, as does parking. Fails with ECANCELED if the fiber
 * (or thread) was cancelled; errno is set, the sentence is the caller's to make.
 */
enum { WEIR__TURN = 16 };
extern _Thread_local unsigned weir__turn_left __attribute__((tls_model("initial-exec")));
int weir__turn_over(void);

/* --- accepting, as a server does it: connections are pushed --- */

struct weir__acceptor {
    int fd;
    uint8_t armed;
    bool stopping;
    struct weir__task stop_task;
    weir_loop *loop;
    /* On the loop's thread, outside of fibers (it may not park): a connection, non-blocking and close-on-exec; or -errno, after which accepting has stopped until started again. */
    void (*accepted)(struct weir__acceptor *acceptor, int fd_or_error);
    /* Once after weir__acceptor_stop, when no more will come. */
    void (*stopped)(struct weir__acceptor *acceptor);
};

/* Starts (again) on the calling thread's loop. 0 or -1. */
int weir__acceptor_start(struct weir__acceptor *acceptor);

/* Stops; connections may still come until `stopped` is called. */
void weir__acceptor_stop(struct weir__acceptor *acceptor);

/* --- loops --- */

/* Runs the task's function on the loop's thread, outside of fibers, soon. Any thread. `task` must live until then. */
void weir__loop_post(weir_loop *loop, struct weir__task *task);

/* As weir_loop_run, until a fiber has set *done, whoever else is left. */
int weir__loop_run_until(weir_loop *loop, const bool *done);

/*
 * Gives back the pages of the calling fiber's stack that nobody uses any more, after something that went deep and will
 * not come again. Nothing outside of fibers.
 */
void weir__forget_stack(void);

/* Called when the calling fiber next parks, once: how a datagram server hands its socket on. NULL takes it back. */
void weir__on_park(void (*function)(void *arg), void *arg);

/* A pool of lent buffers, one a loop; see lend.c. */
enum { WEIR__LENT_LARGE = 65536, WEIR__LENT_SMALL = 2048 };

/* Lends a buffer from the loop's (or thread's) pool: large while there are any, else small. NULL only without memory. */
void *weir__lend(size_t *size);
void weir__lend_return(void *buffer);

/* Installs handlers that name the fiber whose stack overflows, or that faults or aborts where nobody handled that before. */
int weir__catch_overflow(void);

/* In a thread with fibers: the same for them, if the process has asked for it at all. */
void weir__catch_overflow_here(void);

#endif

/* Waiting: slots, and how fibers and threads park and are woken; the protocol is told in engine.h. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "engine/loop.h"

/* What is written to a thread's descriptor: by who has taken it out of its slot, and by who cancels it. */
#define WAKE   (UINT64_C(1) << 32)
#define CANCEL UINT64_C(1)

/* How often a thread without a descriptor looks whether something was written to it. */
#define BLIND_LOOK WEIR_MS(10)

struct weir__waiter weir__finished;

static pthread_key_t thread_key;
static pthread_once_t thread_once = PTHREAD_ONCE_INIT;
static _Thread_local struct weir__thread *thread_here;

static void free_thread(void *value)
{
    struct weir__thread *thread = value;
    thread_here = NULL;
    if (thread->wake_fd >= 0)
        weir__system()->close(thread->wake_fd);
    weir__error_free(thread->waiter.error);
    free(thread);
}

/* In a forked child: the descriptor is shared with the parent, whose wakes would be taken from it. */
static void after_fork(void)
{
    if (!thread_here)
        return;
    if (thread_here->wake_fd >= 0)
        weir__system()->close(thread_here->wake_fd);
    thread_here->wake_fd = weir__system()->eventfd(0, EFD_CLOEXEC);
}

static void make_key(void)
{
    pthread_key_create(&thread_key, free_thread);
    pthread_atfork(NULL, NULL, after_fork);
}

/* The calling thread's waiter, made at its first wait and freed when the thread ends. */
static struct weir__thread *thread_self(void)
{
    if (thread_here)
        return thread_here;
    pthread_once(&thread_once, make_key);
    struct weir__thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->waiter.kind = WEIR__THREAD;
    thread->wake_fd = weir__system()->eventfd(0, EFD_CLOEXEC);
    if (pthread_setspecific(thread_key, thread)) {
        if (thread->wake_fd >= 0)
            weir__system()->close(thread->wake_fd);
        free(thread);
        errno = ENOMEM; /* which is all that pthread_setspecific(3) can say, and it says it otherwise */
        return NULL;
    }
    return thread_here = thread;
}

struct weir__waiter *weir__waiter_self(void)
{
    struct weir_fiber *fiber = weir__fiber_running();
    if (fiber)
        return &fiber->waiter;
    struct weir__thread *thread = thread_self();
    return thread ? &thread->waiter : NULL;
}

/* Takes a certain waiter out of a slot. False: somebody else has taken it, and is about to wake it. */
static bool withdraw(weir__slot *slot, struct weir__waiter *waiter)
{
    return atomic_compare_exchange_strong(slot, &waiter, NULL);
}

bool weir__wait_begin(weir__slot *slot)
{
    struct weir__waiter *self = weir__waiter_self(), *empty = NULL;
    if (!self)
        return false;
    if (atomic_compare_exchange_strong(slot, &empty, self))
        return true;
    errno = EBUSY;
    return false;
}

/* --- what is written to a thread --- */

/*
 * A thread that could get no descriptor of its own (EMFILE) is written to in memory, and looks at it from time to time:
 * it waits less well, but what it does does not fail.
 */
static bool is_blind(const struct weir__thread *thread)
{
    return thread->wake_fd < 0;
}

static uint64_t read_blind(struct weir__thread *thread)
{
    uint64_t written;
    while ((written = atomic_exchange(&thread->written, 0)) == 0)
        weir__system()->poll(NULL, 0, BLIND_LOOK);
    return written;
}

/* What was written to the thread; waits until there is something. Keeps errno. */
static uint64_t read_written(struct weir__thread *thread)
{
    uint64_t written = 0;
    int saved = errno;
    if (is_blind(thread))
        written = read_blind(thread);
    else
        while (weir__system()->read(thread->wake_fd, &written, sizeof written) < 0 && errno == EINTR)
            ;
    errno = saved;
    return written;
}

static void write_to(struct weir__thread *thread, uint64_t number)
{
    int saved = errno;
    if (is_blind(thread))
        atomic_fetch_add(&thread->written, number);
    else
        weir__system()->write(thread->wake_fd, &number, sizeof number);
    errno = saved;
}

/* Waits for the wake of somebody who has taken the caller out of its slot: it is under way. */
static void absorb(struct weir__waiter *self)
{
    if (self->kind == WEIR__THREAD) {
        while (read_written((struct weir__thread *)self) < WAKE)
            ; /* a cancellation came before it */
        return;
    }
    struct weir_fiber *fiber = (struct weir_fiber *)self;
    fiber->deadline = WEIR_FOREVER;
    fiber->waiter.slot = NULL;
    weir__fiber_leave(fiber);
}

void weir__wait_abandon(weir__slot *slot)
{
    struct weir__waiter *self = weir__waiter_self();
    if (!withdraw(slot, self))
        absorb(self);
}

static int give_up(weir__slot *slot, struct weir__waiter *self, int number)
{
    if (!withdraw(slot, self)) {
        absorb(self);
        return 0;
    }
    errno = number;
    return -1;
}

static int fiber_park(struct weir_fiber *fiber, weir__slot *slot, int64_t deadline, bool cancellable)
{
    weir_loop *loop = fiber->loop;
    if (cancellable && fiber->cancelled)
        return give_up(slot, &fiber->waiter, ECANCELED);
    if (deadline <= loop->now)
        return give_up(slot, &fiber->waiter, ETIMEDOUT);
    fiber->waiter.slot = slot;
    fiber->cancellable = cancellable;
    fiber->deadline = deadline;
    fiber->timed_out = false;
    /* A timer that is set for earlier is left: when it goes off it is set again, which is rarer than parking. */
    if (deadline != WEIR_FOREVER && (!weir__timer_armed(&fiber->timer) || fiber->timer.expiry > deadline)) {
        weir__timer_remove(&fiber->timer);
        weir__timer_add(&loop->timers, &fiber->timer, deadline);
    }
    weir__fiber_leave(fiber);
    fiber->waiter.slot = NULL;
    if (fiber->timed_out || (cancellable && fiber->cancelled)) {
        errno = fiber->timed_out ? ETIMEDOUT : ECANCELED;
        return -1;
    }
    return 0;
}

/* How long poll may take; negative: for ever. */
static int64_t time_left(int64_t deadline)
{
    if (deadline == WEIR_FOREVER)
        return -1;
    int64_t now = weir__system()->monotonic();
    return deadline <= now ? 0 : deadline - now;
}

static bool is_cancelled(struct weir__thread *thread)
{
    return atomic_load(&thread->cancelled) && !thread->waits_out;
}

/* Polls for a while; whether to go on. *ready is what poll(2) said. */
static bool poll_on(struct weir__thread *thread, struct pollfd *descriptors, size_t count, int64_t deadline, int *ready)
{
    int64_t left = time_left(deadline);
    bool cut_short = is_blind(thread) && (left < 0 || left > BLIND_LOOK);
    *ready = weir__system()->poll(descriptors, count, cut_short ? BLIND_LOOK : left);
    if (*ready < 0)
        return errno == EINTR;
    if (*ready == 0 && is_blind(thread) && atomic_load(&thread->written)) {
        descriptors[0].revents = POLLIN;
        *ready = 1;
    }
    return *ready == 0 && cut_short;
}

int weir__thread_park_several(weir__slot *slot, struct pollfd *descriptors, size_t count, int64_t deadline)
{
    struct weir__thread *thread = thread_self();
    descriptors[0] = (struct pollfd){thread->wake_fd, POLLIN, 0};
    if (is_cancelled(thread))
        return give_up(slot, &thread->waiter, ECANCELED);
    int ready;
    while (poll_on(thread, descriptors, count, deadline, &ready))
        ;
    int number = ready == 0 ? ETIMEDOUT : errno;
    if (!withdraw(slot, &thread->waiter)) {
        absorb(&thread->waiter);
        return 0;
    }
    if (ready > 0 && descriptors[0].revents) {
        read_written(thread); /* nobody took it: it was cancelled */
        if (is_cancelled(thread)) {
            ready = -1;
            number = ECANCELED;
        }
    }
    errno = number;
    return ready > 0 ? 0 : -1;
}

bool weir__thread_cancelled(void)
{
    return thread_here && atomic_load(&thread_here->cancelled);
}

void weir__cancel_thread(struct weir__waiter *thread)
{
    struct weir__thread *cancelled = (struct weir__thread *)thread;
    if (!atomic_exchange(&cancelled->cancelled, true))
        write_to(cancelled, CANCEL);
}

int weir__thread_park(weir__slot *slot, int fd, short events, int64_t deadline)
{
    struct pollfd descriptors[2] = {{0}, {fd, events, 0}};
    return weir__thread_park_several(slot, descriptors, fd < 0 ? 1 : 2, deadline);
}

int weir__wait_park(weir__slot *slot, int64_t deadline)
{
    struct weir_fiber *fiber = weir__fiber_running();
    return fiber ? fiber_park(fiber, slot, deadline, true) : weir__thread_park(slot, -1, 0, deadline);
}

static int thread_park_uncancelled(weir__slot *slot, int64_t deadline)
{
    struct weir__thread *thread = thread_self();
    thread->waits_out = true;
    int result = weir__thread_park(slot, -1, 0, deadline);
    thread->waits_out = false;
    return result;
}

int weir__wait_park_uncancelled(weir__slot *slot, int64_t deadline)
{
    struct weir_fiber *fiber = weir__fiber_running();
    return fiber ? fiber_park(fiber, slot, deadline, false) : thread_park_uncancelled(slot, deadline);
}

void weir__deliver(struct weir__waiter *waiter)
{
    if (waiter->kind == WEIR__FIBER) {
        struct weir_fiber *fiber = (struct weir_fiber *)waiter;
        weir__loop_wake_fiber(fiber->loop, fiber);
    } else if (waiter->kind == WEIR__THREAD) {
        write_to((struct weir__thread *)waiter, WAKE);
    } else {
        struct weir__case_waiter *one = (struct weir__case_waiter *)waiter;
        one->taken(one);
    }
}

bool weir__wake(weir__slot *slot)
{
    struct weir__waiter *waiter = atomic_load(slot);
    do
        if (!waiter || waiter == &weir__finished)
            return false;
    while (!atomic_compare_exchange_weak(slot, &waiter, NULL));
    weir__deliver(waiter);
    return true;
}

void weir__slot_finish(weir__slot *slot)
{
    struct weir__waiter *waiter = atomic_exchange(slot, &weir__finished);
    if (waiter && waiter != &weir__finished)
        weir__deliver(waiter);
}

bool weir__slot_finished(weir__slot *slot)
{
    return atomic_load(slot) == &weir__finished;
}

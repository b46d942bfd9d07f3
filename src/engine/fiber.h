/* Waiters as the engine has them inside: fibers, threads, and the cases of a select. */
#ifndef WEIR_ENGINE_FIBER_H
#define WEIR_ENGINE_FIBER_H

#include "base/list.h"
#include "engine/engine.h"
#include "engine/sanitizer.h"
#include "engine/stack.h"
#include "engine/switch.h"
#include "engine/timer.h"

struct weir__error;

enum weir__waiter_kind { WEIR__FIBER, WEIR__THREAD, WEIR__CASE };

struct weir__waiter {
    uint8_t kind;
    weir__slot *slot;          /* where it is published while it is parked; its own thread's only */
    struct weir__error *error; /* weir_error() of a fiber or thread */
};

/* A thread outside of fibers: it parks in poll(2), with this descriptor beside the one it waits for. */
struct weir__thread {
    struct weir__waiter waiter;
    int wake_fd;              /* -1: there was none to be had */
    _Atomic uint64_t written; /* in its place */
    atomic_bool cancelled;
    bool waits_out; /* whatever happens: the wait it is in is not cancelled */
};

/* One thing that a select waits for: whoever takes it out of its slot reports it, and wakes the group's one waiter. */
struct weir__case_waiter {
    struct weir__waiter waiter;
    void (*taken)(struct weir__case_waiter *self);
};

enum weir__fiber_state { WEIR__NEW, WEIR__RUNNABLE, WEIR__RUNNING, WEIR__PARKED, WEIR__ENDED };

/* The steps of a cancellation: whoever frees a fiber must know whether its cancel task is still under way. */
enum { WEIR__NOT_CANCELLED, WEIR__CANCEL_POSTED, WEIR__CANCEL_DELIVERED, WEIR__FREE_WHEN_DELIVERED };

struct weir_fiber {
    struct weir__waiter waiter; /* first: a waiter of kind FIBER is its fiber */
    struct weir__context context;
    struct weir__task task; /* its place in the run queue, or in the inbox of its loop */
    struct weir__task cancel_task;
    struct weir__list all;    /* the loop's fibers */
    struct weir__timer timer; /* lazy: armed no later than `deadline`, and left armed when the fiber wakes */
    int64_t deadline;         /* of the park it is in */
    weir_loop *loop;
    struct weir__stack stack;
    const char *name;
    weir_fiber_function *function;
    void *arg;
    weir__slot joiner; /* who waits for its end; finished when it has ended */
    weir__slot own;    /* for waits that belong to nothing else: sleep */
    void *host;        /* where it runs in a simulation, as who spawned it */
    void *server;      /* in a simulation, whose handler it is: threads keep that by themselves */
    int result;
    uint8_t state;
    bool detached;
    bool timed_out;
    bool cancellable; /* the park it is in ends when it is cancelled */
    _Atomic uint8_t cancelled;
#if WEIR__ASAN
    void *asan_fake_stack;
#endif
#if WEIR__TSAN
    void *tsan_fiber;
#endif
#if WEIR__VALGRIND
    unsigned valgrind_stack;
#endif
};

/* What a slot holds once nothing more will come: its owner's object has ended. Never woken. */
extern struct weir__waiter weir__finished;

/* Marks a slot as finished and wakes who waited: the last touch of the object the slot is in. */
void weir__slot_finish(weir__slot *slot);
bool weir__slot_finished(weir__slot *slot);

/* Wakes a waiter that the caller has taken out of a slot. */
void weir__deliver(struct weir__waiter *waiter);

/* Parks a thread until it is woken, a descriptor (may be -1) has one of the events, or the deadline; as weir__wait_park. */
int weir__thread_park(weir__slot *slot, int fd, short events, int64_t deadline);

/* The same with count - 1 descriptors; the first is filled in: the thread's own, by which it is woken. */
int weir__thread_park_several(weir__slot *slot, struct pollfd *descriptors, size_t count, int64_t deadline);

/* Makes a parked or new fiber runnable. Any thread. */
void weir__loop_wake_fiber(weir_loop *loop, struct weir_fiber *fiber);

/* Switches from the running fiber to its loop, until it is queued again; errno is kept. */
void weir__fiber_leave(struct weir_fiber *fiber);

/* A fiber's timer went off: it wakes if that was its deadline; otherwise the timer is set again. */
void weir__fiber_timer(struct weir__timer *timer, void *arg);

/* Whether the calling thread was cancelled, by weir__cancel_thread. */
bool weir__thread_cancelled(void);

/* Frees the memory of a fiber that has ended. */
void weir__fiber_free(struct weir_fiber *fiber);

#endif

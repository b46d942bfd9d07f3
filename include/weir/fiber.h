/*
 * Fibers: functions that wait without holding a thread.
 *
 * A fiber belongs for life to the loop (and so to the thread) that it was spawned on. Calls of this library that
 * wait "park" the fiber and let others of its loop run; outside of fibers the same calls block the thread.
 * The idea is Go's and libdill's; the names are those of the threads of C11 and of Python's asyncio.
 */
#ifndef WEIR_FIBER_H
#define WEIR_FIBER_H

#include <weir/api.h>

WEIR_BEGIN

typedef struct weir_fiber weir_fiber;
typedef struct weir_loop weir_loop;

/* What a fiber runs. What it returns is handed to weir_join. */
typedef int weir_fiber_function(void *arg);

typedef struct weir_fiber_options {
    size_t size;
    const char *name; /* shown by gdb, in logs and when its stack overflows; not copied; default "fiber" */
    weir_loop *loop;  /* the loop to run on; default the calling fiber's or thread's own */
    bool detached;    /* nobody will join it: it is freed when it ends */
} weir_fiber_options;

/*
 * Starts a fiber; it runs when the caller next parks. May be called from any thread if `loop` is given.
 * The caller owns the handle and must weir_join it, unless it is detached: then the handle is only good as a sign
 * of success and must not be used.
 * Returns NULL with ENOMEM (no memory, or no stack left: WEIR_ERROR_LIMIT), or EINVAL outside of a loop's thread
 * without `loop`. Does not park.
 */
WEIR_API weir_fiber *weir_spawn(weir_fiber_function *function, void *arg, const weir_fiber_options *options);

/*
 * Waits until the fiber has ended, puts what it returned in *result (unless NULL) and frees it. One fiber or
 * thread may join. Parks. Returns 0; -1 with ETIMEDOUT, ECANCELED (the caller was cancelled): the fiber is then
 * still the caller's to join; EDEADLK for oneself, EBUSY if somebody else is joining. A fiber that was cancelled itself is
 * waited for whether or not the caller was: whoever is cancelled cancels its helpers, joins them, and then returns.
 */
WEIR_API int weir_join(weir_fiber *fiber, int *result, int64_t deadline);

/*
 * Cancels a fiber, from any thread: the call it is parked in, and every later one that would park, fails with
 * ECANCELED, so that it unwinds and ends. Cancelling twice is once. Does not park.
 */
WEIR_API void weir_cancel_fiber(weir_fiber *fiber);

/* Whether the calling fiber has been cancelled; false outside of fibers. */
WEIR_API bool weir_cancelled(void);

/* Lets every other runnable fiber of the loop run first. Returns 0, or -1 with ECANCELED. In a thread: sched_yield. */
WEIR_API int weir_yield(void);

/* Waits for `duration` nanoseconds. Parks. Returns 0, or -1 with ECANCELED. */
WEIR_API int weir_sleep(int64_t duration);

/* Waits until the monotonic clock reaches `deadline`; one that has passed is a weir_yield. Parks. Returns 0, or -1 with ECANCELED. */
WEIR_API int weir_sleep_until(int64_t deadline);

/*
 * Gives back the memory of the calling fiber's stack below what is in use, for a fiber that has called deep and is about
 * to wait for long: many of them cost a page or two each then. Costs a system call. Nothing outside of fibers.
 */
WEIR_API void weir_forget_stack(void);

/* The calling fiber; NULL outside of fibers. */
WEIR_API weir_fiber *weir_self(void);

/* The name given at weir_spawn; "thread" for NULL. */
WEIR_API const char *weir_fiber_name(const weir_fiber *fiber);

/*
 * Runs `function(arg)` on a bounded pool of threads and waits for it: for whatever would block the loop (a library
 * that opens files, a slow hash). The pool has 4 threads a CPU, at least 8 and at most 64, and starts them as needed.
 * With `abandon` NULL the caller waits until the function has ended, whatever happens. Otherwise a cancelled or
 * timed-out caller goes on at once: from then on `arg` is the pool's, which calls abandon(arg), on a thread of its
 * own, when the function has ended (or at once where it had not begun: it is then never called).
 * Parks. Returns 0 and what the function returned in *result (unless NULL), its errno in errno; or -1 with ETIMEDOUT,
 * ECANCELED, ENOMEM or EAGAIN (no thread could be started). Outside of fibers it calls the function itself, unless there are
 * `abandon` and a deadline.
 */
WEIR_API int weir_offload(int (*function)(void *arg), void *arg, void (*abandon)(void *arg), int *result,
                          int64_t deadline);

WEIR_END

#endif

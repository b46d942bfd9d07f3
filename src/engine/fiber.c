/* Fibers: their life, and switching to and from them. */
#include "engine/fiber.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <weir/time.h>

#include "base/error.h"
#include "engine/loop.h"

static void run_task(struct weir__task *task);
static void cancel_task(struct weir__task *task);

/* --- switching, with what the sanitizers must be told --- */

static void enter(weir_loop *loop, struct weir_fiber *fiber)
{
#if WEIR__TSAN
    loop->tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_fiber, 0);
#endif
#if WEIR__ASAN
    __sanitizer_start_switch_fiber(&loop->asan_fake_stack, fiber->stack.low + WEIR__STACK_GUARD,
                                   fiber->stack.size - WEIR__STACK_GUARD);
#endif
    weir__context_switch(&loop->context, &fiber->context);
#if WEIR__ASAN
    __sanitizer_finish_switch_fiber(loop->asan_fake_stack, NULL, NULL);
#endif
}

/* To be called first on a fiber's stack whenever it is switched to. */
static void arrived(struct weir_fiber *fiber)
{
#if WEIR__ASAN
    __sanitizer_finish_switch_fiber(fiber->asan_fake_stack, &fiber->loop->asan_stack, &fiber->loop->asan_stack_size);
#else
    (void)fiber;
#endif
}

static void leave(struct weir_fiber *fiber, bool for_ever)
{
    weir_loop *loop = fiber->loop;
#if WEIR__TSAN
    __tsan_switch_to_fiber(loop->tsan_fiber, 0);
#endif
#if WEIR__ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &fiber->asan_fake_stack, loop->asan_stack, loop->asan_stack_size);
#endif
    (void)for_ever;
    weir__context_switch(&fiber->context, &loop->context);
    arrived(fiber);
}

void weir__fiber_leave(struct weir_fiber *fiber)
{
    weir_loop *loop = fiber->loop;
    if (loop->on_park) {
        void (*function)(void *) = loop->on_park;
        loop->on_park = NULL;
        function(loop->on_park_arg);
    }
    int saved = errno;
    fiber->state = WEIR__PARKED;
    leave(fiber, false);
    fiber->state = WEIR__RUNNING;
    errno = saved;
}

/* The first function on a fiber's stack. */
static void boot(void *arg)
{
    struct weir_fiber *fiber = arg;
    arrived(fiber);
    fiber->state = WEIR__RUNNING;
    fiber->result = fiber->function(fiber->arg);
    fiber->state = WEIR__ENDED;
    leave(fiber, true);
    abort();
}

/* --- life --- */

static void tell_tools(struct weir_fiber *fiber)
{
#if WEIR__TSAN
    fiber->tsan_fiber = __tsan_create_fiber(0);
    __tsan_set_fiber_name(fiber->tsan_fiber, fiber->name);
#endif
#if WEIR__VALGRIND
    fiber->valgrind_stack = VALGRIND_STACK_REGISTER(fiber->stack.low, fiber->stack.low + fiber->stack.size);
#endif
    (void)fiber;
}

static void tell_tools_ended(struct weir_fiber *fiber)
{
#if WEIR__TSAN
    __tsan_destroy_fiber(fiber->tsan_fiber);
#endif
#if WEIR__VALGRIND
    VALGRIND_STACK_DEREGISTER(fiber->valgrind_stack);
#endif
    (void)fiber;
}

static struct weir_fiber *make_fiber(weir_loop *loop, const char *name)
{
    struct weir_fiber *fiber = calloc(1, sizeof *fiber);
    if (!fiber || !weir__stack_take(&fiber->stack, loop->stack_size)) {
        free(fiber);
        return NULL;
    }
    fiber->waiter.kind = WEIR__FIBER;
    fiber->task.function = run_task;
    fiber->cancel_task.function = cancel_task;
    weir__loop_refer(loop);
    fiber->loop = loop;
    fiber->name = name ? name : "fiber";
    if (loop->backend->host)
        fiber->host = loop->backend->host(loop);
    const struct weir_fiber *self = weir__fiber_running(); /* another thread's loop may not be looked into */
    if (self && self->loop == loop)
        fiber->server = self->server;
    weir__list_init(&fiber->all);
    weir__context_make(&fiber->context, fiber->stack.low, fiber->stack.size, boot, fiber);
    tell_tools(fiber);
    return fiber;
}

weir_fiber *weir_spawn(weir_fiber_function *function, void *arg, const weir_fiber_options *options)
{
    weir_loop *loop = options && options->loop ? options->loop : weir__loop_here;
    if (!loop) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "spawn", "", "there is no loop in this thread and none was named");
        return NULL;
    }
    if (atomic_fetch_add(&loop->fiber_count, 1) >= loop->max_fibers) {
        weir__loop_uncount(loop);
        weir_fail(WEIR_ERROR_LIMIT, ENOMEM, "spawn", "", "there are %zu fibers already", loop->max_fibers);
        return NULL;
    }
    struct weir_fiber *fiber = make_fiber(loop, options ? options->name : NULL);
    if (!fiber) {
        weir__loop_uncount(loop);
        weir__fail_memory("spawn");
        return NULL;
    }
    fiber->function = function;
    fiber->arg = arg;
    fiber->detached = options && options->detached;
    weir__loop_wake_fiber(loop, fiber);
    return fiber;
}

/* A handle may be cancelled until it is joined, and joined after its loop was freed: it keeps the loop's memory. */
static void free_now(struct weir_fiber *fiber)
{
    weir__loop_release(fiber->loop);
    weir__error_free(fiber->waiter.error);
    free(fiber);
}

void weir__fiber_free(struct weir_fiber *fiber)
{
    uint8_t posted = WEIR__CANCEL_POSTED;
    if (!atomic_compare_exchange_strong(&fiber->cancelled, &posted, WEIR__FREE_WHEN_DELIVERED))
        free_now(fiber);
}

/* On the loop's stack, when the fiber will run no more. */
static void finish(struct weir_fiber *fiber)
{
    weir_loop *loop = fiber->loop;
    weir__timer_remove(&fiber->timer);
    weir__list_remove(&fiber->all);
    tell_tools_ended(fiber);
    weir__stack_return(fiber->stack);
    if (fiber->detached)
        weir__fiber_free(fiber);
    else
        weir__slot_finish(&fiber->joiner);
    atomic_fetch_sub(&loop->fiber_count, 1);
}

static void run_task(struct weir__task *task)
{
    struct weir_fiber *fiber = (struct weir_fiber *)((char *)task - offsetof(struct weir_fiber, task));
    weir_loop *loop = fiber->loop;
    if (fiber->state == WEIR__NEW)
        weir__list_push_back(&loop->fibers, &fiber->all);
    loop->running = fiber;
    weir__turn_left = WEIR__TURN;
    enter(loop, fiber);
    loop->running = NULL;
    loop->on_park = NULL;
    if (fiber->state == WEIR__ENDED)
        finish(fiber);
}

void weir__fiber_timer(struct weir__timer *timer, void *arg)
{
    weir_loop *loop = arg;
    struct weir_fiber *fiber = (struct weir_fiber *)((char *)timer - offsetof(struct weir_fiber, timer));
    if (fiber->state != WEIR__PARKED || !fiber->waiter.slot || fiber->deadline == WEIR_FOREVER)
        return;
    if (fiber->deadline > loop->now) {
        weir__timer_add(&loop->timers, timer, fiber->deadline);
        return;
    }
    struct weir__waiter *self = &fiber->waiter;
    if (atomic_compare_exchange_strong(fiber->waiter.slot, &self, NULL)) {
        fiber->timed_out = true;
        weir__loop_queue(loop, &fiber->task);
    }
}

/* --- joining and cancelling --- */

static int join(weir_fiber *fiber, int *result, int64_t deadline, bool cancellable)
{
    while (!weir__slot_finished(&fiber->joiner)) {
        if (!weir__wait_begin(&fiber->joiner)) {
            if (weir__slot_finished(&fiber->joiner))
                break;
            return weir__waiter_self() ? weir__fail_busy("join", fiber->name) : weir__fail_memory("join");
        }
        int waited = cancellable ? weir__wait_park(&fiber->joiner, deadline)
                                 : weir__wait_park_uncancelled(&fiber->joiner, deadline);
        if (waited < 0)
            return errno == ETIMEDOUT ? weir__fail_deadline("join", fiber->name)
                                      : weir__fail_cancelled("join", fiber->name);
    }
    if (result)
        *result = fiber->result;
    weir__fiber_free(fiber);
    return 0;
}

int weir_join(weir_fiber *fiber, int *result, int64_t deadline)
{
    const weir_fiber *self = weir__fiber_running();
    if (self && fiber == self)
        return weir_fail(WEIR_ERROR_USAGE, EDEADLK, "join", fiber->name, "a fiber cannot wait for its own end");
    return join(fiber, result, deadline, !fiber->cancelled);
}

void weir__join_uncancelled(weir_fiber *fiber)
{
    join(fiber, NULL, WEIR_FOREVER, false);
}

static void wake_cancelled(struct weir_fiber *fiber)
{
    struct weir__waiter *self = &fiber->waiter;
    if (fiber->state == WEIR__PARKED && fiber->waiter.slot && fiber->cancellable &&
        atomic_compare_exchange_strong(fiber->waiter.slot, &self, NULL))
        weir__loop_queue(fiber->loop, &fiber->task);
}

/* On the fiber's loop: from here on it fails to park. */
static void cancel_task(struct weir__task *task)
{
    struct weir_fiber *fiber = (struct weir_fiber *)((char *)task - offsetof(struct weir_fiber, cancel_task));
    uint8_t posted = WEIR__CANCEL_POSTED;
    /* One that has ended may be freed by whoever joins it as soon as this is delivered. */
    bool ended = fiber->state == WEIR__ENDED;
    if (!atomic_compare_exchange_strong(&fiber->cancelled, &posted, WEIR__CANCEL_DELIVERED))
        free_now(fiber);
    else if (!ended)
        wake_cancelled(fiber);
}

void weir_cancel_fiber(weir_fiber *fiber)
{
    uint8_t not_yet = WEIR__NOT_CANCELLED;
    if (atomic_compare_exchange_strong(&fiber->cancelled, &not_yet, WEIR__CANCEL_POSTED))
        weir__loop_post(fiber->loop, &fiber->cancel_task);
}

bool weir_cancelled(void)
{
    struct weir_fiber *fiber = weir__fiber_running();
    return fiber && fiber->cancelled;
}

/* --- small calls --- */

void weir__forget_stack(void)
{
    const struct weir_fiber *fiber = weir__fiber_running();
    if (fiber)
        weir__stack_forget(&fiber->stack, __builtin_frame_address(0));
}

void weir_forget_stack(void)
{
    weir__forget_stack();
}

weir_fiber *weir_self(void)
{
    return weir__fiber_running();
}

const char *weir_fiber_name(const weir_fiber *fiber)
{
    return fiber ? fiber->name : "thread";
}

/* Whether it has not been cancelled. */
static bool let_others_run(struct weir_fiber *fiber)
{
    if (fiber->cancelled)
        return false;
    fiber->waiter.slot = NULL;
    weir__loop_queue(fiber->loop, &fiber->task);
    weir__fiber_leave(fiber);
    return !fiber->cancelled;
}

int weir_yield(void)
{
    struct weir_fiber *fiber = weir__fiber_running();
    if (!fiber) {
        sched_yield();
        return 0;
    }
    return let_others_run(fiber) ? 0 : weir__fail_cancelled("yield", "");
}

_Thread_local unsigned weir__turn_left = WEIR__TURN;

int weir__turn_over(void)
{
    struct weir_fiber *fiber = weir__fiber_running();
    weir__turn_left = WEIR__TURN;
    if (fiber ? let_others_run(fiber) : !weir__thread_cancelled())
        return 0;
    errno = ECANCELED;
    return -1;
}

int weir_sleep_until(int64_t deadline)
{
    struct weir_fiber *fiber = weir__fiber_running();
    weir__slot threads_own = NULL;
    weir__slot *slot = fiber ? &fiber->own : &threads_own;
    /* A fiber that sleeps for no time, again and again, must not keep the others from running. */
    if (fiber && deadline <= fiber->loop->now)
        return let_others_run(fiber) ? 0 : weir__fail_cancelled("sleep", "");
    if (!weir__wait_begin(slot))
        return weir__fail_memory("sleep");
    int saved = errno;
    if (weir__wait_park(slot, deadline) < 0 && errno == ECANCELED)
        return weir__fail_cancelled("sleep", "");
    errno = saved;
    return 0;
}

int weir_sleep(int64_t duration)
{
    return weir_sleep_until(weir_deadline(duration));
}

/* The loop: its life, its run queue, what other threads hand in, and turning. */
#include "engine/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/error.h"

enum { MAX_FIBERS = 1000000 };

_Thread_local weir_loop *weir__loop_here;
_Thread_local const int64_t *weir__clock_here;

/* Every loop of the process, for debuggers. */
static pthread_mutex_t loops_lock = PTHREAD_MUTEX_INITIALIZER;
struct weir__list weir__loops = {&weir__loops, &weir__loops};

/* --- references: the memory of a loop outlives it until nobody can touch it --- */

void weir__loop_refer(weir_loop *loop)
{
    atomic_fetch_add(&loop->references, 1);
}

void weir__loop_release(weir_loop *loop)
{
    if (atomic_fetch_sub(&loop->references, 1) != 1)
        return;
    loop->system->close(loop->wake_fd);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

/* --- what comes from other threads --- */

static void notify(weir_loop *loop)
{
    if (!atomic_exchange(&loop->notified, true))
        loop->backend->wake(loop);
}

static void push_inbox(weir_loop *loop, struct weir__task *task)
{
    task->next = atomic_load(&loop->inbox);
    while (!atomic_compare_exchange_weak(&loop->inbox, &task->next, task))
        ;
    notify(loop);
}

void weir__loop_uncount(weir_loop *loop)
{
    weir__loop_refer(loop);
    atomic_fetch_sub(&loop->fiber_count, 1);
    if (loop != weir__loop_here)
        notify(loop);
    weir__loop_release(loop);
}

void weir__loop_wake_fiber(weir_loop *loop, struct weir_fiber *fiber)
{
    if (loop == weir__loop_here) {
        weir__loop_queue(loop, &fiber->task);
        return;
    }
    /* Once it is in the inbox the fiber may run and end, and its loop with it, before the loop was notified. */
    weir__loop_refer(loop);
    push_inbox(loop, &fiber->task);
    weir__loop_release(loop);
}

void weir__loop_post(weir_loop *loop, struct weir__task *task)
{
    if (loop == weir__loop_here) {
        weir__loop_queue(loop, task);
        return;
    }
    weir__loop_refer(loop);
    pthread_mutex_lock(&loop->lock);
    bool dead = loop->dead;
    if (!dead)
        push_inbox(loop, task);
    pthread_mutex_unlock(&loop->lock);
    if (dead)
        task->function(task);
    weir__loop_release(loop);
}

/*
 * `notified` is looked at too: whoever filled the inbox may say so only after it was emptied, and if that were left
 * standing the next one would believe that the loop has been told.
 */
static void empty_inbox(weir_loop *loop)
{
    if (!atomic_load_explicit(&loop->notified, memory_order_relaxed) &&
        !atomic_load_explicit(&loop->inbox, memory_order_relaxed))
        return;
    atomic_store(&loop->notified, false);
    struct weir__task *newest = atomic_exchange(&loop->inbox, NULL), *oldest = NULL;
    while (newest) {
        struct weir__task *task = newest;
        newest = task->next;
        task->next = oldest;
        oldest = task;
    }
    while (oldest) {
        struct weir__task *task = oldest;
        oldest = task->next;
        weir__loop_queue(loop, task);
    }
}

/* --- turning --- */

/* Runs what is in the queue now; what comes in meanwhile waits for the next turn, so that events are not starved. */
static void run_ready(weir_loop *loop)
{
    if (loop->backend->arrange)
        loop->backend->arrange(loop);
    struct weir__task *task = loop->ready;
    loop->ready = NULL;
    loop->ready_end = &loop->ready;
    while (task) {
        struct weir__task *next = task->next;
        task->function(task);
        task = next;
    }
}

static void look_at_clock(weir_loop *loop)
{
    loop->now = loop->system->monotonic();
    weir__timers_run(&loop->timers, loop->now, weir__fiber_timer, loop);
}

/* When there is something to do that no event tells of. */
static int64_t next_work(weir_loop *loop)
{
    if (loop->ready || atomic_load_explicit(&loop->inbox, memory_order_acquire))
        return WEIR_NOW;
    return weir__timers_next(&loop->timers);
}

static int await_events(weir_loop *loop, int64_t deadline)
{
    int64_t next = next_work(loop);
    if (loop->backend->wait(loop, next < deadline ? next : deadline) < 0)
        return weir__fail_system(errno, "loop", loop->backend->name);
    look_at_clock(loop);
    empty_inbox(loop);
    return 0;
}

int weir_loop_once(weir_loop *loop, int64_t deadline)
{
    look_at_clock(loop);
    empty_inbox(loop);
    run_ready(loop);
    bool nothing_left = !atomic_load(&loop->fiber_count);
    if (await_events(loop, nothing_left ? WEIR_NOW : deadline) < 0)
        return -1;
    run_ready(loop);
    return (int)atomic_load(&loop->fiber_count);
}

int weir_loop_run(weir_loop *loop)
{
    look_at_clock(loop);
    /* Whether there is anything to wait for is known only when what is runnable has run: that may be the last fiber's end. */
    for (run_ready(loop); atomic_load(&loop->fiber_count); run_ready(loop))
        if (await_events(loop, WEIR_FOREVER) < 0)
            return -1;
    return 0;
}

int weir__loop_run_until(weir_loop *loop, const bool *done)
{
    look_at_clock(loop);
    for (run_ready(loop); !*done; run_ready(loop))
        if (await_events(loop, WEIR_FOREVER) < 0)
            return -1;
    return 0;
}

int64_t weir_loop_deadline(weir_loop *loop)
{
    return loop->backend->pending(loop) ? WEIR_NOW : next_work(loop);
}

int weir_loop_fd(const weir_loop *loop)
{
    return loop->backend->descriptor(loop);
}

/* --- life --- */

static weir_loop *make_loop(const weir_loop_options *options)
{
    weir_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return NULL;
    loop->system = weir__system();
    loop->wake_fd = loop->system->eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake_fd < 0) {
        free(loop);
        return NULL;
    }
    loop->ready_end = &loop->ready;
    loop->references = 1;
    loop->stack_size = weir__stack_size(options ? options->stack_size : 0);
    loop->max_fibers = options && options->max_fibers ? options->max_fibers : MAX_FIBERS;
    loop->now = loop->system->monotonic();
    weir__list_init(&loop->fibers);
    weir__timers_init(&loop->timers, loop->now);
    pthread_mutex_init(&loop->lock, NULL);
    return loop;
}

static void list_loop(weir_loop *loop)
{
    pthread_mutex_lock(&loops_lock);
    weir__list_push_back(&weir__loops, &loop->loops);
    pthread_mutex_unlock(&loops_lock);
}

static void unlist_loop(weir_loop *loop)
{
    pthread_mutex_lock(&loops_lock);
    weir__list_remove(&loop->loops);
    pthread_mutex_unlock(&loops_lock);
}

weir_loop *weir_loop_new(const weir_loop_options *options)
{
    weir__errors_know_fibers();
    if (weir__loop_here) {
        weir_fail(WEIR_ERROR_USAGE, EBUSY, "loop", "", "this thread has a loop already");
        return NULL;
    }
    weir_loop *loop = make_loop(options);
    if (!loop) {
        weir__fail_system(errno, "loop", "");
        return NULL;
    }
    if (weir__backend_choose(loop, options ? options->backend : WEIR_BACKEND_AUTO) < 0) {
        int saved = errno;
        weir__loop_release(loop);
        errno = saved;
        return NULL;
    }
    list_loop(loop);
    weir__clock_here = &loop->now;
    return weir__loop_here = loop;
}

static void cancel_all(weir_loop *loop)
{
    struct weir__list *link;
    weir__list_each(link, &loop->fibers) weir_cancel_fiber(weir__list_entry(link, struct weir_fiber, all));
}

/* What was posted, by other threads and by this one. */
static void run_the_rest(weir_loop *loop)
{
    empty_inbox(loop);
    while (loop->ready) {
        run_ready(loop);
        empty_inbox(loop);
    }
}

void weir_loop_free(weir_loop *loop)
{
    if (!loop)
        return;
    /*
     * Fibers unwind, and what they close is let go by the backend. Cancelling comes last: one that has only now begun, and
     * waits for what never comes, is among them.
     */
    for (run_ready(loop); atomic_load(&loop->fiber_count) || loop->closing; run_ready(loop)) {
        cancel_all(loop);
        if (await_events(loop, WEIR_FOREVER) < 0)
            break;
    }
    run_the_rest(loop);
    while (loop->closing && loop->backend->wait(loop, WEIR_FOREVER) == 0)
        run_the_rest(loop);
    loop->backend->close(loop);
    pthread_mutex_lock(&loop->lock);
    loop->dead = true;
    pthread_mutex_unlock(&loop->lock);
    run_the_rest(loop);
    weir__lent_pool_free(loop->lent);
    unlist_loop(loop);
    weir__loop_here = NULL;
    weir__clock_here = NULL;
    weir__loop_release(loop);
}

weir_loop *weir_loop_self(void)
{
    return weir__loop_here;
}

void weir__on_park(void (*function)(void *arg), void *arg)
{
    weir_loop *loop = weir__loop_here;
    loop->on_park = function;
    loop->on_park_arg = arg;
}

/* --- a loop for one function --- */

struct first_fiber {
    weir_fiber_function *function;
    void *arg;
    int result;
};

static int run_first(void *arg)
{
    struct first_fiber *first = arg;
    first->result = first->function(first->arg);
    return 0;
}

int weir_run(weir_fiber_function *function, void *arg, const weir_loop_options *options)
{
    struct first_fiber first = {function, arg, -1};
    weir_loop *loop = weir_loop_new(options);
    if (!loop)
        return -1;
    int result = -1;
    weir_fiber_options as = {.size = sizeof as, .name = "main", .detached = true};
    if (weir_spawn(run_first, &first, &as) && weir_loop_run(loop) == 0)
        result = first.result;
    int saved = errno;
    weir_loop_free(loop);
    errno = saved;
    return result;
}

/*
 * The backends of the injector: uring's and epoll's, whose operations first ask whether they are to fail, or to behave as
 * kernels also do: events late, events of nothing, registrations that the kernel has given up by itself.
 */
#include "engine/backend.h"

#include <pthread.h>

#include "engine/loop.h"
#include "inject.h"

static const struct weir__backend wrapped_uring, wrapped_epoll;

static const struct weir__backend *inner_of(const weir_loop *loop)
{
    return loop->backend == &wrapped_uring ? &weir__backend_uring : &weir__backend_epoll;
}

static int ask(enum point point)
{
    int number = strike(point);
    if (number)
        errno = number;
    return number ? -1 : 0;
}

/* --- what is registered, and which listeners have failed but do not know it yet --- */

enum { WATCHES = 256, ACCEPTORS = 16 };

struct failing {
    struct weir__acceptor *acceptor;
    int number;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct registered {
    struct weir__watch *watch;
    const weir_loop *loop;
} watches[WATCHES];
static size_t watch_count;
static struct failing failing[ACCEPTORS];

static void note_watch(const weir_loop *loop, struct weir__watch *watch)
{
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < watch_count && watches[i].watch != watch)
        i++;
    if (i == watch_count && i < WATCHES)
        watches[watch_count++] = (struct registered){watch, loop};
    pthread_mutex_unlock(&lock);
}

/* NULL: all of the loop. */
static void forget_watch(const weir_loop *loop, const struct weir__watch *watch)
{
    pthread_mutex_lock(&lock);
    for (size_t i = watch_count; i-- > 0;)
        if (watches[i].loop == loop && (!watch || watches[i].watch == watch))
            watches[i] = watches[--watch_count];
    pthread_mutex_unlock(&lock);
}

/* The watches of a loop: only its own thread registers and gives up those, so they stay. */
static size_t watches_of(const weir_loop *loop, struct weir__watch **found)
{
    size_t count = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < watch_count; i++)
        if (watches[i].loop == loop)
            found[count++] = watches[i].watch;
    pthread_mutex_unlock(&lock);
    return count;
}

/*
 * After the inner backend has reported its events, and before a fiber runs: what is registered no more may be freed without
 * another word.
 */
static void forget_unregistered(const weir_loop *loop)
{
    struct weir__watch *found[WATCHES];
    size_t count = watches_of(loop, found);
    for (size_t i = 0; i < count; i++)
        if (!found[i]->armed)
            forget_watch(loop, found[i]);
}

static bool note_failing(struct weir__acceptor *acceptor, int number)
{
    bool noted = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ACCEPTORS && !noted; i++)
        if (!failing[i].acceptor) {
            failing[i] = (struct failing){acceptor, number};
            noted = true;
        }
    pthread_mutex_unlock(&lock);
    return noted;
}

/* Takes one that belongs to the loop, or the very one, out. Returns whether there was one. */
static bool take_failing(const weir_loop *loop, const struct weir__acceptor *acceptor, struct failing *taken)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < ACCEPTORS && !found; i++)
        if (failing[i].acceptor && failing[i].acceptor->loop == loop &&
            (!acceptor || failing[i].acceptor == acceptor)) {
            *taken = failing[i];
            failing[i].acceptor = NULL;
            found = true;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

/* --- the operations --- */

static int wrapped_open(weir_loop *loop)
{
    return ask(POINT_backend_open) < 0 ? -1 : inner_of(loop)->open(loop);
}

static void wrapped_close(weir_loop *loop)
{
    forget_watch(loop, NULL);
    inner_of(loop)->close(loop);
}

static int wrapped_descriptor(const weir_loop *loop)
{
    int number = strike(POINT_backend_descriptor);
    if (number)
        return weir_fail(WEIR_ERROR_SYSTEM, number, "loop", "", NULL);
    return inner_of(loop)->descriptor(loop);
}

static bool wrapped_pending(const weir_loop *loop)
{
    return inner_of(loop)->pending(loop);
}

static int wrapped_watch(weir_loop *loop, struct weir__watch *watch, int direction)
{
    if (watch->armed & direction)
        return 0; /* what is registered cannot fail */
    if (ask(POINT_backend_watch) < 0 || inner_of(loop)->watch(loop, watch, direction) < 0)
        return -1;
    note_watch(loop, watch);
    return 0;
}

static bool wrapped_unwatch(weir_loop *loop, struct weir__watch *watch)
{
    forget_watch(loop, watch);
    return inner_of(loop)->unwatch(loop, watch);
}

static void wrapped_let_go(weir_loop *loop)
{
    if (inner_of(loop)->let_go)
        inner_of(loop)->let_go(loop);
}

/* An acceptor may be refused, or be accepted and end with its first event, as io_uring's does for want of descriptors. */
static int wrapped_accept(weir_loop *loop, struct weir__acceptor *acceptor)
{
    if (ask(POINT_backend_accept) < 0)
        return -1;
    int number = strike(POINT_backend_accepting);
    if (number && note_failing(acceptor, number)) {
        loop->backend->wake(loop);
        return 0;
    }
    return inner_of(loop)->accept(loop, acceptor);
}

static void stopped_task(struct weir__task *task)
{
    weir__acceptor_stopped((struct weir__acceptor *)((char *)task - offsetof(struct weir__acceptor, stop_task)));
}

static void wrapped_accept_stop(weir_loop *loop, struct weir__acceptor *acceptor)
{
    struct failing taken;
    if (!take_failing(loop, acceptor, &taken)) {
        inner_of(loop)->accept_stop(loop, acceptor);
        return;
    }
    acceptor->armed = false;
    acceptor->stop_task.function = stopped_task;
    weir__loop_queue(loop, &acceptor->stop_task);
}

static void fail_acceptors(weir_loop *loop)
{
    struct failing taken;
    while (take_failing(loop, NULL, &taken)) {
        taken.acceptor->armed = false;
        taken.acceptor->accepted(taken.acceptor, -taken.number);
    }
}

/* Events of nothing. What is closed meanwhile is another's: looked for anew each time. */
static void report_nothing(weir_loop *loop)
{
    struct weir__watch *found[WATCHES];
    size_t count = watches_of(loop, found);
    for (size_t i = 0; i < count; i++)
        weir__watch_event(found[i], found[i]->armed & (WEIR__READABLE | WEIR__WRITABLE), false);
}

/* On io_uring a cancelled poll ends as one does that the kernel has ended: without F_MORE. Epoll has nothing like it. */
static void clear_registrations(weir_loop *loop)
{
    struct weir__watch *found[WATCHES];
    size_t count = inner_of(loop) == &weir__backend_uring ? watches_of(loop, found) : 0;
    for (size_t i = 0; i < count; i++)
        if (found[i]->armed)
            weir__backend_uring.unwatch(loop, found[i]);
}

/* The deadline as the inner backend is to wait for it: by the true clock, and not long. */
static int64_t true_deadline(weir_loop *loop, int64_t deadline)
{
    int64_t now = run_clock();
    if (deadline <= loop->now || deadline <= now)
        return WEIR_NOW;
    int64_t left = has_harmed() ? (deadline - now) / SPEED : deadline - now;
    return now + (left < WEIR_MS(5) ? left : WEIR_MS(5));
}

static int wrapped_wait(weir_loop *loop, int64_t deadline)
{
    static atomic_uint turns;
    int how = strike(POINT_backend_wait);
    /* From then on: one turn in three, or nothing would ever get done. */
    bool odd = !goes_on() || atomic_fetch_add(&turns, 1) % 3 == 0;
    if (how > 0) {
        errno = how;
        return -1;
    }
    if (how == FAULT_LATE && odd)
        return 0;
    if (how == FAULT_SPURIOUS && odd)
        report_nothing(loop);
    if (how == FAULT_CLEARED && odd)
        clear_registrations(loop);
    fail_acceptors(loop);
    int result = inner_of(loop)->wait(loop, loop->ready ? WEIR_NOW : true_deadline(loop, deadline));
    forget_unregistered(loop);
    return result;
}

static void wrapped_wake(weir_loop *loop)
{
    inner_of(loop)->wake(loop);
}

#define OPERATIONS                                                                                                     \
    .open = wrapped_open, .close = wrapped_close, .descriptor = wrapped_descriptor, .pending = wrapped_pending,        \
    .watch = wrapped_watch, .unwatch = wrapped_unwatch, .let_go = wrapped_let_go, .accept = wrapped_accept,            \
    .accept_stop = wrapped_accept_stop, .wait = wrapped_wait, .wake = wrapped_wake

static const struct weir__backend wrapped_uring = {.name = "uring", OPERATIONS};
static const struct weir__backend wrapped_epoll = {.name = "epoll", OPERATIONS};

static const struct weir__backend *wrap(const struct weir__backend *backend)
{
    return backend == &weir__backend_uring ? &wrapped_uring : &wrapped_epoll;
}

void install_backend(void)
{
    weir__backend_wrap = wrap;
}

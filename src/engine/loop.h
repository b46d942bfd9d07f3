/* A loop as the engine has it inside; one a thread. */
#ifndef WEIR_ENGINE_LOOP_H
#define WEIR_ENGINE_LOOP_H

#include <pthread.h>

#include "engine/backend.h"
#include "engine/fiber.h"

struct weir_loop {
    const struct weir__backend *backend;
    void *backend_state;
    const struct weir__system *system;
    int64_t now; /* the clock as of the last events */

    struct weir__task *ready, **ready_end; /* the run queue: fibers, and tasks that were posted */
    struct weir_fiber *running;
    struct weir__context context; /* of the loop itself while a fiber runs */
    struct weir__list fibers;     /* all of them */
    atomic_size_t fiber_count;    /* those in an inbox included */
    size_t max_fibers;
    size_t stack_size;
    size_t closing; /* watches that are closed but for the backend's word that it holds them no more */
    struct weir__timers timers;

    void (*on_park)(void *arg); /* of the running fiber */
    void *on_park_arg;

    /* From other threads. */
    _Atomic(struct weir__task *) inbox; /* newest first */
    atomic_bool notified;               /* wake_fd was written to and the inbox not yet emptied */
    int wake_fd;
    atomic_size_t references; /* fibers, watches whose home it is, callers under way, and 1 for the living loop */
    pthread_mutex_t lock;     /* of dead */
    bool dead; /* freed by its owner, no backend any more; the memory stays until the last reference goes */

    struct weir__lent_pool *lent;
    struct weir__list loops; /* every loop of the process, for debuggers */
#if WEIR__TSAN
    void *tsan_fiber;
#endif
#if WEIR__ASAN
    const void *asan_stack;
    size_t asan_stack_size;
    void *asan_fake_stack;
#endif
};

/* The calling thread's running fiber, NULL outside. */
static inline struct weir_fiber *weir__fiber_running(void)
{
    return weir__loop_here ? weir__loop_here->running : NULL;
}

/* Puts a task at the end of the run queue; on the loop's thread. */
static inline void weir__loop_queue(weir_loop *loop, struct weir__task *task)
{
    task->next = NULL;
    *loop->ready_end = task;
    loop->ready_end = &task->next;
}

/* Takes back the place of a fiber that could not be made. Any thread: a loop that waits for its fibers' end looks again. */
void weir__loop_uncount(weir_loop *loop);

/* Keeps a loop's memory while somebody may still touch it. */
void weir__loop_refer(weir_loop *loop);
void weir__loop_release(weir_loop *loop);

/* From now on weir_error() knows fibers. */
void weir__errors_know_fibers(void);

/*
 * A watch that belongs to a wait in place of a descriptor: its events wake a slot and are not remembered. For fibers that
 * wait on a descriptor whose home is another loop, and for those that wait on several at once.
 */
struct weir__foreign {
    struct weir__watch watch; /* first: an event's watch is its foreign watch */
    weir__slot *target;       /* where its fiber waits; NULL once it has gone on */
    int copy;                 /* the epoll backend's: what is registered in place of watch.fd; -1 */
};

/* The watch's home: `loop`, which is its caller's, if it had none; a wait for that direction is to follow then. */
weir_loop *weir__watch_settle(struct weir__watch *watch, weir_loop *loop, int direction);

/* For a loop, which keeps its memory until the watch is closed and released. The caller sets watch.released. NULL with ENOMEM. */
struct weir__foreign *weir__foreign_new(weir_loop *loop, int fd, weir__slot *target);

/* The pool of lent buffers; lend.c. */
void weir__lent_pool_free(struct weir__lent_pool *pool);

/* How many large buffers are lent at the moment; on the loop's thread. NULL: none. */
size_t weir__lent_out(const struct weir__lent_pool *pool);

#endif

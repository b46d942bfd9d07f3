/*
 * Loops: what fibers run on. A server makes its own; a program that wants fibers without a server runs one with
 * weir_run; a program with an event loop of its own embeds one with weir_loop_new, _fd and _once.
 */
#ifndef WEIR_LOOP_H
#define WEIR_LOOP_H

#include <weir/fiber.h>

WEIR_BEGIN

typedef enum weir_backend {
    WEIR_BACKEND_AUTO,  /* WEIR_BACKEND in the environment if set, else uring, else epoll where io_uring is refused */
    WEIR_BACKEND_URING, /* io_uring or fail */
    WEIR_BACKEND_EPOLL,
} weir_backend;

typedef struct weir_loop_options {
    size_t size;
    weir_backend backend;
    size_t stack_size; /* address space of a fiber's stack; default 256 KiB, twice under AddressSanitizer */
    size_t max_fibers; /* default 1,000,000 */
} weir_loop_options;

/*
 * A loop for the calling thread, which alone may run it. One a thread.
 * Returns NULL with ENOMEM, EMFILE, ENOSYS or EPERM (io_uring was asked for and is refused), EBUSY (the thread has one).
 */
WEIR_API weir_loop *weir_loop_new(const weir_loop_options *options);

/* Cancels and reaps what still runs on it, and frees it. NULL is fine. Must be called on its thread, outside of fibers. */
WEIR_API void weir_loop_free(weir_loop *loop);

/* Runs fibers until none is left. Returns 0, or -1 with the error of the backend. */
WEIR_API int weir_loop_run(weir_loop *loop);

/*
 * Runs what is runnable, then waits for events until `deadline` at the latest (not at all if no fiber is left), then runs
 * what they woke.
 * Returns the number of fibers that are left, or -1. For embedding: with WEIR_NOW whenever weir_loop_fd is readable
 * or weir_loop_deadline has passed.
 */
WEIR_API int weir_loop_once(weir_loop *loop, int64_t deadline);

/* A descriptor that is readable when weir_loop_once has something to do. It stays the loop's. -1 with EMFILE or ENOMEM. */
WEIR_API int weir_loop_fd(const weir_loop *loop);

/* When weir_loop_once must be called at the latest; WEIR_FOREVER if only an event can give it work, WEIR_NOW if it has some. */
WEIR_API int64_t weir_loop_deadline(weir_loop *loop);

/* The calling thread's loop, or NULL. */
WEIR_API weir_loop *weir_loop_self(void);

/* "uring" or "epoll" (or "sim"): what the loop really runs on. */
WEIR_API const char *weir_loop_backend(const weir_loop *loop);

/* Reads a backend's name as --backend takes it: "auto", "uring", "epoll". Returns 0, or -1 with EINVAL. */
WEIR_API int weir_parse_backend(const char *text, weir_backend *backend);

/*
 * Makes a loop, runs function(arg) as its first fiber and every fiber that it spawns, until all have ended.
 * Returns what the function returned, or -1 if there could be no loop. Python's asyncio.run.
 */
WEIR_API int weir_run(weir_fiber_function *function, void *arg, const weir_loop_options *options);

WEIR_END

#endif

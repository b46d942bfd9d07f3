/* What the engine's tests share: a check that works in fibers and threads, both backends, other threads. */
#ifndef WEIR_TESTS_ENGINE_H
#define WEIR_TESTS_ENGINE_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/fiber.h>
#include <weir/loop.h>
#include <weir/time.h>

#include "engine/sanitizer.h"

static inline void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s does not hold (errno %d: %s)\n", file, line, condition, errno, strerror(errno));
    abort();
}

/* cmocka's assertions jump out of the stack that they are on, which only a test's own function may do. */
#define check(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

static inline bool in_valgrind(void)
{
#if WEIR__VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* In a slow tool, as much of a long loop as it takes to be a test of it. */
static inline size_t often(size_t count)
{
    if (in_valgrind())
        return count / 50 + 1;
    return WEIR__TSAN || WEIR__ASAN ? count / 5 + 1 : count;
}

static weir_backend test_backends[] __attribute__((unused)) = {WEIR_BACKEND_URING, WEIR_BACKEND_EPOLL};

/* A test on each backend, which it gets by backend_of. */
#define on_each_backend(function)                                                                                      \
    {#function "_on_uring", function, NULL, NULL, &test_backends[0]},                                                  \
    {                                                                                                                  \
#function "_on_epoll", function, NULL, NULL, &test_backends[1]                                                 \
    }

static inline bool uring_works(void)
{
    const char *name = getenv("WEIR_BACKEND");
    if (name && strcmp(name, "epoll") == 0)
        return false;
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_URING));
    weir_loop_free(loop);
    return loop;
}

/* To be called before anything is begun: skips the test where its backend is not to be had. */
static inline weir_backend backend_of(void **state)
{
    static int works = -1;
    weir_backend backend = *(weir_backend *)*state;
    if (backend == WEIR_BACKEND_URING && works < 0)
        works = uring_works();
    if (backend == WEIR_BACKEND_URING && !works)
        skip();
    return backend;
}

/* A loop for the calling thread. */
static inline weir_loop *loop_on(weir_backend backend)
{
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = backend));
    check(loop);
    return loop;
}

/* Runs a function as the first fiber of a loop of the test's backend. */
static inline void run_on(void **state, weir_fiber_function *function, void *arg)
{
    check(weir_run(function, arg, WEIR_OPTIONS(weir_loop_options, .backend = backend_of(state))) == 0);
}

/* --- other threads, each with a loop of its own if wanted --- */

struct other {
    pthread_t thread;
    weir_backend backend;
    weir_fiber_function *function;
    void *arg;
    int result;
};

static inline void *other_main(void *arg)
{
    struct other *other = arg;
    other->result = weir_run(other->function, other->arg, WEIR_OPTIONS(weir_loop_options, .backend = other->backend));
    return NULL;
}

static inline void *other_plain_main(void *arg)
{
    struct other *other = arg;
    other->result = other->function(other->arg);
    return NULL;
}

/* Runs a function as a fiber of a loop in another thread. */
static inline void start_loop_thread(struct other *other, weir_backend backend, weir_fiber_function *function,
                                     void *arg)
{
    *other = (struct other){.backend = backend, .function = function, .arg = arg};
    check(pthread_create(&other->thread, NULL, other_main, other) == 0);
}

/* Runs a function in another thread, outside of fibers. */
static inline void start_thread(struct other *other, weir_fiber_function *function, void *arg)
{
    *other = (struct other){.function = function, .arg = arg};
    check(pthread_create(&other->thread, NULL, other_plain_main, other) == 0);
}

/* Waits for its end, outside of fibers. */
static inline void finish_other(struct other *other)
{
    check(pthread_join(other->thread, NULL) == 0);
    check(other->result == 0);
}

/* Lets the other threads go on, for a moment. */
static inline void breathe(void)
{
    usleep(100);
}

/* xorshift64: the same numbers in each run, for whoever keeps the state. */
static inline uint64_t chance(uint64_t *state, uint64_t below)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state % below;
}

#endif

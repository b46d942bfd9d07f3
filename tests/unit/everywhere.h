/*
 * Runs the body of a test where the library's calls work: in main, and in a fiber on each backend. A body may not skip(), which
 * jumps; and an assertion that fails in a fiber leaves its loop behind, so that of several failures only the first counts.
 */
#ifndef WEIR_TESTS_EVERYWHERE_H
#define WEIR_TESTS_EVERYWHERE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fiber.h>
#include <weir/loop.h>

#include "base/system.h"

typedef void test_body(void);

static inline void run_in_main(void **state)
{
    ((test_body *)*state)();
}

static inline int run_body(void *body)
{
    ((test_body *)body)();
    return 0;
}

static inline void run_in_fiber(void *body, weir_backend backend)
{
    const weir_loop_options *options = WEIR_OPTIONS(weir_loop_options, .backend = backend);
    int result = weir_run(run_body, body, options);
    if (result < 0 && backend == WEIR_BACKEND_URING && (errno == ENOSYS || errno == EPERM))
        skip();
    assert_int_equal(result, 0);
}

/* WEIR_BACKEND=epoll in the environment: whoever runs the tests knows that io_uring would not do (valgrind). */
static inline void run_on_uring(void **state)
{
    const char *backend = getenv("WEIR_BACKEND");
    if (backend && strcmp(backend, "epoll") == 0)
        skip();
    run_in_fiber(*state, WEIR_BACKEND_URING);
}

static inline void run_on_epoll(void **state)
{
    run_in_fiber(*state, WEIR_BACKEND_EPOLL);
}

/* `setup` and `teardown` are a test's, as cmocka's; `label` begins its name. */
#define IN_FIBERS_ON(label, setup, teardown, body)                                                                     \
    {label #body " on uring", run_on_uring, setup, teardown, (void *)(body)},                                          \
    {                                                                                                                  \
        label #body " on epoll", run_on_epoll, setup, teardown, (void *)(body)                                         \
    }

#define EVERYWHERE_ON(label, setup, teardown, body)                                                                    \
    {label #body " in main", run_in_main, setup, teardown, (void *)(body)}, IN_FIBERS_ON(label, setup, teardown, body)

#define EVERYWHERE(body) EVERYWHERE_ON("", NULL, NULL, body)
/* The same for what is about fibers. */
#define IN_FIBERS(body) IN_FIBERS_ON("", NULL, NULL, body)

/* What goes on beside the body: a thread, whose function may use the library as well. */
static inline pthread_t beside(void *(*function)(void *), void *arg)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, function, arg), 0);
    return thread;
}

/* Waits for it on the pool, so that fibers go on meanwhile. */
static inline int join_on_pool(void *thread)
{
    return pthread_join(*(pthread_t *)thread, NULL);
}

static inline void join_beside(pthread_t thread)
{
    int result;
    assert_int_equal(weir_offload(join_on_pool, &thread, NULL, &result, WEIR_FOREVER), 0);
    assert_int_equal(result, 0);
}

/* Waits until a condition holds that another thread or process brings about; fails after 20 seconds. */
#define EVENTUALLY(condition)                                                                                          \
    do {                                                                                                               \
        for (int tries = 0; !(condition) && tries < 20000; tries++)                                                    \
            weir_sleep(WEIR_MS(1));                                                                                    \
        assert_true(condition);                                                                                        \
    } while (0)

/* A point that no test is to reach: what waits for ever fails instead. */
#define SOON weir_deadline(WEIR_S(20))

#endif

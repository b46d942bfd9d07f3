/* Fibers for tests: started and joined with a check, and what several of them do. */
#ifndef WEIR_TESTS_FIBERS_H
#define WEIR_TESTS_FIBERS_H

#include "engine.h"

static inline weir_fiber *spawned(weir_fiber_function *function, const void *arg)
{
    weir_fiber *fiber = weir_spawn(function, (void *)arg, NULL);
    check(fiber);
    return fiber;
}

static inline weir_fiber *spawned_on(weir_loop *loop, weir_fiber_function *function, void *arg)
{
    weir_fiber *fiber = weir_spawn(function, arg, WEIR_OPTIONS(weir_fiber_options, .loop = loop));
    check(fiber);
    return fiber;
}

static inline int joined(weir_fiber *fiber)
{
    int result = -1;
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0);
    return result;
}

static inline int returns_its_argument(void *arg)
{
    return (int)(intptr_t)arg;
}

static inline int sleeps_for_ever(void *arg)
{
    (void)arg;
    check(weir_sleep(WEIR_FOREVER) == -1 && errno == ECANCELED);
    return 7;
}

static inline int yields(void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++)
        if (weir_yield() < 0)
            return 1;
    return 0;
}

static inline int joins_other(void *arg)
{
    int result = 0;
    if (weir_join(arg, &result, WEIR_FOREVER) < 0)
        return errno;
    return result;
}

static inline int sleeps_a_little(void *arg)
{
    uint64_t random = (uintptr_t)arg | 1;
    for (int i = 0; i < 10; i++)
        if (weir_sleep((int64_t)chance(&random, WEIR_US(100))) < 0 || weir_yield() < 0)
            break;
    return 6;
}

#endif

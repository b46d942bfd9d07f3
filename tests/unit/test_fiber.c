/* Fibers: their life, joining, names, and what each keeps for itself. */
#include "fibers.h"

#include <sys/resource.h>

#include "base/error.h"
#include "engine/fiber.h"
#include "engine/loop.h"

/* --- outside of fibers --- */

static void a_thread_is_no_fiber(void **state)
{
    (void)state;
    assert_null(weir_self());
    assert_false(weir_cancelled());
    assert_string_equal(weir_fiber_name(NULL), "thread");
    assert_int_equal(weir_yield(), 0);
    int64_t before = weir_now();
    assert_int_equal(weir_sleep(WEIR_MS(2)), 0);
    assert_true(weir_now() - before >= WEIR_MS(2));
    assert_int_equal(weir_sleep(WEIR_NOW), 0);
    assert_int_equal(weir_sleep_until(WEIR_NOW + 1), 0);
}

static void without_a_loop_nothing_is_spawned(void **state)
{
    (void)state;
    assert_null(weir_spawn(returns_its_argument, NULL, NULL));
    assert_int_equal(errno, EINVAL);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
}

/* --- spawn and join --- */

static int joins(void *arg)
{
    (void)arg;
    weir_fiber *fiber = spawned(returns_its_argument, (void *)5);
    check(joined(fiber) == 5);
    /* One that has ended long ago, and without the result. */
    fiber = spawned(returns_its_argument, (void *)6);
    check(weir_yield() == 0 && weir_yield() == 0);
    check(weir_join(fiber, NULL, WEIR_NOW) == 0);
    fiber = spawned(returns_its_argument, (void *)7);
    check(weir_join(fiber, NULL, WEIR_NOW) == -1 && errno == ETIMEDOUT);
    check(weir_error()->kind == WEIR_ERROR_DEADLINE);
    check(joined(fiber) == 7);
    return 0;
}

static void join_gives_the_result(void **state)
{
    run_on(state, joins, NULL);
}

static int joins_in_time(void *arg)
{
    (void)arg;
    weir_fiber *fiber = spawned(sleeps_for_ever, NULL);
    for (int i = 0; i < 3; i++) {
        int64_t deadline = weir_deadline(WEIR_MS(2));
        check(weir_join(fiber, NULL, deadline) == -1 && errno == ETIMEDOUT);
        check(weir_now() >= deadline);
    }
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 7);
    return 0;
}

static void join_keeps_its_deadline(void **state)
{
    run_on(state, joins_in_time, NULL);
}

static int joins_itself(void *arg)
{
    (void)arg;
    check(weir_join(weir_self(), NULL, WEIR_FOREVER) == -1 && errno == EDEADLK);
    return 0;
}

static void join_of_oneself_is_refused(void **state)
{
    run_on(state, joins_itself, NULL);
}

static int is_joined_twice(void *arg)
{
    (void)arg;
    weir_fiber *target = spawned(sleeps_for_ever, NULL), *first = spawned(joins_other, target);
    weir_yield();
    check(weir_join(target, NULL, WEIR_FOREVER) == -1 && errno == EBUSY);
    check(weir_error()->kind == WEIR_ERROR_BUSY);
    weir_cancel_fiber(target);
    check(joined(first) == 7);
    return 0;
}

static void a_second_join_is_busy(void **state)
{
    run_on(state, is_joined_twice, NULL);
}

static int join_is_cancelled(void *arg)
{
    (void)arg;
    weir_fiber *target = spawned(sleeps_for_ever, NULL), *first = spawned(joins_other, target);
    weir_yield();
    weir_cancel_fiber(first);
    check(joined(first) == ECANCELED);
    weir_cancel_fiber(target);
    check(joined(target) == 7);
    return 0;
}

static void a_cancelled_join_leaves_the_fiber_to_be_joined(void **state)
{
    run_on(state, join_is_cancelled, NULL);
}

/* What a handler does that has a helper, and is told to stop. */
static int has_a_helper(void *arg)
{
    weir_fiber *helper = spawned(sleeps_for_ever, arg);
    check(weir_join(helper, NULL, WEIR_FOREVER) == -1 && errno == ECANCELED);
    check(weir_cancelled());
    check(weir_join(helper, NULL, WEIR_FOREVER) == -1 && errno == ECANCELED);
    weir_cancel_fiber(helper);
    return joined(helper);
}

static int helpers_are_cancelled(void *arg)
{
    (void)arg;
    weir_fiber *fiber = spawned(has_a_helper, NULL);
    check(weir_yield() == 0);
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 7);
    return 0;
}

static void who_is_cancelled_joins_what_it_has_cancelled(void **state)
{
    run_on(state, helpers_are_cancelled, NULL);
}

static void threads_join_and_fibers_of_other_loops(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    enum { EACH = 50 };
    static struct other threads[2 * EACH];
    for (intptr_t i = 0; i < EACH; i++) {
        start_thread(&threads[2 * i], joins_other, spawned(yields, (void *)i));
        start_loop_thread(&threads[2 * i + 1], backend_of(state), joins_other, spawned(yields, (void *)i));
    }
    assert_int_equal(weir_loop_run(loop), 0);
    for (size_t i = 0; i < 2 * EACH; i++)
        finish_other(&threads[i]);
    weir_loop_free(loop);
}

static void a_handle_outlives_its_loop(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    weir_fiber *fiber = spawned(returns_its_argument, (void *)3);
    weir_fiber *left = spawned(sleeps_for_ever, NULL);
    assert_int_equal(weir_loop_once(loop, WEIR_NOW), 1);
    weir_loop_free(loop);
    /* Cancelling what has ended, wherever its loop is, is no harm. */
    weir_cancel_fiber(fiber);
    weir_cancel_fiber(left);
    assert_int_equal(joined(fiber), 3);
    assert_int_equal(joined(left), 7);
}

/* --- names, options --- */

static int has_a_name(void *arg)
{
    check(strcmp(weir_fiber_name(weir_self()), arg) == 0);
    return 0;
}

static int names_others(void *arg)
{
    (void)arg;
    weir_fiber *fiber = spawned(has_a_name, "fiber");
    check(joined(fiber) == 0);
    fiber = weir_spawn(has_a_name, (void *)"echo", WEIR_OPTIONS(weir_fiber_options, .name = "echo"));
    check(strcmp(weir_fiber_name(fiber), "echo") == 0 && joined(fiber) == 0);
    return has_a_name((void *)"main");
}

static void fibers_have_names(void **state)
{
    run_on(state, names_others, NULL);
}

static void fibers_are_bounded(void **state)
{
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = backend_of(state), .max_fibers = 3));
    assert_non_null(loop);
    weir_fiber *fibers[3];
    for (int i = 0; i < 3; i++)
        fibers[i] = spawned(returns_its_argument, NULL);
    assert_null(weir_spawn(returns_its_argument, NULL, NULL));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_LIMIT);
    assert_int_equal(weir_loop_run(loop), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(joined(fibers[i]), 0);
    weir_fiber *again = spawned(returns_its_argument, (void *)9);
    assert_int_equal(weir_loop_run(loop), 0);
    assert_int_equal(joined(again), 9);
    weir_loop_free(loop);
}

/* --- many --- */

static int spawns_one_after_the_other(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < often(100000); i++)
        check(joined(spawned(returns_its_argument, (void *)(i & 255))) == (int)(i & 255));
    return 0;
}

static void a_hundred_thousand_one_after_the_other(void **state)
{
    run_on(state, spawns_one_after_the_other, NULL);
}

static atomic_size_t ended;

static int counts_its_end(void *arg)
{
    (void)arg;
    weir_yield();
    ended++;
    return 0;
}

static int spawns_all_at_once(void *arg)
{
    size_t count = *(size_t *)arg;
    ended = 0;
    for (size_t i = 0; i < count; i++)
        check(weir_spawn(counts_its_end, NULL, WEIR_OPTIONS(weir_fiber_options, .detached = true)));
    return 0;
}

static void many_at_once_and_detached(void **state)
{
    /* The sanitizers keep a stack of their own for every fiber, and valgrind a list that it searches. */
    size_t count = often(100000) < 50000 ? often(10000) : 100000;
    run_on(state, spawns_all_at_once, &count);
    assert_int_equal(ended, count);
}

/* --- what each keeps for itself --- */

static int keeps_errno(void *arg)
{
    int own = (int)(intptr_t)arg;
    for (int i = 0; i < 20; i++) {
        errno = own;
        weir_yield();
        check(errno == own);
        weir_sleep(WEIR_US(50));
        check(errno == own);
    }
    return 0;
}

static int many_keep_errno(void *arg)
{
    (void)arg;
    weir_fiber *fibers[50];
    for (intptr_t i = 0; i < 50; i++)
        fibers[i] = spawned(keeps_errno, (void *)(i + 1));
    for (size_t i = 0; i < 50; i++)
        joined(fibers[i]);
    return 0;
}

static void errno_is_kept_while_others_run(void **state)
{
    run_on(state, many_keep_errno, NULL);
}

static int keeps_its_error(void *arg)
{
    check(weir_error()->kind == WEIR_ERROR_NONE);
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "test", arg, "said %s", (const char *)arg);
    for (int i = 0; i < 5; i++) {
        weir_yield();
        check(strcmp(weir_error()->subject, arg) == 0 && weir_error()->number == EINVAL);
    }
    return 0;
}

static int many_keep_their_errors(void *arg)
{
    (void)arg;
    static const char *const names[] = {"one", "two", "three", "four"};
    weir_fiber *fibers[4];
    for (size_t i = 0; i < 4; i++)
        fibers[i] = spawned(keeps_its_error, (void *)names[i]);
    for (size_t i = 0; i < 4; i++)
        joined(fibers[i]);
    check(weir_error()->kind == WEIR_ERROR_NONE);
    return 0;
}

static void each_fiber_has_its_own_error(void **state)
{
    run_on(state, many_keep_their_errors, NULL);
}

/* --- what is left --- */

static int parks_with_a_deadline(void *arg)
{
    (void)arg;
    weir__slot *slot = calloc(1, sizeof *slot);
    check(slot && weir__wait_begin(slot));
    check(weir__wait_park(slot, weir_deadline(WEIR_MS(1))) == -1 && errno == ETIMEDOUT);
    free(slot);
    return 0;
}

/* A timer of a fiber that has ended would go off in memory that is another's. */
static int leaves_no_timers(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        weir_fiber *fiber = spawned(sleeps_a_little, (void *)(uintptr_t)i);
        weir_yield();
        weir_cancel_fiber(fiber);
        joined(fiber);
        check(joined(spawned(returns_its_argument, NULL)) == 0);
    }
    weir_fiber *fiber = spawned(parks_with_a_deadline, NULL);
    check(joined(fiber) == 0);
    check(weir_sleep(WEIR_MS(2)) == 0);
    return 0;
}

static void a_fiber_leaves_no_timer(void **state)
{
    run_on(state, leaves_no_timers, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_is_no_fiber),
        cmocka_unit_test(without_a_loop_nothing_is_spawned),
        on_each_backend(join_gives_the_result),
        on_each_backend(join_keeps_its_deadline),
        on_each_backend(join_of_oneself_is_refused),
        on_each_backend(a_second_join_is_busy),
        on_each_backend(a_cancelled_join_leaves_the_fiber_to_be_joined),
        on_each_backend(who_is_cancelled_joins_what_it_has_cancelled),
        on_each_backend(threads_join_and_fibers_of_other_loops),
        on_each_backend(a_handle_outlives_its_loop),
        on_each_backend(fibers_have_names),
        on_each_backend(fibers_are_bounded),
        on_each_backend(a_hundred_thousand_one_after_the_other),
        on_each_backend(many_at_once_and_detached),
        on_each_backend(errno_is_kept_while_others_run),
        on_each_backend(each_fiber_has_its_own_error),
        on_each_backend(a_fiber_leaves_no_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

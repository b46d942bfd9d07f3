/* Loops: embedding them, freeing them with whatever is left, what is posted to them; see also test_embed.c. */
#include <weir/loop.h>

#include <poll.h>

#include "engine.h"
#include "engine/loop.h"

static int returns(void *arg)
{
    return (int)(intptr_t)arg;
}

static int sleeps(void *arg)
{
    weir_sleep((int64_t)(intptr_t)arg);
    return 0;
}

static weir_fiber *spawned(weir_fiber_function *function, void *arg)
{
    weir_fiber *fiber = weir_spawn(function, arg, NULL);
    check(fiber);
    return fiber;
}

static void spawn_detached(weir_fiber_function *function, void *arg)
{
    check(weir_spawn(function, arg, WEIR_OPTIONS(weir_fiber_options, .detached = true)));
}

/* --- making one --- */

static void backends_have_names(void **state)
{
    (void)state;
    weir_backend backend;
    assert_int_equal(weir_parse_backend("epoll", &backend) + (int)backend, WEIR_BACKEND_EPOLL);
    assert_int_equal(weir_parse_backend("uring", &backend) + (int)backend, WEIR_BACKEND_URING);
    assert_int_equal(weir_parse_backend("auto", &backend) + (int)backend, WEIR_BACKEND_AUTO);
    assert_int_equal(weir_parse_backend("kqueue", &backend), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
}

static void the_backend_is_the_one_asked_for(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    const char *name = backend_of(state) == WEIR_BACKEND_URING ? "uring" : "epoll";
    assert_string_equal(weir_loop_backend(loop), name);
    assert_ptr_equal(weir_loop_self(), loop);
    weir_loop_free(loop);
    assert_null(weir_loop_self());
}

static void the_environment_chooses(void **state)
{
    (void)state;
    char before[20] = "";
    if (getenv("WEIR_BACKEND"))
        snprintf(before, sizeof before, "%s", getenv("WEIR_BACKEND"));
    setenv("WEIR_BACKEND", "epoll", 1);
    weir_loop *loop = weir_loop_new(NULL);
    assert_non_null(loop);
    assert_string_equal(weir_loop_backend(loop), "epoll");
    weir_loop_free(loop);
    setenv("WEIR_BACKEND", "nonsense", 1);
    assert_null(weir_loop_new(NULL));
    assert_int_equal(errno, EINVAL);
    if (*before)
        setenv("WEIR_BACKEND", before, 1);
    else
        unsetenv("WEIR_BACKEND");
}

static void a_thread_has_one_loop(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    assert_null(weir_loop_new(NULL));
    assert_int_equal(errno, EBUSY);
    assert_int_equal(weir_run(returns, NULL, NULL), -1);
    assert_int_equal(errno, EBUSY);
    weir_loop_free(loop);
    loop = loop_on(backend_of(state));
    weir_loop_free(loop);
    weir_loop_free(NULL);
}

static int spawns_more(void *arg)
{
    spawn_detached(sleeps, (void *)(intptr_t)WEIR_MS(2));
    return (int)(intptr_t)arg;
}

static void run_returns_what_its_function_returned(void **state)
{
    const weir_loop_options *options = WEIR_OPTIONS(weir_loop_options, .backend = backend_of(state));
    assert_int_equal(weir_run(returns, (void *)11, options), 11);
    int64_t before = weir_now();
    assert_int_equal(weir_run(spawns_more, (void *)12, options), 12);
    assert_true(weir_now() - before >= WEIR_MS(2));
}

/* --- a turn at a time --- */

static void a_turn_runs_what_is_runnable(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    assert_int_equal(weir_loop_once(loop, WEIR_NOW), 0);
    weir_fiber *ended = spawned(returns, (void *)1), *sleeper = spawned(sleeps, (void *)(intptr_t)WEIR_S(1000));
    assert_true(weir_loop_deadline(loop) == WEIR_NOW);
    assert_int_equal(weir_loop_once(loop, WEIR_NOW), 1);
    int64_t deadline = weir_loop_deadline(loop);
    while (deadline == WEIR_NOW) {
        assert_int_equal(weir_loop_once(loop, WEIR_NOW), 1);
        deadline = weir_loop_deadline(loop);
    }
    assert_true(deadline > weir_now() && deadline < weir_now() + WEIR_S(1001));
    weir_cancel_fiber(sleeper);
    assert_true(weir_loop_deadline(loop) == WEIR_NOW);
    while (weir_loop_once(loop, WEIR_FOREVER) > 0)
        ;
    assert_int_equal(weir_join(ended, NULL, WEIR_NOW), 0);
    assert_int_equal(weir_join(sleeper, NULL, WEIR_NOW), 0);
    weir_loop_free(loop);
}

static void a_turn_waits_no_longer_than_asked(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    spawn_detached(sleeps, (void *)(intptr_t)WEIR_FOREVER);
    int64_t deadline = weir_deadline(WEIR_MS(3));
    while (weir_now() < deadline)
        assert_int_equal(weir_loop_once(loop, deadline), 1);
    assert_int_equal(weir_loop_once(loop, WEIR_NOW + 1), 1);
    weir_loop_free(loop);
}

/* Somebody else's loop: sleeps in poll(2) on the descriptor for as long as the loop's deadline allows, and no longer. */
static void embed(weir_loop *loop)
{
    for (;;) {
        int64_t deadline = weir_loop_deadline(loop);
        struct pollfd descriptor = {weir_loop_fd(loop), POLLIN, 0};
        int64_t left = deadline == WEIR_NOW ? 0 : deadline - weir_now();
        int milliseconds = deadline == WEIR_FOREVER ? 20000 : left <= 0 ? 0 : (int)(left / WEIR_MS(1) + 1);
        int ready = poll(&descriptor, 1, milliseconds);
        check(ready == 1 || deadline != WEIR_FOREVER);
        if (weir_loop_once(loop, WEIR_NOW) == 0)
            return;
    }
}

static int sleeps_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        check(weir_sleep(WEIR_US(300)) == 0 && weir_yield() == 0);
    return 0;
}

static int sleeps_in_a_thread_and_spawns(void *arg)
{
    for (int i = 0; i < 20; i++) {
        breathe();
        weir_fiber *fiber = weir_spawn(sleeps_often, NULL, WEIR_OPTIONS(weir_fiber_options, .loop = arg));
        check(fiber && weir_join(fiber, NULL, WEIR_FOREVER) == 0);
    }
    return 0;
}

static int waits_for_flag(void *arg)
{
    while (!*(atomic_bool *)arg)
        weir_sleep(WEIR_MS(1));
    return 0;
}

struct helper {
    weir_loop *loop;
    atomic_bool over;
};

static int helps(void *arg)
{
    struct helper *helper = arg;
    sleeps_in_a_thread_and_spawns(helper->loop);
    helper->over = true;
    return 0;
}

static void it_is_embedded(void **state)
{
    struct helper helper = {.loop = loop_on(backend_of(state))};
    struct other other;
    for (int i = 0; i < 10; i++)
        spawn_detached(sleeps_often, NULL);
    spawn_detached(waits_for_flag, &helper.over);
    start_thread(&other, helps, &helper);
    embed(helper.loop);
    finish_other(&other);
    weir_loop_free(helper.loop);
}

/* --- what is posted --- */

struct posted {
    struct weir__task task;
    weir_loop *loop;
    atomic_int count;
};

static void run_posted(struct weir__task *task)
{
    struct posted *posted = (struct posted *)task;
    check(!weir_self());
    posted->count++;
}

static int posts(void *arg)
{
    struct posted *posted = arg;
    breathe();
    weir__loop_post(posted->loop, &posted->task);
    return 0;
}

/* What is posted while a loop is freed runs once: on the loop's thread, or on the poster's when the loop is gone. */
static void nothing_posted_is_lost(void **state)
{
    (void)backend_of(state);
    for (size_t round = 0; round < often(200); round++) {
        struct posted posted = {.task.function = run_posted, .loop = loop_on(backend_of(state))};
        struct other other;
        weir__loop_refer(posted.loop);
        start_thread(&other, posts, &posted);
        if (round % 2)
            breathe();
        weir_loop_free(posted.loop);
        finish_other(&other);
        assert_int_equal(posted.count, 1);
        weir__loop_release(posted.loop);
    }
}

/* A spawn that comes to nothing must not leave the loop waiting for a fiber that will never be. */
static int spawns_in_vain(void *arg)
{
    for (size_t i = 0; i < often(2000); i++) {
        weir_fiber *fiber = weir_spawn(returns, NULL, WEIR_OPTIONS(weir_fiber_options, .loop = arg));
        if (fiber)
            check(weir_join(fiber, NULL, WEIR_FOREVER) == 0);
        else
            check(errno == ENOMEM);
    }
    return 0;
}

static void a_spawn_in_vain_keeps_nobody_waiting(void **state)
{
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = backend_of(state), .max_fibers = 1));
    assert_non_null(loop);
    struct other other;
    start_thread(&other, spawns_in_vain, loop);
    for (int i = 0; i < 200; i++) {
        weir_fiber *fiber = weir_spawn(returns, (void *)5, NULL);
        assert_int_equal(weir_loop_run(loop), 0);
        if (fiber)
            assert_int_equal(weir_join(fiber, NULL, WEIR_NOW), 0);
    }
    /* The last of the other thread may come at any time: its fibers still have to run. */
    while (pthread_tryjoin_np(other.thread, NULL) != 0)
        assert_true(weir_loop_once(loop, weir_deadline(WEIR_MS(1))) >= 0);
    weir_loop_free(loop);
}

/* --- leaving the park to another --- */

static void count_park(void *arg)
{
    ++*(int *)arg;
}

static int parks_and_counts(void *arg)
{
    int *count = arg;
    weir__on_park(count_park, count);
    check(weir_join(weir_self(), NULL, WEIR_NOW) == -1 && *count == 0);
    check(weir_yield() == 0 && *count == 1);
    check(weir_yield() == 0 && weir_sleep(WEIR_US(1)) == 0 && *count == 1);
    weir__on_park(count_park, count);
    weir__on_park(NULL, NULL);
    check(weir_yield() == 0 && *count == 1);
    weir__on_park(count_park, count);
    return 0;
}

/* The next park calls it, once; an end is no park, and what one fiber leaves is nothing to the next. */
static void parking_is_told_once(void **state)
{
    int count = 0;
    weir_loop *loop = loop_on(backend_of(state));
    spawn_detached(parks_and_counts, &count);
    assert_int_equal(weir_loop_run(loop), 0);
    spawn_detached(sleeps, (void *)(intptr_t)WEIR_US(10));
    assert_int_equal(weir_loop_run(loop), 0);
    assert_int_equal(count, 1);
    weir_loop_free(loop);
}

/* --- freeing --- */

static atomic_int unwound;

static int unwinds(void *arg)
{
    (void)arg;
    check(weir_sleep(WEIR_FOREVER) == -1 && errno == ECANCELED);
    unwound++;
    return 0;
}

static int spawns_while_unwinding(void *arg)
{
    check(weir_sleep(WEIR_FOREVER) == -1 && errno == ECANCELED);
    spawn_detached(unwinds, arg);
    unwound++;
    return 0;
}

static int blocks(void *arg)
{
    usleep((useconds_t)(intptr_t)arg);
    unwound++;
    return 0;
}

static int offloads(void *arg)
{
    return weir_offload(blocks, arg, NULL, NULL, WEIR_FOREVER);
}

static void freeing_cancels_and_reaps_what_is_left(void **state)
{
    weir_loop *loop = loop_on(backend_of(state));
    unwound = 0;
    for (int i = 0; i < 100; i++)
        spawn_detached(unwinds, NULL);
    spawn_detached(spawns_while_unwinding, NULL);
    spawn_detached(offloads, (void *)3000);
    assert_int_equal(weir_loop_once(loop, WEIR_NOW), 102);
    /* And some that have not begun. */
    for (int i = 0; i < 10; i++)
        spawn_detached(unwinds, NULL);
    weir_loop_free(loop);
    assert_int_equal(unwound, 113);
}

static void loops_come_and_go(void **state)
{
    (void)backend_of(state);
    for (size_t i = 0; i < often(300); i++) {
        weir_loop *loop = loop_on(backend_of(state));
        spawn_detached(unwinds, NULL);
        if (i % 2)
            weir_loop_once(loop, WEIR_NOW);
        weir_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backends_have_names),
        on_each_backend(the_backend_is_the_one_asked_for),
        cmocka_unit_test(the_environment_chooses),
        on_each_backend(a_thread_has_one_loop),
        on_each_backend(run_returns_what_its_function_returned),
        on_each_backend(a_turn_runs_what_is_runnable),
        on_each_backend(a_turn_waits_no_longer_than_asked),
        on_each_backend(it_is_embedded),
        on_each_backend(nothing_posted_is_lost),
        on_each_backend(a_spawn_in_vain_keeps_nobody_waiting),
        on_each_backend(parking_is_told_once),
        on_each_backend(freeing_cancels_and_reaps_what_is_left),
        on_each_backend(loops_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

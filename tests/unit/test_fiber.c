/* Fibers: their life, joining, cancelling, the order they run in, and what each keeps for itself. */
#include <weir/fiber.h>

#include <sys/resource.h>

#include "base/error.h"
#include "engine.h"
#include "engine/fiber.h"
#include "engine/loop.h"

static weir_fiber *spawned(weir_fiber_function *function, const void *arg)
{
    weir_fiber *fiber = weir_spawn(function, (void *)arg, NULL);
    check(fiber);
    return fiber;
}

static weir_fiber *spawned_on(weir_loop *loop, weir_fiber_function *function, void *arg)
{
    weir_fiber *fiber = weir_spawn(function, arg, WEIR_OPTIONS(weir_fiber_options, .loop = loop));
    check(fiber);
    return fiber;
}

static int joined(weir_fiber *fiber)
{
    int result = -1;
    check(weir_join(fiber, &result, WEIR_FOREVER) == 0);
    return result;
}

static int returns_its_argument(void *arg)
{
    return (int)(intptr_t)arg;
}

static int sleeps_for_ever(void *arg)
{
    (void)arg;
    check(weir_sleep(WEIR_FOREVER) == -1 && errno == ECANCELED);
    return 7;
}

static int yields(void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++)
        if (weir_yield() < 0)
            return 1;
    return 0;
}

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

static int joins_other(void *arg)
{
    int result = 0;
    if (weir_join(arg, &result, WEIR_FOREVER) < 0)
        return errno;
    return result;
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

/* --- order --- */

static char order[100];

static int writes_its_letter(void *arg)
{
    for (int i = 0; i < 3; i++) {
        strncat(order, arg, 1);
        weir_yield();
    }
    return 0;
}

static int runs_in_turn(void *arg)
{
    (void)arg;
    order[0] = '\0';
    weir_fiber *fibers[] = {spawned(writes_its_letter, "a"), spawned(writes_its_letter, "b"),
                            spawned(writes_its_letter, "c")};
    check(order[0] == '\0');
    for (int i = 0; i < 3; i++)
        joined(fibers[i]);
    check(strcmp(order, "abcabcabc") == 0);
    return 0;
}

static void fibers_take_turns(void **state)
{
    run_on(state, runs_in_turn, NULL);
}

static int sleeps_and_writes(void *arg)
{
    int place = *(char *)arg - 'a';
    check(weir_sleep(WEIR_MS(1 + 4 * place)) == 0);
    strncat(order, arg, 1);
    return 0;
}

static int sleep_in_turn(void *arg)
{
    (void)arg;
    order[0] = '\0';
    int64_t before = weir_now();
    weir_fiber *fibers[] = {spawned(sleeps_and_writes, "c"), spawned(sleeps_and_writes, "a"),
                            spawned(sleeps_and_writes, "b")};
    for (int i = 0; i < 3; i++)
        joined(fibers[i]);
    check(strcmp(order, "abc") == 0);
    check(weir_now() - before >= WEIR_MS(9));
    return 0;
}

static void sleepers_wake_in_the_order_of_their_times(void **state)
{
    run_on(state, sleep_in_turn, NULL);
}

static int sleeps_in_the_past(void *arg)
{
    (void)arg;
    check(weir_sleep(0) == 0 && weir_sleep(-5) == 0 && weir_sleep(WEIR_NOW) == 0);
    check(weir_sleep_until(weir_now()) == 0);
    /* Others run all the same. */
    weir_fiber *other = spawned(yields, (void *)3);
    while (!weir__slot_finished(&other->joiner))
        check(weir_sleep(0) == 0);
    check(joined(other) == 0);
    weir_cancel_fiber(weir_self());
    check(weir_sleep(0) == -1 && errno == ECANCELED && strcmp(weir_error()->step, "sleep") == 0);
    return 0;
}

static void no_time_is_no_sleep(void **state)
{
    run_on(state, sleeps_in_the_past, NULL);
}

static int random_sleeps(void *arg)
{
    uint64_t random = (uintptr_t)arg;
    for (int i = 0; i < 20; i++) {
        int64_t deadline = weir_deadline((int64_t)chance(&random, WEIR_MS(3)));
        check(weir_sleep_until(deadline) == 0);
        check(weir_now() >= deadline);
    }
    return 0;
}

static int thousands_sleep(void *arg)
{
    (void)arg;
    enum { THOUSANDS = 2000 };
    static weir_fiber *fibers[THOUSANDS];
    for (size_t i = 0; i < THOUSANDS; i++)
        fibers[i] = spawned(random_sleeps, (void *)(i + 1));
    for (size_t i = 0; i < THOUSANDS; i++)
        check(joined(fibers[i]) == 0);
    return 0;
}

static void nobody_wakes_early(void **state)
{
    run_on(state, thousands_sleep, NULL);
}

/* --- cancelling --- */

static int yields_until_cancelled(void *arg)
{
    (void)arg;
    while (weir_yield() == 0)
        check(!weir_cancelled());
    check(errno == ECANCELED && weir_error()->kind == WEIR_ERROR_CANCELLED && weir_cancelled());
    return 8;
}

/* What it would park in fails from now on, each time. */
static int goes_on_failing(void *arg)
{
    check(weir_sleep(WEIR_FOREVER) == -1 && errno == ECANCELED);
    check(weir_sleep(WEIR_S(1)) == -1 && errno == ECANCELED);
    check(weir_yield() == -1 && errno == ECANCELED);
    check(weir_join(arg, NULL, WEIR_FOREVER) == -1 && errno == ECANCELED);
    return 9;
}

static int cancels_in_each_state(void *arg)
{
    (void)arg;
    /* Before it has run at all. */
    weir_fiber *fiber = spawned(sleeps_for_ever, NULL);
    weir_cancel_fiber(fiber);
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 7);
    /* While it is parked. */
    fiber = spawned(sleeps_for_ever, NULL);
    weir_yield();
    weir_cancel_fiber(fiber);
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 7);
    /* While it is runnable. */
    fiber = spawned(yields_until_cancelled, NULL);
    weir_yield();
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 8);
    /* When it has ended: joined before the cancel is delivered, and after. */
    fiber = spawned(returns_its_argument, (void *)1);
    weir_yield();
    weir_yield();
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 1);
    fiber = spawned(returns_its_argument, (void *)2);
    weir_yield();
    weir_yield();
    weir_cancel_fiber(fiber);
    weir_yield();
    weir_yield();
    check(joined(fiber) == 2);
    weir_fiber *parked = spawned(sleeps_for_ever, NULL);
    fiber = spawned(goes_on_failing, parked);
    weir_yield();
    weir_cancel_fiber(fiber);
    check(joined(fiber) == 9);
    weir_cancel_fiber(parked);
    check(joined(parked) == 7);
    return 0;
}

static void cancel_works_in_each_state(void **state)
{
    run_on(state, cancels_in_each_state, NULL);
}

static int cancels_itself(void *arg)
{
    (void)arg;
    check(!weir_cancelled());
    weir_cancel_fiber(weir_self());
    check(weir_cancelled());
    check(weir_sleep(WEIR_FOREVER) == -1 && errno == ECANCELED);
    return 0;
}

static void a_fiber_may_cancel_itself(void **state)
{
    run_on(state, cancels_itself, NULL);
}

/* Wake-ups by a time-out, by the end of another and by a cancel meet: whoever wins, a fiber is queued once. */
static int short_life(void *arg)
{
    weir_sleep((int64_t)(uintptr_t)arg);
    return 4;
}

static int races(void *arg)
{
    uint64_t random = 42;
    (void)arg;
    for (size_t i = 0; i < often(3000); i++) {
        weir_fiber *inner = spawned(short_life, (void *)(uintptr_t)(1 + chance(&random, WEIR_US(200))));
        weir_fiber *outer = spawned(joins_other, inner);
        if (chance(&random, 3) == 0)
            weir_cancel_fiber(inner);
        weir_sleep((int64_t)chance(&random, WEIR_US(200)));
        weir_cancel_fiber(outer);
        if (joined(outer) == ECANCELED)
            check(joined(inner) == 4);
    }
    return 0;
}

static void cancel_meets_wake_ups(void **state)
{
    run_on(state, races, NULL);
}

enum { CANCELLED = 64 };

struct cancellations {
    weir_loop *loop;
    atomic_bool over;
};

static int sleeps_a_little(void *arg)
{
    uint64_t random = (uintptr_t)arg | 1;
    for (int i = 0; i < 10; i++)
        if (weir_sleep((int64_t)chance(&random, WEIR_US(100))) < 0 || weir_yield() < 0)
            break;
    return 6;
}

static int spawns_and_cancels(void *arg)
{
    struct cancellations *all = arg;
    uint64_t random = 4711;
    for (size_t round = 0; round < often(100); round++) {
        weir_fiber *fibers[CANCELLED];
        for (size_t i = 0; i < CANCELLED; i++)
            fibers[i] = spawned_on(all->loop, sleeps_a_little, (void *)(uintptr_t)chance(&random, 1 << 20));
        for (size_t i = 0; i < CANCELLED; i++)
            if (chance(&random, 4))
                weir_cancel_fiber(fibers[i]);
        for (size_t i = 0; i < CANCELLED; i++)
            check(joined(fibers[i]) == 6);
    }
    all->over = true;
    return 0;
}

static int waits_for_the_end(void *arg)
{
    struct cancellations *all = arg;
    while (!all->over)
        weir_sleep(WEIR_MS(1));
    return 0;
}

/* Ends and cancels meet: a fiber is freed once, after both. */
static void other_threads_spawn_cancel_and_join(void **state)
{
    struct cancellations all = {.loop = loop_on(backend_of(state))};
    struct cancellations more = {.loop = all.loop};
    struct other plain, looping;
    weir_fiber *first = spawned(waits_for_the_end, &all), *second = spawned(waits_for_the_end, &more);
    start_thread(&plain, spawns_and_cancels, &all);
    start_loop_thread(&looping, backend_of(state), spawns_and_cancels, &more);
    assert_int_equal(weir_loop_run(all.loop), 0);
    finish_other(&plain);
    finish_other(&looping);
    assert_int_equal(joined(first) + joined(second), 0);
    weir_loop_free(all.loop);
}

/* --- no wake-up is lost between loops --- */

struct game {
    weir__slot slots[2];
    atomic_uint ball;
    unsigned rounds;
};

static int plays(struct game *game, unsigned side)
{
    for (unsigned round = side; round < game->rounds; round += 2) {
        while (game->ball != round) {
            if (!weir__wait_begin(&game->slots[side]))
                check(false);
            if (game->ball == round)
                weir__wait_abandon(&game->slots[side]);
            else
                check(weir__wait_park(&game->slots[side], WEIR_FOREVER) == 0);
        }
        game->ball = round + 1;
        weir__wake(&game->slots[!side]);
    }
    return 0;
}

static int plays_first(void *arg)
{
    return plays(arg, 0);
}

static int plays_second(void *arg)
{
    return plays(arg, 1);
}

static void loops_play_ball(void **state)
{
    static struct game games[4];
    struct other players[8];
    for (size_t i = 0; i < 4; i++) {
        memset(&games[i], 0, sizeof games[i]);
        games[i].rounds = (unsigned)often(20000);
        start_loop_thread(&players[2 * i], backend_of(state), plays_first, &games[i]);
        if (i % 2)
            start_thread(&players[2 * i + 1], plays_second, &games[i]);
        else
            start_loop_thread(&players[2 * i + 1], backend_of(state), plays_second, &games[i]);
    }
    for (size_t i = 0; i < 8; i++)
        finish_other(&players[i]);
}

/* Many play from many threads into one loop: its inbox and its notices meet in all ways. */
static int plays_several(void *arg)
{
    struct game *games = arg;
    weir_fiber *fibers[3];
    for (size_t i = 0; i < 3; i++)
        fibers[i] = spawned(plays_first, &games[i]);
    for (size_t i = 0; i < 3; i++)
        check(joined(fibers[i]) == 0);
    return 0;
}

static void a_loop_plays_ball_with_threads(void **state)
{
    static struct game games[3];
    struct other players[3];
    (void)backend_of(state);
    for (size_t i = 0; i < 3; i++) {
        memset(&games[i], 0, sizeof games[i]);
        games[i].rounds = (unsigned)often(20000);
        start_thread(&players[i], plays_second, &games[i]);
    }
    run_on(state, plays_several, games);
    for (size_t i = 0; i < 3; i++)
        finish_other(&players[i]);
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
        on_each_backend(fibers_take_turns),
        on_each_backend(sleepers_wake_in_the_order_of_their_times),
        on_each_backend(no_time_is_no_sleep),
        on_each_backend(nobody_wakes_early),
        on_each_backend(cancel_works_in_each_state),
        on_each_backend(a_fiber_may_cancel_itself),
        on_each_backend(cancel_meets_wake_ups),
        on_each_backend(other_threads_spawn_cancel_and_join),
        on_each_backend(loops_play_ball),
        on_each_backend(a_loop_plays_ball_with_threads),
        on_each_backend(a_hundred_thousand_one_after_the_other),
        on_each_backend(many_at_once_and_detached),
        on_each_backend(errno_is_kept_while_others_run),
        on_each_backend(each_fiber_has_its_own_error),
        on_each_backend(a_fiber_leaves_no_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Fibers: the order they run in, how they are cancelled, and wake-ups between loops. */
#include "fibers.h"

#include "engine/fiber.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

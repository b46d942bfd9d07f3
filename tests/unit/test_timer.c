/* The timer wheel beside a model that is obviously right: an array that is searched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/timer.h"

static const int64_t tick = INT64_C(1) << WEIR__TIMER_SHIFT;

static uint64_t random_state = 88172645463325252;

/* xorshift64: the same numbers in each run. */
static uint64_t chance(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* --- one after the other --- */

struct record {
    struct weir__timer timer;
    int fired;
    int64_t when;
};

static int64_t clock_now;

static void record_fire(struct weir__timer *timer, void *arg)
{
    (void)arg;
    struct record *record = (struct record *)(void *)timer;
    record->fired++;
    record->when = clock_now;
}

static void run_until(struct weir__timers *timers, int64_t now)
{
    clock_now = now;
    weir__timers_run(timers, now, record_fire, NULL);
}

static void nothing_is_set(void **state)
{
    (void)state;
    struct weir__timers timers;
    weir__timers_init(&timers, 12345);
    assert_true(weir__timers_next(&timers) == INT64_MAX);
    run_until(&timers, INT64_C(1) << 50);
    assert_true(weir__timers_next(&timers) == INT64_MAX);
}

/* Runs the wheel as a loop does, whenever it asks for it; the timer goes off at its time and a tick later at most. */
static void fires_in_time(int64_t start, int64_t expiry)
{
    struct weir__timers timers;
    struct record record = {0};
    weir__timers_init(&timers, start);
    weir__timer_add(&timers, &record.timer, expiry);
    assert_true(weir__timer_armed(&record.timer));
    int turns = 0;
    while (!record.fired) {
        int64_t next = weir__timers_next(&timers);
        assert_true(next < INT64_MAX);
        assert_true(next < (expiry < start ? start : expiry) + 2 * tick);
        run_until(&timers, next < start ? start : next);
        assert_in_range(++turns, 1, 2 * WEIR__TIMER_LEVELS);
    }
    assert_false(weir__timer_armed(&record.timer));
    assert_true(record.when >= expiry);
    assert_true(record.when < (expiry < start ? start : expiry) + 2 * tick);
    run_until(&timers, record.when + (INT64_C(1) << 55));
    assert_int_equal(record.fired, 1);
}

static void each_magnitude_is_in_time(void **state)
{
    (void)state;
    static const int64_t starts[] = {0, 1, 65535, 65536, 4194303, 4194304, INT64_C(123456789012345)};
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
        for (int bit = 0; bit < 56; bit++)
            for (int64_t off = -1; off <= 1; off++)
                fires_in_time(starts[s], starts[s] + (INT64_C(1) << bit) + off);
}

static void the_past_fires_at_the_next_run(void **state)
{
    (void)state;
    static const int64_t pasts[] = {INT64_MIN, -1, 0, 1, 1000000, 5000000000};
    for (size_t i = 0; i < sizeof pasts / sizeof *pasts; i++)
        fires_in_time(5000000000, pasts[i]);
}

static void the_far_future_does_not_fire(void **state)
{
    (void)state;
    struct weir__timers timers;
    struct record record = {0};
    weir__timers_init(&timers, 1000000000);
    weir__timer_add(&timers, &record.timer, INT64_MAX - 1);
    for (int64_t now = 1000000000; now < INT64_C(1) << 57; now *= 2)
        run_until(&timers, now);
    assert_int_equal(record.fired, 0);
    weir__timer_remove(&record.timer);
    assert_true(weir__timers_next(&timers) == INT64_MAX);
}

static void removed_is_removed(void **state)
{
    (void)state;
    struct weir__timers timers;
    struct record records[3] = {0};
    weir__timers_init(&timers, 0);
    weir__timer_remove(&records[0].timer);
    for (int i = 0; i < 3; i++)
        weir__timer_add(&timers, &records[i].timer, 1000000);
    weir__timer_remove(&records[1].timer);
    weir__timer_remove(&records[1].timer);
    assert_false(weir__timer_armed(&records[1].timer));
    run_until(&timers, 2000000);
    assert_int_equal(records[0].fired + 10 * records[1].fired + 100 * records[2].fired, 101);
}

/* --- from within --- */

struct chain {
    struct weir__timer timer;
    struct weir__timers *timers;
    struct chain *victim;
    int64_t again; /* added to the expiry; 0: never again */
    int fired;
};

static void chain_fire(struct weir__timer *timer, void *arg)
{
    (void)arg;
    struct chain *chain = (struct chain *)(void *)timer;
    chain->fired++;
    if (chain->victim)
        weir__timer_remove(&chain->victim->timer);
    if (chain->again)
        weir__timer_add(chain->timers, &chain->timer, timer->expiry + chain->again);
}

static void one_that_fires_removes_others_of_its_tick(void **state)
{
    (void)state;
    struct weir__timers timers;
    struct chain chains[8] = {0};
    weir__timers_init(&timers, 0);
    for (int i = 0; i < 8; i++) {
        chains[i].timers = &timers;
        chains[i].victim = &chains[i ^ 1];
        weir__timer_add(&timers, &chains[i].timer, 10 * tick);
    }
    weir__timers_run(&timers, 20 * tick, chain_fire, NULL);
    for (int i = 0; i < 8; i += 2)
        assert_int_equal(chains[i].fired + chains[i + 1].fired, 1);
}

static void one_that_fires_sets_itself_again(void **state)
{
    (void)state;
    struct weir__timers timers;
    struct chain chain = {.timers = &timers, .again = 100 * tick};
    weir__timers_init(&timers, 0);
    weir__timer_add(&timers, &chain.timer, 100 * tick);
    weir__timers_run(&timers, 10050 * tick, chain_fire, NULL);
    assert_int_equal(chain.fired, 100);
    assert_true(weir__timer_armed(&chain.timer));
    weir__timer_remove(&chain.timer);
}

static void one_that_sets_itself_in_the_past_does_not_hang(void **state)
{
    (void)state;
    struct weir__timers timers;
    struct chain chain = {.timers = &timers, .again = -tick};
    weir__timers_init(&timers, 0);
    weir__timer_add(&timers, &chain.timer, 5 * tick);
    weir__timers_run(&timers, 50 * tick, chain_fire, NULL);
    assert_in_range(chain.fired, 1, 50);
    weir__timer_remove(&chain.timer);
}

/* --- at random --- */

enum { MODELLED = 300, STEPS = 60000 };

struct modelled {
    struct weir__timer timer;
    bool set;
    bool fired;
};

static struct modelled model[MODELLED];

static void model_fire(struct weir__timer *timer, void *arg)
{
    int64_t now = *(int64_t *)arg;
    struct modelled *one = (struct modelled *)(void *)timer;
    assert_true(one->set);
    assert_false(one->fired);
    assert_true(timer->expiry <= now);
    one->fired = true;
    one->set = false;
}

/* After a run, what is left was not due, but for what a tick may delay. */
static void nothing_is_left_behind(int64_t now)
{
    for (size_t i = 0; i < MODELLED; i++)
        if (model[i].set) {
            assert_true(weir__timer_armed(&model[i].timer));
            assert_true(model[i].timer.expiry > now - 2 * tick);
        } else {
            assert_false(weir__timer_armed(&model[i].timer));
        }
}

static void next_is_in_time(struct weir__timers *timers, int64_t now)
{
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < MODELLED; i++)
        if (model[i].set && model[i].timer.expiry < first)
            first = model[i].timer.expiry;
    int64_t next = weir__timers_next(timers);
    if (first == INT64_MAX)
        assert_true(next == INT64_MAX);
    else
        assert_true(next < (first < now ? now : first) + 2 * tick);
}

static void it_does_what_the_model_does(void **state)
{
    (void)state;
    struct weir__timers timers;
    int64_t now = 987654321;
    weir__timers_init(&timers, now);
    for (int step = 0; step < STEPS; step++) {
        struct modelled *one = &model[chance(MODELLED)];
        uint64_t what = chance(10);
        if (what < 5 && !one->set) {
            one->set = true;
            one->fired = false;
            weir__timer_add(&timers, &one->timer,
                            now + (int64_t)chance(UINT64_C(1) << chance(46)) - (int64_t)chance(100));
        } else if (what < 7) {
            weir__timer_remove(&one->timer);
            one->set = false;
        } else {
            int64_t next = weir__timers_next(&timers);
            bool asked = chance(2) && next < now + (INT64_C(1) << 47);
            now = asked && next > now ? next : now + (int64_t)chance(UINT64_C(1) << chance(40));
            weir__timers_run(&timers, now, model_fire, &now);
            nothing_is_left_behind(now);
        }
        next_is_in_time(&timers, now);
    }
}

/* --- many --- */

enum { MANY = 500000 };

static void count_fire(struct weir__timer *timer, void *arg)
{
    int64_t *counts = arg;
    assert_true(timer->expiry <= clock_now);
    counts[0]++;
}

static void half_a_million(void **state)
{
    (void)state;
    struct weir__timers *timers = malloc(sizeof *timers);
    struct weir__timer *many = calloc(MANY, sizeof *many);
    assert_non_null(timers);
    assert_non_null(many);
    int64_t count = 0, removed = 0;
    clock_now = 1000000000;
    weir__timers_init(timers, clock_now);
    for (size_t i = 0; i < MANY; i++)
        weir__timer_add(timers, &many[i], clock_now + (int64_t)chance(600000000000));
    for (size_t i = 0; i < MANY; i += 3, removed++)
        weir__timer_remove(&many[i]);
    /* Moved, as the deadline of a busy connection is with every message. */
    for (size_t i = 1; i < MANY; i += 3) {
        weir__timer_remove(&many[i]);
        weir__timer_add(timers, &many[i], clock_now + (int64_t)chance(600000000000));
    }
    while (weir__timers_next(timers) != INT64_MAX) {
        int64_t next = weir__timers_next(timers);
        clock_now = next > clock_now ? next : clock_now + tick;
        weir__timers_run(timers, clock_now, count_fire, &count);
    }
    assert_int_equal(count, MANY - removed);
    assert_true(clock_now < 602000000000);
    free(many);
    free(timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_set),
        cmocka_unit_test(each_magnitude_is_in_time),
        cmocka_unit_test(the_past_fires_at_the_next_run),
        cmocka_unit_test(the_far_future_does_not_fire),
        cmocka_unit_test(removed_is_removed),
        cmocka_unit_test(one_that_fires_removes_others_of_its_tick),
        cmocka_unit_test(one_that_fires_sets_itself_again),
        cmocka_unit_test(one_that_sets_itself_in_the_past_does_not_hang),
        cmocka_unit_test(it_does_what_the_model_does),
        cmocka_unit_test(half_a_million),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

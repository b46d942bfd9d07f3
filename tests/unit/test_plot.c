/* The plot of `weir bench`: moments are few however long a run lasts and lose nothing; ticks are round. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/bench_plot.h"
#include "cli/plot.h"

/* --- moments --- */

struct run {
    struct series series;
    struct histogram latency; /* as a worker counts it */
};

static int make(void **state)
{
    *state = calloc(1, sizeof(struct run));
    return *state ? 0 : -1;
}

static int unmake(void **state)
{
    free(*state);
    return 0;
}

static uint64_t total_of(const struct series *series)
{
    uint64_t total = 0;
    for (size_t i = 0; i < series->count; i++)
        total += histogram_total(&series->moments[i].latency);
    return total;
}

static void what_was_before_does_not_count(void **state)
{
    struct run *run = *state;
    histogram_add(&run->latency, 1000);
    series_begin(&run->series, 0, WEIR_S(10), &run->latency);
    assert_int_equal(run->series.next, WEIR_MS(100));
    histogram_add(&run->latency, 30);
    series_add(&run->series, WEIR_MS(100), &run->latency);
    series_add(&run->series, WEIR_MS(200), &run->latency);
    assert_int_equal(run->series.count, 2);
    assert_int_equal(histogram_total(&run->series.moments[0].latency), 1);
    assert_int_equal(histogram_highest(&run->series.moments[0].latency), 30);
    assert_int_equal(histogram_total(&run->series.moments[1].latency), 0);
}

/* A message every millisecond for half an hour, whose latency is the minute it falls into. */
static void a_long_run_has_few_moments_that_hold_all(void **state)
{
    struct run *run = *state;
    struct series *series = &run->series;
    series_begin(series, 0, WEIR_FOREVER, &run->latency);
    int64_t now = 0;
    while (now < WEIR_S(1800)) {
        for (; now < series->next; now += WEIR_MS(1))
            histogram_add(&run->latency, (uint64_t)(now / WEIR_S(60)) + 1);
        series_add(series, now, &run->latency);
    }
    assert_in_range(series->count, SERIES_MOMENTS / 2, SERIES_MOMENTS);
    assert_int_equal(total_of(series), histogram_total(&run->latency));
    assert_int_equal(series->moments[series->count - 1].end, now);
    for (size_t i = 0; i < series->count; i++) {
        const struct moment *moment = &series->moments[i];
        int64_t start = series_start(series, i);
        assert_true(start < moment->end);
        assert_int_equal(histogram_total(&moment->latency), (moment->end - start) / WEIR_MS(1));
        assert_int_equal(histogram_lowest(&moment->latency), start / WEIR_S(60) + 1);
    }
}

static void a_short_rest_belongs_to_the_last_moment(void **state)
{
    struct run *run = *state;
    struct series *series = &run->series;
    series_begin(series, 0, WEIR_S(10), &run->latency);
    series_add(series, WEIR_MS(100), &run->latency);
    histogram_add(&run->latency, 5);
    series_end(series, WEIR_MS(110), &run->latency);
    assert_int_equal(series->count, 1);
    assert_int_equal(series->moments[0].end, WEIR_MS(110));
    assert_int_equal(total_of(series), 1);
}

static void a_run_shorter_than_a_moment_is_one(void **state)
{
    struct run *run = *state;
    series_begin(&run->series, 0, WEIR_S(10), &run->latency);
    histogram_add(&run->latency, 5);
    series_end(&run->series, WEIR_MS(1), &run->latency);
    assert_int_equal(run->series.count, 1);
    assert_int_equal(total_of(&run->series), 1);
}

/* --- scales --- */

static void check_ticks(struct scale scale, const double *expected, size_t count)
{
    double ticks[PLOT_TICKS];
    scale_round(&scale);
    assert_int_equal(scale_ticks(&scale, ticks), count);
    for (size_t i = 0; i < count; i++)
        assert_float_equal(ticks[i], expected[i], expected[i] * 1e-6);
}

static void ticks_are_round(void **state)
{
    (void)state;
    check_ticks((struct scale){.to = 98000}, (double[]){0, 20000, 40000, 60000, 80000, 100000}, 6);
    check_ticks((struct scale){.to = 10}, (double[]){0, 2, 4, 6, 8, 10}, 6);
    check_ticks((struct scale){.to = 0.3}, (double[]){0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3}, 7);
    check_ticks((struct scale){.from = 0, .to = 0}, (double[]){0, 0.2, 0.4, 0.6, 0.8, 1}, 6);
    check_ticks((struct scale){.from = 30, .to = 900, .logarithmic = true}, (double[]){20, 50, 100, 200, 500, 1000}, 6);
    check_ticks((struct scale){.from = 1e4, .to = 3e9, .logarithmic = true}, (double[]){1e4, 1e5, 1e6, 1e7, 1e8, 1e9},
                6);
    check_ticks((struct scale){.from = 100, .to = 100, .logarithmic = true}, (double[]){100, 200}, 2);
}

static void every_logarithmic_scale_has_ticks_that_fit(void **state)
{
    (void)state;
    double ticks[PLOT_TICKS];
    for (double from = 1; from < 1e19; from *= 3.7)
        for (double to = from; to < 2e19; to *= 2.9) {
            struct scale scale = {.from = from, .to = to, .logarithmic = true, .begin = 100, .end = 200};
            scale_round(&scale);
            assert_true(scale.from <= from * 1.0001 && scale.to >= to * 0.9999 && scale.from < scale.to);
            assert_in_range(scale_ticks(&scale, ticks), 2, PLOT_TICKS - 1);
            assert_float_equal(scale_place(&scale, scale.from), 100, 1e-6);
            assert_float_equal(scale_place(&scale, scale.to), 200, 1e-6);
            assert_in_range((size_t)scale_place(&scale, to), 100, 200);
        }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_before_does_not_count),
        TEST(a_long_run_has_few_moments_that_hold_all),
        TEST(a_short_rest_belongs_to_the_last_moment),
        TEST(a_run_shorter_than_a_moment_is_one),
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(every_logarithmic_scale_has_ticks_that_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The histogram of `weir bench`: exact where it is small, within 1 % everywhere, whole to the end of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/histogram.h"

static int make(void **state)
{
    *state = calloc(1, sizeof(struct histogram));
    return *state ? 0 : -1;
}

static int unmake(void **state)
{
    free(*state);
    return 0;
}

static void an_empty_one_is_all_zeros(void **state)
{
    const struct histogram *h = *state;
    assert_int_equal(histogram_total(h), 0);
    assert_int_equal(histogram_lowest(h), 0);
    assert_int_equal(histogram_highest(h), 0);
    assert_int_equal(histogram_percentile(h, 0.5), 0);
    assert_true(histogram_mean(h) == 0);
}

static void small_values_are_exact(void **state)
{
    struct histogram *h = *state;
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(h, value);
    assert_int_equal(histogram_total(h), 100);
    assert_int_equal(histogram_lowest(h), 1);
    assert_int_equal(histogram_highest(h), 100);
    assert_int_equal(histogram_percentile(h, 0), 1);
    assert_int_equal(histogram_percentile(h, 0.5), 50);
    assert_int_equal(histogram_percentile(h, 0.99), 99);
    assert_int_equal(histogram_percentile(h, 1), 100);
    assert_true(histogram_mean(h) == 50.5);
}

/* A value alone between a smaller and a greater one, so that the percentile is its bucket's and not the highest. */
static void check_error(uint64_t value)
{
    struct histogram *h = calloc(1, sizeof *h);
    assert_non_null(h);
    histogram_add(h, 0);
    histogram_add(h, value);
    histogram_add(h, UINT64_MAX);
    uint64_t found = histogram_percentile(h, 0.6);
    assert_true(found >= value);
    assert_true((double)(found - value) <= 0.01 * (double)value);
    free(h);
}

static void the_error_is_below_one_percent(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < UINT64_MAX / 2; value += value / 4 + 1) {
        check_error(value - 1);
        check_error(value);
        check_error(value + 1);
    }
    for (unsigned power = 0; power < 64; power++)
        check_error(UINT64_C(1) << power);
}

static void the_whole_range_is_held(void **state)
{
    struct histogram *h = *state;
    histogram_add(h, 0);
    histogram_add(h, UINT64_MAX);
    assert_int_equal(histogram_lowest(h), 0);
    assert_true(histogram_highest(h) == UINT64_MAX);
    assert_true(histogram_percentile(h, 1) == UINT64_MAX);
    assert_int_equal(histogram_percentile(h, 0.5), 0);
}

static void a_percentile_is_never_above_the_highest(void **state)
{
    struct histogram *h = *state;
    histogram_add(h, 1000001);
    assert_int_equal(histogram_percentile(h, 0.5), 1000001);
    assert_int_equal(histogram_percentile(h, 0.9999), 1000001);
}

static void merging_is_adding_all(void **state)
{
    struct histogram *both = *state;
    struct histogram *one = calloc(1, sizeof *one), *other = calloc(1, sizeof *other);
    assert_non_null(one);
    assert_non_null(other);
    for (uint64_t value = 1; value <= 50; value++)
        histogram_add(one, value);
    for (uint64_t value = 51; value <= 100; value++)
        histogram_add(other, value);
    histogram_merge(both, other);
    histogram_merge(both, one);
    assert_int_equal(histogram_total(both), 100);
    assert_int_equal(histogram_lowest(both), 1);
    assert_int_equal(histogram_highest(both), 100);
    assert_int_equal(histogram_percentile(both, 0.75), 75);
    free(one);
    free(other);
}

static void what_came_since_is_apart(void **state)
{
    struct histogram *since = *state;
    struct histogram *before = calloc(1, sizeof *before), *now = calloc(1, sizeof *now);
    assert_non_null(before);
    assert_non_null(now);
    histogram_add(before, 7);
    histogram_add(before, 1000000);
    histogram_merge(now, before);
    histogram_add_since(since, now, before);
    assert_int_equal(histogram_total(since), 0);
    histogram_add(now, 20);
    histogram_add(now, 40);
    histogram_add_since(since, now, before);
    assert_int_equal(histogram_total(since), 2);
    assert_int_equal(histogram_lowest(since), 20);
    assert_int_equal(histogram_highest(since), 40);
    assert_true(histogram_mean(since) == 30);
    /* A bucket's width apart at most, and never beyond what there was. */
    histogram_add(now, 1000001);
    histogram_add_since(since, now, before);
    assert_int_equal(histogram_total(since), 5);
    assert_int_equal(histogram_highest(since), 1000001);
    free(before);
    free(now);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_one_is_all_zeros),
        TEST(small_values_are_exact),
        TEST(the_error_is_below_one_percent),
        TEST(the_whole_range_is_held),
        TEST(a_percentile_is_never_above_the_highest),
        TEST(merging_is_adding_all),
        TEST(what_came_since_is_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

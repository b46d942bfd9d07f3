/* Random bytes and numbers: through the system's table, and each number equally likely. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <weir/random.h>

#include "base/system.h"

/* What the next draws give, in order. */
static const uint64_t *script;

static void scripted_random(void *bytes, size_t size)
{
    assert_int_equal(size, sizeof *script);
    memcpy(bytes, script++, size);
}

static void with_script(const uint64_t *draws, struct weir__system *system)
{
    *system = weir__kernel;
    system->random = scripted_random;
    weir__system_here = system;
    script = draws;
}

static void bytes_are_filled_and_no_more(void **state)
{
    (void)state;
    unsigned char bytes[1002];
    unsigned char zeros[32] = {0};
    memset(bytes, 0, sizeof bytes);
    bytes[0] = bytes[1001] = 0x5a;
    errno = 77;
    weir_random(bytes + 1, 1000);
    weir_random(bytes, 0);
    assert_int_equal(errno, 77);
    assert_int_equal(bytes[0], 0x5a);
    assert_int_equal(bytes[1001], 0x5a);
    assert_memory_not_equal(bytes + 1, zeros, sizeof zeros);
    assert_memory_not_equal(bytes + 969, zeros, sizeof zeros);
}

static void numbers_stay_below_their_bound(void **state)
{
    (void)state;
    assert_int_equal(weir_random_below(0), 0);
    assert_int_equal(weir_random_below(1), 0);
    unsigned seen = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t number = weir_random_below(10);
        assert_true(number < 10);
        seen |= 1U << number;
    }
    assert_int_equal(seen, (1U << 10) - 1);
    for (int i = 0; i < 100; i++)
        assert_true(weir_random_below(UINT64_MAX) < UINT64_MAX);
}

static void the_whole_range_is_used(void **state)
{
    (void)state;
    static const uint64_t draws[] = {UINT64_MAX, (UINT64_C(1) << 63) + 1};
    struct weir__system system;
    with_script(draws, &system);
    assert_int_equal(weir_random_below(10), 9);
    assert_int_equal(weir_random_below(10), 5);
    weir__system_here = &weir__kernel;
}

/* 2^64 mod 6 is 4: a draw of 0 gives the product 0, below 4, and must be drawn again; 1 gives 6, which is not. */
static void what_would_favour_some_is_drawn_again(void **state)
{
    (void)state;
    static const uint64_t draws[] = {0, 0, 1, 7};
    struct weir__system system;
    with_script(draws, &system);
    assert_int_equal(weir_random_below(6), 0);
    assert_ptr_equal(script, draws + 3);
    weir__system_here = &weir__kernel;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_filled_and_no_more),
        cmocka_unit_test(numbers_stay_below_their_bound),
        cmocka_unit_test(the_whole_range_is_used),
        cmocka_unit_test(what_would_favour_some_is_drawn_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * As much of cmocka as the tests of the fiber switch use: Debian has no cmocka for a cross compiler.
 * Prints TAP; the first assertion that fails ends its test.
 */
#ifndef WEIR_TESTS_AARCH64_CMOCKA_H
#define WEIR_TESTS_AARCH64_CMOCKA_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
};

#define cmocka_unit_test(function)                                                                                     \
    {                                                                                                                  \
#function, function, NULL, NULL                                                                                \
    }
#define cmocka_unit_test_setup_teardown(function, setup, teardown)                                                     \
    {                                                                                                                  \
#function, function, setup, teardown                                                                           \
    }
#define cmocka_run_group_tests(tests, setup, teardown)                                                                 \
    run_group(tests, sizeof(tests) / sizeof *(tests), setup, teardown)

static jmp_buf failed_test;

static inline _Noreturn void fail_at(const char *what, const char *file, int line)
{
    printf("# %s:%d: %s\n", file, line, what);
    longjmp(failed_test, 1);
}

#define fail()                                 fail_at("failed", __FILE__, __LINE__)
#define assert_true(condition)                 ((condition) ? (void)0 : fail_at(#condition, __FILE__, __LINE__))
#define assert_false(condition)                assert_true(!(condition))
#define assert_null(pointer)                   assert_true((pointer) == NULL)
#define assert_non_null(pointer)               assert_true((pointer) != NULL)
#define assert_int_equal(left, right)          assert_true((long long)(left) == (long long)(right))
#define assert_int_not_equal(left, right)      assert_true((long long)(left) != (long long)(right))
#define assert_ptr_equal(left, right)          assert_true((const void *)(left) == (const void *)(right))
#define assert_ptr_not_equal(left, right)      assert_true((const void *)(left) != (const void *)(right))
#define assert_string_equal(left, right)       assert_true(strcmp(left, right) == 0)
#define assert_memory_equal(left, right, size) assert_true(memcmp(left, right, size) == 0)
#define assert_float_equal(left, right, epsilon)                                                                       \
    assert_true((left) - (right) <= (epsilon) && (right) - (left) <= (epsilon))
#define assert_in_range(value, low, high) assert_true((value) >= (low) && (value) <= (high))

static inline bool run_one(const struct CMUnitTest *test, void *group_state)
{
    void *state = group_state;
    if (setjmp(failed_test) != 0)
        return false;
    if (test->setup && test->setup(&state) != 0)
        return false;
    test->run(&state);
    return !test->teardown || test->teardown(&state) == 0;
}

static inline int run_group(const struct CMUnitTest *tests, size_t count, int (*setup)(void **),
                            int (*teardown)(void **))
{
    void *state = NULL;
    int failures = 0;
    if (setup && setup(&state) != 0)
        return 1;
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        bool passed = run_one(&tests[i], state);
        failures += !passed;
        printf("%s %zu - %s\n", passed ? "ok" : "not ok", i + 1, tests[i].name);
        fflush(stdout);
    }
    if (teardown && teardown(&state) != 0)
        failures++;
    return failures;
}

#endif

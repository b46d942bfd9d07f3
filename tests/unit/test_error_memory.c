/* Errors without memory: src/base/error.c itself, with an allocator that can be told to fail. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool no_memory;

static void *perhaps_malloc(size_t size)
{
    errno = ENOMEM;
    return no_memory ? NULL : malloc(size);
}

static void *perhaps_calloc(size_t count, size_t size)
{
    errno = ENOMEM;
    return no_memory ? NULL : calloc(count, size);
}

#define malloc perhaps_malloc
#define calloc perhaps_calloc
#include "../../src/base/error.c"
#undef malloc
#undef calloc

static struct weir__error *place;

static struct weir__error **find_place(void)
{
    return &place;
}

static int without_a_record(void **state)
{
    (void)state;
    weir__error_free(place);
    place = NULL;
    weir__error_place = find_place;
    return 0;
}

static void a_record_is_not_needed(void **state)
{
    (void)state;
    no_memory = true;
    assert_int_equal(weir__fail_memory("spawn"), -1);
    assert_int_equal(errno, ENOMEM);
    assert_null(place);
    assert_string_equal(weir_error()->sentence, "spawn: no memory");
    weir_fail(WEIR_ERROR_SYSTEM, EIO, weir_error()->step, weir_error()->reason, "%s", weir_error()->sentence);
    assert_int_equal(errno, EIO);
    assert_string_equal(weir_error()->sentence, "spawn no memory: spawn: no memory");

    no_memory = false;
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", weir_error()->reason, NULL);
    assert_non_null(place);
    assert_string_equal(weir_error()->sentence, "read spawn: no memory: input/output error");
}

static void long_strings_are_cut_to_the_record(void **state)
{
    (void)state;
    char subject[301];
    memset(subject, 's', 300);
    subject[300] = '\0';
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", "x", NULL);
    no_memory = true;
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", subject, NULL);
    const weir_error_info *error = weir_error();
    assert_int_equal(errno, EIO);
    assert_int_equal(error->kind, WEIR_ERROR_SYSTEM);
    assert_int_equal(strlen(error->sentence), RECORD_ROOM - 1);
    assert_memory_equal(error->sentence, "read sss", 8);
    assert_string_equal(error->step, "");
    assert_string_equal(error->subject, "");
    assert_string_equal(error->reason, "");

    no_memory = false;
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "read", subject, NULL);
    assert_string_equal(error->subject, subject);
    no_memory = true;
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "send", subject, NULL);
    assert_string_equal(error->reason, "input/output error");
    weir_fail(WEIR_ERROR_SYSTEM, EIO, "write", subject, NULL);
    assert_string_equal(error->subject, subject);
    assert_string_equal(error->reason, "input/output erro");
    no_memory = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_is_not_needed, without_a_record, without_a_record),
        cmocka_unit_test_setup_teardown(long_strings_are_cut_to_the_record, without_a_record, without_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

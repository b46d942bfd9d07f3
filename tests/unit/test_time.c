/* Clocks, deadlines, and durations and sizes as people write them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/time.h>

#include "base/system.h"

static int64_t fixed_clock(void)
{
    return 1000;
}

static void clocks_come_from_the_system(void **state)
{
    (void)state;
    struct weir__system system = weir__kernel;
    system.monotonic = fixed_clock;
    system.wall = fixed_clock;
    weir__system_here = &system;
    assert_int_equal(weir_now(), 1000);
    assert_int_equal(weir_wall_clock(), 1000);
    assert_int_equal(weir_deadline(24), 1024);
    weir__system_here = &weir__kernel;
    int64_t before = weir_now();
    assert_true(weir_now() >= before);
    assert_true(weir_wall_clock() > WEIR_S(1700000000));
}

static void check_iso(const char *zone, int64_t wall, const char *expected)
{
    char text[WEIR_ISO_TIME];
    setenv("TZ", zone, 1);
    tzset();
    assert_ptr_equal(weir_iso_time(wall, text, sizeof text), text);
    assert_string_equal(text, expected);
}

static void times_are_written_as_iso_8601_has_them(void **state)
{
    (void)state;
    static const char *const berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    check_iso("UTC0", 0, "1970-01-01T00:00:00+00:00");
    check_iso("UTC0", -1, "1969-12-31T23:59:59+00:00");
    check_iso(berlin, WEIR_S(1795241700) + 999999999, "2026-11-21T07:15:00+01:00");
    check_iso(berlin, WEIR_S(1782000000), "2026-06-21T02:00:00+02:00");
    check_iso("NST3:30", WEIR_S(1795241700), "2026-11-21T02:45:00-03:30");
    check_iso("NPT-5:45", WEIR_S(1795241700), "2026-11-21T12:00:00+05:45");
    check_iso("UTC0", INT64_MAX, "2262-04-11T23:47:16+00:00");
    check_iso("UTC0", INT64_MIN, "1677-09-21T00:12:43+00:00");
    char cut[5];
    assert_string_equal(weir_iso_time(0, cut, sizeof cut), "1970");
    unsetenv("TZ");
    tzset();
}

static void deadlines_saturate(void **state)
{
    (void)state;
    assert_int_equal(weir_deadline(WEIR_FOREVER), WEIR_FOREVER);
    assert_int_equal(weir_deadline(WEIR_FOREVER - 1), WEIR_FOREVER);
    assert_int_equal(weir_deadline(0), WEIR_NOW);
    assert_int_equal(weir_deadline(-1), WEIR_NOW);
    assert_int_equal(weir_deadline(WEIR_NOW), WEIR_NOW);
    assert_true(weir_deadline(WEIR_S(60)) >= weir_now());
}

static void durations_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t duration;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"0.000", 0},
        {"7ns", 7},
        {"20us", 20000},
        {"500ms", 500000000},
        {"3s", WEIR_S(3)},
        {"3", WEIR_S(3)},
        {"003", WEIR_S(3)},
        {"2m", WEIR_S(120)},
        {"1h", WEIR_S(3600)},
        {"1.5s", 1500000000},
        {"1.5", 1500000000},
        {".5s", 500000000},
        {"0.1", 100000000},
        {"0.000000001", 1},
        {"1.5m", WEIR_S(90)},
        {"0.1h", WEIR_S(360)},
        {"0.3us", 300},
        {"123456789.123456789s", 123456789123456789},
        {"0.333333333333333333333333h", 1200000000000},
        /* parts of a nanosecond are rounded up: what is not nothing must not become "off" */
        {"0.1ns", 1},
        {"0.0000000001", 1},
        {"0.00000000000000000000000000000000000000001s", 1},
        {"0.0000000000111111111111115h", 41}, /* however late the digit comes that matters */
        {"1.0000000001", 1000000001},
        {"1.000000000000000000000", 1000000000},
        {"9223372036s", INT64_C(9223372036000000000)},
        {"9223372036.854775806", INT64_MAX - 1},
        {"9223372036854775806ns", INT64_MAX - 1},
        {"2562047h", INT64_C(9223369200000000000)},
        {"never", WEIR_FOREVER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t duration = -1;
        assert_int_equal(weir_parse_duration(cases[i].text, &duration), 0);
        assert_int_equal(duration, cases[i].duration);
    }
}

static void what_is_no_duration_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",   " ",    "s",  "ms", ".",    ".s",    "5.",  "5.s", "-1s", "+1s",   "1 s",    " 1s",   "1s ", "1.2.3s",
        "1x", "1sec", "1S", "1M", "1,5s", "0x10s", "1e3", "inf", "nan", "Never", "nevers", "1m30s", "1\n", "١s",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t duration = 42;
        errno = 0;
        assert_int_equal(weir_parse_duration(texts[i], &duration), -1);
        assert_int_equal(errno, EINVAL);
        assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
        assert_int_equal(duration, 42);
    }
    assert_string_equal(weir_error()->sentence, "١s: not a duration, such as 500ms, 3s, 2m or never");
}

static void what_is_too_long_is_told_apart(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "9223372036854775807ns",
        "9223372036854775806.1ns",
        "9223372036.854775807",
        "9223372037s",
        "2562048h",
        "18446744073709551615h",
        "18446744073709551616",
        "99999999999999999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t duration = 42;
        errno = 0;
        assert_int_equal(weir_parse_duration(texts[i], &duration), -1);
        assert_int_equal(errno, ERANGE);
        assert_int_equal(duration, 42);
    }
    int64_t duration;
    assert_int_equal(weir_parse_duration("99999999999999999999999x", &duration), -1);
    assert_int_equal(errno, EINVAL);
}

static void sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"512", 512},
        {"64k", 65536},
        {"64K", 65536},
        {"1M", 1048576},
        {"1m", 1048576},
        {"2G", UINT64_C(2147483648)},
        {"1t", UINT64_C(1099511627776)},
        {"18446744073709551615", UINT64_MAX},
        {"18014398509481983k", UINT64_C(18446744073709550592)},
        {"16777215T", UINT64_C(18446742974197923840)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t bytes = 42;
        assert_int_equal(weir_parse_size(cases[i].text, &bytes), 0);
        assert_int_equal(bytes, cases[i].bytes);
    }
}

static void check_bad_size(const char *text, int number)
{
    uint64_t bytes = 42;
    errno = 0;
    assert_int_equal(weir_parse_size(text, &bytes), -1);
    assert_int_equal(errno, number);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
    assert_int_equal(weir_error()->number, number);
    assert_int_equal(bytes, 42);
}

static void what_is_no_size_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "k",   "-1", "+1",    "1.5M", " 1",  "1 ",
                                        "1 k", "1kB", "1b", "64KiB", "0x10", "1e3", "never"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        check_bad_size(texts[i], EINVAL);
    check_bad_size("18446744073709551616", ERANGE);
    check_bad_size("18014398509481984k", ERANGE);
    check_bad_size("16777216T", ERANGE);
    check_bad_size("99999999999999999999999999999G", ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_come_from_the_system),    cmocka_unit_test(deadlines_saturate),
        cmocka_unit_test(durations_are_read_exactly),     cmocka_unit_test(what_is_no_duration_is_refused),
        cmocka_unit_test(what_is_too_long_is_told_apart), cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(what_is_no_size_is_refused),     cmocka_unit_test(times_are_written_as_iso_8601_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

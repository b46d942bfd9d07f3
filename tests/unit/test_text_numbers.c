/*
 * Splitting and numbers: what they refuse, and what a locale must not change; the rest is what Python says, see
 * check_text.py.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/text.h>

/* The parts of a text, joined by |. */
static const char *joined(const char *text, const char *separator, int64_t most)
{
    static char result[200];
    weir_part parts[10];
    size_t at = 0;
    ssize_t count = weir_split(text, strlen(text), separator, most, parts, 10);
    assert_true(count >= 0);
    for (ssize_t i = 0; i < count; i++) {
        memcpy(result + at, parts[i].text, parts[i].length);
        at += parts[i].length;
        result[at++] = '|';
    }
    result[at] = '\0';
    return result;
}

static void text_is_split(void **state)
{
    (void)state;
    assert_string_equal(joined("3.145 2.76", NULL, -1), "3.145|2.76|");
    assert_string_equal(joined(" \t a\xe3\x80\x80"
                               "b \n",
                               NULL, -1),
                        "a|b|");
    assert_string_equal(joined(" a  b  c ", NULL, 1), "a|b  c |");
    assert_string_equal(joined("  ", NULL, -1), "");
    assert_string_equal(joined(" a b ", NULL, 0), "a b |");
    assert_string_equal(joined("", ",", -1), "|");
    assert_string_equal(joined(",a,,b", ",", -1), "|a||b|");
    assert_string_equal(joined("a--b--c", "--", 1), "a|b--c|");
    assert_string_equal(joined("a,b", ",", 0), "a,b|");
}

static void too_many_parts_are_an_error(void **state)
{
    (void)state;
    weir_part parts[2] = {{0}};
    assert_int_equal(weir_split("a b c", 5, NULL, -1, parts, 2), -1);
    assert_int_equal(errno, E2BIG);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_LIMIT);
    assert_string_equal(weir_error()->sentence, "split: there are more than 2 parts");
    assert_int_equal(parts[1].length, 1);
    assert_int_equal(weir_split("a b c", 5, "", -1, parts, 2), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(weir_split(NULL, 0, NULL, -1, parts, 0), 0);
    assert_int_equal(weir_split("a b", 3, NULL, 1, parts, 2), 2);
}

static void splitters_end(void **state)
{
    (void)state;
    weir_part part;
    weir_splitter splitter = weir_splitter_begin("a", 1, "", -1);
    assert_true(weir_splitter_next(&splitter, &part));
    assert_int_equal(part.length, 1);
    assert_false(weir_splitter_next(&splitter, &part));
    assert_false(weir_splitter_next(&splitter, &part));
    splitter = weir_splitter_begin("a,", 2, ",", -1);
    assert_true(weir_splitter_next(&splitter, &part));
    assert_true(weir_splitter_next(&splitter, &part));
    assert_int_equal(part.length, 0);
    assert_false(weir_splitter_next(&splitter, &part));
}

static int64_t integer(const char *text, int base)
{
    int64_t number = 7;
    assert_int_equal(weir_parse_int(text, strlen(text), base, &number), 0);
    return number;
}

static void whole_numbers_are_read(void **state)
{
    (void)state;
    assert_int_equal(integer(" -1_000\n", 10), -1000);
    assert_int_equal(integer("0x_Ff", 0), 255);
    assert_int_equal(integer("0x_Ff", 16), 255);
    assert_int_equal(integer("-0b1", 2), -1);
    assert_int_equal(integer("zz", 36), 35 * 36 + 35);
    assert_int_equal(integer("\xd9\xa3\xd9\xa4", 10), 34);
    assert_int_equal(integer("9223372036854775807", 10), INT64_MAX);
    assert_int_equal(integer("-9223372036854775808", 10), INT64_MIN);
    assert_int_equal(integer("00", 0), 0);
}

static void require_no_integer(const char *text, int base, int number, const char *sentence)
{
    int64_t value = 7;
    assert_int_equal(weir_parse_int(text, strlen(text), base, &value), -1);
    assert_int_equal(errno, number);
    assert_int_equal(value, 7);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
    assert_string_equal(weir_error()->sentence, sentence);
}

static void what_is_no_whole_number_is_refused(void **state)
{
    (void)state;
    require_no_integer("12x", 10, EINVAL, "12x: not a whole number in base 10");
    require_no_integer("", 10, EINVAL, "'': not a whole number in base 10");
    require_no_integer("1__0", 10, EINVAL, "1__0: not a whole number in base 10");
    require_no_integer("012", 0, EINVAL, "012: not a whole number in base 0");
    require_no_integer("1\x1b[2J", 10, EINVAL, "1\\x1b[2J: not a whole number in base 10");
    require_no_integer("9223372036854775808", 10, ERANGE, "9223372036854775808: too large for a number of 64 bits");
    require_no_integer("-9223372036854775809", 10, ERANGE, "-9223372036854775809: too large for a number of 64 bits");
    require_no_integer("1", 37, EINVAL, "37 is no base: those are 0 and 2 to 36");
    int64_t value;
    assert_int_equal(weir_parse_int("1\0", 2, 10, &value), -1);
    assert_int_equal(weir_parse_int(NULL, 0, 10, &value), -1);
}

static void require_float_text(double number, const char *text)
{
    char got[WEIR_FLOAT_TEXT];
    assert_string_equal(weir_float_text(number, got, sizeof got), text);
}

/* A comma for a point, where the machine has such a locale. */
static void try_in_locale(const char *name)
{
    double number = 0;
    if (!setlocale(LC_NUMERIC, name))
        return;
    assert_int_equal(weir_parse_float("2.76", 4, &number), 0);
    assert_true(number == 2.76);
    require_float_text(3.145, "3.145");
    require_float_text(1.5e-300, "1.5e-300");
    setlocale(LC_NUMERIC, "C");
}

static void no_locale_changes_a_number(void **state)
{
    (void)state;
    try_in_locale("C");
    try_in_locale("de_DE.UTF-8");
    try_in_locale("fr_FR.UTF-8");
}

static void fractions_are_written(void **state)
{
    (void)state;
    require_float_text(3.145, "3.145");
    require_float_text(1e16, "1e+16");
    require_float_text(1e15, "1000000000000000.0");
    require_float_text(1e-5, "1e-05");
    require_float_text(0.0001, "0.0001");
    require_float_text(-0.0, "-0.0");
    require_float_text(-NAN, "nan");
    require_float_text(-INFINITY, "-inf");
    require_float_text(5e-324, "5e-324");
    require_float_text(-2.2250738585072014e-308, "-2.2250738585072014e-308");
    require_float_text(9007199254740993.0, "9007199254740992.0");
    char cut[4];
    assert_string_equal(weir_float_text(3.145, cut, sizeof cut), "3.1");
    assert_string_equal(weir_int_text(INT64_MIN, cut, sizeof cut), "-92");
    char whole[WEIR_INT_TEXT];
    assert_string_equal(weir_int_text(INT64_MIN, whole, sizeof whole), "-9223372036854775808");
}

static void fractions_are_read(void **state)
{
    (void)state;
    double number = 7;
    char text[1000];
    memset(text, '0', sizeof text);
    memcpy(text + sizeof text - 3, "2.5", 3);
    assert_int_equal(weir_parse_float(text, sizeof text, &number), 0);
    assert_true(number == 2.5);
    assert_int_equal(weir_parse_float(" -Infinity ", 11, &number), 0);
    assert_true(isinf(number) && number < 0);
    assert_int_equal(weir_parse_float("1e999", 5, &number), 0);
    assert_true(isinf(number));
    number = 7;
    assert_int_equal(weir_parse_float("2,5", 3, &number), -1);
    assert_int_equal(errno, EINVAL);
    assert_true(number == 7);
    assert_string_equal(weir_error()->sentence, "2,5: not a number");
    text[10] = 'x';
    assert_int_equal(weir_parse_float(text, sizeof text, &number), -1);
    assert_true(strlen(weir_error()->sentence) < 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_split),
        cmocka_unit_test(too_many_parts_are_an_error),
        cmocka_unit_test(splitters_end),
        cmocka_unit_test(whole_numbers_are_read),
        cmocka_unit_test(what_is_no_whole_number_is_refused),
        cmocka_unit_test(no_locale_changes_a_number),
        cmocka_unit_test(fractions_are_written),
        cmocka_unit_test(fractions_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

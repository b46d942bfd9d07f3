/* Text in fixed buffers, UTF-8, and escaping: what a hostile peer sends may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <weir/log.h>

#include "base/text.h"

static void text_is_appended(void **state)
{
    (void)state;
    char data[64];
    struct weir__text text = weir__text(data, sizeof data);
    assert_string_equal(data, "");
    weir__text_put(&text, "port ");
    weir__text_put_number(&text, 0);
    weir__text_put_char(&text, '/');
    weir__text_put_number(&text, UINT64_MAX);
    weir__text_put_bytes(&text, "!?", 1);
    assert_string_equal(data, "port 0/18446744073709551615!");
    assert_int_equal(text.length, strlen(data));
}

static void text_is_cut_and_never_overrun(void **state)
{
    (void)state;
    char data[8] = "-------";
    struct weir__text text = weir__text(data, 5);
    weir__text_put(&text, "abc");
    weir__text_put(&text, "defgh");
    weir__text_put_char(&text, 'x');
    weir__text_put_number(&text, 12);
    assert_memory_equal(data, "abcd\0--", 8);
    assert_int_equal(text.length, 4);

    text = weir__text(data, 0);
    weir__text_put(&text, "zz");
    assert_memory_equal(data, "abcd\0--", 8);
    text = weir__text(data, 1);
    weir__text_put(&text, "zz");
    assert_memory_equal(data, "\0bcd\0--", 8);
}

static void copying_tells_the_whole_length(void **state)
{
    (void)state;
    char data[4] = "---";
    assert_int_equal(weir__copy_text(data, "abcdef", sizeof data), 6);
    assert_string_equal(data, "abc");
    assert_int_equal(weir__copy_text(data, "", sizeof data), 0);
    assert_string_equal(data, "");
    assert_int_equal(weir__copy_text(NULL, "abc", 0), 3);
}

static void cutting_keeps_characters_whole(void **state)
{
    (void)state;
    assert_int_equal(weir__text_cut("abc", 3, 5), 3);
    assert_int_equal(weir__text_cut("abcdef", 6, 5), 5);
    assert_int_equal(weir__text_cut("ab\xc3\xa9", 4, 3), 2);
    assert_int_equal(weir__text_cut("ab\xc3\xa9"
                                    "c",
                                    5, 4),
                     4);
    assert_int_equal(weir__text_cut("\xf0\x9f\x98\x80", 4, 3), 0);
    assert_int_equal(weir__text_cut("a\xf0\x9f\x98\x80", 5, 3), 1);
    /* No UTF-8: cut where asked. */
    assert_int_equal(weir__text_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
    assert_int_equal(weir__text_cut("", 0, 0), 0);
}

static void utf8_is_told_from_what_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length, valid;
    } cases[] = {
        {"", 0, 0},
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7f", 1, 1},
        {"\xc2\x80", 2, 2},
        {"\xdf\xbf", 2, 2},
        {"\xe0\xa0\x80", 3, 3},
        {"\xed\x9f\xbf", 3, 3},
        {"\xee\x80\x80", 3, 3},
        {"\xf0\x90\x80\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        /* a continuation alone, and firsts that never are */
        {"\x80", 1, 0},
        {"\xbf"
         "a",
         2, 0},
        {"\xfe", 1, 0},
        {"\xff\xbf\xbf\xbf", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        /* overlong forms: of '/', of U+007F, of U+07FF, of U+FFFF */
        {"\xc0\xaf", 2, 0},
        {"\xc1\xbf", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        /* surrogates, above U+10FFFF */
        {"\xed\xa0\x80", 3, 0},
        {"\xf4\x90\x80\x80", 4, 0},
        /* cut short, by the end and by another character */
        {"\xc2", 1, 0},
        {"\xe2\x82", 2, 0},
        {"\xe2\x82"
         "a",
         3, 0},
        {"\xf0\x9f\x98", 3, 0},
        {"\xf0\x9f"
         "aa",
         4, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(weir__utf8_length(cases[i].bytes, cases[i].length), cases[i].valid);
}

static void check_escape(const char *bytes, size_t length, const char *expected)
{
    char text[256];
    assert_ptr_equal(weir_escape(bytes, length, text, sizeof text), text);
    assert_string_equal(text, expected);
}

static void ordinary_text_is_shown_as_it_is(void **state)
{
    (void)state;
    check_escape("", 0, "");
    check_escape(NULL, 0, "");
    check_escape("GET / HTTP/1.1 \"~\"", 18, "GET / HTTP/1.1 \"~\"");
    check_escape("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15,
                 "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    check_escape("\xc2\xa0", 2, "\xc2\xa0");
}

static void hostile_bytes_are_escaped(void **state)
{
    (void)state;
    check_escape("a\nweir: forged", 14, "a\\x0aweir: forged");
    check_escape("\r\t\v\f\b\a", 6, "\\x0d\\x09\\x0b\\x0c\\x08\\x07");
    check_escape("\0", 1, "\\x00");
    check_escape("\x1b[2J\x7f", 5, "\\x1b[2J\\x7f");
    check_escape("C:\\x0a", 6, "C:\\\\x0a");
    /* CSI as the one character U+009B, and NEL */
    check_escape("\xc2\x9b"
                 "31m\xc2\x85",
                 7, "\\xc2\\x9b31m\\xc2\\x85");
    /* LINE SEPARATOR, RIGHT-TO-LEFT OVERRIDE, POP DIRECTIONAL ISOLATE; and their neighbours, which do no harm */
    check_escape("\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa9", 9, "\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xe2\\x81\\xa9");
    check_escape("\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa", 9, "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xaa");
    /* no UTF-8: Latin-1, overlong ESC, a surrogate, a character that the end cuts */
    check_escape("gr\xfc\xdf", 4, "gr\\xfc\\xdf");
    check_escape("\xc0\x9b", 2, "\\xc0\\x9b");
    check_escape("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");
    check_escape("\xe2\x82", 2, "\\xe2\\x82");
}

static void check_cut(const char *bytes, size_t size, const char *expected)
{
    char text[64];
    memset(text, '#', sizeof text);
    weir_escape(bytes, strlen(bytes), text, size);
    assert_string_equal(text, expected);
    assert_int_equal(text[size], '#');
}

static void what_does_not_fit_is_cut_and_marked(void **state)
{
    (void)state;
    check_cut("abcdef", 7, "abcdef");
    check_cut("abcdefg", 7, "abc...");
    check_cut("abcdefg", 5, "a...");
    check_cut("abcdefg", 4, "...");
    check_cut("abcdefg", 3, "..");
    check_cut("abcdefg", 1, "");
    check_cut("a\n\n", 10, "a\\x0a\\x0a");
    check_cut("a\n\nb", 10, "a\\x0a...");
    check_cut("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac", 9, "\xe2\x82\xac...");
    char untouched = '#';
    weir_escape("abc", 3, &untouched, 0);
    assert_int_equal(untouched, '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_appended),
        cmocka_unit_test(text_is_cut_and_never_overrun),
        cmocka_unit_test(copying_tells_the_whole_length),
        cmocka_unit_test(cutting_keeps_characters_whole),
        cmocka_unit_test(utf8_is_told_from_what_is_none),
        cmocka_unit_test(ordinary_text_is_shown_as_it_is),
        cmocka_unit_test(hostile_bytes_are_escaped),
        cmocka_unit_test(what_does_not_fit_is_cut_and_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

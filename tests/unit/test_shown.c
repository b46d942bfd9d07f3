/* What arrives as text that may be shown (src/services/print/shown.c): however it was cut, and whatever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "services/print/shown.h"

#define BAD "\xef\xbf\xbd"

struct text {
    size_t length;
    char data[4096];
};

/* Shows pieces of `piece` bytes with so much room at a time, and the end. */
static struct text show(const char *encoding, const char *bytes, size_t length, size_t piece, size_t room)
{
    struct shown shown;
    struct text text = {0};
    assert_int_equal(shown_begin(&shown, encoding, WEIR_TEXT_REPLACE), 0);
    for (size_t at = 0; at < length;) {
        size_t used, left = length - at < piece ? length - at : piece;
        text.length += shown_add(&shown, bytes + at, left, &used, text.data + text.length, room);
        assert_true(used > 0);
        at += used;
    }
    text.length += shown_end(&shown, text.data + text.length, room);
    shown_free(&shown);
    return text;
}

static void check(const char *encoding, const char *bytes, size_t length, const char *expected)
{
    for (size_t piece = 1; piece <= length; piece++)
        for (size_t room = SHOWN_ROOM; room < SHOWN_ROOM + 3; room++) {
            struct text text = show(encoding, bytes, length, piece, room);
            assert_int_equal(text.length, strlen(expected));
            assert_memory_equal(text.data, expected, text.length);
        }
}

#define CHECK(bytes, expected) check("utf-8", bytes, sizeof(bytes) - 1, expected)

static void text_is_as_it_is(void **state)
{
    (void)state;
    CHECK("hello, world\n", "hello, world\n");
    CHECK("tab\tand \\ and ~", "tab\tand \\ and ~");
    CHECK("gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80\n",
          "gr\xc3\xbc\xc3\x9f dich \xe2\x82\xac \xf0\x9f\x98\x80\n");
    CHECK("\xf4\x8f\xbf\xbf\xee\x80\x80\xed\x9f\xbf", "\xf4\x8f\xbf\xbf\xee\x80\x80\xed\x9f\xbf");
}

/* The examples of the Unicode Standard, 3.9, tables 3-8 to 3-11, and of RFC 3629. */
static void each_maximal_part_that_is_no_character_is_replaced_once(void **state)
{
    (void)state;
    CHECK("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A");
    CHECK("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", BAD BAD BAD BAD BAD BAD BAD BAD "A");
    CHECK("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", BAD BAD BAD BAD BAD "A" BAD BAD "B");
    CHECK("\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", BAD BAD BAD BAD "A");
    CHECK("\xf5\x80\xfe\xff\xc1", BAD BAD BAD BAD BAD);
}

static void half_a_character_at_the_end_is_replaced(void **state)
{
    (void)state;
    CHECK("a\xe2\x82", "a" BAD);
    CHECK("a\xf0\x9f\x98", "a" BAD);
    CHECK("\xc3\n\xc3", BAD "\n" BAD);
}

static void what_steers_a_terminal_is_escaped(void **state)
{
    (void)state;
    CHECK("\x1b[31m\a\b\x7f", "\\x1b[31m\\x07\\x08\\x7f");
    CHECK("a\0b", "a\\x00b");
    CHECK("\xc2\x9b\x31m \xc2\x85 \xe2\x80\xa8", "\\xc2\\x9b1m \\xc2\\x85 \\xe2\\x80\\xa8");
    CHECK("\xe2\x80\xae", "\\xe2\\x80\\xae");
}

static void a_carriage_return_before_a_newline_goes(void **state)
{
    (void)state;
    CHECK("one\r\ntwo\r\n", "one\ntwo\n");
    CHECK("a\rb\r", "a\\x0db\\x0d");
    CHECK("\r\r\n\xc3\r\n", "\\x0d\n" BAD "\n");
    CHECK("\r\xc3\xbc\r\xff", "\\x0d\xc3\xbc\\x0d" BAD);
}

static void other_encodings_are_decoded(void **state)
{
    (void)state;
    check("latin-1", "gr\xfc\xdf\x85\r\n", 7, "gr\xc3\xbc\xc3\x9f\\xc2\\x85\n");
    check("cp1252", "\x80 \x81", 3, "\xe2\x82\xac " BAD);
    check("shift_jis", "\x8a\xbf\x8e\x9a", 4, "\xe6\xbc\xa2\xe5\xad\x97");
}

static void the_newline_must_be_a_byte(void **state)
{
    (void)state;
    assert_int_equal(shown_check("utf-8"), 0);
    assert_int_equal(shown_check("Latin1"), 0);
    assert_int_equal(shown_check("gb18030"), 0);
    assert_int_equal(shown_check("utf-16"), -1);
    assert_int_equal(shown_check("utf-16-le"), -1);
    assert_int_equal(shown_check("cp037"), -1);
    assert_int_equal(shown_check("no-such"), -1);
}

static void much_text_with_little_room(void **state)
{
    (void)state;
    enum { LENGTH = 20000 };
    static char bytes[LENGTH], text[8 * LENGTH];
    struct shown shown;
    memset(bytes, 0x85, sizeof bytes);
    assert_int_equal(shown_begin(&shown, "latin-1", WEIR_TEXT_REPLACE), 0);
    size_t length = 0;
    for (size_t at = 0, used; at < LENGTH; at += used) {
        char some[SHOWN_ROOM];
        size_t got = shown_add(&shown, bytes + at, LENGTH - at, &used, some, sizeof some);
        assert_true(used > 0 && got <= sizeof some);
        memcpy(text + length, some, got);
        length += got;
    }
    shown_free(&shown);
    assert_int_equal(length, 8 * LENGTH);
    for (size_t at = 0; at < length; at += 8)
        assert_memory_equal(text + at, "\\xc2\\x85", 8);
}

static void what_is_plain_is_decoded_and_nothing_else(void **state)
{
    (void)state;
    struct shown shown;
    char text[SHOWN_ROOM];
    size_t used;
    assert_int_equal(shown_begin(&shown, "latin-1", WEIR_TEXT_REPLACE), 0);
    shown.plain = true;
    assert_int_equal(shown_add(&shown, "\x1b\xfc\r\n\r", 5, &used, text, sizeof text), 6);
    assert_memory_equal(text, "\x1b\xc3\xbc\r\n\r", 6);
    assert_int_equal(shown_end(&shown, text, sizeof text), 0);
    shown_free(&shown);
}

static void what_was_kept_is_gone_after_the_end(void **state)
{
    (void)state;
    struct shown shown;
    char text[SHOWN_ROOM];
    size_t used;
    assert_int_equal(shown_begin(&shown, "utf-8", WEIR_TEXT_REPLACE), 0);
    assert_int_equal(shown_add(&shown, "\xe2\x82", 2, &used, text, sizeof text), 0);
    assert_true(shown.begun);
    assert_int_equal(shown_end(&shown, text, sizeof text), 3);
    assert_int_equal(shown_end(&shown, text, sizeof text), 0);
    assert_int_equal(shown_add(&shown, "\xac", 1, &used, text, sizeof text), 3);
    assert_memory_equal(text, BAD, 3);
    shown_free(&shown);
}

static void strict_ends_at_what_is_no_text(void **state)
{
    (void)state;
    struct shown shown;
    char text[2 * SHOWN_ROOM];
    size_t used;
    assert_int_equal(shown_begin(&shown, "utf-8", WEIR_TEXT_STRICT), 0);
    assert_int_equal(shown_add(&shown,
                               "ab\xff"
                               "cd",
                               5, &used, text, sizeof text),
                     2);
    assert_int_equal(used, 5);
    assert_true(shown.refused);
    assert_string_equal(weir_error()->reason, "byte 0xff at offset 2 is part of no character");
    assert_int_equal(shown_add(&shown, "ef", 2, &used, text, sizeof text), 0);
    assert_int_equal(used, 2);
    assert_int_equal(shown_end(&shown, text, sizeof text), 0);
    shown_free(&shown);

    assert_int_equal(shown_begin(&shown, "utf-8", WEIR_TEXT_STRICT), 0);
    assert_int_equal(shown_add(&shown, "a\xe2", 2, &used, text, sizeof text), 1);
    assert_false(shown.refused);
    assert_int_equal(shown_end(&shown, text, sizeof text), 0);
    assert_true(shown.refused);
    shown_free(&shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_as_it_is),
        cmocka_unit_test(each_maximal_part_that_is_no_character_is_replaced_once),
        cmocka_unit_test(half_a_character_at_the_end_is_replaced),
        cmocka_unit_test(what_steers_a_terminal_is_escaped),
        cmocka_unit_test(a_carriage_return_before_a_newline_goes),
        cmocka_unit_test(other_encodings_are_decoded),
        cmocka_unit_test(the_newline_must_be_a_byte),
        cmocka_unit_test(much_text_with_little_room),
        cmocka_unit_test(what_is_plain_is_decoded_and_nothing_else),
        cmocka_unit_test(what_was_kept_is_gone_after_the_end),
        cmocka_unit_test(strict_ends_at_what_is_no_text),
    };
    return cmocka_run_group_tests_name("shown", tests, NULL, NULL);
}

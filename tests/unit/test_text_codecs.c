/* Encodings: what goes wrong and how it is told; the rest is what Python says, see check_text.py. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/fiber.h>
#include <weir/loop.h>
#include <weir/text.h>

#include "simulated.h"
#include "text/codec.h"

struct row {
    const char *encoding;
    weir_text_errors errors;
    const char *in;
    size_t in_length;
    const char *out; /* NULL: refused */
    size_t out_length;
    const char *reason;
};

#define BYTES(text) text, sizeof(text) - 1

static void require_row(const struct row *row,
                        char *(*call)(const char *, size_t, const char *, weir_text_errors, size_t *))
{
    size_t length = 77;
    char *got = call(row->in, row->in_length, row->encoding, row->errors, &length);
    if (row->out) {
        assert_non_null(got);
        assert_int_equal(length, row->out_length);
        assert_memory_equal(got, row->out, length + 1);
    } else {
        assert_null(got);
        assert_int_equal(length, 77);
        assert_string_equal(weir_error()->sentence, row->reason);
        assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
        assert_int_equal(weir_error()->number, errno);
    }
    free(got);
}

static char *decode(const char *bytes, size_t length, const char *encoding, weir_text_errors errors,
                    size_t *text_length)
{
    return weir_decode(bytes, length, encoding, errors, text_length);
}

static void bytes_become_text(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {NULL, WEIR_TEXT_STRICT, BYTES("h\0\xc3\xa9"), BYTES("h\0\xc3\xa9")},
        {NULL, WEIR_TEXT_STRICT, NULL, 0, BYTES("")},
        {NULL, WEIR_TEXT_REPLACE, BYTES("\xe2\x82x\xf0\x9f\x98"), BYTES("\xef\xbf\xbdx\xef\xbf\xbd")},
        {NULL, WEIR_TEXT_REPLACE, BYTES("\xed\xa0\x80"), BYTES("\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd")},
        {"ascii", WEIR_TEXT_BACKSLASHREPLACE, BYTES("a\xff"), BYTES("a\\xff")},
        {"ascii", WEIR_TEXT_IGNORE, BYTES("a\xff\x62"), BYTES("ab")},
        {"latin1", WEIR_TEXT_STRICT, BYTES("\xe9"), BYTES("\xc3\xa9")},
        {"utf-16", WEIR_TEXT_STRICT, BYTES("\xfe\xff\xd8\x3d\xde\x00"), BYTES("\xf0\x9f\x98\x80")},
        {"utf-32", WEIR_TEXT_STRICT, BYTES("\0\0\xfe\xff\0\0\x20\xac"), BYTES("\xe2\x82\xac")},
        {"utf-8-sig", WEIR_TEXT_STRICT, BYTES("\xef\xbb\xbf\xef\xbb\xbf!"), BYTES("\xef\xbb\xbf!")},
        {"cp1252", WEIR_TEXT_STRICT, BYTES("\x80 \xe9"), BYTES("\xe2\x82\xac \xc3\xa9")},
        {"cp1252", WEIR_TEXT_REPLACE, BYTES("\x81!"), BYTES("\xef\xbf\xbd!")},
        {"UCS-2BE", WEIR_TEXT_REPLACE, BYTES("\xd8\x00\0A"), BYTES("\xef\xbf\xbd\x41")},
        {NULL, WEIR_TEXT_STRICT, BYTES("abc\xff"), NULL, 0,
         "decode utf-8: byte 0xff at offset 3 is part of no character"},
        {"utf8", WEIR_TEXT_STRICT, BYTES("a\xe2\x82"), NULL, 0,
         "decode utf8: the end is in the middle of a character, which begins with byte 0xe2 at offset 1"},
        {"utf-16-be", WEIR_TEXT_STRICT, BYTES("\0a\xdc\0"), NULL, 0,
         "decode utf-16-be: byte 0xdc at offset 2 is part of no character"},
        {"cp1252", WEIR_TEXT_STRICT, BYTES("a\x81"), NULL, 0,
         "decode cp1252: byte 0x81 at offset 1 is part of no character"},
        {"shift_jis", WEIR_TEXT_STRICT, BYTES("a\x82"), NULL, 0,
         "decode shift_jis: the end is in the middle of a character, which begins with byte 0x82 at offset 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        require_row(&rows[i], decode);
}

static void text_becomes_bytes(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"ascii", WEIR_TEXT_REPLACE, BYTES("a\xe2\x82\xac\xc3\xa9"), BYTES("a??")},
        {"ascii", WEIR_TEXT_BACKSLASHREPLACE, BYTES("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
         BYTES("\\xe9\\u20ac\\U0001f600")},
        {"utf-16", WEIR_TEXT_STRICT, NULL, 0,
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
         BYTES("\xff\xfe")},
#else
         BYTES("\xfe\xff")},
#endif
        {"utf-8-sig", WEIR_TEXT_STRICT, BYTES("a"), BYTES("\xef\xbb\xbf\x61")},
        {"utf-32-be", WEIR_TEXT_BACKSLASHREPLACE, BYTES("\xff"), BYTES("\0\0\0\\\0\0\0x\0\0\0f\0\0\0f")},
        {"cp1252", WEIR_TEXT_BACKSLASHREPLACE, BYTES("\xe2\x82\xac \xe2\x86\x92"), BYTES("\x80 \\u2192")},
        {"cp1252", WEIR_TEXT_REPLACE, BYTES("a\xff\x62"), BYTES("a?b")},
        {"iso2022_jp", WEIR_TEXT_STRICT, BYTES("\xe3\x81\x82"), BYTES("\x1b$B$\"\x1b(B")},
        {"ascii", WEIR_TEXT_STRICT, BYTES("h\xc3\xa9"), NULL, 0,
         "encode ascii: U+00E9 at offset 1 is not in this encoding"},
        {"cp1252", WEIR_TEXT_STRICT, BYTES("\xc3\xa9\xe2\x86\x92"), NULL, 0,
         "encode cp1252: U+2192 at offset 2 is not in this encoding"},
        {"utf-8", WEIR_TEXT_STRICT, BYTES("a\xed\xa0\x80"), NULL, 0,
         "encode utf-8: byte 0xed at offset 1 is part of no character"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        require_row(&rows[i], weir_encode);
}

/* iconv leaves such characters out and says nothing. */
static void a_tag_is_not_lost(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"koi8-r", WEIR_TEXT_STRICT, BYTES("ab\xf3\xa0\x81\x81"), NULL, 0,
         "encode koi8-r: U+E0041 at offset 2 is not in this encoding"},
        {"koi8-r", WEIR_TEXT_REPLACE, BYTES("a\xf3\xa0\x81\x81\xf3\xa0\x80\x80z"), BYTES("a??z")},
    };
    size_t length;
    char *bytes = weir_encode("\xf3\xa0\x81\x81", 4, "gb18030", WEIR_TEXT_STRICT, &length);
    assert_non_null(bytes);
    assert_int_equal(length, 4);
    free(bytes);
    for (size_t i = 0; i < 2; i++)
        require_row(&rows[i], weir_encode);
}

static void the_error_has_the_offset(void **state)
{
    (void)state;
    char bytes[1000];
    memset(bytes, 'a', sizeof bytes);
    bytes[997] = (char)0x80;
    assert_null(weir_decode(bytes, sizeof bytes, "ascii", WEIR_TEXT_STRICT, NULL));
    assert_int_equal(errno, EILSEQ);
    assert_int_equal(weir_error()->transferred, 997);
}

static void unknown_encodings_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"klingon", "", "utf-8//IGNORE", "rot13",
                                        "a name that is longer than any encoding's may be"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_null(weir_encode("a", 1, names[i], WEIR_TEXT_STRICT, NULL));
        assert_int_equal(errno, EINVAL);
        assert_null(weir_decoder_new(names[i], WEIR_TEXT_STRICT));
        assert_int_equal(weir_error()->kind, WEIR_ERROR_USAGE);
        assert_null(weir_encoding_name(names[i]));
    }
    assert_null(weir_decode("a", 1, "klingon", WEIR_TEXT_STRICT, NULL));
    assert_string_equal(weir_error()->sentence, "decode klingon: no such encoding is known here");
    assert_string_equal(weir_encoding_name("  Latin 1"), "iso8859-1");
    assert_string_equal(weir_encoding_name(NULL), "utf-8");
}

static void errors_have_names(void **state)
{
    (void)state;
    weir_text_errors errors = WEIR_TEXT_STRICT;
    assert_int_equal(weir_parse_text_errors("backslashreplace", &errors), 0);
    assert_int_equal(errors, WEIR_TEXT_BACKSLASHREPLACE);
    assert_int_equal(weir_parse_text_errors("strict", &errors), 0);
    assert_int_equal(errors, WEIR_TEXT_STRICT);
    assert_int_equal(weir_parse_text_errors("xml", &errors), -1);
    assert_int_equal(errno, EINVAL);
    assert_string_equal(weir_error()->sentence, "xml: not strict, ignore, replace or backslashreplace");
}

/* Every result is as long as it may get: sixteen times, from bytes that are no text. */
static void results_have_bounds(void **state)
{
    (void)state;
    enum { LENGTH = 100000 };
    size_t length;
    char *bytes = malloc(LENGTH);
    assert_non_null(bytes);
    memset(bytes, 0xff, LENGTH);
    char *text = weir_decode(bytes, LENGTH, "utf-8", WEIR_TEXT_BACKSLASHREPLACE, &length);
    assert_int_equal(length, 4 * LENGTH);
    free(text);
    text = weir_encode(bytes, LENGTH, "utf-32-le", WEIR_TEXT_BACKSLASHREPLACE, &length);
    assert_int_equal(length, 16 * LENGTH);
    free(text);
    free(bytes);
    assert_null(weir_decode("", SIZE_MAX / 2, "utf-8", WEIR_TEXT_STRICT, &length));
    assert_int_equal(errno, ENOMEM);
}

/* ASCII and what is not at every place of the words that are looked at together. */
static void spans_end_where_they_should(void **state)
{
    (void)state;
    char bytes[100];
    for (size_t at = 0; at < sizeof bytes; at++) {
        memset(bytes, 'x', sizeof bytes);
        bytes[at] = (char)0xff;
        assert_int_equal(weir_utf8_span(bytes, sizeof bytes), at);
        assert_int_equal(weir__ascii_span(bytes, sizeof bytes), at);
        bytes[at] = (char)0xc3;
        if (at + 1 < sizeof bytes)
            bytes[at + 1] = (char)0xa9;
        assert_int_equal(weir_utf8_span(bytes, sizeof bytes), at + 1 < sizeof bytes ? sizeof bytes : at);
        assert_int_equal(weir__ascii_span(bytes, at), at);
    }
    assert_int_equal(weir_utf8_span(NULL, 0), 0);
}

/* --- in a fiber iconv is opened on the pool --- */

static int decode_in_fiber(void *arg)
{
    *(char **)arg = weir_decode("\x80", 1, "cp1252", WEIR_TEXT_STRICT, NULL);
    weir_decoder_free(weir_decoder_new("koi8-r", WEIR_TEXT_STRICT));
    return 0;
}

static void fibers_decode_too(void **state)
{
    (void)state;
    char *text = NULL;
    assert_int_equal(weir_run(decode_in_fiber, &text, NULL), 0);
    assert_non_null(text);
    assert_string_equal(text, "\xe2\x82\xac");
    free(text);
}

/* The simulator has no threads: the pool's work is done by the caller. */
static int decode_on_host(void *arg)
{
    (void)arg;
    char *text = weir_decode("\x80", 1, "cp1252", WEIR_TEXT_STRICT, NULL);
    CHECK(text && strcmp(text, "\xe2\x82\xac") == 0);
    free(text);
    CHECK(!weir_decode("\x80", 1, "klingon", WEIR_TEXT_STRICT, NULL) && errno == EINVAL);
    return 0;
}

static void simulated_hosts_decode_too(void **state)
{
    (void)state;
    play(decode_on_host, NULL, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_text),
        cmocka_unit_test(text_becomes_bytes),
        cmocka_unit_test(a_tag_is_not_lost),
        cmocka_unit_test(the_error_has_the_offset),
        cmocka_unit_test(unknown_encodings_are_refused),
        cmocka_unit_test(errors_have_names),
        cmocka_unit_test(results_have_bounds),
        cmocka_unit_test(spans_end_where_they_should),
        cmocka_unit_test(fibers_decode_too),
        cmocka_unit_test(simulated_hosts_decode_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

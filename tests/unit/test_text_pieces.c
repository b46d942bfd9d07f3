/* Decoders and encoders: pieces of every size are the whole, and nothing that was right is lost before an error. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <weir/error.h>
#include <weir/text.h>

#include "text/coder.h"

/* Decodes one byte at a time; the text is appended to. Returns the last result. */
static ssize_t feed(weir_decoder *decoder, const char *bytes, size_t length, char *text, size_t size)
{
    size_t used, at = strlen(text);
    ssize_t got = 0;
    for (size_t i = 0; i < length && got >= 0; i++) {
        got = weir_decoder_decode(decoder, bytes + i, 1, &used, text + at, size - at - 1);
        if (got >= 0) {
            assert_int_equal(used, 1);
            at += (size_t)got;
        }
    }
    text[at] = '\0';
    return got;
}

static void characters_survive_the_cut(void **state)
{
    (void)state;
    static const char euro_and_face[] = "\xe2\x82\xac\xf0\x9f\x98\x80";
    char text[300] = "";
    weir_decoder *decoder = weir_decoder_new(NULL, WEIR_TEXT_STRICT);
    assert_non_null(decoder);
    assert_true(feed(decoder, euro_and_face, 7, text, sizeof text) >= 0);
    assert_string_equal(text, euro_and_face);
    assert_int_equal(weir_decoder_finish(decoder, text, sizeof text), 0);
    weir_decoder_free(decoder);

    static const char *const names[] = {"utf-16", "utf-16-be", "utf-32", "gb18030", "utf-7", "cp1252", "iso2022_jp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t length;
        const char *word = i < 5    ? euro_and_face
                           : i == 5 ? "\xe2\x82\xac"
                                    : "\xe3\x81\x82"
                                      "a";
        char *bytes = weir_encode(word, strlen(word), names[i], WEIR_TEXT_STRICT, &length);
        assert_non_null(bytes);
        decoder = weir_decoder_new(names[i], WEIR_TEXT_STRICT);
        *text = '\0';
        assert_true(feed(decoder, bytes, length, text, sizeof text) >= 0);
        assert_string_equal(text, word);
        assert_int_equal(weir_decoder_finish(decoder, text, sizeof text), 0);
        weir_decoder_free(decoder);
        free(bytes);
    }
}

static void half_a_character_at_the_end_is_bad(void **state)
{
    (void)state;
    char text[300] = "";
    size_t used;
    weir_decoder *decoder = weir_decoder_new("utf-8", WEIR_TEXT_REPLACE);
    assert_int_equal(feed(decoder, "a\xf0\x9f\x98", 4, text, sizeof text), 0);
    assert_string_equal(text, "a");
    assert_int_equal(weir_decoder_finish(decoder, text, sizeof text), 3);
    assert_memory_equal(text, "\xef\xbf\xbd", 3);
    /* It is as new. */
    assert_int_equal(weir_decoder_decode(decoder, "b", 1, &used, text, sizeof text), 1);
    assert_int_equal(weir_decoder_decode(decoder, "\xe2\x82", 2, &used, text, sizeof text), 0);
    weir_decoder_reset(decoder);
    assert_int_equal(weir_decoder_finish(decoder, text, sizeof text), 0);
    weir_decoder_free(decoder);

    decoder = weir_decoder_new("utf-8", WEIR_TEXT_STRICT);
    assert_int_equal(weir_decoder_decode(decoder, "ab\xe2\x82", 4, &used, text, sizeof text), 2);
    assert_int_equal(used, 4);
    assert_int_equal(weir_decoder_finish(decoder, text, sizeof text), -1);
    assert_int_equal(errno, EILSEQ);
    assert_int_equal(weir_error()->transferred, 2);
    weir_decoder_free(decoder);
}

static void what_is_right_comes_before_the_error(void **state)
{
    (void)state;
    char text[300];
    size_t used;
    weir_decoder *decoder = weir_decoder_new("utf-8", WEIR_TEXT_STRICT);
    assert_int_equal(weir_decoder_decode(decoder, "abc\xe2", 4, &used, text, sizeof text), 3);
    assert_int_equal(weir_decoder_decode(decoder, "xyz", 3, &used, text, sizeof text), -1);
    assert_int_equal(weir_error()->transferred, 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(weir_decoder_decode(decoder, "yz", 2, &used, text, sizeof text), -1);
        assert_int_equal(used, 0);
        assert_string_equal(weir_error()->sentence, "decode utf-8: byte 0xe2 at offset 3 is part of no character");
    }
    weir_decoder_reset(decoder);
    assert_int_equal(weir_decoder_decode(decoder, "yz\xff", 3, &used, text, sizeof text), 2);
    assert_int_equal(used, 2);
    weir_decoder_free(decoder);
}

static void rooms_may_be_small_but_not_too_small(void **state)
{
    (void)state;
    char bytes[1000], text[WEIR_DECODER_ROOM + 1];
    size_t used, done = 0, length = 0;
    ssize_t got;
    memset(bytes, 0xff, sizeof bytes);
    weir_decoder *decoder = weir_decoder_new("ascii", WEIR_TEXT_BACKSLASHREPLACE);
    assert_int_equal(weir_decoder_decode(decoder, bytes, 1, &used, text, WEIR_DECODER_ROOM - 1), -1);
    assert_int_equal(errno, EINVAL);
    assert_string_equal(weir_error()->sentence, "decode ascii: a buffer must have 128 bytes");
    text[WEIR_DECODER_ROOM] = 'x';
    while (done < sizeof bytes) {
        got = weir_decoder_decode(decoder, bytes + done, sizeof bytes - done, &used, text, WEIR_DECODER_ROOM);
        assert_true(got > 0 && used > 0);
        assert_int_equal(text[WEIR_DECODER_ROOM], 'x');
        done += used;
        length += (size_t)got;
    }
    assert_int_equal(length, 4 * sizeof bytes);
    weir_decoder_free(decoder);
    weir_decoder_free(NULL);
    weir_encoder_free(NULL);
}

static void encoders_write_one_mark(void **state)
{
    (void)state;
    char bytes[200];
    size_t used;
    weir_encoder *encoder = weir_encoder_new("utf-8-sig", WEIR_TEXT_REPLACE);
    assert_int_equal(weir_encoder_encode(encoder, "\xc3", 1, &used, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "\xef\xbb\xbf", 3);
    assert_int_equal(weir_encoder_encode(encoder, "\xa9", 1, &used, bytes, sizeof bytes), 2);
    assert_memory_equal(bytes, "\xc3\xa9", 2);
    assert_int_equal(weir_encoder_encode(encoder, "\xc3", 1, &used, bytes, sizeof bytes), 0);
    assert_int_equal(weir_encoder_finish(encoder, bytes, sizeof bytes), 1);
    assert_int_equal(bytes[0], '?');
    /* The next text has its own. */
    assert_int_equal(weir_encoder_encode(encoder, "a", 1, &used, bytes, sizeof bytes), 4);
    weir_encoder_reset(encoder);
    assert_int_equal(weir_encoder_finish(encoder, bytes, sizeof bytes), 3);
    weir_encoder_free(encoder);
    assert_null(weir_encoder_new("klingon", WEIR_TEXT_STRICT));
}

/* A state is kept between the pieces, and brought back at the end. */
static void states_are_ended(void **state)
{
    (void)state;
    char bytes[200];
    size_t used;
    weir_encoder *encoder = weir_encoder_new("iso2022_jp", WEIR_TEXT_STRICT);
    assert_int_equal(weir_encoder_encode(encoder, "\xe3\x81\x82", 3, &used, bytes, sizeof bytes), 5);
    assert_int_equal(weir_encoder_encode(encoder, "\xe3\x81\x82", 3, &used, bytes, sizeof bytes), 2);
    assert_int_equal(weir_encoder_finish(encoder, bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "\x1b(B", 3);
    weir_encoder_free(encoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_survive_the_cut),
        cmocka_unit_test(half_a_character_at_the_end_is_bad),
        cmocka_unit_test(what_is_right_comes_before_the_error),
        cmocka_unit_test(rooms_may_be_small_but_not_too_small),
        cmocka_unit_test(encoders_write_one_mark),
        cmocka_unit_test(states_are_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

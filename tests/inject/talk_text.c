/* Conversations with text: encodings of one's own and of iconv's, numbers that need memory. */
#include <stdlib.h>
#include <string.h>

#include "talks.h"

static bool is_result(const char *call, char *got, size_t length, const char *expected)
{
    if (!got)
        return failed(call);
    bool well = is_text(call, got, length, expected);
    free(got);
    return well;
}

static bool all_at_once(void)
{
    size_t length = 0;
    char *text = weir_decode("\xff\x41", 2, "utf-8", WEIR_TEXT_BACKSLASHREPLACE, &length);
    if (!is_result("weir_decode", text, length, "\\xffA"))
        return false;
    text = weir_decode("\x80", 1, "cp1252", WEIR_TEXT_STRICT, &length);
    if (!is_result("weir_decode", text, length, "\xe2\x82\xac"))
        return false;
    text = weir_encode("\xe2\x82\xac\xe2\x86\x92", 6, "cp1252", WEIR_TEXT_REPLACE, &length);
    return is_result("weir_encode", text, length, "\x80?");
}

/* A result that grows again and again. */
static bool growing(void)
{
    char bytes[4000];
    size_t length = 0;
    memset(bytes, 0xff, sizeof bytes);
    char *text = weir_decode(bytes, sizeof bytes, "ascii", WEIR_TEXT_BACKSLASHREPLACE, &length);
    if (!text)
        return failed("weir_decode");
    free(text);
    return length == 4 * sizeof bytes || wrong("weir_decode gives %zu bytes", length);
}

static bool in_pieces(const char *encoding, const char *bytes, size_t size, const char *expected)
{
    char text[2 * WEIR_DECODER_ROOM];
    size_t used;
    weir_decoder *decoder = weir_decoder_new(encoding, WEIR_TEXT_STRICT);
    if (!decoder)
        return failed("weir_decoder_new");
    ssize_t first = weir_decoder_decode(decoder, bytes, size, &used, text, WEIR_DECODER_ROOM);
    ssize_t last = weir_decoder_finish(decoder, text + (first > 0 ? first : 0), WEIR_DECODER_ROOM);
    weir_decoder_free(decoder);
    if (first < 0 || last < 0)
        return failed("weir_decoder_decode");
    return is_text("weir_decoder_decode", text, (size_t)(first + last), expected);
}

/* An error that is the text's is told whatever there is no memory for. */
static bool refused(void)
{
    char *text = weir_decode("a\x80", 2, "utf-8", WEIR_TEXT_STRICT, NULL);
    if (text) {
        free(text);
        return wrong("0x80 is taken for text");
    }
    return errno == EILSEQ || failed("weir_decode");
}

static bool long_number(void)
{
    char text[200];
    double number;
    memset(text, '0', sizeof text);
    text[sizeof text - 1] = '7';
    TRY(weir_parse_float(text, sizeof text, &number));
    return number == 7 || wrong("the number is %f", number);
}

static bool texts(void)
{
    return all_at_once() && growing() && in_pieces("utf-16-le", "a\0b", 4, "ab") &&
           in_pieces("koi8-r", "\xc1", 1, "\xd0\xb0") && refused() && long_number();
}

const struct conversation text_talks[] = {
    {"texts", texts, .in_fiber = true},
    {"texts_in_thread", texts, .once = true},
    {0},
};

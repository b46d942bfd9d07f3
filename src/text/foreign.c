/*
 * The encodings that iconv(3) knows. Opening one may read files, and closing one may unload them, so both are done on
 * the pool; converting works in memory alone.
 */
#include <errno.h>
#include <string.h>
#include <weir/fiber.h>

#include "base/error.h"
#include "base/utf8.h"
#include "text/coder.h"

enum {
    CHUNK = 256
}; /* of text that is looked at before it is encoded: bounds what each character that is unknown costs */

#define NOT_OPEN ((iconv_t)-1)

/* --- opening and closing --- */

struct opening {
    const char *name;
    bool encodes;
    iconv_t foreign;
    uint8_t unit;
    int number; /* errno */
};

static bool is_incomplete(iconv_t foreign, size_t length)
{
    char bytes[] = "AAA", text[16], *in = bytes, *out = text;
    size_t room = sizeof text;
    bool incomplete = iconv(foreign, &in, &length, &out, &room) == (size_t)-1 && errno == EINVAL;
    iconv(foreign, NULL, NULL, NULL, NULL);
    return incomplete;
}

/* How many bytes at least an encoding has a character in: 4, 2 or 1. */
static uint8_t unit_of(iconv_t foreign)
{
    if (!is_incomplete(foreign, 1))
        return 1;
    return is_incomplete(foreign, 2) ? 4 : 2;
}

static int open_it(void *arg)
{
    struct opening *opening = arg;
    opening->foreign = opening->encodes ? iconv_open(opening->name, "UTF-8") : iconv_open("UTF-8", opening->name);
    if (opening->foreign == NOT_OPEN)
        opening->number = errno;
    else
        opening->unit = opening->encodes ? 1 : unit_of(opening->foreign);
    return 0;
}

static int close_it(void *arg)
{
    struct weir__coder *coder = arg;
    return iconv_close(coder->foreign);
}

/* Whether it is a name and nothing more: iconv's may have a / and what is to be done with errors behind it. */
static bool is_plain(const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:+()");
    return length > 0 && length < WEIR__CODER_NAME && !name[length];
}

int weir__foreign_open(struct weir__coder *coder, const char *name)
{
    const char *step = coder->encodes ? "encode" : "decode";
    struct opening opening = {.name = name, .encodes = coder->encodes, .number = is_plain(name) ? 0 : EINVAL};
    coder->from = coder->encodes ? &weir__utf8_codec : NULL;
    coder->to = coder->encodes ? NULL : &weir__utf8_codec;
    if (opening.number == 0 && weir_offload(open_it, &opening, NULL, NULL, WEIR_FOREVER) < 0)
        return -1;
    if (opening.number == EINVAL)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, step, coder->name, "no such encoding is known here");
    if (opening.number != 0)
        return weir__fail_system(opening.number, step, coder->name);
    coder->foreign = opening.foreign;
    coder->unit = opening.unit;
    return 0;
}

void weir__foreign_close(struct weir__coder *coder)
{
    int number = errno;
    if (weir_offload(close_it, coder, NULL, NULL, WEIR_FOREVER) < 0)
        close_it(coder);
    errno = number;
}

void weir__foreign_reset(struct weir__coder *coder)
{
    iconv(coder->foreign, NULL, NULL, NULL, NULL);
}

/* --- converting --- */

/* Converts the first `length` bytes of the input. Returns 0 or iconv's errno: E2BIG, EILSEQ, EINVAL. */
static int convert(struct weir__coder *coder, struct weir__flow *flow, size_t length)
{
    char *in = (char *)(uintptr_t)flow->in, *out = (char *)flow->out;
    size_t left = length;
    int number = iconv(coder->foreign, &in, &left, &out, &flow->room) == (size_t)-1 ? errno : 0;
    flow->in_length -= length - left;
    flow->in += length - left;
    flow->out = (unsigned char *)out;
    return number;
}

/* Puts a substitute in place of `count` bytes of the input. */
static void put(struct weir__coder *coder, struct weir__flow *flow, size_t count, const char *text, size_t length)
{
    struct weir__flow substitute = {(const unsigned char *)text, length, flow->out, flow->room};
    if (coder->encodes) {
        convert(coder, &substitute, length);
    } else {
        memcpy(flow->out, text, length);
        substitute.out += length;
        substitute.room -= length;
    }
    *flow = (struct weir__flow){flow->in + count, flow->in_length - count, substitute.out, substitute.room};
}

static enum weir__coded code_bad(struct weir__coder *coder, struct weir__flow *flow, size_t count, bool is_cut)
{
    char text[WEIR__SUBSTITUTE];
    if (coder->errors == WEIR_TEXT_STRICT)
        return weir__coder_blame(coder, flow, false, 0, is_cut);
    if (flow->room < WEIR__SUBSTITUTE)
        return WEIR__CODED_FULL;
    put(coder, flow, count, text, weir__substitute(coder, flow->in, count, text));
    return WEIR__CODED;
}

static enum weir__coded decode(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    while (flow->in_length > 0) {
        int number = convert(coder, flow, flow->in_length);
        if (number == E2BIG)
            return WEIR__CODED_FULL;
        if (number == 0)
            continue;
        bool is_cut = number == EINVAL && flow->in_length < WEIR__CODER_HELD;
        if (is_cut && !last)
            return WEIR__CODED_PART;
        size_t count = is_cut || flow->in_length < coder->unit ? flow->in_length : coder->unit;
        enum weir__coded result = code_bad(coder, flow, count, is_cut);
        if (result != WEIR__CODED)
            return result;
    }
    return WEIR__CODED;
}

static enum weir__coded encode_unknown(struct weir__coder *coder, struct weir__flow *flow)
{
    char text[WEIR__SUBSTITUTE];
    uint32_t character = 0;
    int count = weir__utf8_decode(flow->in, flow->in_length, &character);
    if (coder->errors == WEIR_TEXT_STRICT)
        return weir__coder_blame(coder, flow, true, character, false);
    if (flow->room < WEIR__SUBSTITUTE)
        return WEIR__CODED_FULL;
    put(coder, flow, (size_t)count, text, weir__substitute_character(coder, character, text));
    return WEIR__CODED;
}

/* What is no whole character of UTF-8. */
static enum weir__coded encode_bad(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    uint32_t character;
    int found = weir__utf8_decode(flow->in, flow->in_length, &character);
    if (found == 0 && !last)
        return WEIR__CODED_PART;
    return code_bad(coder, flow, found < 0 ? (size_t)-found : flow->in_length, found == 0);
}

/* Whether bytes (of whole characters) begin with a tag, U+E0000 to U+E007F, which iconv leaves out without a word. */
static bool is_tag(const unsigned char *bytes)
{
    return bytes[0] == 0xf3 && bytes[1] == 0xa0 && bytes[2] <= 0x81;
}

/* How many bytes of whole characters stand before the first tag; of a tag itself, its 4. */
static size_t without_tag(const unsigned char *bytes, size_t length)
{
    if (is_tag(bytes))
        return 4;
    for (const unsigned char *at = bytes; (at = memchr(at, 0xf3, length - (size_t)(at - bytes))) != NULL; at++)
        if (is_tag(at))
            return (size_t)(at - bytes);
    return length;
}

static enum weir__coded encode(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    while (flow->in_length > 0) {
        size_t whole = weir_utf8_span(flow->in, flow->in_length < CHUNK ? flow->in_length : CHUNK);
        struct weir__flow before = *flow;
        enum weir__coded result = WEIR__CODED;
        int number = 0;
        if (whole == 0)
            result = encode_bad(coder, flow, last);
        else
            number = convert(coder, flow, without_tag(flow->in, whole));
        if (number == E2BIG)
            return WEIR__CODED_FULL;
        if (whole > 0 && number == 0 && is_tag(before.in) && flow->out == before.out) {
            *flow = before;
            number = EILSEQ;
        }
        if (number != 0)
            result = encode_unknown(coder, flow);
        if (result != WEIR__CODED)
            return result;
    }
    return WEIR__CODED;
}

enum weir__coded weir__foreign_code(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    return coder->encodes ? encode(coder, flow, last) : decode(coder, flow, last);
}

enum weir__coded weir__foreign_end(struct weir__coder *coder, struct weir__flow *flow)
{
    char *out = (char *)flow->out;
    if (iconv(coder->foreign, NULL, NULL, &out, &flow->room) == (size_t)-1)
        return WEIR__CODED_FULL;
    flow->out = (unsigned char *)out;
    return WEIR__CODED;
}

/* A coder's work; see coder.h. */
#include "text/coder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

/* --- what is bad --- */

enum weir__coded weir__coder_blame(struct weir__coder *coder, const struct weir__flow *flow, bool is_character,
                                   uint32_t culprit, bool is_cut)
{
    coder->is_character = is_character;
    coder->culprit = is_character ? culprit : flow->in[0];
    coder->is_cut = is_cut;
    return WEIR__CODED_BAD;
}

int weir__coder_fail(const struct weir__coder *coder)
{
    const char *step = coder->encodes ? "encode" : "decode";
    unsigned long long offset = coder->offset;
    if (coder->is_character)
        weir_fail(WEIR_ERROR_USAGE, EILSEQ, step, coder->name, "U+%04X at offset %llu is not in this encoding",
                  (unsigned)coder->culprit, offset);
    else if (coder->is_cut)
        weir_fail(WEIR_ERROR_USAGE, EILSEQ, step, coder->name,
                  "the end is in the middle of a character, which begins with byte 0x%02x at offset %llu",
                  (unsigned)coder->culprit, offset);
    else
        weir_fail(WEIR_ERROR_USAGE, EILSEQ, step, coder->name, "byte 0x%02x at offset %llu is part of no character",
                  (unsigned)coder->culprit, offset);
    return weir__error_transferred(coder->offset);
}

static size_t put_hexadecimal(char *text, char letter, unsigned digits, uint32_t number)
{
    static const char hexadecimal[] = "0123456789abcdef";
    text[0] = '\\';
    text[1] = letter;
    for (unsigned i = 0; i < digits; i++, number >>= 4)
        text[1 + digits - i] = hexadecimal[number & 15];
    return 2 + digits;
}

size_t weir__substitute(const struct weir__coder *coder, const unsigned char *bytes, size_t count, char *text)
{
    size_t length = 0;
    if (coder->errors == WEIR_TEXT_REPLACE && coder->encodes)
        text[length++] = '?';
    else if (coder->errors == WEIR_TEXT_REPLACE)
        length = weir__utf8_encode(0xfffd, (unsigned char *)text);
    else if (coder->errors == WEIR_TEXT_BACKSLASHREPLACE)
        for (size_t i = 0; i < count; i++)
            length += put_hexadecimal(text + length, 'x', 2, bytes[i]);
    return length;
}

size_t weir__substitute_character(const struct weir__coder *coder, uint32_t character, char *text)
{
    if (coder->errors == WEIR_TEXT_REPLACE)
        text[0] = '?';
    if (coder->errors != WEIR_TEXT_BACKSLASHREPLACE)
        return coder->errors == WEIR_TEXT_REPLACE;
    if (character < 0x100)
        return put_hexadecimal(text, 'x', 2, character);
    return character < 0x10000 ? put_hexadecimal(text, 'u', 4, character) : put_hexadecimal(text, 'U', 8, character);
}

/* --- weir's own encodings --- */

static void take(struct weir__flow *flow, size_t used, size_t written)
{
    flow->in += used;
    flow->in_length -= used;
    flow->out += written;
    flow->room -= written;
}

/* Puts a substitute of ASCII in place of `count` bytes; one of a decoder's is UTF-8 already. */
static void put_substitute(struct weir__coder *coder, struct weir__flow *flow, size_t count, const char *text,
                           size_t length)
{
    size_t written = 0;
    if (!coder->encodes) {
        memcpy(flow->out, text, length);
        written = length;
    } else
        for (size_t i = 0; i < length; i++)
            written += coder->to->encode((unsigned char)text[i], flow->out + written);
    take(flow, count, written);
}

static enum weir__coded code_bad(struct weir__coder *coder, struct weir__flow *flow, size_t count, bool is_cut)
{
    char text[WEIR__SUBSTITUTE];
    if (coder->errors == WEIR_TEXT_STRICT)
        return weir__coder_blame(coder, flow, false, 0, is_cut);
    if (flow->room < WEIR__SUBSTITUTE)
        return WEIR__CODED_FULL;
    put_substitute(coder, flow, count, text, weir__substitute(coder, flow->in, count, text));
    return WEIR__CODED;
}

static enum weir__coded code_unknown(struct weir__coder *coder, struct weir__flow *flow, size_t count,
                                     uint32_t character)
{
    char text[WEIR__SUBSTITUTE];
    if (coder->errors == WEIR_TEXT_STRICT)
        return weir__coder_blame(coder, flow, true, character, false);
    if (flow->room < WEIR__SUBSTITUTE)
        return WEIR__CODED_FULL;
    put_substitute(coder, flow, count, text, weir__substitute_character(coder, character, text));
    return WEIR__CODED;
}

static enum weir__coded code_one(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    uint32_t character;
    unsigned char written[4];
    int found = coder->from->decode(flow->in, flow->in_length, &character);
    if (found == 0)
        return last ? code_bad(coder, flow, flow->in_length, true) : WEIR__CODED_PART;
    if (found < 0)
        return code_bad(coder, flow, (size_t)-found, false);
    size_t length = coder->to->encode(character, written);
    if (length == 0)
        return code_unknown(coder, flow, (size_t)found, character);
    if (length > flow->room)
        return WEIR__CODED_FULL;
    memcpy(flow->out, written, length);
    take(flow, (size_t)found, length);
    return WEIR__CODED;
}

/* What needs no look at each character, as far as it goes. */
static void code_run(struct weir__coder *coder, struct weir__flow *flow)
{
    const struct weir__codec *codec = coder->encodes ? coder->to : coder->from;
    void (*run)(struct weir__flow * flow) = coder->encodes ? codec->encode_run : codec->decode_run;
    if (codec->same) {
        size_t same = codec->same(flow->in, flow->in_length < flow->room ? flow->in_length : flow->room);
        memcpy(flow->out, flow->in, same);
        take(flow, same, same);
    } else if (run)
        run(flow);
}

static enum weir__coded code_own(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    while (flow->in_length > 0) {
        code_run(coder, flow);
        if (flow->in_length == 0)
            break;
        enum weir__coded result = code_one(coder, flow, last);
        if (result != WEIR__CODED)
            return result;
    }
    return WEIR__CODED;
}

/* --- marks --- */

/* Passes over the mark that the input begins with, if it does. PART: it may be one. */
static enum weir__coded look_for_mark(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    const struct weir__mark *marks = coder->encoding->marks;
    bool may_be = false;
    for (int i = 0; i < 2; i++) {
        size_t length = flow->in_length < marks[i].length ? flow->in_length : marks[i].length;
        if (memcmp(flow->in, marks[i].bytes, length) != 0)
            continue;
        if (length == marks[i].length) {
            coder->from = marks[i].codec;
            take(flow, length, 0);
            coder->begun = true;
            return WEIR__CODED;
        }
        may_be = true;
    }
    coder->begun = !may_be || last;
    return coder->begun ? WEIR__CODED : WEIR__CODED_PART;
}

static enum weir__coded write_mark(struct weir__coder *coder, struct weir__flow *flow)
{
    const struct weir__mark *mark = coder->encoding->marks;
    if (flow->room < mark->length)
        return WEIR__CODED_FULL;
    memcpy(flow->out, mark->bytes, mark->length);
    take(flow, 0, mark->length);
    coder->begun = true;
    return WEIR__CODED;
}

static enum weir__coded begin(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    if (coder->encoding && coder->encoding->marks)
        return coder->encodes ? write_mark(coder, flow) : look_for_mark(coder, flow, last);
    coder->begun = true;
    return WEIR__CODED;
}

/* --- pieces --- */

/* Codes bytes that are in one piece. */
static enum weir__coded code_whole(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    size_t before = flow->in_length;
    enum weir__coded result = coder->begun ? WEIR__CODED : begin(coder, flow, last);
    if (result == WEIR__CODED)
        result = coder->from && coder->to ? code_own(coder, flow, last) : weir__foreign_code(coder, flow, last);
    coder->offset += before - flow->in_length;
    return result;
}

/* Codes what was kept, with as many bytes of the piece as it needs. */
static enum weir__coded code_held(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    while (coder->held_length > 0) {
        struct weir__flow held = {coder->held, coder->held_length, flow->out, flow->room};
        enum weir__coded result = code_whole(coder, &held, last && flow->in_length == 0);
        flow->out = held.out;
        flow->room = held.room;
        memmove(coder->held, held.in, held.in_length);
        coder->held_length = (uint8_t)held.in_length;
        if (result != WEIR__CODED_PART)
            return result;
        if (flow->in_length == 0)
            return WEIR__CODED;
        coder->held[coder->held_length++] = flow->in[0];
        take(flow, 1, 0);
    }
    return WEIR__CODED;
}

enum weir__coded weir__coder_code(struct weir__coder *coder, struct weir__flow *flow, bool last)
{
    enum weir__coded result = code_held(coder, flow, last);
    if (result == WEIR__CODED && (flow->in_length > 0 || last))
        result = code_whole(coder, flow, last);
    if (result == WEIR__CODED_PART) {
        memcpy(coder->held, flow->in, flow->in_length);
        coder->held_length = (uint8_t)flow->in_length;
        take(flow, flow->in_length, 0);
        return WEIR__CODED;
    }
    if (result == WEIR__CODED && last && !(coder->from && coder->to))
        return weir__foreign_end(coder, flow);
    return result;
}

/* --- opening --- */

int weir__coder_open(struct weir__coder *coder, const char *encoding, weir_text_errors errors, bool encodes)
{
    *coder = (struct weir__coder){.errors = errors, .encodes = encodes, .unit = 1};
    const struct weir__encoding *found = weir__encoding_find(encoding);
    struct weir__text name = weir__text(coder->name, sizeof coder->name);
    weir__text_put_bytes(&name, encoding ? encoding : "utf-8",
                         encoding ? weir__text_cut(encoding, strlen(encoding), sizeof coder->name - 1) : 5);
    coder->encoding = found;
    if (!found || !found->codec)
        return weir__foreign_open(coder, !found ? encoding : found->iconv ? found->iconv : found->name);
    weir__coder_reset(coder);
    return 0;
}

void weir__coder_close(struct weir__coder *coder)
{
    if (!(coder->from && coder->to))
        weir__foreign_close(coder);
}

void weir__coder_reset(struct weir__coder *coder)
{
    coder->begun = false;
    coder->held_length = 0;
    coder->offset = 0;
    if (coder->encoding && coder->encoding->codec) {
        coder->from = coder->encodes ? &weir__utf8_codec : coder->encoding->codec;
        coder->to = coder->encodes ? coder->encoding->codec : &weir__utf8_codec;
    } else
        weir__foreign_reset(coder);
}

/* UTF-8, ASCII and Latin-1: what is ASCII is the same in all of them, and looked at eight bytes at a time and more. */
#include <string.h>
#include <weir/text.h>

#include "base/utf8.h"
#include "text/codec.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t word_at(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The place in a word of the first byte that has its high bit set; one has. */
static inline size_t first_high(uint64_t high)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(high) / 8;
#else
    return (size_t)__builtin_clzll(high) / 8;
#endif
}

static inline size_t ascii_span(const unsigned char *bytes, size_t length)
{
    size_t at = 0;
    for (; length - at >= 32; at += 32) {
        const unsigned char *here = bytes + at;
        if ((word_at(here) | word_at(here + 8) | word_at(here + 16) | word_at(here + 24)) & HIGH_BITS)
            break;
    }
    for (; length - at >= 8; at += 8) {
        uint64_t high = word_at(bytes + at) & HIGH_BITS;
        if (high)
            return at + first_high(high);
    }
    while (at < length && bytes[at] < 0x80)
        at++;
    return at;
}

size_t weir__ascii_span(const void *bytes, size_t length)
{
    return ascii_span(bytes, length);
}

static inline int continues(unsigned byte)
{
    return (byte & 0xc0) == 0x80;
}

/*
 * The length of the whole character of more than one byte that bytes begin with, the usual ones first; 0: there is
 * none.
 */
static inline size_t wide_length(const unsigned char *bytes, size_t length)
{
    uint32_t character;
    unsigned first = bytes[0];
    if (first >= 0xc2 && first < 0xe0 && length >= 2 && continues(bytes[1]))
        return 2;
    if (first > 0xe0 && first < 0xed && length >= 3 && continues(bytes[1]) && continues(bytes[2]))
        return 3;
    int found = weir__utf8_decode(bytes, length, &character);
    return found > 0 ? (size_t)found : 0;
}

size_t weir_utf8_span(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    size_t at = 0;
    for (;;) {
        at += ascii_span(bytes + at, length - at);
        while (at < length && bytes[at] >= 0x80) {
            size_t step = wide_length(bytes + at, length - at);
            if (step == 0)
                return at;
            at += step;
        }
        if (at == length)
            return at;
    }
}

static int utf8_decode(const unsigned char *bytes, size_t length, uint32_t *character)
{
    return weir__utf8_decode(bytes, length, character);
}

static size_t utf8_encode(uint32_t character, unsigned char *bytes)
{
    return weir__utf8_encode(character, bytes);
}

static int ascii_decode(const unsigned char *bytes, size_t length, uint32_t *character)
{
    (void)length;
    *character = bytes[0];
    return bytes[0] < 0x80 ? 1 : -1;
}

static size_t ascii_encode(uint32_t character, unsigned char *bytes)
{
    bytes[0] = (unsigned char)character;
    return character < 0x80;
}

static int latin1_decode(const unsigned char *bytes, size_t length, uint32_t *character)
{
    (void)length;
    *character = bytes[0];
    return 1;
}

static size_t latin1_encode(uint32_t character, unsigned char *bytes)
{
    bytes[0] = (unsigned char)character;
    return character < 0x100;
}

const struct weir__codec weir__utf8_codec = {weir_utf8_span, utf8_decode, utf8_encode, NULL, NULL};
const struct weir__codec weir__ascii_codec = {weir__ascii_span, ascii_decode, ascii_encode, NULL, NULL};
const struct weir__codec weir__latin1_codec = {weir__ascii_span, latin1_decode, latin1_encode, NULL, NULL};

/* One character of UTF-8, read and written: RFC 3629, section 4. */
#ifndef WEIR_BASE_UTF8_H
#define WEIR_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* The second byte is where overlong forms, surrogates and what is above U+10FFFF show. */
static inline int weir__utf8_second_fits(unsigned first, unsigned second)
{
    unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

/*
 * Reads the character that bytes (at least one) begin with. Returns its length; 0 where they are the beginning of one
 * and more is needed; -n where the first n are no character: a maximal part of one (Unicode, section 3.9), or one
 * byte.
 */
static inline int weir__utf8_decode(const unsigned char *bytes, size_t length, uint32_t *character)
{
    unsigned first = bytes[0];
    if (first < 0x80) {
        *character = first;
        return 1;
    }
    unsigned needed = first < 0xc2 || first > 0xf4 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (needed == 0)
        return -1;
    uint32_t value = first & (0x7fu >> needed);
    for (unsigned i = 1; i < needed; i++) {
        if (i == length)
            return 0;
        if (i == 1 ? !weir__utf8_second_fits(first, bytes[1]) : (bytes[i] & 0xc0) != 0x80)
            return -(int)i;
        value = value << 6 | (bytes[i] & 0x3fu);
    }
    *character = value;
    return (int)needed;
}

/* Writes a character, which must be one (no surrogate, at most U+10FFFF), in at most 4 bytes. Returns its length. */
static inline size_t weir__utf8_encode(uint32_t character, unsigned char *bytes)
{
    if (character < 0x80) {
        bytes[0] = (unsigned char)character;
        return 1;
    }
    if (character < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | character >> 6);
        bytes[1] = (unsigned char)(0x80 | (character & 0x3f));
        return 2;
    }
    size_t length = character < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, character >>= 6)
        bytes[i] = (unsigned char)(0x80 | (character & 0x3f));
    bytes[0] = (unsigned char)((0xf00u >> length) | character);
    return length;
}

#endif

/* Titles as text that may be shown anywhere: UTF-8 without controls, cut behind a whole character. */
#include <stdlib.h>
#include <string.h>

#include "title.h"

static bool is_shown(uint32_t character)
{
    bool is_control = character < 0x20 || (character >= 0x7f && character < 0xa0);
    bool is_scalar = character <= 0x10ffff && (character < 0xd800 || character > 0xdfff);
    bool is_break = character == 0x2028 || character == 0x2029;
    bool is_turn = character == 0x061c || character == 0x200e || character == 0x200f ||
                   (character >= 0x202a && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
    return is_scalar && !is_control && !is_break && !is_turn;
}

static size_t encode(uint32_t character, char bytes[4])
{
    size_t length = character < 0x80 ? 1 : character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        bytes[i] = (char)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    bytes[0] = (char)(marks[length] | character);
    return length;
}

void title_put(char title[TITLE_MOST], uint32_t character)
{
    char bytes[4];
    if (!is_shown(character))
        return;
    size_t length = strlen(title), more = encode(character, bytes);
    if (length + more >= TITLE_MOST)
        return;
    memcpy(title + length, bytes, more);
    title[length + more] = '\0';
}

/* The first character of valid UTF-8, and how long it is. */
static uint32_t decode(const char *text, size_t *length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    *length = bytes[0] < 0x80 ? 1 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    uint32_t character = bytes[0] & (*length == 1 ? 0x7f : 0xff >> (*length + 1));
    for (size_t i = 1; i < *length; i++)
        character = character << 6 | (bytes[i] & 0x3f);
    return character;
}

/* What is no UTF-8 is left out. */
void title_put_name(char title[TITLE_MOST], const char *name)
{
    size_t left = strlen(name);
    while (left > 0) {
        size_t span = weir_utf8_span(name, left), length = 1;
        for (size_t at = 0; at < span; at += length)
            title_put(title, decode(name + at, &length));
        size_t passed = span < left ? span + 1 : span;
        name += passed;
        left -= passed;
    }
}

/*
 * Escaping: what a peer sends can neither steer a terminal nor look like a line of its own.
 *
 * Shown as they are: printable ASCII and whole UTF-8 characters. Escaped, byte by byte as \xHH: C0 controls and DEL, C1
 * controls (a terminal in UTF-8 obeys U+009B as ESC [), the line and paragraph separators, the characters that turn the
 * direction of text and so the order in which a line is seen, and bytes that are no UTF-8.
 */
#include "base/escape.h"

#include <string.h>

#include "base/text.h"

enum { PIECE = 4 * 5 }; /* the longest that a character becomes: four bytes, each as \\xHH in JSON */

static uint32_t character_at(const char *bytes, size_t length)
{
    const unsigned char *byte = (const unsigned char *)bytes;
    switch (length) {
    case 1:
        return byte[0];
    case 2:
        return (byte[0] & 0x1fU) << 6 | (byte[1] & 0x3fU);
    case 3:
        return (byte[0] & 0x0fU) << 12 | (byte[1] & 0x3fU) << 6 | (byte[2] & 0x3fU);
    default:
        return (byte[0] & 0x07U) << 18 | (byte[1] & 0x3fU) << 12 | (byte[2] & 0x3fU) << 6 | (byte[3] & 0x3fU);
    }
}

static bool is_unsafe(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character <= 0x9f) ||
           (character >= 0x2028 && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
}

static void put_byte(struct weir__text *piece, char byte, int how)
{
    static const char digits[] = "0123456789abcdef";
    char escaped[] = {'\\', 'x', digits[(unsigned char)byte >> 4], digits[byte & 0xf]};
    if (how & WEIR__ESCAPE_JSON)
        weir__text_put_char(piece, '\\');
    weir__text_put_bytes(piece, escaped, sizeof escaped);
}

static void put_ascii(struct weir__text *piece, char character, int how)
{
    size_t times = 1;
    if (character == '\\' && how & WEIR__ESCAPE_BACKSLASH)
        times *= 2;
    if (character == '\\' && how & WEIR__ESCAPE_JSON)
        times *= 2;
    if (character == '"' && how & WEIR__ESCAPE_JSON)
        weir__text_put_char(piece, '\\');
    while (times-- > 0)
        weir__text_put_char(piece, character);
}

/* Writes what the first character shows as. Returns how many bytes it was. */
static size_t put_character(struct weir__text *piece, const char *bytes, size_t length, int how)
{
    size_t valid = weir__utf8_length(bytes, length);
    size_t taken = valid > 0 ? valid : 1;
    if (valid == 0 || is_unsafe(character_at(bytes, valid)))
        for (size_t i = 0; i < taken; i++)
            put_byte(piece, bytes[i], how);
    else if (valid == 1)
        put_ascii(piece, bytes[0], how);
    else
        weir__text_put_bytes(piece, bytes, valid);
    return taken;
}

/* Marks a cut at `end`, or as much of a mark as there is room for. */
static size_t mark_cut(char *to, size_t end, size_t most)
{
    size_t dots = most - end < 3 ? most - end : 3;
    memset(to + end, '.', dots);
    return end + dots;
}

size_t weir__escape(const char *bytes, size_t length, bool cut, int how, char *to, size_t most)
{
    size_t end = 0;
    size_t markable = 0; /* the last end of a character behind which the mark still fits */
    for (size_t at = 0; at < length;) {
        char data[PIECE + 1];
        struct weir__text piece = weir__text(data, sizeof data);
        at += put_character(&piece, bytes + at, length - at, how);
        if (piece.length > most - end)
            return mark_cut(to, markable, most);
        memcpy(to + end, data, piece.length);
        end += piece.length;
        if (end + 3 <= most)
            markable = end;
    }
    return cut ? mark_cut(to, markable, most) : end;
}

char *weir_escape(const void *data, size_t length, char *text, size_t size)
{
    if (size > 0)
        text[weir__escape(data, length, false, WEIR__ESCAPE_BACKSLASH, text, size - 1)] = '\0';
    return text;
}

/* White space and digits; see character.h. */
#include "text/character.h"

#include <weir/log.h>

#include "base/text.h"
#include "base/utf8.h"

bool weir__is_space(uint32_t character)
{
    if (character < 0x80)
        return character == ' ' || (character >= 0x09 && character <= 0x0d) || (character >= 0x1c && character <= 0x1f);
    return character == 0x85 || character == 0xa0 || character == 0x1680 ||
           (character >= 0x2000 && character <= 0x200a) || character == 0x2028 || character == 0x2029 ||
           character == 0x202f || character == 0x205f || character == 0x3000;
}

/* clang-format makes steps of such lists. */
/* clang-format off */
/* The zeros of all scripts; the nine digits above them follow each. */
static const uint32_t zeros[] = {
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66, 0x0de6,
    0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066, 0x110f0,
    0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50,
    0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950,
    0x1fbf0,
};
/* clang-format on */

int weir__digit(uint32_t character)
{
    size_t low = 0, high = sizeof zeros / sizeof *zeros; /* the first zero above the character is in between */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (zeros[middle] <= character)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && character - zeros[low - 1] < 10 ? (int)(character - zeros[low - 1]) : -1;
}

/* --- numbers --- */

static int fold(uint32_t character)
{
    if (character < 0x80)
        return (int)character;
    int digit = weir__digit(character);
    return digit >= 0 ? '0' + digit : weir__is_space(character) ? ' ' : '?';
}

/* The character that the text begins with, and its length. Bytes that are no UTF-8 are each something else. */
static int read_folded(const unsigned char *bytes, size_t length, size_t *step)
{
    uint32_t character;
    int found = weir__utf8_decode(bytes, length, &character);
    *step = found > 0 ? (size_t)found : 1;
    return found > 0 ? fold(character) : '?';
}

/* Of ASCII, four fewer than weir__is_space has: 0x1c to 0x1f. Python has both. */
static bool is_around(int folded)
{
    return folded == ' ' || (folded >= 0x09 && folded <= 0x0d);
}

struct weir__number_text weir__number_text(const char *string, size_t length)
{
    size_t step;
    struct weir__number_text text = {(const unsigned char *)string, (const unsigned char *)string + length};
    while (text.next < text.end && is_around(read_folded(text.next, (size_t)(text.end - text.next), &step)))
        text.next += step;
    while (text.next < text.end) {
        const unsigned char *last = text.end - 1;
        while (last > text.next && text.end - last < 4 && (*last & 0xc0) == 0x80)
            last--;
        size_t left = (size_t)(text.end - last);
        if (!is_around(read_folded(last, left, &step)) || step != left)
            break;
        text.end = last;
    }
    return text;
}

int weir__number_peek(const struct weir__number_text *text)
{
    size_t step;
    return text->next == text->end ? -1 : read_folded(text->next, (size_t)(text->end - text->next), &step);
}

int weir__number_next(struct weir__number_text *text)
{
    size_t step;
    if (text->next == text->end)
        return -1;
    int folded = read_folded(text->next, (size_t)(text->end - text->next), &step);
    text->next += step;
    return folded;
}

const char *weir__number_shown(const char *text, size_t length, char *shown)
{
    return weir_escape(text, length, shown, WEIR__NUMBER_SHOWN);
}

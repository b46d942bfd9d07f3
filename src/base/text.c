/* Text in fixed buffers: appended to with bounds, and cut where characters end. */
#include "base/text.h"

#include <string.h>

struct weir__text weir__text(char *data, size_t size)
{
    if (size > 0)
        data[0] = '\0';
    return (struct weir__text){.data = data, .size = size};
}

void weir__text_put_bytes(struct weir__text *text, const char *bytes, size_t length)
{
    if (text->size == 0)
        return;
    size_t room = text->size - 1 - text->length;
    if (length > room)
        length = room;
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void weir__text_put(struct weir__text *text, const char *string)
{
    weir__text_put_bytes(text, string, strlen(string));
}

void weir__text_put_char(struct weir__text *text, char character)
{
    weir__text_put_bytes(text, &character, 1);
}

void weir__text_put_number(struct weir__text *text, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    weir__text_put_bytes(text, digits + first, sizeof digits - first);
}

size_t weir__copy_text(char *to, const char *string, size_t size)
{
    size_t length = strlen(string);
    struct weir__text text = weir__text(to, size);
    weir__text_put_bytes(&text, string, length);
    return length;
}

static int is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

size_t weir__text_cut(const char *bytes, size_t length, size_t most)
{
    if (length <= most)
        return length;
    size_t end = most;
    while (end > 0 && most - end < 3 && is_continuation(bytes[end]))
        end--;
    /* Bytes that are no UTF-8 have no characters to keep whole. */
    return is_continuation(bytes[end]) ? most : end;
}

/*
 * What RFC 3629, section 4 allows for the second byte: it is where overlong forms, surrogates and what is above
 * U+10FFFF show.
 */
static int second_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return 1;
    }
}

static size_t length_of_first(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t weir__utf8_length(const char *bytes, size_t length)
{
    if (length == 0)
        return 0;
    size_t needed = length_of_first((unsigned char)bytes[0]);
    if (needed > length)
        return 0;
    for (size_t i = 1; i < needed; i++)
        if (!is_continuation(bytes[i]))
            return 0;
    return needed > 1 && !second_fits((unsigned char)bytes[0], (unsigned char)bytes[1]) ? 0 : needed;
}

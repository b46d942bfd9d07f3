/* Text in fixed buffers: appended to with bounds, and cut where characters end. */
#include "base/text.h"

#include <string.h>

#include "base/utf8.h"

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

size_t weir__utf8_length(const char *bytes, size_t length)
{
    uint32_t character;
    int found = length > 0 ? weir__utf8_decode((const unsigned char *)bytes, length, &character) : 0;
    return found > 0 ? (size_t)found : 0;
}

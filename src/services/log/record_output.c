/*
 * Bytes into a line, escaped where they must be: whatever a sender writes stays within its line, cannot steer a terminal
 * and leaves UTF-8. Escaped are controls (also U+0080 to U+009F), line and paragraph separators, the characters that turn
 * the direction of text, and bytes that are no UTF-8.
 */
#include <string.h>

#include "record_inside.h"

void put(struct output *output, const char *text, size_t length)
{
    if (output->full || length > output->room - output->length) {
        output->full = true;
        return;
    }
    if (length > 0)
        memcpy(output->text + output->length, text, length);
    output->length += length;
}

void put_character(struct output *output, char character)
{
    put(output, &character, 1);
}

void put_string(struct output *output, const char *text)
{
    put(output, text, strlen(text));
}

void put_digits(struct output *output, int64_t number, int count)
{
    char digits[20];
    for (int i = count - 1; i >= 0; i--, number /= 10)
        digits[i] = (char)('0' + number % 10);
    put(output, digits, (size_t)count);
}

/* --- escaping --- */

static void put_hexadecimal(struct output *output, uint32_t number, int count)
{
    static const char digits[] = "0123456789abcdef";
    while (count-- > 0)
        put_character(output, digits[number >> (4 * count) & 0xf]);
}

/* A byte that belongs to no character: \xHH, in JSON the same text. */
static void put_byte(struct output *output, unsigned char byte)
{
    put_string(output, output->json ? "\\\\x" : "\\x");
    put_hexadecimal(output, byte, 2);
}

/* An ASCII character that stands for itself nowhere, or not here. */
static void put_special(struct output *output, unsigned char character)
{
    static const char escapes[] = "\nn\tt\rr\\\\\"\"";
    const char *escape = escapes;
    while (*escape && (unsigned char)*escape != character)
        escape += 2;
    if (character == '"' && !output->json) {
        put_character(output, '"');
    } else if (*escape) {
        put_character(output, '\\');
        put_character(output, escape[1]);
    } else if (output->json) {
        put_string(output, "\\u");
        put_hexadecimal(output, character, 4);
    } else {
        put_byte(output, character);
    }
}

/* The length of the character that text, which is UTF-8, begins with. */
static size_t length_of(unsigned char first)
{
    return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The character of two or three bytes, if it must not be shown; else 0. */
static uint32_t unsafe(const unsigned char *bytes, size_t length)
{
    uint32_t character = length == 2   ? (bytes[0] & 0x1fU) << 6 | (bytes[1] & 0x3fU)
                         : length == 3 ? (bytes[0] & 0xfU) << 12 | (bytes[1] & 0x3fU) << 6 | (bytes[2] & 0x3fU)
                                       : 0;
    bool is_unsafe = (character >= 0x80 && character <= 0x9f) || (character >= 0x2028 && character <= 0x202e) ||
                     (character >= 0x2066 && character <= 0x2069);
    return is_unsafe ? character : 0;
}

/* A character beyond ASCII. */
static void put_wide(struct output *output, const unsigned char *bytes, size_t length)
{
    uint32_t character = unsafe(bytes, length);
    if (!character) {
        put(output, (const char *)bytes, length);
    } else if (output->json) {
        put_string(output, "\\u");
        put_hexadecimal(output, character, 4);
    } else {
        for (size_t i = 0; i < length; i++)
            put_byte(output, bytes[i]);
    }
}

static bool is_plain(unsigned char byte)
{
    return byte >= ' ' && byte <= '~' && byte != '\\' && byte != '"';
}

/* The top bit of each byte of eight that is `byte`, and perhaps of others above such a one. */
static uint64_t equal(uint64_t eight, unsigned char byte)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t difference = eight ^ (ones * byte);
    return (difference - ones) & ~difference;
}

/* Whether all of eight bytes are plain, at once. */
static bool are_plain(const unsigned char *bytes)
{
    const uint64_t ones = 0x0101010101010101, tops = ones * 0x80;
    uint64_t eight;
    memcpy(&eight, bytes, sizeof eight);
    uint64_t low = eight - ones * ' '; /* with its top bit, as bytes beyond ASCII have it */
    return ((eight | low | equal(eight, 0x7f) | equal(eight, '\\') | equal(eight, '"')) & tops) == 0;
}

/* How many bytes, from the first on, are ASCII that stays as it is in a line and in JSON. */
static size_t plain_span(const unsigned char *bytes, size_t length)
{
    size_t count = 0;
    while (length - count >= sizeof(uint64_t) && are_plain(bytes + count))
        count += sizeof(uint64_t);
    while (count < length && is_plain(bytes[count]))
        count++;
    return count;
}

/* Goes over all that is beyond ASCII. Returns how many bytes that were, at least one. */
static size_t put_foreign(struct output *output, const unsigned char *bytes, size_t length)
{
    size_t valid = weir_utf8_span(bytes, length), at = 0;
    if (valid == 0) {
        put_byte(output, bytes[0]);
        return 1;
    }
    while (at < valid && bytes[at] >= 0x80) {
        size_t size = length_of(bytes[at]);
        put_wide(output, bytes + at, size);
        at += size;
    }
    return at;
}

void put_escaped(struct output *output, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < length && !output->full;) {
        size_t run = plain_span(bytes + at, length - at);
        put(output, text + at, run);
        at += run;
        if (at < length && bytes[at] < 0x80)
            put_special(output, bytes[at++]);
        else if (at < length)
            at += put_foreign(output, bytes + at, length - at);
    }
}

/* Ranges of bytes; see range.h. */
#include "range.h"

#include <string.h>

/* Digits at *text, passed over. What is above 18 of them is behind any end. False: there are none. */
static bool read_number(const char **text, uint64_t *number)
{
    size_t digits = strspn(*text, "0123456789");
    *number = 0;
    for (size_t i = 0; i < digits; i++)
        *number = *number > INT64_MAX / 10 - 1 ? INT64_MAX : *number * 10 + (uint64_t)((*text)[i] - '0');
    *text += digits;
    return digits > 0;
}

/* "-500": the last bytes. */
static bool read_suffix(const char **text, uint64_t size, struct range *range)
{
    uint64_t length;
    ++*text;
    if (!read_number(text, &length))
        return false;
    if (length > size)
        length = size;
    *range = (struct range){.first = size - length, .length = length};
    return true;
}

/* "0-499", "500-". One that lies behind the end gets length 0. */
static bool read_span(const char **text, uint64_t size, struct range *range)
{
    uint64_t first, last = INT64_MAX;
    if (!read_number(text, &first) || **text != '-')
        return false;
    ++*text;
    if (**text >= '0' && **text <= '9')
        read_number(text, &last);
    if (last < first)
        return false;
    *range = (struct range){.first = first};
    if (first < size)
        range->length = (last < size ? last : size - 1) - first + 1;
    return true;
}

static void skip_space(const char **text)
{
    *text += strspn(*text, " \t");
}

/* The next of the list, without those that it may have empty. 1, 0: its end, -1: malformed. */
static int next_range(const char **text, uint64_t size, struct range *range)
{
    *text += strspn(*text, " \t,");
    if (!**text)
        return 0;
    if (!(**text == '-' ? read_suffix(text, size, range) : read_span(text, size, range)))
        return -1;
    skip_space(text);
    return **text == ',' || **text == '\0' ? 1 : -1;
}

enum ranges_found range_parse(const char *value, uint64_t size, struct range ranges[RANGES_MOST], size_t *count)
{
    struct range range;
    uint64_t total = 0;
    size_t seen = 0;
    int got;
    *count = 0;
    if (strncasecmp(value, "bytes=", 6) != 0)
        return RANGES_NONE;
    for (value += 6; (got = next_range(&value, size, &range)) > 0; seen++) {
        if (seen == RANGES_MOST)
            return RANGES_NONE;
        total += range.length;
        if (range.length > 0)
            ranges[(*count)++] = range;
    }
    if (got < 0 || seen == 0 || (*count > 1 && total > size))
        return RANGES_NONE;
    return *count > 0 ? RANGES_SOME : RANGES_BEYOND;
}

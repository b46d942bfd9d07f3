/*
 * Splitting: the parts and what stands between them are the text, no part holds what it is split at, and the calls agree.
 *
 * The input: a byte for the maximum, one for the length of the separator (0: white space), the separator, the text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

#include "fuzz.h"

enum { PARTS = 32 };

/* White space in UTF-8, as Python's str.isspace has it. */
static const char *const spaces[] = {"\t",           "\n",           "\v",           "\f",           "\r",
                                     "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
                                     "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
                                     "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
                                     "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
                                     "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", NULL};

/* The length of what is split at that text begins with. */
static size_t border(const char *text, size_t length, const char *separator)
{
    const char *const one[] = {separator, NULL};
    for (const char *const *word = separator ? one : spaces; *word; word++)
        if (strlen(*word) <= length && memcmp(text, *word, strlen(*word)) == 0)
            return strlen(*word);
    return 0;
}

static bool holds_border(const char *text, size_t length, const char *separator)
{
    for (size_t i = 0; i < length; i++)
        if (border(text + i, length - i, separator) > 0)
            return true;
    return false;
}

/* What stands between two parts: one separator, or white space and nothing else. */
static void require_between(const char *from, const char *to, const char *separator, bool within)
{
    size_t length = (size_t)(to - from), at = 0, step;
    if (separator) {
        fuzz_require(length == (within ? strlen(separator) : 0), "%zu bytes", length);
        fuzz_require(!within || border(from, length, separator) > 0, "%zu bytes", length);
        return;
    }
    while (at < length && (step = border(from + at, length - at, NULL)) > 0)
        at += step;
    fuzz_require(at == length, "%zu of %zu bytes are white space", at, length);
}

/* Goes through the parts one after the other. Returns how many they are. */
static size_t require_parts(const char *text, size_t length, const char *separator, int64_t most)
{
    weir_part part;
    size_t count = 0;
    const char *behind = text, *end = text + length;
    weir_splitter splitter = weir_splitter_begin(text, length, separator, most);
    while (weir_splitter_next(&splitter, &part)) {
        fuzz_require(part.text >= behind && part.text + part.length <= end, "part %zu", count);
        require_between(behind, part.text, separator, count > 0);
        bool is_rest = most >= 0 && count == (size_t)most;
        fuzz_require(is_rest || !holds_border(part.text, part.length, separator), "part %zu is split no more", count);
        fuzz_require(separator || part.length > 0, "part %zu is empty", count);
        behind = part.text + part.length;
        count++;
    }
    require_between(behind, end, separator, false);
    fuzz_require(most < 0 || count <= (size_t)most + 1, "%zu parts", count);
    fuzz_require(!weir_splitter_next(&splitter, &part), "one after the last of %zu", count);
    return count;
}

static void try_array(const char *text, size_t length, const char *separator, int64_t most, size_t count)
{
    weir_part parts[PARTS], part;
    ssize_t got = weir_split(text, length, separator, most, parts, PARTS);
    fuzz_require(got == (count > PARTS ? -1 : (ssize_t)count), "%zd of %zu", got, count);
    if (got < 0) {
        fuzz_require(errno == E2BIG, "%d", errno);
        fuzz_require_error(WEIR_ERROR_LIMIT, NULL, 0);
    }
    weir_splitter splitter = weir_splitter_begin(text, length, separator, most);
    for (size_t i = 0; i < PARTS && weir_splitter_next(&splitter, &part); i++)
        fuzz_require(part.text == parts[i].text && part.length == parts[i].length, "part %zu", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    int64_t most = (int64_t)fuzz_byte(&input) % 16 - 1;
    size_t separator_length, length, wanted = fuzz_below(&input, 5);
    const uint8_t *bytes = fuzz_take(&input, wanted, &separator_length);
    char *separator = wanted > 0 ? fuzz_string(bytes, separator_length) : NULL;
    bytes = fuzz_take(&input, SIZE_MAX, &length);
    char *text = fuzz_alloc(length); /* of just its size */
    if (length > 0)
        memcpy(text, bytes, length);
    if (separator && !*separator)
        fuzz_require(weir_split(text, length, separator, most, NULL, 0) == -1 && errno == EINVAL, "%d", errno);
    else
        try_array(text, length, separator, most, require_parts(text, length, separator, most));
    free(text);
    free(separator);
    return 0;
}

/* What the fuzz targets share; see fuzz.h. */
#include "fuzz.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/log.h>

void fuzz_broken(const char *file, int line, const char *property, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "%s:%d: broken: %s: ", file, line, property);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

/* --- taking an input apart --- */

unsigned fuzz_byte(struct fuzz_input *input)
{
    return input->next < input->end ? *input->next++ : 0;
}

unsigned fuzz_short(struct fuzz_input *input)
{
    unsigned high = fuzz_byte(input);
    return high << 8 | fuzz_byte(input);
}

unsigned fuzz_below(struct fuzz_input *input, unsigned count)
{
    return fuzz_byte(input) % count;
}

const uint8_t *fuzz_take(struct fuzz_input *input, size_t most, size_t *length)
{
    const uint8_t *bytes = input->next;
    *length = fuzz_left(input) < most ? fuzz_left(input) : most;
    input->next += *length;
    return bytes;
}

/* --- memory --- */

void *fuzz_alloc(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (!memory)
        abort();
    return memory;
}

char *fuzz_string(const void *bytes, size_t length)
{
    char *string = fuzz_alloc(length + 1);
    if (length > 0)
        memcpy(string, bytes, length);
    return string;
}

/* --- text --- */

/* Decodes one character by what its code point may be, not by its bytes. Returns its length; 0: there is none. */
static size_t decode(const unsigned char *bytes, size_t length, uint32_t *character)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t needed = bytes[0] < 0x80       ? 1
                    : bytes[0] >> 5 == 6  ? 2
                    : bytes[0] >> 4 == 14 ? 3
                    : bytes[0] >> 3 == 30 ? 4
                                          : 0;
    if (needed == 0 || needed > length)
        return 0;
    *character = needed == 1 ? bytes[0] : bytes[0] & (0x7fu >> needed);
    for (size_t i = 1; i < needed; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        *character = *character << 6 | (bytes[i] & 0x3fu);
    }
    bool surrogate = *character >= 0xd800 && *character <= 0xdfff;
    return *character < smallest[needed] || surrogate || *character > 0x10ffff ? 0 : needed;
}

bool fuzz_is_utf8(const char *text, size_t length)
{
    uint32_t character;
    for (size_t at = 0, step; at < length; at += step)
        if ((step = decode((const unsigned char *)text + at, length - at, &character)) == 0)
            return false;
    return true;
}

/* Controls (Unicode's Cc), line and paragraph separators, and the embeddings, overrides and isolates of UAX 9. */
static bool steers(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x2028 || character == 0x2029 ||
           (character >= 0x202a && character <= 0x202e) || (character >= 0x2066 && character <= 0x2069);
}

bool fuzz_is_showable(const char *text, size_t length)
{
    uint32_t character;
    for (size_t at = 0, step; at < length; at += step)
        if ((step = decode((const unsigned char *)text + at, length - at, &character)) == 0 || steers(character))
            return false;
    return true;
}

/* --- errors --- */

static bool all_utf8(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!fuzz_is_utf8(texts[i], strlen(texts[i])))
            return false;
    return true;
}

/* "STEP SUBJECT: REASON", without what is empty. */
static void require_sentence(const weir_error_info *error)
{
    char expected[1024];
    bool both = *error->step && *error->subject, either = *error->step || *error->subject;
    snprintf(expected, sizeof expected, "%s%s%s%s%s", error->step, both ? " " : "", error->subject, either ? ": " : "",
             error->reason);
    fuzz_require(strcmp(expected, error->sentence) == 0, "'%s' is not '%s'", error->sentence, expected);
}

void fuzz_require_error(weir_error_kind kind, const char *const *texts, size_t count)
{
    const weir_error_info *error = weir_error();
    char shown[4096];
    fuzz_require(error->kind == kind, "%s: %s", weir_error_kind_name(error->kind), error->sentence);
    fuzz_require(error->number == errno, "%d, errno %d", error->number, errno);
    fuzz_require(*error->reason, "the sentence is '%s'", error->sentence);
    fuzz_require(strlen(error->step) <= 31 && strlen(error->subject) <= 400 && strlen(error->reason) <= 300, "'%s'",
                 error->sentence);
    require_sentence(error);
    if (all_utf8(texts, count))
        fuzz_require(fuzz_is_utf8(error->sentence, strlen(error->sentence)), "'%s'", error->sentence);
    weir_escape(error->sentence, strlen(error->sentence), shown, sizeof shown);
    fuzz_require(fuzz_is_showable(shown, strlen(shown)), "'%s'", shown);
}

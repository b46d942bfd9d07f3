/*
 * Encodings: pieces are the whole, text is UTF-8, what was read strictly is written back as the same; judged by Unicode's table of
 * well-formed sequences (3-7), and by arithmetic on units.
 *
 * The input: a byte for the encoding, one for what is done with errors, one for the size of the pieces; then the bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

#include "fuzz.h"

static const char *const names[] = {"utf-8",     "ascii",     "latin-1",    "utf-16-le", "utf-16-be", "utf-32-le",
                                    "utf-32-be", "utf-8-sig", "utf-16",     "utf-32",    "cp1252",    "shift_jis",
                                    "gb18030",   "utf-7",     "iso2022_jp", "big5hkscs", "cp1255",    "UCS-2BE"};
enum { NAMES = sizeof names / sizeof *names, UNMARKED = 7, OWN = 10, PLAIN = 11 };

struct text {
    char *data;
    size_t length;
};

static void put(struct text *text, const void *data, size_t length)
{
    char *longer = fuzz_alloc(text->length + length + 1);
    if (text->length > 0)
        memcpy(longer, text->data, text->length);
    if (length > 0)
        memcpy(longer + text->length, data, length);
    free(text->data);
    text->data = longer;
    text->length += length;
}

/* --- the reference: characters of the unmarked encodings --- */

struct sequence {
    unsigned char low[4], high[4];
    unsigned length;
};

/* Table 3-7 of the Unicode standard. */
static const struct sequence sequences[] = {
    {{0x00}, {0x7f}, 1},
    {{0xc2, 0x80}, {0xdf, 0xbf}, 2},
    {{0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}, 3},
    {{0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}, 3},
    {{0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}, 3},
    {{0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}, 3},
    {{0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}, 4},
    {{0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}, 4},
    {{0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}, 4},
};

/* Whether bytes begin with a character; *length is its, or that of the longest beginning of one, at least 1. */
static bool is_sequence(const uint8_t *bytes, size_t left, size_t *length)
{
    *length = 1;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++) {
        size_t fits = 0;
        while (fits < sequences[i].length && fits < left && bytes[fits] >= sequences[i].low[fits] &&
               bytes[fits] <= sequences[i].high[fits])
            fits++;
        if (fits > *length || (fits == 1 && sequences[i].length == 1))
            *length = fits;
        if (fits == sequences[i].length)
            return true;
    }
    return false;
}

static uint32_t unit(const uint8_t *bytes, size_t size, bool big)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint32_t)bytes[i] << 8 * (big ? size - 1 - i : i);
    return value;
}

/* Of UTF-16 and UTF-32: the character, -1 where there is none, and how many bytes that are. */
static int64_t wide(const uint8_t *bytes, size_t left, size_t size, bool big, size_t *length)
{
    *length = left < size ? left : size;
    if (left < size)
        return -1;
    uint32_t first = unit(bytes, size, big);
    if (first > 0x10ffff || (first >= 0xdc00 && first < 0xe000) || (size == 4 && first >= 0xd800 && first < 0xe000))
        return -1;
    if (first < 0xd800 || first >= 0xe000)
        return first;
    if (left < 4) {
        *length = left;
        return -1;
    }
    uint32_t second = unit(bytes + 2, 2, big);
    if (second < 0xdc00 || second >= 0xe000)
        return -1;
    *length = 4;
    return 0x10000 + ((int64_t)first - 0xd800) * 0x400 + second - 0xdc00;
}

static void put_character(struct text *text, uint32_t character)
{
    char utf8[8];
    int length =
        character < 0x80    ? snprintf(utf8, 8, "%c", (int)character)
        : character < 0x800 ? snprintf(utf8, 8, "%c%c", (int)(0xc0 + character / 64), (int)(0x80 + character % 64))
        : character < 0x10000
            ? snprintf(utf8, 8, "%c%c%c", (int)(0xe0 + character / 4096), (int)(0x80 + character / 64 % 64),
                       (int)(0x80 + character % 64))
            : snprintf(utf8, 8, "%c%c%c%c", (int)(0xf0 + character / 262144), (int)(0x80 + character / 4096 % 64),
                       (int)(0x80 + character / 64 % 64), (int)(0x80 + character % 64));
    put(text, utf8, (size_t)length);
}

static bool put_next(struct text *text, unsigned encoding, const uint8_t *bytes, size_t left, size_t *length)
{
    *length = 1;
    int64_t character = bytes[0];
    if (encoding == 0) {
        if (!is_sequence(bytes, left, length))
            return false;
        put(text, bytes, *length);
        return true;
    }
    if (encoding == 1 && bytes[0] >= 0x80)
        return false;
    if (encoding >= 3)
        character = wide(bytes, left, encoding < 5 ? 2 : 4, encoding % 2 == 0, length);
    if (character >= 0)
        put_character(text, (uint32_t)character);
    return character >= 0;
}

static void put_bad(struct text *text, weir_text_errors errors, const uint8_t *bytes, size_t length)
{
    char shown[8];
    if (errors == WEIR_TEXT_REPLACE)
        put(text, "\xef\xbf\xbd", 3);
    for (size_t i = 0; errors == WEIR_TEXT_BACKSLASHREPLACE && i < length; i++)
        put(text, shown, (size_t)snprintf(shown, sizeof shown, "\\x%02x", bytes[i]));
}

/* Where the first bad byte is, the length if there is none; *text as it must be. */
static size_t expect(unsigned encoding, weir_text_errors errors, const uint8_t *bytes, size_t length, struct text *text)
{
    size_t first_bad = length;
    for (size_t at = 0, step; at < length; at += step) {
        if (put_next(text, encoding, bytes + at, length - at, &step))
            continue;
        if (first_bad == length)
            first_bad = at;
        put_bad(text, errors, bytes + at, step);
    }
    return first_bad;
}

/* --- in pieces --- */

/* What a decoder (or an encoder) makes of it, a piece at a time, with little room. False: refused, with errno and the error. */
static bool decode_pieces(const char *name, weir_text_errors errors, const uint8_t *bytes, size_t length, size_t piece,
                          struct text *text)
{
    char room[WEIR_DECODER_ROOM];
    weir_decoder *decoder = weir_decoder_new(name, errors);
    ssize_t got = decoder ? 0 : -1;
    for (size_t at = 0, used; got >= 0 && at < length; at += used) {
        got = weir_decoder_decode(decoder, bytes + at, length - at < piece ? length - at : piece, &used, room,
                                  sizeof room);
        put(text, room, got > 0 ? (size_t)got : 0);
        fuzz_require(got != 0 || used > 0, "nothing happens at %zu", at);
    }
    if (got >= 0)
        got = weir_decoder_finish(decoder, room, sizeof room);
    put(text, room, got > 0 ? (size_t)got : 0);
    int number = errno;
    weir_decoder_free(decoder);
    errno = number;
    return got >= 0;
}

static bool encode_pieces(const char *name, weir_text_errors errors, const uint8_t *bytes, size_t length, size_t piece,
                          struct text *text)
{
    char room[WEIR_DECODER_ROOM];
    weir_encoder *encoder = weir_encoder_new(name, errors);
    ssize_t got = encoder ? 0 : -1;
    for (size_t at = 0, used; got >= 0 && at < length; at += used) {
        got = weir_encoder_encode(encoder, (const char *)bytes + at, length - at < piece ? length - at : piece, &used,
                                  room, sizeof room);
        put(text, room, got > 0 ? (size_t)got : 0);
        fuzz_require(got != 0 || used > 0, "nothing happens at %zu", at);
    }
    if (got >= 0)
        got = weir_encoder_finish(encoder, room, sizeof room);
    put(text, room, got > 0 ? (size_t)got : 0);
    int number = errno;
    weir_encoder_free(encoder);
    errno = number;
    return got >= 0;
}

static void require_refused(const char *name, weir_text_errors errors, size_t length)
{
    fuzz_require(errors == WEIR_TEXT_STRICT && errno == EILSEQ, "%s: errno %d", name, errno);
    fuzz_require(weir_error()->transferred < length, "%llu of %zu", (unsigned long long)weir_error()->transferred,
                 length);
    fuzz_require_error(WEIR_ERROR_USAGE, &name, 1);
}

static void require_same(const struct text *a, const char *b, size_t length, const char *what)
{
    fuzz_require(a->length == length && (length == 0 || memcmp(a->data, b, length) == 0), "%s: %zu bytes, %zu", what,
                 a->length, length);
}

/*
 * Whether pieces must be the whole: what follows something bad in an encoding that has states (or shifts) iconv may read in
 * another way where it was cut.
 */
static bool is_to_be_same(unsigned encoding, weir_text_errors errors)
{
    return encoding < PLAIN || errors == WEIR_TEXT_STRICT;
}

/* --- what is tried --- */

static void try_reference(unsigned encoding, weir_text_errors errors, const uint8_t *bytes, size_t length,
                          const char *got, size_t got_length)
{
    struct text expected = {.data = NULL};
    size_t first_bad = expect(encoding, errors, bytes, length, &expected);
    if (got)
        require_same(&expected, got, got_length, "the reference");
    fuzz_require(got ? errors != WEIR_TEXT_STRICT || first_bad == length : weir_error()->transferred == first_bad,
                 "%s: the first bad byte is %zu", names[encoding], first_bad);
    if (encoding == 0)
        fuzz_require(weir_utf8_span(bytes, length) == first_bad, "%zu, %zu", weir_utf8_span(bytes, length), first_bad);
    free(expected.data);
}

static void require_round_trip(const char *name, const char *text, size_t text_length, const uint8_t *bytes,
                               size_t length)
{
    size_t again_length;
    char *again = weir_encode(text, text_length, name, WEIR_TEXT_STRICT, &again_length);
    fuzz_require(again && again_length == length && memcmp(again, bytes, length) == 0, "%s: %zu bytes", name, length);
    free(again);
}

static void try_decoding(unsigned encoding, weir_text_errors errors, size_t piece, const uint8_t *bytes, size_t length)
{
    size_t got_length = 0;
    struct text pieces = {.data = NULL};
    const char *name = names[encoding];
    char *got = weir_decode(bytes, length, name, errors, &got_length);
    if (encoding < UNMARKED)
        try_reference(encoding, errors, bytes, length, got, got_length);
    if (!got)
        require_refused(name, errors, length);
    uint64_t offset = weir_error()->transferred;
    bool well = decode_pieces(name, errors, bytes, length, piece, &pieces);
    fuzz_require(well == !!got, "%s: %s", name, weir_error()->sentence);
    fuzz_require(well || encoding >= PLAIN || weir_error()->transferred == offset, "%s, %llu", weir_error()->sentence,
                 (unsigned long long)offset);
    fuzz_require(fuzz_is_utf8(pieces.data, pieces.length), "%s", name);
    if (got) {
        fuzz_require(got_length <= 4 * length + 16 && got[got_length] == '\0', "%zu of %zu", got_length, length);
        if (is_to_be_same(encoding, errors))
            require_same(&pieces, got, got_length, name);
        if (errors == WEIR_TEXT_STRICT && encoding < UNMARKED)
            require_round_trip(name, got, got_length, bytes, length);
    } else
        require_refused(name, errors, length);
    free(got);
    free(pieces.data);
}

static void try_encoding(unsigned encoding, weir_text_errors errors, size_t piece, const uint8_t *bytes, size_t length)
{
    size_t got_length = 0;
    struct text pieces = {.data = NULL};
    const char *name = names[encoding];
    char *got = weir_encode((const char *)bytes, length, name, errors, &got_length);
    if (!got)
        require_refused(name, errors, length);
    uint64_t offset = weir_error()->transferred;
    bool well = encode_pieces(name, errors, bytes, length, piece, &pieces);
    fuzz_require(well == !!got, "%s: %s", name, weir_error()->sentence);
    fuzz_require(well || encoding >= PLAIN || weir_error()->transferred == offset, "%s, %llu", weir_error()->sentence,
                 (unsigned long long)offset);
    if (got) {
        fuzz_require(got_length <= 16 * length + 16 && got[got_length] == '\0', "%zu of %zu", got_length, length);
        if (is_to_be_same(encoding, errors))
            require_same(&pieces, got, got_length, name);
    }
    if (!got)
        require_refused(name, errors, length);
    else if (errors == WEIR_TEXT_STRICT && encoding < OWN) {
        size_t text_length;
        char *text = weir_decode(got, got_length, name, WEIR_TEXT_STRICT, &text_length);
        fuzz_require(text && text_length == length && memcmp(text, bytes, length) == 0, "%s: %zu bytes", name, length);
        free(text);
    }
    free(got);
    free(pieces.data);
}

static void try_name(const uint8_t *data, size_t size)
{
    char *name = fuzz_string(data, size);
    const char *found = weir_encoding_name(name);
    fuzz_require(!found || weir_encoding_name(found) == found, "'%s'", name);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    unsigned encoding = fuzz_below(&input, NAMES);
    weir_text_errors errors = (weir_text_errors)fuzz_below(&input, 4);
    size_t piece = 1 + fuzz_below(&input, 200), length;
    const uint8_t *bytes = fuzz_take(&input, SIZE_MAX, &length);
    char *exact = fuzz_alloc(length);
    if (length > 0)
        memcpy(exact, bytes, length);
    try_decoding(encoding, errors, piece, (const uint8_t *)exact, length);
    try_encoding(encoding, errors, piece, (const uint8_t *)exact, length);
    free(exact);
    try_name(bytes, length);
    return 0;
}

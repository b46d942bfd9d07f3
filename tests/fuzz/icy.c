/*
 * ICY metadata: whatever the pieces that a body comes in, the same audio and the same titles come out; not a byte is
 * lost or comes twice; titles are text that fits; and a title that is made a block comes back.
 *
 * The input: a byte for the interval, one for the length of the pieces, the body.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "http/icy.h"

struct taken {
    char *audio, *titles; /* titles with a NUL behind each */
    size_t audio_length, titles_length, blocks;
};

static void require_title(const char *title)
{
    size_t length = strlen(title);
    fuzz_require(length < ICY_TITLE_MOST, "%zu bytes", length);
    fuzz_require(fuzz_is_utf8(title, length), "%zu bytes", length);
    for (size_t i = 0; i < length; i++)
        fuzz_require((unsigned char)title[i] >= 0x20 && title[i] != 0x7f, "%d", title[i]);
}

static void take_one(struct taken *taken, const char *title)
{
    require_title(title);
    memcpy(taken->titles + taken->titles_length, title, strlen(title) + 1);
    taken->titles_length += strlen(title) + 1;
    taken->blocks++;
}

/* Every piece lies in memory of just its size. */
static void take_piece(struct icy_reader *reader, const uint8_t *data, size_t size, struct taken *taken)
{
    char *piece = fuzz_alloc(size);
    memcpy(piece, data, size);
    for (size_t at = 0; at < size;) {
        const char *from, *title;
        size_t audio, used = icy_read(reader, piece + at, size - at, &from, &audio, &title);
        fuzz_require(used > 0 && used <= size - at && audio <= used, "%zu, %zu of %zu", used, audio, size - at);
        fuzz_require(audio == 0 || from == piece + at, "%zu", audio);
        memcpy(taken->audio + taken->audio_length, from, audio);
        taken->audio_length += audio;
        if (title)
            take_one(taken, title);
        at += used;
    }
    free(piece);
}

/* A title is at most twice as long as its block, and a block has a byte more. */
static struct taken take_all(const uint8_t *data, size_t size, uint64_t interval, size_t piece)
{
    struct taken taken = {.audio = fuzz_alloc(size + 1), .titles = fuzz_alloc(2 * size + 1)};
    struct icy_reader *reader = fuzz_alloc(sizeof *reader);
    icy_begin(reader, interval);
    for (size_t at = 0; at < size; at += piece)
        take_piece(reader, data + at, size - at < piece ? size - at : piece, &taken);
    free(reader);
    return taken;
}

/* What the format says, counted by hand: how much of the body is audio. */
static size_t count_audio(const uint8_t *data, size_t size, uint64_t interval)
{
    size_t audio = 0, at = 0;
    if (interval == 0)
        return size;
    while (at < size) {
        size_t stretch = size - at < interval ? size - at : (size_t)interval;
        audio += stretch;
        at += stretch;
        if (at < size)
            at += 1 + 16 * (size_t)data[at];
    }
    return audio;
}

static void require_same(const struct taken *one, const struct taken *other)
{
    fuzz_require(one->audio_length == other->audio_length, "%zu, %zu", one->audio_length, other->audio_length);
    fuzz_require(memcmp(one->audio, other->audio, one->audio_length) == 0, "%zu bytes", one->audio_length);
    fuzz_require(one->titles_length == other->titles_length, "%zu, %zu", one->titles_length, other->titles_length);
    fuzz_require(memcmp(one->titles, other->titles, one->titles_length) == 0, "%zu bytes", one->titles_length);
}

/* The body's bytes as a title: its block is as long as it says, and holds what it says, "';" apart. */
static void try_block(const char *title)
{
    char *block = fuzz_alloc(ICY_BLOCK_MOST), again[ICY_TITLE_MOST], twice[ICY_TITLE_MOST];
    size_t length = icy_block(title, block);
    fuzz_require(length == 1 + 16 * (size_t)(unsigned char)block[0], "%zu", length);
    fuzz_require(icy_title(block + 1, length - 1, again), "%zu", length);
    require_title(again);
    fuzz_require(!strstr(again, "';"), "%zu", length);
    length = icy_block(again, block);
    fuzz_require(icy_title(block + 1, length - 1, twice) && strcmp(again, twice) == 0, "%zu", length);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    uint64_t interval = fuzz_byte(&input);
    size_t piece = 1 + fuzz_byte(&input), length;
    const uint8_t *body = fuzz_take(&input, SIZE_MAX, &length);
    struct taken whole = take_all(body, length, interval, length + 1), pieces = take_all(body, length, interval, piece);
    require_same(&whole, &pieces);
    size_t audio = count_audio(body, length, interval);
    fuzz_require(whole.audio_length == audio, "%zu, %zu", whole.audio_length, audio);
    char *title = fuzz_string(body, length);
    try_block(title);
    free(title);
    free(whole.audio);
    free(whole.titles);
    free(pieces.audio);
    free(pieces.titles);
    return 0;
}

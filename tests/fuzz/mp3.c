/*
 * MPEG frames: whatever the pieces that the bytes come in, the same frames are found; each is a header's, lies
 * within the bytes and behind the one before; and who has enough at hand gets on.
 *
 * The input: a byte for the length of the pieces, the bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "services/stream/mp3.h"

struct found {
    size_t count, room;
    struct {
        uint64_t at;
        struct mp3_frame frame;
    } * items;
};

/* What a reader has: a buffer that begins at `at` of the bytes. */
struct reader {
    const uint8_t *bytes;
    size_t size;
    uint64_t at;
    size_t end;
    struct mp3_frame before;
    struct found found;
};

static void require_frame(const struct reader *reader, const struct mp3_frame *frame)
{
    struct mp3_frame again;
    fuzz_require(reader->at + frame->length <= reader->size, "%u", (unsigned)frame->length);
    fuzz_require(frame->length >= MP3_HEADER && frame->length <= MP3_FRAME_MOST, "%u", (unsigned)frame->length);
    fuzz_require(mp3_header(reader->bytes + reader->at, &again), "%u", (unsigned)frame->length);
    fuzz_require(mp3_alike(&again, frame) && again.samples == frame->samples && again.bitrate == frame->bitrate, "%u",
                 (unsigned)frame->length);
    fuzz_require(!again.bitrate || again.length == frame->length, "%u, %u", (unsigned)again.length,
                 (unsigned)frame->length);
    fuzz_require(mp3_duration(frame->samples, frame->rate) > 0, "%u", (unsigned)frame->rate);
}

static void keep(struct reader *reader, const struct mp3_frame *frame)
{
    struct found *found = &reader->found;
    require_frame(reader, frame);
    if (found->count == found->room) {
        found->room = 2 * found->room + 16;
        found->items = realloc(found->items, found->room * sizeof *found->items);
        if (!found->items)
            abort();
    }
    found->items[found->count].at = reader->at;
    found->items[found->count++].frame = *frame;
    reader->at += frame->length;
    reader->before = *frame;
}

/* One call, of bytes in memory of just their size. */
static enum mp3_found look(struct reader *reader)
{
    size_t left = reader->at < reader->end ? reader->end - (size_t)reader->at : 0;
    bool last = reader->end == reader->size;
    struct mp3_frame frame;
    uint64_t skip;
    uint8_t *bytes = fuzz_alloc(left);
    if (left > 0)
        memcpy(bytes, reader->bytes + reader->at, left);
    enum mp3_found result = mp3_next(bytes, left, last, reader->before.length ? &reader->before : NULL, &skip, &frame);
    if (result == MP3_FRAME) {
        struct mp3_frame info = frame;
        fuzz_require(skip + frame.length <= left, "%llu", (unsigned long long)skip);
        mp3_is_info(bytes + skip, &info);
    }
    free(bytes);
    fuzz_require(result != MP3_MORE || !last, "%zu", left);
    fuzz_require(result != MP3_MORE || skip > 0 || left < MP3_LOOK_AHEAD, "%zu", left);
    reader->at += skip;
    if (result == MP3_FRAME)
        keep(reader, &frame);
    return result;
}

static struct found find_all(const uint8_t *bytes, size_t size, size_t piece)
{
    struct reader reader = {.bytes = bytes, .size = size};
    enum mp3_found result;
    do {
        result = look(&reader);
        if (result == MP3_MORE)
            reader.end = size - reader.end > piece ? reader.end + piece : size;
    } while (result != MP3_NOTHING);
    return reader.found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    size_t piece = 1 + fuzz_byte(&input), length;
    const uint8_t *bytes = fuzz_take(&input, SIZE_MAX, &length);
    struct found whole = find_all(bytes, length, length + 1), pieces = find_all(bytes, length, piece);
    fuzz_require(whole.count == pieces.count, "%zu, %zu", whole.count, pieces.count);
    for (size_t i = 0; i < whole.count; i++) {
        fuzz_require(whole.items[i].at == pieces.items[i].at, "frame %zu", i);
        fuzz_require(whole.items[i].frame.length == pieces.items[i].frame.length, "frame %zu", i);
    }
    free(whole.items);
    free(pieces.items);
    return 0;
}

/*
 * What a source sends: whatever the pieces that it comes in, the same is passed on and dropped, nothing is made up,
 * and a listener that may begin somewhere finds the head of a frame or a page there.
 *
 * The input: a byte for the format, one for the length of the pieces, the bytes.
 */
#include "fuzz.h"

#include "../unit/intake.h"
#include "services/stream/mp3.h"

static const char *const types[] = {"audio/mpeg", "audio/aac", "application/ogg"};

struct taken {
    struct mount_source source;
    int result;
    uint64_t dropped;
};

static void require_start(const char *type, const struct mount_source *source)
{
    struct mp3_frame frame;
    if (source->starts == 0)
        return;
    const uint8_t *at = source->bytes + source->start_at;
    fuzz_require(source->size - source->start_at >= 7, "%zu", source->start_at);
    if (type == types[0])
        fuzz_require(mp3_header(at, &frame), "%zu", source->start_at);
    else if (type == types[1])
        fuzz_require(at[0] == 0xff && (at[1] & 0xf6) == 0xf0, "%zu", source->start_at);
    else
        fuzz_require(memcmp(at, "OggS", 5) == 0 && !(at[5] & 1), "%zu", source->start_at);
}

/* Bytes in memory of just their size. */
static struct taken take(const char *type, const uint8_t *bytes, size_t size, size_t piece)
{
    struct taken taken = {0};
    struct intake *intake = intake_new(type, &taken.source);
    if (!intake)
        abort();
    for (size_t at = 0; at < size && taken.result == 0; at += piece) {
        size_t length = size - at < piece ? size - at : piece;
        uint8_t *copy = fuzz_alloc(length);
        memcpy(copy, bytes + at, length);
        taken.result = intake_feed(intake, copy, length);
        free(copy);
    }
    if (taken.result == 0)
        taken.result = intake_end(intake);
    taken.dropped = intake_dropped(intake);
    intake_free(intake);
    require_start(type, &taken.source);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_input(data, size);
    const char *type = types[fuzz_below(&input, 3)];
    size_t piece = 1 + fuzz_byte(&input), length;
    const uint8_t *bytes = fuzz_take(&input, SIZE_MAX, &length);
    struct taken whole = take(type, bytes, length, length + 1), pieces = take(type, bytes, length, piece);
    fuzz_require(whole.result == pieces.result, "%d, %d", whole.result, pieces.result);
    fuzz_require(whole.dropped == pieces.dropped, "%llu, %llu", (unsigned long long)whole.dropped,
                 (unsigned long long)pieces.dropped);
    fuzz_require(whole.source.size == pieces.source.size, "%zu, %zu", whole.source.size, pieces.source.size);
    fuzz_require(whole.source.headers == pieces.source.headers, "%zu, %zu", whole.source.headers,
                 pieces.source.headers);
    if (whole.source.size)
        fuzz_require(memcmp(whole.source.bytes, pieces.source.bytes, whole.source.size) == 0, "%zu", whole.source.size);
    forget(&whole.source);
    forget(&pieces.source);
    return 0;
}

/* MPEG audio frames: headers, and how a frame is told from what only looks like one. */
#include "mp3.h"

#include <string.h>

enum {
    ID3_HEADER = 10,
    ID3V1 = 128,
    APE_HEADER = 32,
    APE_MOST = 1 << 28,
    FREE_LEAST = 64,
    FREE_MOST = MP3_FRAME_MOST - 4,
    FREE_BITRATE_MOST = 640000, /* that any encoder makes */
    FREE_HEADERS = 4            /* as far from each other are none by chance: a quiet WAV is full of ff ff 00 00 */
};

/*
 * kbit/s by the index in the header: MPEG-1's layers, then those of the later ones, whose layers II and III are
 * alike.
 */
static const uint16_t bitrates[5][15] = {
    {0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448},
    {0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384},
    {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320},
    {0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256},
    {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
};

/* What is looked at. */
struct input {
    const uint8_t *bytes;
    size_t size;
    bool last;
};

enum verdict { NO, YES, MORE };

/* --- one header --- */

/* What padding adds: a slot. */
static uint32_t padding(const uint8_t *bytes, const struct mp3_frame *frame)
{
    bool is_padded = bytes[2] & 2;
    return !is_padded ? 0 : frame->layer == 1 ? 4 : 1;
}

static uint32_t length_of(const uint8_t *bytes, const struct mp3_frame *frame)
{
    if (!frame->bitrate)
        return 0;
    if (frame->layer == 1)
        return 12 * frame->bitrate / frame->rate * 4 + padding(bytes, frame);
    return frame->samples / 8 * frame->bitrate / frame->rate + padding(bytes, frame);
}

bool mp3_header(const uint8_t *bytes, struct mp3_frame *frame)
{
    static const uint8_t versions[] = {25, 0, 20, 10};
    static const uint32_t rates[] = {44100, 48000, 32000};
    unsigned version = bytes[1] >> 3 & 3, layer = bytes[1] >> 1 & 3, bitrate = bytes[2] >> 4, rate = bytes[2] >> 2 & 3;
    bool is_sync = bytes[0] == 0xff && bytes[1] >= 0xe0;
    bool is_reserved = version == 1 || layer == 0 || bitrate == 15 || rate == 3 || (bytes[3] & 3) == 2;
    if (!is_sync || is_reserved)
        return false;
    *frame = (struct mp3_frame){.version = versions[version], .layer = (uint8_t)(4 - layer)};
    frame->rate = rates[rate] >> (frame->version == 10 ? 0 : frame->version == 20 ? 1 : 2);
    frame->bitrate = 1000U * bitrates[frame->version == 10 ? frame->layer - 1 : frame->layer == 1 ? 3 : 4][bitrate];
    frame->samples = frame->layer == 1 ? 384 : frame->layer == 3 && frame->version != 10 ? 576 : 1152;
    frame->channels = bytes[3] >> 6 == 3 ? 1 : 2;
    frame->length = length_of(bytes, frame);
    return true;
}

bool mp3_alike(const struct mp3_frame *a, const struct mp3_frame *b)
{
    return a->version == b->version && a->layer == b->layer && a->rate == b->rate;
}

/* --- tags --- */

/* What an ID3v2 tag that begins here is long; 0: none does. */
static uint64_t id3_length(const uint8_t *tag)
{
    bool is_tag = memcmp(tag, "ID3", 3) == 0 && tag[3] != 0xff && tag[4] != 0xff && !(tag[5] & 15);
    if (!is_tag || (tag[6] | tag[7] | tag[8] | tag[9]) & 0x80)
        return 0;
    uint32_t size = (uint32_t)tag[6] << 21 | (uint32_t)tag[7] << 14 | (uint32_t)tag[8] << 7 | tag[9];
    bool has_footer = tag[5] & 0x10;
    return (has_footer ? 2 : 1) * ID3_HEADER + (uint64_t)size;
}

static uint32_t little_endian(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Likewise of APEv2. Where its header was not seen and this is its footer, that alone. */
static uint64_t ape_length(const uint8_t *tag)
{
    if (memcmp(tag, "APETAGEX", 8) != 0)
        return 0;
    uint32_t size = little_endian(tag + 12);
    bool is_header = little_endian(tag + 20) >> 29 & 1;
    return is_header && size <= APE_MOST ? APE_HEADER + (uint64_t)size : APE_HEADER;
}

/* Of any tag; `left` bytes are there. */
static uint64_t tag_length(const uint8_t *bytes, size_t left)
{
    uint64_t length = 0;
    if (left >= ID3_HEADER)
        length = id3_length(bytes);
    if (!length && left >= APE_HEADER)
        length = ape_length(bytes);
    if (!length && left >= 3 && memcmp(bytes, "TAG", 3) == 0)
        length = ID3V1;
    return length;
}

static bool is_tag_mark(const uint8_t *bytes)
{
    return memcmp(bytes, "TAG", 3) == 0 || memcmp(bytes, "ID3", 3) == 0 || memcmp(bytes, "APET", 4) == 0 ||
           memcmp(bytes, "LYRI", 4) == 0;
}

/* --- what follows a frame --- */

/*
 * Whether at `at` is what may come behind a frame: one that is alike (then *next), a tag or the end (then it is of
 * no length).
 */
static enum verdict follows(const struct input *input, size_t at, const struct mp3_frame *frame, struct mp3_frame *next)
{
    *next = (struct mp3_frame){0};
    if (at > input->size)
        return input->last ? NO : MORE;
    if (input->size - at < MP3_HEADER)
        return input->last ? YES : MORE;
    if (is_tag_mark(input->bytes + at))
        return YES;
    bool is_alike = mp3_header(input->bytes + at, next) && mp3_alike(next, frame) && !next->bitrate == !frame->bitrate;
    return is_alike ? YES : NO;
}

static enum verdict is_frame(const struct input *input, size_t at, const struct mp3_frame *frame, bool is_known)
{
    struct mp3_frame next, after;
    enum verdict verdict = follows(input, at + frame->length, frame, &next);
    if (verdict != YES || is_known || !next.length)
        return verdict;
    size_t behind = at + frame->length + next.length;
    bool is_cut = behind > input->size && input->last; /* the file was */
    return is_cut ? YES : follows(input, behind, frame, &after);
}

/* --- free format: the length is the distance to the next header --- */

static bool is_same_free(const uint8_t *a, const uint8_t *b)
{
    return a[0] == b[0] && a[1] == b[1] && (a[2] & 0xfc) == (b[2] & 0xfc) && a[3] >> 6 == b[3] >> 6;
}

/* The longest that a frame of free format can be. */
static uint32_t free_most(const struct mp3_frame *frame)
{
    uint32_t most = frame->samples / 8 * FREE_BITRATE_MOST / frame->rate;
    return most < FREE_MOST ? most : FREE_MOST;
}

/* What repeats itself to the byte is a tone of some other format, or silence, which can wait. */
static bool is_repeated(const uint8_t *first, uint32_t length)
{
    return memcmp(first + MP3_HEADER, first + length + MP3_HEADER, length - MP3_HEADER) == 0;
}

/* Whether `length` is it: the next headers are as far behind each other, but for the padding. */
static enum verdict is_distance(const struct input *input, size_t at, struct mp3_frame *frame, uint32_t length)
{
    const uint8_t *first = input->bytes + at;
    size_t bare = length - padding(first, frame), next = at + length;
    frame->length = length;
    for (int headers = 1; headers < FREE_HEADERS; headers++) {
        struct mp3_frame other;
        if (next + MP3_HEADER > input->size)
            return input->last ? NO : MORE;
        if (!is_same_free(first, input->bytes + next) || !mp3_header(input->bytes + next, &other))
            return NO;
        next += bare + padding(input->bytes + next, frame);
    }
    return is_repeated(first, length) ? NO : YES;
}

/* Where the same bytes come again, there the next frame begins: sooner than any is long, and they are no header. */
static enum verdict find_distance(const struct input *input, size_t at, struct mp3_frame *frame)
{
    const uint8_t *first = input->bytes + at;
    uint32_t most = free_most(frame);
    for (uint32_t length = MP3_HEADER; length <= most; length++) {
        if (at + length + MP3_HEADER > input->size)
            return input->last ? NO : MORE;
        if (is_same_free(first, first + length))
            return length < FREE_LEAST ? NO : is_distance(input, at, frame, length);
    }
    return NO;
}

/* Where the frame before was of free format too, it is as long as that, but for the padding. */
static enum verdict is_free_frame(const struct input *input, size_t at, struct mp3_frame *frame,
                                  const struct mp3_frame *before)
{
    uint32_t slot = frame->layer == 1 ? 4 : 1;
    for (uint32_t change = 0; before && change <= 2 * slot; change += slot) {
        struct mp3_frame next;
        frame->length = before->length - slot + change;
        bool is_length = frame->length >= FREE_LEAST && frame->length <= free_most(frame);
        enum verdict verdict = is_length ? follows(input, at + frame->length, frame, &next) : NO;
        if (verdict != NO)
            return verdict;
    }
    return find_distance(input, at, frame);
}

/* --- the search --- */

static enum verdict look(const struct input *input, size_t at, const struct mp3_frame *before, struct mp3_frame *frame)
{
    if (input->size - at < MP3_HEADER || !mp3_header(input->bytes + at, frame))
        return NO;
    bool is_known = before && mp3_alike(before, frame);
    if (!frame->bitrate)
        return is_free_frame(input, at, frame, is_known && !before->bitrate ? before : NULL);
    return is_frame(input, at, frame, is_known);
}

/* Where something may begin from `at` on. */
static size_t next_candidate(const struct input *input, size_t at)
{
    while (at < input->size && !memchr("\xffITA", input->bytes[at], 4))
        at++;
    return at;
}

enum mp3_found mp3_next(const uint8_t *bytes, size_t size, bool last, const struct mp3_frame *before, uint64_t *skip,
                        struct mp3_frame *frame)
{
    struct input input = {bytes, size, last};
    uint64_t at = 0;
    while ((at = at < size ? next_candidate(&input, at) : at) < size) {
        size_t left = size - at;
        uint64_t tag = tag_length(bytes + at, left);
        enum verdict verdict = tag ? NO : left < APE_HEADER && !last ? MORE : look(&input, at, before, frame);
        if (verdict != NO) {
            *skip = at;
            return verdict == YES ? MP3_FRAME : MP3_MORE;
        }
        at += tag ? tag : 1;
    }
    *skip = last ? size : at;
    return last ? MP3_NOTHING : MP3_MORE;
}

/* --- frames that are no audio --- */

static bool has_mark(const uint8_t *bytes, const struct mp3_frame *frame, size_t at, const char *mark)
{
    return at + 4 <= frame->length && memcmp(bytes + at, mark, 4) == 0;
}

bool mp3_is_info(const uint8_t *bytes, const struct mp3_frame *frame)
{
    if (frame->layer != 3)
        return false;
    bool is_first = frame->version == 10, is_mono = frame->channels == 1, has_check = !(bytes[1] & 1);
    size_t at = MP3_HEADER + (is_first ? is_mono ? 17 : 32 : is_mono ? 9 : 17);
    for (size_t shift = 0; shift <= (has_check ? 2 : 0); shift += 2)
        if (has_mark(bytes, frame, at + shift, "Xing") || has_mark(bytes, frame, at + shift, "Info"))
            return true;
    return has_mark(bytes, frame, MP3_HEADER + 32, "VBRI");
}

int64_t mp3_duration(uint64_t samples, uint32_t rate)
{
    const uint64_t second = 1000000000;
    return rate ? (int64_t)(samples / rate * second + samples % rate * second / rate) : 0;
}

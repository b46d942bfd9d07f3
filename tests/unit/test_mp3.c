/* MPEG frames: what headers say, what is taken for a frame and what is not, tags, free format. */
#include "engine.h"

#include "services/stream/mp3.h"

enum { ROOM = 65536 };

/* A stream that is put together. */
struct stream {
    uint8_t bytes[ROOM];
    size_t size;
};

static void put(struct stream *stream, const void *bytes, size_t size)
{
    assert_true(stream->size + size <= ROOM);
    memcpy(stream->bytes + stream->size, bytes, size);
    stream->size += size;
}

static void put_frame(struct stream *stream, uint32_t header, size_t length)
{
    uint8_t frame[MP3_FRAME_MOST] = {(uint8_t)(header >> 24), (uint8_t)(header >> 16), (uint8_t)(header >> 8),
                                     (uint8_t)header};
    memset(frame + 4, (int)(stream->size / 4 % 127), MP3_FRAME_MOST - 4); /* no two alike */
    put(stream, frame, length);
}

/* Where the frames of a whole stream are found; -1 behind the last. */
static void check_found(const struct stream *stream, const int *expected)
{
    struct mp3_frame frame, before = {0};
    uint64_t skip, at = 0;
    while (mp3_next(stream->bytes + at, stream->size - at, true, before.length ? &before : NULL, &skip, &frame) ==
           MP3_FRAME) {
        at += skip;
        assert_int_equal((int)at, *expected++);
        at += frame.length;
        before = frame;
    }
    assert_int_equal(*expected, -1);
}

static void check_header(uint32_t header, int version, int layer, unsigned bitrate, unsigned rate, unsigned samples,
                         unsigned length)
{
    uint8_t bytes[] = {(uint8_t)(header >> 24), (uint8_t)(header >> 16), (uint8_t)(header >> 8), (uint8_t)header};
    struct mp3_frame frame;
    assert_true(mp3_header(bytes, &frame));
    assert_int_equal(frame.version, version);
    assert_int_equal(frame.layer, layer);
    assert_int_equal(frame.bitrate, bitrate);
    assert_int_equal(frame.rate, rate);
    assert_int_equal(frame.samples, samples);
    assert_int_equal(frame.length, length);
}

static void headers(void **state)
{
    (void)state;
    check_header(0xfffb9064, 10, 3, 128000, 44100, 1152, 417);
    check_header(0xfffb9264, 10, 3, 128000, 44100, 1152, 418);
    check_header(0xfffbe804, 10, 3, 320000, 32000, 1152, 1440);
    check_header(0xfff314c4, 20, 3, 8000, 24000, 576, 24);
    check_header(0xffe318c4, 25, 3, 8000, 8000, 576, 72);
    check_header(0xfffde804, 10, 2, 384000, 32000, 1152, 1728);
    check_header(0xffffe804, 10, 1, 448000, 32000, 384, 672);
    check_header(0xffffea04, 10, 1, 448000, 32000, 384, 676);
    check_header(0xfff7e004, 20, 1, 256000, 22050, 384, 556);
    check_header(0xfffb0004, 10, 3, 0, 44100, 1152, 0);
}

static void no_headers(void **state)
{
    (void)state;
    static const uint8_t none[][4] = {
        {0xff, 0xdb, 0x90, 0}, {0xfe, 0xfb, 0x90, 0}, {0xff, 0xeb, 0x90, 0}, {0xff, 0xf9, 0x90, 0},
        {0xff, 0xfb, 0xf0, 0}, {0xff, 0xfb, 0x9c, 0}, {0xff, 0xfb, 0x90, 2},
    };
    struct mp3_frame frame;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_false(mp3_header(none[i], &frame));
}

static void channels(void **state)
{
    (void)state;
    struct mp3_frame mono, stereo, other;
    assert_true(mp3_header((const uint8_t[]){0xff, 0xfb, 0x90, 0xc0}, &mono));
    assert_true(mp3_header((const uint8_t[]){0xff, 0xfb, 0xa0, 0x40}, &stereo));
    assert_true(mp3_header((const uint8_t[]){0xff, 0xfb, 0x94, 0xc0}, &other));
    assert_int_equal(mono.channels, 1);
    assert_int_equal(stereo.channels, 2);
    assert_true(mp3_alike(&mono, &stereo));
    assert_false(mp3_alike(&mono, &other));
}

/* What looks like a frame, and is followed by none, is none. */
static void rubbish(void **state)
{
    (void)state;
    struct stream stream = {0};
    put(&stream, "rubbish\xff\xfb\x90\x64", 11);
    put_frame(&stream, 0xfffb9064, 417);
    put_frame(&stream, 0xfffb9264, 418);
    put_frame(&stream, 0xfffb9064, 417);
    put(&stream, "more of it", 10);
    put_frame(&stream, 0xfffb9064, 417);
    put_frame(&stream, 0xfffb9064, 417);
    put_frame(&stream, 0xfffb9064, 100); /* it was cut */
    check_found(&stream, (const int[]){11, 428, 1273, 1690, -1});
}

static void tags(void **state)
{
    (void)state;
    static const uint8_t frame_within[] = {0xff, 0xfb, 0x90, 0x64};
    struct stream stream = {0};
    uint8_t tag[128] = "TAG";
    put(&stream, "ID3\x03\0\0\0\0\x07\x68", 10); /* 1,000 bytes */
    for (int i = 0; i < 250; i++)
        put(&stream, frame_within, 4);
    put_frame(&stream, 0xfffb9064, 417);
    put_frame(&stream, 0xfffb9064, 417);
    put(&stream, "APETAGEX\xd0\x07\0\0\x28\0\0\0\0\0\0\0\0\0\0\xa0\0\0\0\0\0\0\0\0", 32);
    put(&stream, frame_within, 4);
    put(&stream, frame_within, 4);
    put(&stream, "APETAGEX\xd0\x07\0\0\x28\0\0\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0", 32);
    put(&stream, tag, sizeof tag);
    put(&stream, "ID3\x04\0\x10\0\0\0\x04****3DI\x04\0\x10\0\0\0\x04", 24); /* with a footer */
    put_frame(&stream, 0xfffb9064, 417);
    check_found(&stream, (const int[]){1010, 1427, 1844 + 32 + 8 + 32 + 128 + 24, -1});
}

/* A tag may be longer than what is at hand. */
static void long_tag(void **state)
{
    (void)state;
    struct mp3_frame frame;
    uint64_t skip;
    uint8_t tag[40] = "ID3\x03\0\0\x7f\x7f\x7f\x7f";
    assert_int_equal(mp3_next(tag, sizeof tag, false, NULL, &skip, &frame), MP3_MORE);
    assert_int_equal(skip, (1 << 28) - 1 + 10);
    assert_int_equal(mp3_next(tag, sizeof tag, true, NULL, &skip, &frame), MP3_NOTHING);
    assert_int_equal(skip, sizeof tag);
}

static void waits(void **state)
{
    (void)state;
    struct stream stream = {0};
    struct mp3_frame frame;
    uint64_t skip;
    for (int i = 0; i < 3; i++)
        put_frame(&stream, 0xfffb9064, 417);
    assert_int_equal(mp3_next(stream.bytes, 2 * 417 + 3, false, NULL, &skip, &frame), MP3_MORE);
    assert_int_equal(skip, 0);
    assert_int_equal(mp3_next(stream.bytes, 2 * 417 + 4, false, NULL, &skip, &frame), MP3_FRAME);
    assert_int_equal(mp3_next(stream.bytes + 417, 417 + 3, false, &frame, &skip, &frame), MP3_MORE);
    assert_int_equal(mp3_next(stream.bytes + 417, 417 + 4, false, &frame, &skip, &frame), MP3_FRAME);
    assert_int_equal(mp3_next(stream.bytes + 834, 417, false, &frame, &skip, &frame), MP3_MORE);
    assert_int_equal(mp3_next(stream.bytes + 834, 417, true, &frame, &skip, &frame), MP3_FRAME);
}

/* Of free format: as long as it is to the next, but for the padding. */
static void free_format(void **state)
{
    (void)state;
    struct stream stream = {0};
    put_frame(&stream, 0xfffb00c4, 1000);
    put_frame(&stream, 0xfffb02c4, 1001);
    put_frame(&stream, 0xfffb00c4, 1000);
    put_frame(&stream, 0xfffb02c4, 1001);
    check_found(&stream, (const int[]){0, 1000, 2001, 3001, -1});
}

/* What only looks so: the same bytes again, at no distance that a frame has, at different ones, or with no change. */
static void no_free_format(void **state)
{
    (void)state;
    static const uint8_t header[] = {0xff, 0xff, 0, 0};
    static const size_t gaps[] = {100, 112, 124};
    struct stream dense = {0}, uneven = {0}, wide = {0}, tone = {0};
    while (dense.size < 4096)
        put(&dense, header, sizeof header);
    check_found(&dense, (const int[]){-1});
    for (int i = 0; i < 30; i++)
        put_frame(&uneven, 0xffff0000, gaps[i % 3]);
    check_found(&uneven, (const int[]){-1});
    for (int i = 0; i < 30; i++)
        put_frame(&wide, 0xffff0000, 700); /* 643 kbit/s */
    check_found(&wide, (const int[]){-1});
    for (int i = 0; i < 40; i++)
        put(&tone, wide.bytes, 96);
    check_found(&tone, (const int[]){-1});
}

/* Each a slot shorter than the one before, until they are nothing: whoever reads must get on. */
static void free_format_that_shrinks(void **state)
{
    (void)state;
    struct stream stream = {0};
    struct mp3_frame frame, before = {.length = 0};
    uint64_t skip, at = 0;
    for (int i = 0; i < 4; i++)
        put_frame(&stream, 0xffff0000, 80);
    for (size_t length = 76; length > 4; length -= 4)
        put_frame(&stream, 0xffff0000, length);
    for (int i = 0; i < 100; i++)
        put_frame(&stream, 0xffff0000, 4);
    while (mp3_next(stream.bytes + at, stream.size - at, true, at ? &before : NULL, &skip, &frame) == MP3_FRAME) {
        assert_in_range(frame.length, 64, 84);
        at += skip + frame.length;
        before = frame;
    }
    assert_true(at > 500);
}

static void information(void **state)
{
    (void)state;
    static const struct {
        uint32_t header;
        size_t length, at;
        const char *mark;
        bool expected;
    } cases[] = {
        {0xfffb9064, 417, 36, "Xing", true},  {0xfffb9064, 417, 36, "Info", true},
        {0xfffb90c4, 417, 21, "Xing", true},  {0xfff344c4, 96, 13, "Info", true},
        {0xfff34404, 96, 21, "Info", true},   {0xfffb9064, 417, 36, "VBRI", true},
        {0xfffa9064, 417, 38, "Xing", true},  {0xfffb9064, 417, 38, "Xing", false},
        {0xfffb9064, 417, 21, "Xing", false}, {0xfffd9064, 417, 36, "Xing", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stream stream = {0};
        struct mp3_frame frame;
        put_frame(&stream, cases[i].header, cases[i].length);
        memcpy(stream.bytes + cases[i].at, cases[i].mark, 4);
        assert_true(mp3_header(stream.bytes, &frame));
        assert_int_equal(mp3_is_info(stream.bytes, &frame), cases[i].expected);
    }
}

static void durations(void **state)
{
    (void)state;
    assert_int_equal(mp3_duration(1152, 48000), 24000000);
    assert_int_equal(mp3_duration(1152, 44100), 26122448);
    assert_int_equal(mp3_duration(UINT64_C(49) * 1152 * 25, 44100), INT64_C(32000000000));
    assert_int_equal(mp3_duration(UINT64_C(44100) * 3600 * 24 * 365 * 100, 44100),
                     INT64_C(1000000000) * 3600 * 24 * 365 * 100);
    assert_int_equal(mp3_duration(5, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),   cmocka_unit_test(no_headers),     cmocka_unit_test(channels),
        cmocka_unit_test(rubbish),   cmocka_unit_test(tags),           cmocka_unit_test(long_tag),
        cmocka_unit_test(waits),     cmocka_unit_test(free_format),    cmocka_unit_test(information),
        cmocka_unit_test(durations), cmocka_unit_test(no_free_format), cmocka_unit_test(free_format_that_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

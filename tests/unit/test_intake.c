/* What a mount takes in of a source: whole frames and pages however they were cut, and what is dropped. */
#include "intake.h"

#include <errno.h>

#include "engine.h"
#include "services/stream/words.h"

enum { ROOM = 600000 };

/* A stream that is put together, and what of it is to be written. */
static struct {
    uint8_t bytes[ROOM], expected[ROOM];
    size_t size, expected_size;
    uint64_t dropped;
} world;

static void begin(void)
{
    memset(&world, 0, sizeof world);
}

static void put(const void *bytes, size_t size)
{
    assert_true(world.size + size <= ROOM);
    memcpy(world.bytes + world.size, bytes, size);
    world.size += size;
}

static void expect(const void *bytes, size_t size)
{
    memcpy(world.expected + world.expected_size, bytes, size);
    world.expected_size += size;
}

static void put_audio(const void *bytes, size_t size)
{
    put(bytes, size);
    expect(bytes, size);
}

static void put_rubbish(const void *bytes, size_t size)
{
    put(bytes, size);
    world.dropped += size;
}

/* 64 kbit/s, 44.1 kHz. */
static void put_mp3(uint8_t fill)
{
    uint8_t frame[208] = {0xff, 0xfb, 0x50, 0x64};
    memset(frame + 36, fill & 0x7f, sizeof frame - 36);
    put_audio(frame, sizeof frame);
}

static void make_adts(uint8_t frame[300], uint8_t fill)
{
    memset(frame, fill & 0x7f, 300);
    memcpy(frame, (uint8_t[]){0xff, 0xf1, 0x50, 0x80, 300 >> 3, (300 & 7) << 5 | 0x1f, 0xfc}, 7);
}

/* A page of two segments. */
static size_t make_page(uint8_t *page, uint8_t flags, uint64_t position, uint8_t fill)
{
    memset(page, 0, 29);
    memcpy(page, "OggS", 4);
    page[5] = flags;
    memcpy(page + 6, &position, sizeof position);
    page[26] = 2;
    page[27] = 255;
    page[28] = 100;
    memset(page + 29, fill, 355);
    return 29 + 355;
}

/* Whatever the pieces, the same is written and dropped. */
static void check_taken(const char *type, size_t headers)
{
    static const size_t pieces[] = {1, 7, 208, 1000, 16384, ROOM};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct mount_source source = {0};
        struct intake *intake = intake_new(type, &source);
        assert_non_null(intake);
        assert_int_equal(feed_all(intake, world.bytes, world.size, pieces[i]), 0);
        assert_int_equal(source.size, world.expected_size);
        assert_memory_equal(source.bytes, world.expected, world.expected_size);
        assert_int_equal(source.headers, headers);
        assert_int_equal(intake_dropped(intake), world.dropped);
        intake_free(intake);
        forget(&source);
    }
}

static void frames_of_mp3(void **state)
{
    (void)state;
    static const char tag[] = "ID3\4\0\0\0\0\7\150"; /* 1,000 bytes follow */
    uint8_t rest[1000] = {0}, info[208] = {0xff, 0xfb, 0x50, 0x64};
    memcpy(info + 36, "Xing", 4);
    begin();
    put_rubbish("not yet", 7);
    put_rubbish(info, sizeof info);
    for (uint8_t i = 0; i < 50; i++)
        put_mp3(i);
    put_rubbish(tag, sizeof tag - 1);
    put_rubbish(rest, sizeof rest);
    for (uint8_t i = 0; i < 50; i++)
        put_mp3(i);
    put_rubbish(info, sizeof info); /* whatever it is: no frame confirms it */
    put_rubbish("\0between", 8);
    for (uint8_t i = 0; i < 3; i++)
        put_mp3(i);
    check_taken("audio/mpeg", 0);
}

static void a_tag_longer_than_all_is_passed_over(void **state)
{
    (void)state;
    static uint8_t rest[400000];
    begin();
    put_rubbish("ID3\4\0\0\0\30\65\0", 10); /* 400,000 - 128 */
    put_rubbish(rest, 24 << 14 | 53 << 7);
    for (uint8_t i = 0; i < 10; i++)
        put_mp3(i);
    check_taken("audio/mpeg", 0);
}

static void frames_of_aac(void **state)
{
    (void)state;
    uint8_t frame[300];
    begin();
    put_rubbish("\xff\xf1 rubbish", 10);
    for (uint8_t i = 0; i < 40; i++) {
        make_adts(frame, i);
        put_audio(frame, sizeof frame);
        if (i == 20)
            put_rubbish("between", 7);
    }
    put_rubbish(frame, 200); /* cut */
    world.dropped -= 200;    /* it might still have been one */
    struct mount_source source = {0};
    struct intake *intake = intake_new("audio/aac", &source);
    assert_int_equal(feed_all(intake, world.bytes, world.size, 100), 0);
    assert_int_equal(source.size, world.expected_size);
    assert_memory_equal(source.bytes, world.expected, world.expected_size);
    intake_free(intake);
    forget(&source);
}

/* The first pages of each stream are its headers; those of a second one come between the others too. */
static void pages_of_ogg(void **state)
{
    (void)state;
    uint8_t page[400];
    begin();
    put_rubbish("Ogg", 3);
    for (int stream = 0; stream < 2; stream++) {
        put(page, make_page(page, 2, 0, 1));
        if (stream == 1)
            expect(page, 384);
        put(page, make_page(page, 0, UINT64_MAX, 2)); /* a picture goes on on the next */
        if (stream == 1)
            expect(page, 384);
        put(page, make_page(page, 1, 0, 2));
        if (stream == 1)
            expect(page, 384);
        for (uint64_t i = 1; i < 20; i++)
            put_audio(page, make_page(page, i % 3 == 0, 960 * i, 3));
    }
    check_taken("application/ogg", 2);
}

static void a_start_is_no_page_in_the_middle_of_a_packet(void **state)
{
    (void)state;
    uint8_t page[400];
    struct mount_source source = {0};
    struct intake *intake = intake_new("audio/ogg", &source);
    assert_int_equal(intake_feed(intake, page, make_page(page, 2, 0, 1)), 0);
    assert_int_equal(source.writes, 0);
    assert_int_equal(intake_feed(intake, page, make_page(page, 0, 960, 1)), 0);
    assert_int_equal(source.headers, 1);
    assert_int_equal(source.starts, 1);
    assert_int_equal(intake_feed(intake, page, make_page(page, 1, 1920, 1)), 0);
    assert_int_equal(source.writes, 2);
    assert_int_equal(source.starts, 1);
    intake_free(intake);
    forget(&source);
}

static void check_refused(const char *type, const uint8_t *bytes, size_t size, int number)
{
    struct mount_source source = {0};
    struct intake *intake = intake_new(type, &source);
    int result = 0;
    for (int i = 0; i < 2000 && result == 0; i++)
        result = intake_feed(intake, bytes, size);
    assert_int_equal(result, -1);
    assert_int_equal(weir_error()->number, number);
    assert_int_equal(source.size, 0);
    intake_free(intake);
    forget(&source);
}

static void what_is_something_else(void **state)
{
    (void)state;
    uint8_t page[400];
    uint8_t wide[1000];
    memset(wide, 'x', sizeof wide);
    check_refused("audio/mpeg", wide, sizeof wide, EPROTO);
    check_refused("audio/aac", wide, sizeof wide, EPROTO);
    check_refused("application/ogg", wide, sizeof wide, EPROTO);
    check_refused("application/ogg", page, make_page(page, 2, 0, 1), EPROTO); /* headers without an end */
}

static void what_the_mount_refuses(void **state)
{
    (void)state;
    struct mount_source source = {.refuses = true};
    struct intake *intake = intake_new("audio/mpeg", &source);
    begin();
    for (uint8_t i = 0; i < 10; i++)
        put_mp3(i);
    assert_int_equal(intake_feed(intake, world.bytes, world.size), -1);
    assert_int_equal(errno, ECANCELED);
    intake_free(intake);
}

static void types(void **state)
{
    (void)state;
    assert_string_equal(intake_type("audio/mpeg"), "audio/mpeg");
    assert_string_equal(intake_type("Audio/MPEG; x=y"), "audio/mpeg");
    assert_string_equal(intake_type("audio/aacp"), "audio/aac");
    assert_string_equal(intake_type("audio/ogg;codecs=opus"), "audio/ogg");
    assert_null(intake_type("audio/mpegurl"));
    assert_null(intake_type("text/html"));
    assert_null(intake_type(""));
}

static void check_words(const char *bytes, const char *charset, size_t most, const char *expected)
{
    char text[64];
    assert_ptr_equal(words_of(bytes, charset, text, most), text);
    assert_string_equal(text, expected);
}

static void words(void **state)
{
    (void)state;
    check_words(NULL, NULL, 64, "");
    check_words("", "utf-8", 64, "");
    check_words("Caf\303\251", NULL, 64, "Caf\303\251");
    check_words("Caf\351", NULL, 64, "Caf\303\251");
    check_words("Caf\351", "no such", 64, "Caf\303\251");
    check_words("\320\351", "koi8-r", 64, "\320\277\320\230");
    check_words("a\r\n\033b\177c\302\205d", NULL, 64, "a   b c  d");
    check_words("Caf\303\251", NULL, 5, "Caf"); /* whole characters */
    check_words("Caf\303\251", NULL, 6, "Caf\303\251");
    check_words("Caf\351", NULL, 5, "Caf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_mp3),
        cmocka_unit_test(a_tag_longer_than_all_is_passed_over),
        cmocka_unit_test(frames_of_aac),
        cmocka_unit_test(pages_of_ogg),
        cmocka_unit_test(a_start_is_no_page_in_the_middle_of_a_packet),
        cmocka_unit_test(what_is_something_else),
        cmocka_unit_test(what_the_mount_refuses),
        cmocka_unit_test(types),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* ICY metadata: what comes out of a body in whatever pieces it comes, and the blocks that titles make. */
#include "engine.h"

#include "http/icy.h"

/* A body of `count` stretches of audio, with a block behind each; what it should give. */
struct body {
    char bytes[65536];
    size_t length;
};

static void add(struct body *body, const void *bytes, size_t length)
{
    assert_true(body->length + length <= sizeof body->bytes);
    memcpy(body->bytes + body->length, bytes, length);
    body->length += length;
}

static void add_block(struct body *body, const char *title)
{
    char block[ICY_BLOCK_MOST];
    add(body, block, icy_block(title, block));
}

/* What was taken out: the audio, and the titles with a | behind each. */
struct taken {
    char audio[65536], titles[4096];
    size_t length;
};

static void take(struct icy_reader *reader, const char *data, size_t size, struct taken *taken)
{
    while (size > 0) {
        const char *at, *title;
        size_t audio, used = icy_read(reader, data, size, &at, &audio, &title);
        assert_true(used > 0 && used <= size && audio <= used);
        memcpy(taken->audio + taken->length, at, audio);
        taken->length += audio;
        if (title)
            strcat(strcat(taken->titles, title), "|");
        data += used;
        size -= used;
    }
}

/* Reads the body in pieces of `piece` bytes. */
static void check_pieces(const struct body *body, uint64_t interval, size_t piece, const char *audio,
                         const char *titles)
{
    struct icy_reader reader;
    struct taken *taken = calloc(1, sizeof *taken);
    assert_non_null(taken);
    icy_begin(&reader, interval);
    for (size_t at = 0; at < body->length; at += piece)
        take(&reader, body->bytes + at, body->length - at < piece ? body->length - at : piece, taken);
    assert_int_equal(taken->length, strlen(audio));
    assert_memory_equal(taken->audio, audio, taken->length);
    assert_string_equal(taken->titles, titles);
    free(taken);
}

static void check_body(const struct body *body, uint64_t interval, const char *audio, const char *titles)
{
    for (size_t piece = 1; piece <= body->length; piece++)
        check_pieces(body, interval, piece, audio, titles);
}

static void taken_out_of_any_pieces(void **state)
{
    (void)state;
    static struct body body;
    add(&body, "abcde", 5);
    add_block(&body, "One - Two");
    add(&body, "fghij", 5);
    add(&body, "\0", 1); /* nothing has changed */
    add(&body, "klmno", 5);
    add_block(&body, "");
    add(&body, "pq", 2);
    check_body(&body, 5, "abcdefghijklmnopq", "One - Two||");
}

static void no_interval_is_all_audio(void **state)
{
    (void)state;
    static struct body body;
    add(&body, "abc", 3);
    check_body(&body, 0, "abc", "");
}

/* Half a block at the end is no title, and no audio. */
static void cut_within_a_block(void **state)
{
    (void)state;
    static struct body body;
    add(&body, "abc", 3);
    add_block(&body, "a title");
    body.length -= 3;
    check_body(&body, 3, "abc", "");
}

static void longest_block(void **state)
{
    (void)state;
    static struct body body;
    char block[ICY_BLOCK_MOST];
    memset(block, 'x', sizeof block);
    memcpy(block, "\xffStreamTitle='", 14);
    add(&body, "a", 1);
    add(&body, block, sizeof block);
    add(&body, "b", 1);
    struct icy_reader reader;
    static struct taken taken;
    icy_begin(&reader, 1);
    take(&reader, body.bytes, body.length, &taken);
    assert_string_equal(taken.audio, "ab");
    assert_int_equal(strlen(taken.titles), ICY_TITLE_MOST - 1 + 1);
}

static void check_title(const char *block, size_t size, const char *expected)
{
    char title[ICY_TITLE_MOST];
    assert_int_equal(icy_title(block, size, title), expected != NULL);
    assert_string_equal(title, expected ? expected : "");
}

#define CHECK_TITLE(block, expected) check_title(block, sizeof(block) - 1, expected)

static void titles(void **state)
{
    (void)state;
    CHECK_TITLE("StreamTitle='x';\0\0\0", "x");
    CHECK_TITLE("StreamTitle='';", "");
    CHECK_TITLE("StreamTitle='it's 5 o'clock';StreamUrl='http://a';", "it's 5 o'clock");
    CHECK_TITLE("StreamUrl='http://a';StreamTitle='y';", "y");
    CHECK_TITLE("StreamTitle='ends in one'';", "ends in one'");
    CHECK_TITLE("StreamTitle='unended'\0\0", "unended");
    CHECK_TITLE("StreamTitle='unended\0\0", "unended");
    CHECK_TITLE("StreamTitle='", "");
    CHECK_TITLE("StreamTitle=", NULL);
    CHECK_TITLE("\0\0\0\0", NULL);
    CHECK_TITLE("", NULL);
}

static void titles_in_any_encoding(void **state)
{
    (void)state;
    CHECK_TITLE("StreamTitle='Bj\xc3\xb6rk';", "Bj\xc3\xb6rk");
    CHECK_TITLE("StreamTitle='Bj\xf6rk';", "Bj\xc3\xb6rk");
    CHECK_TITLE("StreamTitle='\xf6\xc3\xb6';", "\xc3\xb6\xc3\x83\xc2\xb6");
}

static void titles_do_not_steer(void **state)
{
    (void)state;
    CHECK_TITLE("StreamTitle='a\nb\x1b[2J\x7f\0c';", "a b [2J  c");
    CHECK_TITLE("StreamTitle='a\x9b"
                "2J';",
                "a 2J"); /* CSI of Latin-1 */
    CHECK_TITLE("StreamTitle='a\xc2\x9b"
                "2J';",
                "a 2J"); /* and of UTF-8 */
}

static void check_block(const char *title, const char *expected)
{
    char block[ICY_BLOCK_MOST], read[ICY_TITLE_MOST];
    size_t length = icy_block(title, block);
    assert_int_equal(length, 1 + 16 * (size_t)(unsigned char)block[0]);
    assert_true(icy_title(block + 1, length - 1, read));
    assert_string_equal(read, expected);
}

static void blocks(void **state)
{
    (void)state;
    check_block("", "");
    check_block("x", "x");
    check_block("it's", "it's");
    check_block("'", "'");
    check_block(";'", ";'");
    check_block("a';StreamUrl='http://evil';b", "a' ;StreamUrl='http://evil' ;b");
    check_block("a\r\nb", "a  b");
    check_block("Bj\xf6rk", "Bj\xc3\xb6rk");
}

static void block_is_padded(void **state)
{
    (void)state;
    char block[ICY_BLOCK_MOST];
    assert_int_equal(icy_block("x", block), 17);
    assert_memory_equal(block, "\x01StreamTitle='x';", 17);
    assert_int_equal(icy_block("xy", block), 33);
    assert_memory_equal(block, "\x02StreamTitle='xy';\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 33);
}

/* Titles of every length around where they are cut, of characters of one to four bytes. */
static void long_titles_are_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const characters[] = {"x", "\xc3\xb6", "\xe2\x82\xac", "\xf0\x9f\x8e\xb5"};
    for (size_t i = 0; i < 4; i++) {
        char title[ICY_TITLE_MOST + 64] = "", read[ICY_TITLE_MOST], block[ICY_BLOCK_MOST];
        size_t step = strlen(characters[i]);
        while (strlen(title) + step < sizeof title)
            strcat(title, characters[i]);
        size_t length = icy_block(title, block);
        assert_true(icy_title(block + 1, length - 1, read));
        assert_int_equal(strlen(read), (ICY_TITLE_MOST - 1) / step * step);
        assert_memory_equal(read, title, strlen(read));
    }
}

static void check_interval(const char *field, int expected, uint64_t bytes)
{
    uint64_t interval = 7;
    assert_int_equal(icy_interval(field, "http://radio:80", &interval), expected);
    assert_int_equal(interval, bytes);
    if (expected < 0)
        assert_string_equal(weir_error()->sentence, "receive http://radio:80: its icy-metaint is no number of bytes");
}

static void intervals(void **state)
{
    (void)state;
    check_interval(NULL, 0, 0);
    check_interval("0", 0, 0);
    check_interval("16000", 1, 16000);
    check_interval(" 8192 ", 1, 8192);
    check_interval("1073741824", 1, 1073741824);
    check_interval("1073741825", -1, 0);
    check_interval("-1", -1, 0);
    check_interval("99999999999999999999", -1, 0);
    check_interval("x", -1, 0);
    check_interval("", -1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_out_of_any_pieces),
        cmocka_unit_test(no_interval_is_all_audio),
        cmocka_unit_test(cut_within_a_block),
        cmocka_unit_test(longest_block),
        cmocka_unit_test(titles),
        cmocka_unit_test(titles_in_any_encoding),
        cmocka_unit_test(titles_do_not_steer),
        cmocka_unit_test(blocks),
        cmocka_unit_test(block_is_padded),
        cmocka_unit_test(long_titles_are_cut_at_a_character),
        cmocka_unit_test(intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Titles: of tags of every version and encoding, of names, and of what is neither. */
#include "engine.h"

#include <fcntl.h>

#include "services/stream/title.h"

struct tag {
    uint8_t bytes[70000];
    size_t size;
};

static void put(struct tag *tag, const void *bytes, size_t size)
{
    memcpy(tag->bytes + tag->size, bytes, size);
    tag->size += size;
}

static void begin(struct tag *tag, unsigned version, unsigned flags)
{
    uint8_t header[10] = {'I', 'D', '3', (uint8_t)version, 0, (uint8_t)flags};
    tag->size = 0;
    put(tag, header, sizeof header);
}

/* Sizes are of 7 bits a byte in 2.4, and small enough here to look alike in all. */
static void put_frame(struct tag *tag, const char *name, const char *text, size_t size)
{
    bool is_old = strlen(name) == 3;
    uint8_t sizes[6] = {0, 0, (uint8_t)(size >> 7 & 127), (uint8_t)(size & 127)};
    if (tag->bytes[3] < 4)
        sizes[2] = (uint8_t)(size >> 8), sizes[3] = (uint8_t)size;
    put(tag, name, strlen(name));
    put(tag, is_old ? sizes + 1 : sizes, is_old ? 3 : 6);
    put(tag, text, size);
}

static void finish(struct tag *tag)
{
    size_t size = tag->size - 10;
    for (int i = 0; i < 4; i++)
        tag->bytes[6 + i] = (uint8_t)(size >> (7 * (3 - i)) & 127);
}

static void check_title(struct tag *tag, const char *expected)
{
    char title[TITLE_MOST];
    finish(tag);
    bool found = title_of_tag(tag->bytes, tag->size, title);
    assert_int_equal(found, expected != NULL);
    if (expected)
        assert_string_equal(title, expected);
}

static void versions(void **state)
{
    (void)state;
    static struct tag tag;
    begin(&tag, 2, 0);
    put_frame(&tag, "TP1", "\0Artist", 7);
    put_frame(&tag, "TT2", "\0Title", 6);
    check_title(&tag, "Artist - Title");
    begin(&tag, 3, 0);
    put_frame(&tag, "TIT2", "\0Title", 6);
    put_frame(&tag, "TPE1", "\0Artist", 7);
    check_title(&tag, "Artist - Title");
    begin(&tag, 4, 0);
    put_frame(&tag, "TIT2", "\3T\xc3\xbc\0other", 10);
    check_title(&tag, "T\xc3\xbc");
}

static void encodings(void **state)
{
    (void)state;
    static struct tag tag;
    begin(&tag, 3, 0);
    put_frame(&tag, "TIT2", "\0T\xfc", 3);
    check_title(&tag, "T\xc3\xbc");
    begin(&tag, 3, 0);
    put_frame(&tag, "TIT2", "\1\xff\xfeT\0\xac\x20\x3d\xd8\0\xde", 11);
    check_title(&tag, "T\xe2\x82\xac\xf0\x9f\x98\x80");
    begin(&tag, 4, 0);
    put_frame(&tag, "TIT2", "\2\0T\0i", 5);
    check_title(&tag, "Ti");
}

/* Controls, and what turns a line, are nobody's title. */
static void controls(void **state)
{
    (void)state;
    static struct tag tag;
    begin(&tag, 4, 0);
    put_frame(&tag, "TIT2", "\3a\x1b[2Jb\xe2\x80\256c\r\nd", 14);
    check_title(&tag, "a[2Jbc d");
    begin(&tag, 4, 0);
    put_frame(&tag, "TIT2", "\3\x1b\r\n", 4);
    check_title(&tag, NULL);
}

static void parts(void **state)
{
    (void)state;
    static struct tag tag;
    static char picture[60000];
    begin(&tag, 3, 0);
    put_frame(&tag, "APIC", picture, sizeof picture);
    put_frame(&tag, "TIT2", "\0behind", 7);
    check_title(&tag, "behind");
    begin(&tag, 3, 0);
    put_frame(&tag, "TPE1", "\0Artist alone", 13);
    check_title(&tag, NULL);
    begin(&tag, 3, 0x40); /* an extended header */
    put(&tag, "\0\0\0\6\0\0\0\0\0\0", 10);
    put_frame(&tag, "TIT2", "\0x", 2);
    check_title(&tag, "x");
    begin(&tag, 3, 0x80); /* unsynchronised: FF 00 stands for FF */
    put(&tag, "TIT2\0\0\0\5\0\0\1\xff\0\xfeT\0", 16);
    check_title(&tag, "T");
}

/* What says that it is longer than it is, compressed or enciphered. */
static void refused(void **state)
{
    (void)state;
    static struct tag tag;
    begin(&tag, 3, 0);
    put(&tag, "TIT2\x7f\xff\xff\xff\0\0\0x", 12);
    check_title(&tag, NULL);
    begin(&tag, 3, 0);
    put(&tag, "TIT2\0\0\0\x0a\0\x80\xff\xff\xff\xffxxxxxx", 20);
    check_title(&tag, NULL);
    begin(&tag, 4, 0);
    put(&tag, "TIT2\0\0\0\2\0\4\0x", 12);
    check_title(&tag, NULL);
    begin(&tag, 5, 0);
    put_frame(&tag, "TIT2", "\0x", 2);
    check_title(&tag, NULL);
}

static void long_title(void **state)
{
    (void)state;
    static struct tag tag;
    char text[1001] = "\3", title[TITLE_MOST];
    for (int i = 1; i < 1001; i += 2)
        memcpy(text + i, "\xc3\xbc", 2);
    begin(&tag, 4, 0);
    put_frame(&tag, "TIT2", text, sizeof text);
    finish(&tag);
    assert_true(title_of_tag(tag.bytes, tag.size, title));
    assert_int_equal(strlen(title), TITLE_MOST - 2);
    assert_int_equal(weir_utf8_span(title, strlen(title)), strlen(title));
}

static void check_file(const void *bytes, size_t size, const char *name, const char *expected)
{
    char title[TITLE_MOST], path[] = "/tmp/weir-test-title-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    title_of_file(fd, name, title);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), (off_t)size);
    close(fd);
    assert_string_equal(title, expected);
}

static void files(void **state)
{
    (void)state;
    static struct tag tag;
    char old[200] = "";
    memcpy(old + 72, "TAG", 3);
    memcpy(old + 75, "Old title", 9);
    memcpy(old + 105, "Old artist", 10);
    begin(&tag, 3, 0);
    put_frame(&tag, "TIT2", "\0New title", 10);
    finish(&tag);
    check_file(tag.bytes, tag.size, "x.mp3", "New title");
    check_file(old, sizeof old, "x.mp3", "Old artist - Old title");
    check_file(old, 199, "a/b/01 name.of it.mp3", "01 name.of it");
    check_file("", 0, ".hidden", ".hidden");
    check_file("ID3", 3,
               "a\xff\n"
               "b",
               "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions), cmocka_unit_test(encodings),  cmocka_unit_test(controls), cmocka_unit_test(parts),
        cmocka_unit_test(refused),  cmocka_unit_test(long_title), cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

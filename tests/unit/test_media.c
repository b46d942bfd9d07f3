/* The media: their order and names, what is left out, what leads out, looking again; and the frames of a file. */
#include "engine.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "services/stream/media_inside.h"
#include "services/stream/player.h"
#include "services/stream/tone.h"

static char folder[] = "/tmp/weir-test-media-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static int remove_folder(void **state)
{
    (void)state;
    return chdir("/") == 0 ? nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS) : -1;
}

static void make_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static struct media *open_media(const char **paths, size_t count)
{
    static weir_option_list list;
    list = (weir_option_list){.items = paths, .count = count};
    return media_open(&list);
}

/* `expected` is NULL-terminated. */
static void check_names(struct media *media, const char *const *expected)
{
    const struct media_list *list = media_hold(media);
    for (size_t i = 0; i < list->count; i++) {
        assert_non_null(expected[i]);
        assert_string_equal(list->files[i].name, expected[i]);
    }
    assert_null(expected[list->count]);
    media_drop(list);
}

static void order(void **state)
{
    (void)state;
    static const char *const rising[] = {"",   "2.mp3", "10.mp3", "010a.mp3", "a/1", "a/2", "a/10", "a b",  "A1",
                                         "a2", "B",     "b1",     "C/1",      "C/2", "c/1", "z9z8", "z9z10"};
    for (size_t i = 1; i < sizeof rising / sizeof *rising; i++) {
        assert_true(media_compare(rising[i - 1], rising[i]) < 0);
        assert_true(media_compare(rising[i], rising[i - 1]) > 0);
    }
    assert_true(media_compare("01", "1") != 0);
    assert_int_equal(media_compare("a", "a"), 0);
}

static void folders(void **state)
{
    (void)state;
    assert_int_equal(mkdir("music", 0700) + mkdir("music/b", 0700) + mkdir("music/.hidden", 0700), 0);
    make_file("music/10.mp3", "", 0);
    make_file("music/9.mp3", "", 0);
    make_file("music/b/2.ogg", "", 0);
    make_file("music/.x.mp3", "", 0);
    make_file("music/.hidden/y.mp3", "", 0);
    make_file("9.mp3", "", 0);
    assert_int_equal(mkfifo("music/pipe.mp3", 0600), 0);
    struct media *media = open_media((const char *[]){"9.mp3", "music//", "-"}, 3);
    assert_non_null(media);
    check_names(media, (const char *const[]){"9.mp3", "9 (2).mp3", "10.mp3", "b/2.ogg", NULL});
    const struct media_list *list = media_hold(media);
    assert_string_equal(list->files[3].path, "music/b/2.ogg");
    assert_string_equal(list->files[3].root, "music");
    assert_string_equal(list->files[3].type, "audio/ogg");
    assert_string_equal(list->files[1].path, "music/9.mp3");
    assert_true(list->files[0].named && !list->files[1].named);
    assert_true(media_is_played(&list->files[1]) && !media_is_played(&list->files[3]));
    media_drop(list);
    assert_true(media_has_stdin(media) && media_take_stdin(media) && !media_take_stdin(media));
    media_give_stdin(media);
    assert_true(media_take_stdin(media));
    media_close(media);
}

static void check_refused(const char *path, int number, const char *word)
{
    assert_null(open_media(&path, 1));
    assert_int_equal(errno, number);
    assert_non_null(strstr(weir_error()->sentence, word));
}

static void refused(void **state)
{
    (void)state;
    assert_int_equal(mkdir("empty", 0700) + mkfifo("pipe", 0600), 0);
    check_refused("missing", ENOENT, "missing");
    check_refused("empty", ENOENT, "empty: there are no files in it");
    check_refused("pipe", EINVAL, "pipe: it is neither a file nor a folder");
}

/* What has become of a file since it was listed. */
static void check_opens(struct media *media, size_t at, bool expected)
{
    const struct media_list *list = media_hold(media);
    weir_file *file = media_open_file(&list->files[at]);
    assert_int_equal(file != NULL, expected);
    weir_file_close(file);
    media_drop(list);
}

static void links(void **state)
{
    (void)state;
    assert_int_equal(mkdir("in", 0700) + mkdir("in/deep", 0700), 0);
    make_file("secret.mp3", "x", 1);
    make_file("in/deep/own.mp3", "x", 1);
    assert_int_equal(symlink("deep/own.mp3", "in/a.mp3") + symlink("../secret.mp3", "in/out.mp3") +
                         symlink("/etc/passwd", "in/away.mp3") + symlink(".", "in/circle") +
                         symlink("in/deep/own.mp3", "named.mp3"),
                     0);
    struct media *media = open_media((const char *[]){"in", "named.mp3"}, 2);
    assert_non_null(media);
    check_names(media, (const char *const[]){"a.mp3", "deep/own.mp3", "own.mp3", NULL});
    for (size_t i = 0; i < 3; i++)
        check_opens(media, i, true);
    assert_int_equal(unlink("in/a.mp3") + symlink("../secret.mp3", "in/a.mp3"), 0);
    check_opens(media, 0, false);
    assert_non_null(strstr(weir_error()->sentence, "it leads out of its folder"));
    assert_int_equal(unlink("in/a.mp3") + mkfifo("in/a.mp3", 0600), 0);
    check_opens(media, 0, false);
    assert_int_equal(rename("in/deep", "deep") + symlink("../deep", "in/deep"), 0);
    check_opens(media, 1, false);
    media_close(media);
}

static void again(void **state)
{
    (void)state;
    assert_int_equal(mkdir("m", 0700), 0);
    make_file("m/1.mp3", "", 0);
    struct media *media = open_media((const char *[]){"m"}, 1);
    const struct media_list *before = media_hold(media);
    make_file("m/2.mp3", "", 0);
    uint64_t generation = media_generation(media);
    assert_int_equal(media_reload(media), 0);
    assert_true(media_generation(media) != generation);
    check_names(media, (const char *const[]){"1.mp3", "2.mp3", NULL});
    assert_int_equal(before->count, 1);
    assert_string_equal(before->files[0].name, "1.mp3");
    media_drop(before);
    assert_int_equal(unlink("m/1.mp3") + unlink("m/2.mp3"), 0);
    assert_int_equal(media_reload(media), -1);
    check_names(media, (const char *const[]){"1.mp3", "2.mp3", NULL});
    media_close(media);
}

/* --- the order that the player plays --- */

static void check_next(struct playlist *playlist, const char *expected)
{
    const struct media_file *file = playlist_next(playlist);
    assert_int_equal(file != NULL, expected != NULL);
    if (file)
        assert_string_equal(file->name, expected);
}

static void playlist_follows(void **state)
{
    (void)state;
    assert_int_equal(mkdir("p", 0700), 0);
    make_file("p/1.mp3", "", 0);
    make_file("p/3.mp3", "", 0);
    make_file("p/4.mp3", "", 0);
    make_file("p/cover.jpg", "", 0);
    struct media *media = open_media((const char *[]){"p"}, 1);
    struct playlist playlist;
    assert_int_equal(playlist_begin(&playlist, media, false), 0);
    check_next(&playlist, "1.mp3");
    check_next(&playlist, "3.mp3");
    make_file("p/2.mp3", "", 0);
    assert_int_equal(media_reload(media), 0);
    check_next(&playlist, "4.mp3");
    assert_int_equal(unlink("p/4.mp3") + media_reload(media), 0);
    check_next(&playlist, "1.mp3");
    check_next(&playlist, "2.mp3");
    check_next(&playlist, "3.mp3");
    check_next(&playlist, NULL);
    playlist_end(&playlist);
    media_close(media);
}

static void playlist_shuffles(void **state)
{
    (void)state;
    char path[16];
    int seen = 0;
    assert_int_equal(mkdir("s", 0700), 0);
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "s/%d.mp3", i);
        make_file(path, "", 0);
    }
    struct media *media = open_media((const char *[]){"s"}, 1);
    struct playlist playlist;
    assert_int_equal(playlist_begin(&playlist, media, true), 0);
    for (int i = 0; i < 8; i++)
        seen |= 1 << (playlist_next(&playlist)->name[0] - '0');
    check_next(&playlist, NULL);
    assert_int_equal(seen, 255);
    playlist_end(&playlist);
    media_close(media);
}

/* --- the frames of a file --- */

static uint64_t count_frames(const char *path, bool at_offsets)
{
    struct frame_reader reader;
    struct mp3_frame frame;
    const uint8_t *bytes;
    weir_file *file = weir_file_open(path, O_RDONLY, 0);
    assert_non_null(file);
    assert_int_equal(frame_reader_begin(&reader, file, at_offsets), 0);
    while (frame_reader_next(&reader, &bytes, &frame) == 1)
        assert_true(mp3_header(bytes, &frame));
    uint64_t frames = reader.frames;
    frame_reader_end(&reader);
    weir_file_close(file);
    return frames;
}

/* With a tag that is longer than what is read at once, and a frame in front that is no audio. */
static void frames(void **state)
{
    (void)state;
    size_t size;
    const uint8_t *tone = tone_frames(&size);
    static uint8_t bytes[10 + 200000 + 417 + TONE_BYTES] = "ID3\3\0\0\0\x0c\x1a\x40";
    uint8_t *audio = bytes + 10 + 200000;
    memset(bytes + 10, 0xff, 200000);
    memcpy(audio, "\xff\xfb\x90\xc4", 4);
    memcpy(audio + 21, "Info", 4);
    memcpy(audio + 417, tone, size);
    make_file("tone.mp3", bytes, sizeof bytes);
    assert_int_equal(count_frames("tone.mp3", true), TONE_FRAMES);
    assert_int_equal(count_frames("tone.mp3", false), TONE_FRAMES);
    make_file("cut.mp3", bytes, sizeof bytes - 100);
    assert_int_equal(count_frames("cut.mp3", true), TONE_FRAMES - 1);
}

/* After a megabyte that is no audio nothing more is looked at. */
static void no_audio(void **state)
{
    (void)state;
    size_t size;
    const uint8_t *tone = tone_frames(&size);
    static uint8_t bytes[1200000 + TONE_BYTES];
    memcpy(bytes + 1200000, tone, size);
    make_file("late.mp3", bytes, sizeof bytes);
    assert_int_equal(count_frames("late.mp3", true), 0);
    make_file("sooner.mp3", bytes + 300000, sizeof bytes - 300000);
    assert_int_equal(count_frames("sooner.mp3", true), TONE_FRAMES);
    make_file("empty.mp3", "", 0);
    assert_int_equal(count_frames("empty.mp3", true), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test_setup_teardown(folders, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(links, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(playlist_follows, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(playlist_shuffles, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(frames, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(no_audio, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

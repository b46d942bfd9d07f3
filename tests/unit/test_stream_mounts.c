/*
 * Mounts of stream: the audio in blocks, sources that take each other's place, and what a listener is sent of it, byte
 * for byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "services/stream/listener.h"

enum { FRAME = 400, KEEP = 4 * BLOCK_SIZE };

/* --- audio of which each byte tells its position --- */

static char byte_at(uint64_t position)
{
    return (char)(position * 131 + position / 256 * 17 + position / 65536);
}

static void write_frames(struct reel *reel, uint64_t frames, bool start)
{
    struct reel_look look;
    char frame[FRAME];
    for (; frames; frames--) {
        reel_look(reel, &look);
        for (size_t i = 0; i < FRAME; i++)
            frame[i] = byte_at(look.end + i);
        assert_int_equal(reel_write(reel, frame, FRAME, start), 0);
    }
}

static struct mounts *new_mounts(size_t most)
{
    struct mounts *mounts = mounts_new(&(struct mounts_options){.most = most, .burst = 4096, .queue = 4096});
    assert_non_null(mounts);
    return mounts;
}

static struct mount *new_mount(struct mounts *mounts, const char *path)
{
    struct mount *mount = mounts_make(mounts, path, MOUNT_LIVE);
    assert_non_null(mount);
    return mount;
}

static struct mount_source *begin(struct mount *mount, const char *type)
{
    struct mount_source *source = mount_begin(mount, &(struct mount_description){.type = type}, true);
    assert_non_null(source);
    return source;
}

/* --- reels --- */

struct around {
    struct mounts *mounts;
    struct mount *mount;
    struct reel *reel;
};

static struct around set_up(void)
{
    struct around around = {.mounts = new_mounts(1)};
    around.mount = new_mount(around.mounts, "/live");
    around.reel = reel_new(around.mount, "audio/mpeg", KEEP);
    assert_non_null(around.reel);
    return around;
}

static void tear_down(struct around *around)
{
    reel_drop(around->reel);
    mount_drop(around->mount);
    mounts_free(around->mounts);
}

static void a_listener_begins_at_a_start(void **state)
{
    (void)state;
    struct around around = set_up();
    uint64_t position = 7;
    assert_false(reel_join(around.reel, 0, &position));
    write_frames(around.reel, 1, false);
    assert_false(reel_join(around.reel, 0, &position));
    write_frames(around.reel, 100, true);
    assert_true(reel_join(around.reel, 0, &position));
    assert_int_equal(position, 100 * FRAME);
    assert_true(reel_join(around.reel, 1000, &position));
    assert_int_equal(position, 98 * FRAME); /* 1,200 bytes before the end */
    assert_true(reel_join(around.reel, 100000, &position));
    assert_int_equal(position, FRAME); /* the oldest */
    tear_down(&around);
}

static void what_is_old_is_not_kept(void **state)
{
    (void)state;
    struct around around = set_up();
    struct reel_look look;
    struct stretch stretch;
    uint64_t position;
    write_frames(around.reel, 1000, true);
    reel_look(around.reel, &look);
    assert_int_equal(look.end, 1000 * FRAME);
    assert_true(look.end - look.begin >= KEEP && look.end - look.begin <= KEEP + 3 * BLOCK_SIZE);
    assert_int_equal(reel_take(around.reel, look.begin - 1, &stretch), 0);
    assert_true(reel_join(around.reel, 10 * KEEP, &position));
    assert_true(position >= look.begin && position < look.begin + FRAME);
    tear_down(&around);
}

static void an_end_is_one(void **state)
{
    (void)state;
    struct around around = set_up();
    struct reel_look look;
    write_frames(around.reel, 1, true);
    reel_end(around.reel);
    assert_int_equal(reel_write(around.reel, "x", 1, true), -1);
    assert_int_equal(errno, ECANCELED);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_CANCELLED);
    reel_look(around.reel, &look);
    assert_true(look.ended && look.end == FRAME);
    tear_down(&around);
}

static void a_boundary_is_the_next_start(void **state)
{
    (void)state;
    struct around around = set_up();
    write_frames(around.reel, 100, true);
    assert_int_equal(reel_boundary(around.reel, 0, 9000), 0);
    assert_int_equal(reel_boundary(around.reel, 1, 9000), FRAME);
    assert_int_equal(reel_boundary(around.reel, FRAME + 1, FRAME + 10), FRAME + 10);
    assert_int_equal(reel_boundary(around.reel, 99 * FRAME + 1, 100 * FRAME), 100 * FRAME); /* there is none after it */
    tear_down(&around);
}

/* Ogg: what is before a header is of the one before, which nobody gets who begins now. */
static void a_listener_begins_behind_the_header(void **state)
{
    (void)state;
    struct around around = set_up();
    uint64_t position;
    assert_int_equal(reel_set_header(around.reel, "one", 3), 0);
    write_frames(around.reel, 100, true);
    assert_true(reel_join(around.reel, 10 * FRAME, &position));
    assert_int_equal(position, 90 * FRAME);
    write_frames(around.reel, 1, false);
    assert_int_equal(reel_set_header(around.reel, "two", 3), 0);
    assert_false(reel_join(around.reel, 10 * FRAME, &position));
    write_frames(around.reel, 5, true);
    assert_true(reel_join(around.reel, 10 * FRAME, &position));
    assert_int_equal(position, 101 * FRAME);
    assert_true(reel_join(around.reel, 4 * FRAME + 1, &position));
    assert_int_equal(position, 101 * FRAME);
    assert_true(reel_join(around.reel, 0, &position));
    assert_int_equal(position, 105 * FRAME);
    tear_down(&around);
}

/* Starts that are closer than a block has places for are passed over, without harm. */
static void close_starts_are_passed_over(void **state)
{
    (void)state;
    struct around around = set_up();
    uint64_t position;
    for (int i = 0; i < 30000; i++)
        assert_int_equal(reel_write(around.reel, "a", 1, true), 0);
    assert_true(reel_join(around.reel, 1000, &position));
    assert_true(position <= 29000 && position > 29000 - BLOCK_SIZE / BLOCK_STARTS - 1);
    tear_down(&around);
}

/* Whoever holds a block finds in it what was there, whatever is written meanwhile. */
static void what_is_held_stays(void **state)
{
    (void)state;
    struct around around = set_up();
    struct stretch stretch;
    write_frames(around.reel, 300, true);
    uint64_t position;
    assert_true(reel_join(around.reel, KEEP, &position));
    size_t size = reel_take(around.reel, position, &stretch);
    assert_true(size > 0 && (position + size) % FRAME == 0);
    write_frames(around.reel, 3000, true);
    for (size_t i = 0; i < stretch.count; i++)
        for (size_t at = stretch.from[i]; at < stretch.to[i]; at++)
            assert_int_equal(stretch.blocks[i]->bytes[at], byte_at(position++));
    stretch_drop(&stretch);
    tear_down(&around);
}

/* One that is full ends where a listener could be set forward from. */
static void a_full_stretch_ends_at_a_start(void **state)
{
    (void)state;
    struct around around = set_up();
    struct stretch stretch;
    reel_drop(around.reel);
    around.reel = reel_new(around.mount, "audio/mpeg", 20 * BLOCK_SIZE);
    write_frames(around.reel, 500, true);
    size_t size = reel_take(around.reel, 0, &stretch);
    assert_int_equal(stretch.count, STRETCH_BLOCKS);
    assert_true(size % FRAME == 0 && size > (STRETCH_BLOCKS - 1) * BLOCK_SIZE);
    stretch_drop(&stretch);
    tear_down(&around);
}

/* --- mounts --- */

static void mounts_are_found_and_bounded(void **state)
{
    (void)state;
    struct mounts *mounts = new_mounts(2);
    char long_path[300];
    struct mount *one = new_mount(mounts, "/one"), *two = new_mount(mounts, "/two");
    assert_ptr_equal(mounts_find(mounts, "/one"), one);
    assert_null(mounts_find(mounts, "/three"));
    assert_null(mounts_make(mounts, "/three", MOUNT_LIVE));
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_LIMIT);
    mount_drop(two); /* nobody's any more: its place is free */
    mount_drop(new_mount(mounts, "/three"));
    memset(long_path, '/', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_null(mounts_make(mounts, long_path, MOUNT_LIVE));
    assert_null(mounts_make(mounts, "one", MOUNT_LIVE));
    mount_drop(one);
    mount_drop(one);
    assert_int_equal(mounts_status(mounts, NULL, 0), 0);
    mounts_free(mounts);
}

static void a_ghost_is_replaced(void **state)
{
    (void)state;
    struct mounts *mounts = new_mounts(1);
    struct mount *mount = new_mount(mounts, "/live");
    struct mount_source *ghost = begin(mount, "audio/mpeg");
    assert_null(mount_begin(mount, &(struct mount_description){.type = "audio/aac"}, false));
    assert_int_equal(errno, EBUSY);
    assert_int_equal(mount_write(ghost, "a", 1, true), 0);
    struct mount_source *source = begin(mount, "audio/mpeg");
    assert_int_equal(mount_write(ghost, "a", 1, true), -1);
    assert_int_equal(errno, ECANCELED);
    mount_end(ghost);
    struct mount_status status;
    mount_look(mount, &status);
    assert_true(status.live && status.bytes_in == 1);
    assert_int_equal(mount_write(source, "a", 1, true), 0);
    mounts_stop(mounts);
    assert_int_equal(mount_write(source, "a", 1, true), -1);
    mount_end(source);
    mount_look(mount, &status);
    assert_false(status.live);
    mount_drop(mount);
    mounts_free(mounts);
}

/* What goes into heads of answers has no line breaks; what is too long is cut at a whole character. */
static void texts_are_harmless(void **state)
{
    (void)state;
    struct mounts *mounts = new_mounts(1);
    struct mount *mount = new_mount(mounts, "/live");
    struct mount_status status;
    char name[400] = "a\r\nb\x7f";
    for (size_t at = strlen(name); at < sizeof name - 2; at += 2)
        memcpy(name + at, "\xc3\xa4", 3);
    struct mount_description description = {.type = "audio/mpeg\r\nEvil: 1", .name = name};
    struct mount_source *source = mount_begin(mount, &description, false);
    mount_set_title(mount, "one\ntwo");
    mount_look(mount, &status);
    assert_string_equal(status.type, "audio/mpeg  Evil: 1");
    assert_string_equal(status.title, "one two");
    assert_memory_equal(status.name, "a  b ", 5);
    assert_int_equal(strlen(status.name), 255); /* of 256 with its NUL, 5 + 2 x 125 */
    struct reel *reel = mount_heard(mount, NULL);
    assert_null(reel); /* nothing has come yet */
    mount_end(source);
    mount_drop(mount);
    mounts_free(mounts);
}

static void what_is_heard(void **state)
{
    (void)state;
    struct mounts *mounts = new_mounts(2);
    struct mount *live = new_mount(mounts, "/live"), *radio = new_mount(mounts, "/radio");
    struct mount_source *player = begin(radio, "audio/mpeg");
    assert_int_equal(mount_write(player, "r", 1, true), 0);
    assert_null(mount_heard(live, NULL));
    mounts_set_fallback(mounts, radio);
    struct reel *reel = mount_heard(live, NULL);
    assert_non_null(reel);
    assert_ptr_equal(reel_mount(reel), radio);
    reel_drop(reel);
    assert_null(mount_heard(live, "audio/aac"));
    struct mount_source *source = begin(live, "audio/mpeg");
    reel = mount_heard(live, "audio/mpeg");
    assert_ptr_equal(reel_mount(reel), radio); /* as long as there is nothing of its own */
    reel_drop(reel);
    assert_int_equal(mount_write(source, "l", 1, true), 0);
    reel = mount_heard(live, "audio/mpeg");
    assert_ptr_equal(reel_mount(reel), live);
    reel_drop(reel);
    mount_end(source);
    mount_end(player);
    mount_drop(live);
    mount_drop(radio);
    mounts_free(mounts);
}

/* --- what a listener is sent --- */

struct hearing {
    struct around around;
    weir_conn *pair[2];
    struct listener listener;
    struct icy_reader icy;
    uint64_t heard; /* position of the audio that comes next */
    int titles;
};

static void begin_hearing(struct hearing *hearing, bool titles, int send_buffer)
{
    *hearing = (struct hearing){.around = set_up()};
    assert_int_equal(weir_pair(SOCK_STREAM, hearing->pair), 0);
    if (send_buffer)
        assert_int_equal(weir_set_buffers(hearing->pair[0], 0, send_buffer), 0);
    hearing->listener = (struct listener){.conn = hearing->pair[0],
                                          .mount = hearing->around.mount,
                                          .reel = hearing->around.reel,
                                          .joined = true,
                                          .metadata = {.wanted = titles, .until = LISTENER_INTERVAL}};
    icy_begin(&hearing->icy, titles ? LISTENER_INTERVAL : 0);
}

static void end_hearing(struct hearing *hearing)
{
    free(hearing->listener.rest);
    weir_close(hearing->pair[0]);
    weir_close(hearing->pair[1]);
    tear_down(&hearing->around);
}

/* Reads what there is, at most so much, and compares it. */
static void hear(struct hearing *hearing, size_t most)
{
    char data[8192];
    ssize_t size = weir_recv_flags(hearing->pair[1], data, most < sizeof data ? most : sizeof data, MSG_DONTWAIT);
    for (ssize_t at = 0; at < size;) {
        const char *audio, *title;
        size_t length;
        at += (ssize_t)icy_read(&hearing->icy, data + at, (size_t)(size - at), &audio, &length, &title);
        hearing->titles += title != NULL;
        for (size_t i = 0; i < length; i++)
            assert_int_equal(audio[i], byte_at(hearing->heard++));
        if (title)
            assert_string_equal(title, "the title");
    }
}

/* Whatever the socket takes at a time, all comes, and between two sends the listener is between two frames. */
static void hear_all(bool titles, int send_buffer, size_t most)
{
    struct hearing hearing;
    begin_hearing(&hearing, titles, send_buffer);
    mount_set_title(hearing.around.mount, "the title");
    uint64_t written = 0;
    for (int i = 0; hearing.heard < 100000; i++) {
        if (written < 100000 && written < hearing.heard + KEEP / 2) {
            write_frames(hearing.around.reel, 1 + (uint64_t)i % 5, true);
            written += FRAME * (1 + (uint64_t)i % 5);
        }
        if (listener_send_rest(&hearing.listener) == SENT_ALL)
            assert_int_not_equal(listener_send_batch(&hearing.listener), SENT_FAILED);
        assert_int_equal(hearing.listener.position % FRAME, 0);
        hear(&hearing, most);
    }
    assert_int_equal(hearing.titles, titles ? 1 : 0);
    end_hearing(&hearing);
}

static void all_is_heard_at_once(void **state)
{
    (void)state;
    hear_all(false, 0, 8192);
    hear_all(true, 0, 8192);
}

static void all_is_heard_through_a_small_socket(void **state)
{
    (void)state;
    hear_all(false, 4608, 100);
    hear_all(true, 4608, 100);
    hear_all(true, 4608, 777);
}

static void a_title_is_sent_when_it_changes(void **state)
{
    (void)state;
    struct hearing hearing;
    begin_hearing(&hearing, true, 0);
    mount_set_title(hearing.around.mount, "the title");
    for (int i = 0; i < 200; i++) {
        write_frames(hearing.around.reel, 1, true);
        if (i == 100)
            mount_set_title(hearing.around.mount, "the title");
        assert_int_equal(listener_send_batch(&hearing.listener), SENT_ALL);
        hear(&hearing, 8192);
    }
    assert_int_equal(hearing.titles, 2);
    assert_int_equal(hearing.heard, 200 * FRAME);
    end_hearing(&hearing);
}

/* Ogg: whoever misses where another stream began is given its header. */
static void who_is_set_forward_gets_the_header(void **state)
{
    (void)state;
    struct hearing hearing;
    char data[2 * FRAME];
    begin_hearing(&hearing, false, 0);
    hearing.listener.ends = WEIR_FOREVER;
    write_frames(hearing.around.reel, 50, true);
    assert_int_equal(reel_set_header(hearing.around.reel, "header", 6), 0);
    write_frames(hearing.around.reel, 250, true); /* of which 70,000 bytes are no longer behind */
    mounts_stop(hearing.around.mounts);           /* so that it is one turn */
    listener_run(&hearing.listener);
    assert_int_equal(weir_read_exactly(hearing.pair[1], data, sizeof data), 0);
    assert_memory_equal(data, "header", 6);
    assert_int_equal(data[6], byte_at(289 * FRAME)); /* a burst, 4,096 bytes, before the end */
    assert_int_equal(atomic_load(&hearing.around.mount->skipped), 1);
    end_hearing(&hearing);
}

static void who_is_gone_is_told(void **state)
{
    (void)state;
    struct hearing hearing;
    begin_hearing(&hearing, false, 0);
    weir_close(hearing.pair[1]);
    hearing.pair[1] = NULL;
    write_frames(hearing.around.reel, 10, true);
    assert_int_equal(listener_send_batch(&hearing.listener), SENT_FAILED);
    assert_true(hearing.listener.failed);
    end_hearing(&hearing);
}

/* --- all at once, as several workers have it --- */

enum { THREADS = 3, EACH = 40000 };

static struct {
    struct mounts *mounts;
    struct mount *radio, *live;
    atomic_bool stopped;
} crowd;

static int write_letters(struct mount_source *source, char letter)
{
    char frame[FRAME];
    memset(frame, letter, sizeof frame);
    frame[0] = 'W';
    return mount_write(source, frame, sizeof frame, true);
}

static void *play_radio(void *arg)
{
    struct mount_source *source = begin(crowd.radio, "audio/mpeg");
    while (!atomic_load(&crowd.stopped) && write_letters(source, 'r') == 0)
        weir_sleep(WEIR_MS(1));
    mount_end(source);
    return arg;
}

/* Comes, goes, and leaves its ghost. */
static void *play_live(void *arg)
{
    while (!atomic_load(&crowd.stopped)) {
        struct mount_source *ghost = begin(crowd.live, "audio/mpeg"), *source = begin(crowd.live, "audio/mpeg");
        mount_set_title(crowd.live, "the title");
        for (int i = 0; i < 30 && write_letters(source, 'l') == 0; i++)
            weir_sleep(WEIR_MS(1));
        mount_end(source);
        mount_end(ghost);
    }
    return arg;
}

static void *listen_to_live(void *pair)
{
    struct listener listener = {.conn = pair,
                                .mount = crowd.live,
                                .ends = WEIR_FOREVER,
                                .metadata = {.wanted = true, .until = LISTENER_INTERVAL}};
    mount_enter(crowd.live);
    listener_run(&listener);
    mount_leave(crowd.live);
    reel_drop(listener.reel);
    free(listener.rest);
    return NULL;
}

/* Whole frames of either source, whatever else goes on. */
static void hear_both(weir_conn *conn)
{
    struct icy_reader icy;
    uint64_t heard = 0;
    char data[4096], kind = 0;
    struct mount_status status;
    icy_begin(&icy, LISTENER_INTERVAL);
    while (heard < EACH) {
        ssize_t size = weir_recv(conn, data, sizeof data);
        assert_true(size > 0);
        for (ssize_t at = 0; at < size;) {
            const char *audio, *title;
            size_t length;
            at += (ssize_t)icy_read(&icy, data + at, (size_t)(size - at), &audio, &length, &title);
            for (size_t i = 0; i < length; i++, heard++) {
                kind = heard % FRAME == 1 ? audio[i] : kind;
                assert_true(heard % FRAME == 0 ? audio[i] == 'W' : audio[i] == kind && (kind == 'r' || kind == 'l'));
            }
        }
        mount_look(crowd.live, &status);
        assert_true(status.listeners <= THREADS);
    }
}

static void all_at_once(void **state)
{
    (void)state;
    pthread_t players[2], listeners[THREADS];
    weir_conn *pairs[THREADS][2];
    crowd.mounts = new_mounts(2);
    crowd.radio = new_mount(crowd.mounts, "/radio");
    crowd.live = new_mount(crowd.mounts, "/live");
    mounts_set_fallback(crowd.mounts, crowd.radio);
    assert_int_equal(pthread_create(&players[0], NULL, play_radio, NULL), 0);
    assert_int_equal(pthread_create(&players[1], NULL, play_live, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(weir_pair(SOCK_STREAM, pairs[i]), 0);
        assert_int_equal(pthread_create(&listeners[i], NULL, listen_to_live, pairs[i][0]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        hear_both(pairs[i][1]);
    mounts_stop(crowd.mounts);
    for (int i = 0; i < THREADS; i++) {
        weir_close(pairs[i][1]);
        pthread_join(listeners[i], NULL);
        weir_close(pairs[i][0]);
    }
    atomic_store(&crowd.stopped, true);
    pthread_join(players[0], NULL);
    pthread_join(players[1], NULL);
    mount_drop(crowd.radio);
    mount_drop(crowd.live);
    mounts_free(crowd.mounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_begins_at_a_start),
        cmocka_unit_test(what_is_old_is_not_kept),
        cmocka_unit_test(an_end_is_one),
        cmocka_unit_test(a_boundary_is_the_next_start),
        cmocka_unit_test(a_listener_begins_behind_the_header),
        cmocka_unit_test(close_starts_are_passed_over),
        cmocka_unit_test(what_is_held_stays),
        cmocka_unit_test(a_full_stretch_ends_at_a_start),
        cmocka_unit_test(mounts_are_found_and_bounded),
        cmocka_unit_test(a_ghost_is_replaced),
        cmocka_unit_test(texts_are_harmless),
        cmocka_unit_test(what_is_heard),
        cmocka_unit_test(all_is_heard_at_once),
        cmocka_unit_test(all_is_heard_through_a_small_socket),
        cmocka_unit_test(a_title_is_sent_when_it_changes),
        cmocka_unit_test(who_is_set_forward_gets_the_header),
        cmocka_unit_test(who_is_gone_is_told),
        cmocka_unit_test(all_at_once),
    };
    return cmocka_run_group_tests_name("stream_mounts", tests, NULL, NULL);
}

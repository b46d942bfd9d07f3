/*
 * The radio: the media one after the other, endlessly, paced as they sound. What is written is ahead of that by a
 * second, and before by a burst, so that the first listener need not wait for one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "player.h"
#include "stream.h"
#include "title.h"
#include "tone.h"

#define AHEAD WEIR_S(1)
/* It writes so much, then sleeps as long. */
#define STEP WEIR_MS(250)
/* More behind than that is not made up for: the machine slept, or standard input has paused. */
#define LATE WEIR_S(2)
/* Before the media are tried again of which none could be played; doubled each time. */
#define PAUSE_LEAST WEIR_S(1)
#define PAUSE_MOST  WEIR_MINUTES(1)

struct player {
    struct stream *stream;
    struct mount_source *source; /* NULL until there is something to be heard */
    char title[TITLE_MOST];
    bool titled;    /* it was told */
    int64_t begun;  /* when the first frame sounds */
    int64_t passed; /* how long those last that were written before the rate was another */
    uint64_t samples;
    uint32_t rate; /* of these */
    uint64_t bytes;
    uint64_t frames;
    bool over; /* it is to end: it was cancelled, or its source was */
};

/* --- writing, paced --- */

static int64_t written(const struct player *player)
{
    return player->passed + mp3_duration(player->samples, player->rate);
}

static void count(struct player *player, const struct mp3_frame *frame)
{
    if (frame->rate != player->rate) {
        player->passed = written(player);
        player->samples = 0;
        player->rate = frame->rate;
    }
    player->samples += frame->samples;
    player->bytes += frame->length;
    player->frames++;
}

/* Waits until it is time to write more. */
static int pace(struct player *player)
{
    int64_t now = weir_now(), ahead = player->begun + written(player) - now;
    bool is_burst = player->bytes < (uint64_t)player->stream->settings->burst;
    if (is_burst || ahead < AHEAD - LATE) {
        player->begun = now + AHEAD - written(player);
        return is_burst ? 0 : weir_yield();
    }
    return ahead > AHEAD ? weir_sleep_until(now + ahead - AHEAD + STEP) : 0;
}

/* The source begins with its first frame. */
static int begin(struct player *player, int bitrate)
{
    const struct stream_settings *settings = player->stream->settings;
    struct mount_description description = {
        .type = "audio/mpeg",
        .name = settings->name,
        .genre = settings->genre,
        .description = settings->description,
        .url = settings->url,
        .bitrate = bitrate,
    };
    player->source = mount_begin(player->stream->radio, &description, true);
    return player->source ? 0 : -1;
}

/* Something has failed; where that was no cancel it may go better the next time. Returns -1. */
static int failed(struct player *player)
{
    player->over = player->over || weir_cancelled() || errno == ECANCELED;
    return -1;
}

/* After a failure: whether the player is to end. */
static bool is_over(struct player *player)
{
    failed(player);
    return player->over;
}

/* `bitrate` is that of all, in kbit/s; 0: it varies, or is not known. */
static int write_frame(struct player *player, const uint8_t *bytes, const struct mp3_frame *frame, int bitrate)
{
    if (pace(player) < 0 || (!player->source && begin(player, bitrate) < 0))
        return failed(player);
    if (!player->titled)
        mount_set_title(player->stream->radio, player->title);
    player->titled = true;
    if (mount_write(player->source, bytes, frame->length, true) < 0)
        return failed(player);
    count(player, frame);
    return 0;
}

/* --- a file, standard input, the tone --- */

/* 0 at the end of the frames, and what is wrong with the file is said; -1 with an error that is not the file's. */
static int play_frames(struct player *player, struct frame_reader *reader, const char *name)
{
    const uint8_t *bytes;
    struct mp3_frame frame;
    int result;
    while ((result = frame_reader_next(reader, &bytes, &frame)) == 1) {
        int bitrate = reader->is_varied ? 0 : (int)(frame.bitrate / 1000);
        if (write_frame(player, bytes, &frame, bitrate) < 0)
            return -1;
    }
    if (result < 0 && is_over(player))
        return -1;
    if (result < 0)
        weir_log(WEIR_LOG_WARNING, "radio: read %s: %s: on to the next", name, weir_error()->reason);
    else if (reader->frames == 0)
        weir_log(WEIR_LOG_WARNING, "radio: %s: there is no MPEG audio in it: skipped", name);
    return 0;
}

static int play_open(struct player *player, weir_file *file, const char *name, bool at_offsets)
{
    struct frame_reader reader;
    player->titled = false;
    if (frame_reader_begin(&reader, file, at_offsets) < 0)
        return -1;
    int result = play_frames(player, &reader, name);
    frame_reader_end(&reader);
    return result;
}

struct titling {
    int fd;
    const char *name;
    char *title;
};

static int find_title(void *arg)
{
    struct titling *titling = arg;
    title_of_file(titling->fd, titling->name, titling->title);
    return 0;
}

static int play_file(struct player *player, const struct media_file *file)
{
    weir_file *opened = media_open_file(file);
    if (!opened) {
        if (is_over(player))
            return -1;
        weir_log(WEIR_LOG_WARNING, "radio: %s: skipped", weir_error()->sentence);
        return 0;
    }
    struct titling titling = {weir_file_fd(opened), file->name, player->title};
    int result = weir_offload(find_title, &titling, NULL, NULL, WEIR_FOREVER);
    if (result < 0)
        failed(player);
    else
        result = play_open(player, opened, file->path, true);
    weir_file_close(opened);
    return result;
}

/* It is there once; a client of the raw stream may have it. */
static int play_stdin(struct player *player)
{
    struct media *media = player->stream->media;
    if (!media_has_stdin(media))
        return 0;
    if (!media_take_stdin(media)) {
        weir_log(WEIR_LOG_WARNING, "radio: standard input goes to a client: skipped");
        return 0;
    }
    strcpy(player->title, "standard input");
    int result = play_open(player, weir_stdin(), "standard input", false);
    media_give_stdin(media);
    return result;
}

static int play_tone(struct player *player)
{
    size_t size;
    const uint8_t *frames = tone_frames(&size);
    struct mp3_frame frame;
    strcpy(player->title, "a tone");
    for (size_t at = 0; at < size && mp3_header(frames + at, &frame); at += frame.length)
        if (write_frame(player, frames + at, &frame, (int)(frame.bitrate / 1000)) < 0)
            return -1;
    return 0;
}

/* --- all of it --- */

/* Every file once. */
static int play_files(struct player *player)
{
    struct playlist playlist;
    const struct media_file *file;
    int result = playlist_begin(&playlist, player->stream->media, player->stream->settings->shuffle);
    while (result == 0 && (file = playlist_next(&playlist)))
        result = play_file(player, file);
    playlist_end(&playlist);
    return result;
}

static bool has_files(struct media *media)
{
    const struct media_list *list = media_hold(media);
    bool has = list->count > 0;
    media_drop(list);
    return has;
}

/* Says it the first time, and sleeps. */
static int wait_for_better(int64_t *pause)
{
    if (!*pause)
        weir_log(WEIR_LOG_ERROR, "radio: nothing of the media can be played; they are tried again from time to time");
    *pause = !*pause ? PAUSE_LEAST : 2 * *pause < PAUSE_MOST ? 2 * *pause : PAUSE_MOST;
    return weir_sleep(*pause);
}

/* All of it once; what has failed is said. Whether it can go on. */
static bool play_round(struct player *player)
{
    if ((player->stream->media ? play_files(player) : play_tone(player)) < 0 && !player->over)
        weir_log(WEIR_LOG_ERROR, "radio: %s", weir_error()->sentence);
    return !player->over && !weir_cancelled() && !player->stream->settings->no_loop;
}

static void play_media(struct player *player)
{
    struct media *media = player->stream->media;
    int64_t pause = 0;
    uint64_t before = 0;
    if (media && play_stdin(player) < 0 && is_over(player))
        return;
    while ((!media || has_files(media)) && play_round(player)) {
        if (player->frames > before)
            pause = 0;
        else if (wait_for_better(&pause) < 0)
            return;
        before = player->frames;
    }
}

/* The source ends when what was written has sounded. */
int player_run(void *arg)
{
    struct player *player = calloc(1, sizeof *player);
    if (!player) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "play", "the radio", NULL);
        weir_log_error();
        return -1;
    }
    player->stream = arg;
    play_media(player);
    if (player->source && !player->over && !weir_cancelled())
        weir_sleep_until(player->begun + written(player));
    mount_end(player->source);
    free(player);
    return 0;
}

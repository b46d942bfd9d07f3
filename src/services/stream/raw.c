/*
 * The raw stream: a client of tcp, tls and Unix sockets gets the media as they are, file after file, as fast as it
 * reads; then its connection ends. Without media it is a minute of the tone.
 */
#include <errno.h>
#include <string.h>

#include "stream.h"
#include "tone.h"

enum { TONES = 12 }; /* of 5.12 s */

static int send_tone(weir_conn *conn)
{
    size_t size;
    const uint8_t *frames = tone_frames(&size);
    int result = 0;
    for (int i = 0; result == 0 && i < TONES; i++)
        result = weir_send_all(conn, frames, size);
    return result;
}

/* What cannot be read any further must not look as if it had been all: a line, and a reset. Returns -1. */
static int fail_copy(weir_conn *conn, const char *name)
{
    const weir_error_info *error = weir_error();
    if (strcmp(error->step, "read") != 0 || weir_cancelled())
        return -1; /* the client has gone, or the service ends */
    weir_log(WEIR_LOG_WARNING, "stream: read %s: %s: cut off", name, error->reason);
    weir_abort(conn);
    return -1;
}

/* A file that cannot be opened is passed over; -1: the client has gone, or what it was sent cannot go on. */
static int send_file(weir_conn *conn, const struct media_file *file)
{
    weir_file *opened = media_open_file(file);
    if (!opened) {
        if (weir_cancelled())
            return -1;
        weir_log(WEIR_LOG_WARNING, "stream: %s: skipped", weir_error()->sentence);
        return 0;
    }
    int64_t sent = weir_copy_from_file(conn, opened, UINT64_MAX, WEIR_FOREVER);
    int result = sent < 0 ? fail_copy(conn, file->path) : 0;
    weir_file_close(opened);
    return result;
}

static int send_files(weir_conn *conn, const struct media_list *list)
{
    int result = 0;
    size_t played = 0;
    for (size_t i = 0; result == 0 && i < list->count; i++)
        if (media_is_played(&list->files[i])) {
            result = send_file(conn, &list->files[i]);
            played++;
        }
    if (list->count > 0 && played == 0)
        weir_log(WEIR_LOG_WARNING, "stream: none of the media is MPEG audio by its name: nothing to send");
    return result;
}

/* Standard input goes to one client at a time; the next goes on where that has stopped. */
static int send_stdin(weir_conn *conn, struct media *media)
{
    char peer[128];
    if (!media_has_stdin(media))
        return 0;
    if (!media_take_stdin(media)) {
        weir_log(WEIR_LOG_WARNING, "stream: standard input goes to another: nothing of it for %s",
                 weir_peer_endpoint(conn, peer, sizeof peer));
        return 0;
    }
    int64_t sent = weir_copy_from_file(conn, weir_stdin(), UINT64_MAX, WEIR_FOREVER);
    media_give_stdin(media);
    if (sent == 0)
        weir_log(WEIR_LOG_WARNING, "stream: standard input has ended: nothing of it for %s",
                 weir_peer_endpoint(conn, peer, sizeof peer));
    return sent < 0 ? fail_copy(conn, "standard input") : 0;
}

static int send_media(weir_conn *conn, struct media *media)
{
    if (send_stdin(conn, media) < 0)
        return -1;
    const struct media_list *list = media_hold(media);
    int result = send_files(conn, list);
    media_drop(list);
    return result;
}

/*
 * It waits, for a minute at most, until the other end has it all: where that has sent something, which nobody reads
 * here, a close would be a reset, and cost it what it has not yet got.
 */
void raw_serve(weir_conn *conn, struct stream *stream)
{
    int result = stream->media ? send_media(conn, stream->media) : send_tone(conn);
    if (result == 0)
        weir_flush(conn, WEIR_MINUTES(1));
}

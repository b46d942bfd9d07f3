/* Receiving: what goes as it comes by splice(2) or a large buffer, by pieces what titles or chunks are taken out of. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pull.h"

enum { PIECE = 1 << 18 };

static uint64_t received(weir_conn *conn)
{
    uint64_t bytes, sent;
    weir_conn_bytes(conn, &bytes, &sent);
    return bytes;
}

uint64_t pull_bytes(const struct pull *pull)
{
    return pull->done + (pull->direct ? received(pull->source.conn) - pull->before : 0);
}

/* --- how it ended --- */

static enum pull_end fail_stalled(struct pull *pull)
{
    weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "receive", pull->name, "nothing has come for %.3g s",
              (double)pull->settings.timeout / 1e9);
    return PULL_CUT;
}

/* What an error means. That of the source is told with the name that the user knows. */
static enum pull_end judge(struct pull *pull)
{
    const weir_error_info *error = weir_error();
    if (pull->sink.player_ended)
        return PULL_GONE;
    if (error->kind == WEIR_ERROR_DEADLINE && weir_now() >= pull->until)
        return PULL_TIME_OVER;
    if (strcmp(error->step, "write") == 0)
        return error->number == EPIPE ? PULL_GONE : PULL_REFUSED;
    if (pull->stalled)
        return fail_stalled(pull);
    weir_fail(error->kind, error->number, "receive", pull->name, "%s", error->reason);
    return PULL_CUT;
}

static enum pull_end fail_short(struct pull *pull, uint64_t got)
{
    weir_fail(WEIR_ERROR_CLOSED, ENODATA, "receive", pull->name,
              "it ended after %" PRIu64 " bytes, and %" PRId64 " were announced", got, pull->source.length);
    return PULL_CUT;
}

static int write_audio(struct pull *pull, const char *data, size_t size)
{
    if (size > 0 && weir_file_write_all(pull->sink.file, data, size, pull->until) < 0) {
        pull->done += weir_error()->transferred;
        return -1;
    }
    pull->done += size;
    return 0;
}

/* --- as it comes --- */

/*
 * What came with the head lies in the connection and counts as received already: it goes first, so that what is
 * received from then on is what goes. Returns how much it was, or -1 with an error.
 */
static ssize_t take_ahead(struct pull *pull, uint64_t most)
{
    char data[HTTP_HEAD_MOST];
    size_t size = most < sizeof data ? (size_t)most : sizeof data;
    ssize_t got = size > 0 ? weir_recv_flags(pull->source.conn, data, size, MSG_DONTWAIT) : 0;
    if (got < 0)
        return errno == EAGAIN ? 0 : -1;
    return write_audio(pull, data, (size_t)got) < 0 ? -1 : got;
}

static enum pull_end copy(struct pull *pull, uint64_t most)
{
    struct pull_source *source = &pull->source;
    pull->before = received(source->conn);
    pull->direct = true;
    int64_t result = weir_copy_to_file(source->conn, pull->sink.file, most, pull->until);
    uint64_t got = result < 0 ? weir_error()->transferred : (uint64_t)result;
    pull->direct = false;
    pull->done += got;
    return result < 0 ? judge(pull) : PULL_ENDED;
}

static enum pull_end receive_directly(struct pull *pull)
{
    uint64_t had = pull->done, all = pull->source.length < 0 ? UINT64_MAX : (uint64_t)pull->source.length;
    ssize_t ahead = take_ahead(pull, all);
    if (ahead < 0)
        return judge(pull);
    enum pull_end end = copy(pull, all - (uint64_t)ahead);
    bool is_short = pull->source.length >= 0 && pull->done - had < all;
    return end == PULL_ENDED && is_short ? fail_short(pull, pull->done - had) : end;
}

/* --- by pieces --- */

static int write_piece(struct pull *pull, const char *data, size_t size)
{
    while (size > 0) {
        const char *audio, *title;
        size_t length, used = icy_read(&pull->source.icy, data, size, &audio, &length, &title);
        if (title && !pull->settings.quiet)
            pull_tell(pull, "title", title);
        if (write_audio(pull, audio, length) < 0)
            return -1;
        data += used;
        size -= used;
    }
    return 0;
}

static enum pull_end receive_pieces(struct pull *pull, char *buffer)
{
    struct http_body *body = &pull->source.response.body;
    ssize_t got;
    while ((got = http_body_read(body, buffer, PIECE)) > 0)
        if (write_piece(pull, buffer, (size_t)got) < 0)
            return judge(pull);
    return got < 0 ? judge(pull) : PULL_ENDED;
}

static enum pull_end receive_in_pieces(struct pull *pull)
{
    char *buffer = malloc(PIECE);
    if (!buffer) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "receive", pull->name, NULL);
        return PULL_REFUSED;
    }
    enum pull_end end = receive_pieces(pull, buffer);
    free(buffer);
    return end;
}

enum pull_end pull_receive(struct pull *pull)
{
    const struct pull_source *source = &pull->source;
    bool whole = *source->url == '\0' || source->response.body.kind != HTTP_CHUNKED;
    weir_set_deadline(source->conn, WEIR_READ, pull->until);
    pull->stalled = false;
    pull->receiving = true;
    enum pull_end end = whole && source->icy.interval == 0 ? receive_directly(pull) : receive_in_pieces(pull);
    pull->receiving = false;
    return end;
}

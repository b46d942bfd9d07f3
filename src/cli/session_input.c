/* The sending half of a session: what stdin has, to its end, which is passed on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "transcoder.h"

enum {
    CHUNK = 65536,
    LONGEST_DATAGRAM = 65507,
    LONGEST_ENCODED = LONGEST_DATAGRAM / 16 - 4, /* of text, a byte of which becomes 16 at most, behind a mark */
};

static int send_directly(struct session *session)
{
    int64_t sent = weir_copy_from_file(session->conn, weir_stdin(), UINT64_MAX, WEIR_FOREVER);
    session->bytes[SESSION_SENT] += sent < 0 ? weir_error()->transferred : (uint64_t)sent;
    return sent < 0 ? -1 : 0;
}

/* How much of stdin is sent at a time: a datagram must have room for what becomes of it. */
static size_t longest_piece(const struct session *session)
{
    if (!session->datagram)
        return CHUNK;
    if (session->settings->encoding)
        return LONGEST_ENCODED;
    return LONGEST_DATAGRAM / (session->settings->crlf ? 2 : 1);
}

/* What a datagram may not end with is kept for the next: each is a text of its own. */
static size_t whole_characters(const struct session *session, const char *piece, size_t size)
{
    bool matters = session->datagram && session->settings->encoding;
    return matters ? size - transcoder_half_character(piece, size) : size;
}

static int send_pieces(struct session *session, char *piece)
{
    size_t most = longest_piece(session), kept = 0;
    bool unfinished = false;
    ssize_t size;
    while ((size = weir_file_read(weir_stdin(), piece + kept, most - kept, WEIR_FOREVER)) > 0) {
        size_t whole = whole_characters(session, piece, kept + (size_t)size);
        if (whole > 0 && session_send(session, piece, whole, false) < 0)
            return -1;
        kept += (size_t)size - whole;
        memmove(piece, piece + whole, kept);
        unfinished = kept > 0 || !session->datagram;
    }
    if (size < 0)
        return -1;
    return unfinished ? session_send(session, piece, kept, true) : 0;
}

/*
 * A peer that closed or reset may have answered before: the receiver prints that first, and then tells. Whatever else fails ends
 * the session here.
 */
static void sending_failed(struct session *session)
{
    if (session->settled || weir_cancelled())
        return;
    const weir_error_info *error = weir_error();
    if (error->kind != WEIR_ERROR_CLOSED) {
        session_fail(session);
        return;
    }
    snprintf(session->cut, sizeof session->cut, "%s", error->reason);
    session_end(session, "peer", "the peer takes no more");
}

static void input_ended(struct session *session)
{
    session_end(session, "input", "stdin has ended");
    session_sent_all(session);
    if (!session->datagram)
        weir_shutdown(session->conn, SHUT_WR);
}

/* Sends stdin. 0 at its end, -1 where reading or sending failed. */
static int send_input(struct session *session)
{
    if (session_is_direct(session) && !session->settings->crlf)
        return send_directly(session);
    char *piece = malloc(CHUNK);
    if (!piece)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, session->command, session->peer, NULL);
    int result = send_pieces(session, piece);
    free(piece);
    return result;
}

int session_sender(void *arg)
{
    struct session *session = arg;
    if (send_input(session) < 0)
        sending_failed(session);
    else if (!session->settled)
        input_ended(session);
    session->sending = false;
    return 0;
}

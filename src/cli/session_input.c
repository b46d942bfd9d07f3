/* The sending half of a session: what stdin has, to its end, which is passed on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { CHUNK = 65536, LONGEST_DATAGRAM = 65507 };

size_t session_add_returns(const char *data, size_t size, char *before, char *to)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n' && *before != '\r')
            to[length++] = '\r';
        *before = to[length++] = data[i];
    }
    return length;
}

static int send_piece(struct session *session, const char *data, size_t size, char *before, char *scratch)
{
    if (!session->settings->crlf)
        return session_send(session, data, size);
    size_t length = session_add_returns(data, size, before, scratch);
    return session_send(session, scratch, length);
}

static int send_directly(struct session *session)
{
    int64_t sent = weir_copy_from_file(session->conn, weir_stdin(), UINT64_MAX, WEIR_FOREVER);
    session->bytes[SESSION_SENT] += sent < 0 ? weir_error()->transferred : (uint64_t)sent;
    return sent < 0 ? -1 : 0;
}

static int send_pieces(struct session *session, char *piece)
{
    size_t most = session->datagram ? LONGEST_DATAGRAM / (session->settings->crlf ? 2 : 1) : CHUNK;
    char before = '\0';
    ssize_t size;
    while ((size = weir_file_read(weir_stdin(), piece, most, WEIR_FOREVER)) > 0)
        if (send_piece(session, piece, (size_t)size, &before, piece + CHUNK) < 0)
            return -1;
    return size < 0 ? -1 : 0;
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
    char *piece = malloc(3 * CHUNK);
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

/* The pieces of a session: sent or printed, and on the way counted, recorded and converted. */
#include <errno.h>

#include "session.h"
#include "transcoder.h"

static int note(struct session *session, int direction, const char *data, size_t size)
{
    session->bytes[direction] += size;
    session->last_byte = weir_now();
    if (session->digest)
        digest_add(session->digest, direction, data, size);
    return session->recorder ? recorder_note(session->recorder, direction, data, size) : 0;
}

static int send_bytes(struct session *session, const char *data, size_t size)
{
    if (session->answer) {
        int sent = session->answer(session, data, size);
        return sent > 0 ? note(session, SESSION_SENT, data, size) : sent;
    }
    if (session->datagram) {
        if (weir_send(session->conn, data, size) < 0)
            return -1;
    } else if (weir_send_all(session->conn, data, size) < 0) {
        note(session, SESSION_SENT, data, weir_error()->transferred);
        return -1;
    }
    return note(session, SESSION_SENT, data, size);
}

int session_send(struct session *session, const char *data, size_t size, bool ends)
{
    const char *bytes = data;
    size_t length = size;
    int result = 0;
    if (session->outgoing)
        result = transcoder_convert(session->outgoing, data, size, ends || session->datagram, &bytes, &length);
    if (length > 0 && send_bytes(session, bytes, length) < 0)
        return -1;
    return result;
}

void session_output_failed(struct session *session)
{
    bool gone = errno == EPIPE;
    session_end(session, "output", gone ? "nobody reads stdout any more" : "stdout takes no more");
    if (gone)
        session_settle(session, STATUS_DONE);
    session_fail(session);
}

static int print_bytes(struct session *session, const char *data, size_t size)
{
    if (size == 0 || weir_file_write_all(weir_stdout(), data, size, WEIR_FOREVER) == 0)
        return 0;
    session_output_failed(session);
    return -1;
}

/* What stands before bytes that are no text is printed. Of a datagram they are told: anybody may have sent it. */
static int print_text(struct session *session, const char *data, size_t size, bool ends)
{
    const char *text;
    size_t length;
    int result = transcoder_convert(session->incoming, data, size, ends, &text, &length);
    if (print_bytes(session, text, length) < 0)
        return -1;
    if (result == 0)
        return 0;
    if (session->datagram && weir_error()->number == EILSEQ) {
        tell_error();
        return 0;
    }
    session_fail(session);
    return -1;
}

int session_print(struct session *session, const char *data, size_t size)
{
    if (note(session, SESSION_RECEIVED, data, size) < 0) {
        session_fail(session);
        return -1;
    }
    return session->incoming ? print_text(session, data, size, session->datagram) : print_bytes(session, data, size);
}

void session_print_end(struct session *session)
{
    if (!session->incoming || session->datagram)
        return;
    bool was_fine = session->status == STATUS_DONE;
    session->settled = !was_fine;
    print_text(session, "", 0, true);
    session_settle(session, STATUS_DONE);
}

/* A session by hand: a prompt, a line, what comes back, and again, until an empty line or the end of stdin. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { LONGEST_LINE = 65536 };

/* What was read of stdin and not yet sent. */
struct typed {
    size_t length;
    char data[LONGEST_LINE + 1];
};

static void ask(const struct session *session)
{
    const char *prompt = session->settings->prompt;
    weir_file_write_all(weir_stderr(), prompt, strlen(prompt), WEIR_FOREVER);
}

/* Reads on until there is a line, which it returns the length of, newline included; 0 at the end of stdin; -1 with an error. */
static ssize_t read_line(struct session *session, struct typed *typed)
{
    for (;;) {
        char *newline = memchr(typed->data, '\n', typed->length);
        if (newline)
            return newline + 1 - typed->data;
        if (typed->length == LONGEST_LINE)
            return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, session->command, "stdin", "a line of more than %d bytes",
                             LONGEST_LINE);
        ssize_t size = weir_file_read(weir_stdin(), typed->data + typed->length, LONGEST_LINE - typed->length,
                                      session_silent_until(session));
        if (size < 0)
            return -1;
        if (size == 0 && typed->length)
            typed->data[typed->length++] = '\n'; /* the last line has none */
        else if (size == 0)
            return 0;
        typed->length += (size_t)size;
    }
}

static int send_line(struct session *session, struct typed *typed, size_t length)
{
    int result = session_send(session, typed->data, length, false);
    memmove(typed->data, typed->data + length, typed->length - length);
    typed->length -= length;
    return result;
}

/* Whether it is --timeout that has passed. */
static bool is_silent(const struct session *session)
{
    return weir_error()->kind == WEIR_ERROR_DEADLINE && weir_now() >= session_silent_until(session);
}

static void typing_failed(struct session *session)
{
    if (is_silent(session))
        session_fail_silent(session);
    else
        session_fail(session);
}

/* Receiving has failed, or the peer has ended its side. A limit of the server's may be over before the peer was quiet. */
static void receiving_ended(struct session *session, ssize_t size)
{
    if (size == 0)
        session_end(session, "peer", "the peer ended its side");
    else if (weir_error()->kind != WEIR_ERROR_DEADLINE)
        session_end(session, "peer", "the connection was cut");
    if (size == 0)
        session_settle(session, STATUS_DONE);
    session_fail(session);
}

/* Prints what comes until the peer is quiet. Whether it is still there. */
static bool print_answer(struct session *session)
{
    for (;;) {
        char *data;
        int64_t quiet = weir_deadline(session->settings->quiet), silent = session_silent_until(session);
        weir_set_deadline(session->conn, WEIR_READ, quiet < silent ? quiet : silent);
        ssize_t size = weir_receive(session->conn, &data);
        if (size > 0 || (size == 0 && session->datagram)) {
            if (session_print(session, data, (size_t)size) < 0)
                return false;
            continue;
        }
        if (size < 0 && weir_error()->kind == WEIR_ERROR_DEADLINE && weir_now() >= quiet)
            return true;
        if (size < 0 && is_silent(session))
            session_fail_silent(session);
        else
            receiving_ended(session, size);
        return false;
    }
}

/* One round. Whether there may be another. */
static bool converse_once(struct session *session, struct typed *typed)
{
    ask(session);
    ssize_t length = read_line(session, typed);
    if (length < 0) {
        typing_failed(session);
        return false;
    }
    bool empty = length == 0 || typed->data[0] == '\n' || (length == 2 && typed->data[0] == '\r');
    if (empty) {
        session_end(session, "input", "an empty line");
        if (!session->datagram)
            weir_shutdown(session->conn, SHUT_WR);
        print_answer(session);
        session_settle(session, STATUS_DONE);
        return false;
    }
    if (send_line(session, typed, (size_t)length) == 0)
        return print_answer(session);
    session_fail(session);
    return false;
}

void session_converse(struct session *session)
{
    struct typed *typed = calloc(1, sizeof *typed);
    if (!typed) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, session->command, session->peer, NULL);
        session_fail(session);
        return;
    }
    while (converse_once(session, typed))
        ;
    free(typed);
}

/* Joining stdin and stdout with a connection: the receiving half, and how it all ends; see session.h. */
#include "session.h"

#include <errno.h>
#include <string.h>

#include "transcoder.h"

#define AT(member) offsetof(struct session_settings, member)

static const char *const errors[] = {"strict", "ignore", "replace", "backslashreplace", NULL}; /* as weir_text_errors */

const weir_option session_options[] = {
    {WEIR_OPTION_TEXT, "prompt", 0, "TEXT", AT(prompt),
     "asks for a line with this text, sends it, prints what comes, and again, until an empty line"},
    {WEIR_OPTION_FLAG, "crlf", 'C', NULL, AT(crlf), "ends the lines it sends with CR LF"},
    {WEIR_OPTION_TEXT, "encoding", 0, "NAME", AT(encoding),
     "what goes over the wire is text in this encoding, while stdin and stdout are UTF-8: latin-1, cp1252, shift_jis, "
     "utf-16-le and whatever else Python or iconv has by that name; without it bytes go as they are"},
    {WEIR_OPTION_CHOICE, "errors", 0, "HOW", AT(errors),
     "what is done with bytes that are no text in the --encoding, and characters that it does not have: strict ends "
     "the "
     "connection and says which it was, ignore leaves them out, replace puts U+FFFD into what arrives and ? into what "
     "is "
     "sent, backslashreplace puts \\xHH",
     "replace", errors},
    {WEIR_OPTION_TIME, "quiet", 0, "TIME", AT(quiet),
     "how long the peer must be silent before the next prompt, and with datagrams before the end", "200ms"},
    {WEIR_OPTION_TIME, "timeout", 0, "TIME", AT(timeout), "the longest time without a byte in either direction",
     "never"},
    {WEIR_OPTION_FLAG, "end-with-peer", 0, NULL, AT(end_with_peer),
     "ends when the peer has ended its side, though stdin has not; on a terminal it always does"},
    {WEIR_OPTION_TEXT, "hex", 0, "FILE", AT(hex), "records both directions there, as hexadecimal bytes and text"},
    {WEIR_OPTION_FLAG, "summary", 0, NULL, AT(summary), "tells at the end what went, as JSON on stderr"},
    {WEIR_OPTION_FLAG, "sha256", 0, NULL, AT(sha256), "the summary has the SHA-256 of each direction"},
    {0},
};

static int check_encoding(const struct session_settings *settings)
{
    struct transcoder *transcoder = transcoder_new_encoder(settings->encoding, settings->errors, false);
    transcoder_free(transcoder);
    return transcoder ? 0 : -1;
}

int session_check(const struct session_settings *settings, const char *command)
{
    if (settings->sha256 && !settings->summary)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, command, "--sha256", "it is part of --summary");
    return settings->encoding ? check_encoding(settings) : 0;
}

static void say(const struct session *session, const char *text)
{
    if (session->dialling)
        dialling_say(session->dialling, "%s", text);
}

void session_end(struct session *session, const char *which, const char *how)
{
    say(session, how);
    if (session->first_end)
        return;
    session->first_end = which;
    session->how = how;
}

/* Whoever receives or sends finds that there is nothing to wait for. */
void session_settle(struct session *session, int status)
{
    if (session->settled)
        return;
    session->settled = true;
    session->status = status;
    if (session->conn)
        weir_set_deadline(session->conn, WEIR_READ_WRITE, WEIR_NOW);
}

int session_failed(void)
{
    bool is_no_text = weir_error()->number == EILSEQ;
    int status = failed();
    return is_no_text ? STATUS_ENDED_EARLY : status;
}

void session_fail(struct session *session)
{
    if (session->settled)
        return;
    if (weir_cancelled())
        weir_fail(WEIR_ERROR_CLOSED, ECANCELED, session->command, session->peer,
                  "ended by a signal before both directions had ended");
    session_settle(session, session_failed());
}

/* --- receiving --- */

bool session_is_direct(const struct session *session)
{
    return !session->datagram && !session->recorder && !session->digest && !session->incoming &&
           session->settings->timeout == WEIR_FOREVER;
}

static int64_t since_last_byte(const struct session *session, int64_t limit)
{
    if (limit == WEIR_FOREVER)
        return WEIR_FOREVER;
    return session->last_byte > WEIR_FOREVER - limit ? WEIR_FOREVER : session->last_byte + limit;
}

int64_t session_silent_until(const struct session *session)
{
    return since_last_byte(session, session->settings->timeout);
}

void session_fail_silent(struct session *session)
{
    weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, session->command, session->peer,
              "no byte in either direction for too long");
    session_fail(session);
}

static int64_t deadline(const struct session *session)
{
    int64_t limit = session->settings->timeout;
    if (session->datagram && !session->sending && session->settings->quiet < limit)
        limit = session->settings->quiet;
    return since_last_byte(session, limit);
}

static void set_deadline(struct session *session)
{
    session->waits_until = deadline(session);
    if (session->conn)
        weir_set_deadline(session->conn, WEIR_READ, session->waits_until);
}

void session_sent_all(struct session *session)
{
    session->sending = false;
    session->last_byte = weir_now();
    set_deadline(session);
}

/*
 * Silence for so long ends datagrams, and is otherwise what --timeout is about; the other direction's bytes count as well. A limit
 * of the server's may be over before.
 */
static void silent(struct session *session)
{
    if (weir_now() < session->waits_until) {
        session_fail(session);
        return;
    }
    if (weir_now() < deadline(session))
        return;
    if (session->datagram && !session->sending) {
        session_end(session, "peer", "quiet");
        session_settle(session, STATUS_DONE);
        return;
    }
    session_fail_silent(session);
}

static void receive_failed(struct session *session)
{
    if (session->settled)
        return;
    if (weir_error()->kind == WEIR_ERROR_DEADLINE) {
        silent(session);
        return;
    }
    session_end(session, "peer", "the connection was cut");
    session_fail(session);
}

/* Prints what comes until the peer's end, or the session's, without looking at it. */
static void receive_directly(struct session *session)
{
    int64_t received = weir_copy_to_file(session->conn, weir_stdout(), UINT64_MAX, WEIR_FOREVER);
    const weir_error_info *error = weir_error();
    session->bytes[SESSION_RECEIVED] += received < 0 ? error->transferred : (uint64_t)received;
    if (received >= 0)
        return;
    if (strcmp(error->step, "write") == 0 && !session->settled)
        session_output_failed(session);
    else
        receive_failed(session);
}

/* The same by pieces, each of which somebody wants to see. */
static void receive_pieces(struct session *session)
{
    while (!session->settled) {
        char *data;
        set_deadline(session);
        ssize_t size = weir_receive(session->conn, &data);
        if (size < 0)
            receive_failed(session);
        else if (size == 0 && !session->datagram)
            break;
        else
            session_print(session, data, (size_t)size);
    }
}

/* --- the end --- */

/* The peer has ended its side; what stdin still has goes to it, unless somebody sits there. */
static void finish_sending(struct session *session)
{
    if (session->settled)
        return;
    session_end(session, "peer", "the peer ended its side");
    bool by_hand = weir_file_is_terminal(weir_stdin());
    if (session->sending && (session->settings->end_with_peer || by_hand))
        return;
    if (weir_join(session->sender, NULL, WEIR_FOREVER) == 0)
        session->sender = NULL;
    else
        session_fail(session);
}

static void stop_sender(struct session *session)
{
    if (!session->sender)
        return;
    weir_cancel_fiber(session->sender);
    weir_join(session->sender, NULL, WEIR_FOREVER);
    session->sender = NULL;
}

/* Sending was cut although the peer had ended its side in good order, or was about to: it did not take all. */
static void tell_cut(struct session *session)
{
    if (session->settled || !session->cut[0])
        return;
    weir_fail(WEIR_ERROR_CLOSED, EPIPE, "send", session->peer, "%s", session->cut);
    session_fail(session);
}

/* What went out after the peer had ended its side, or just before, may never be taken: nothing but an acknowledgement tells. */
static void await_taken(struct session *session)
{
    if (!session->settled && !session->sending && !session->datagram &&
        weir_flush(session->conn, session->settings->timeout) < 0)
        session_fail(session);
}

static void join_both(struct session *session)
{
    session->sending = true;
    session->sender = weir_spawn(session_sender, session, WEIR_OPTIONS(weir_fiber_options, .name = "sender"));
    if (!session->sender) {
        session_fail(session);
        return;
    }
    set_deadline(session);
    if (session_is_direct(session))
        receive_directly(session);
    else
        receive_pieces(session);
    finish_sending(session);
    tell_cut(session);
    await_taken(session);
    session_settle(session, STATUS_DONE);
    stop_sender(session);
}

int session_prepare(struct session *session)
{
    const struct session_settings *settings = session->settings;
    session->began = session->last_byte = weir_now();
    if (settings->sha256 && !(session->digest = digest_new()))
        return -1;
    if (settings->encoding && !(session->incoming = transcoder_new_decoder(settings->encoding, settings->errors)))
        return -1;
    if (!settings->encoding && !settings->crlf)
        return 0;
    session->outgoing = transcoder_new_encoder(settings->encoding, settings->errors, settings->crlf);
    return session->outgoing ? 0 : -1;
}

void session_release(struct session *session)
{
    transcoder_free(session->incoming);
    transcoder_free(session->outgoing);
    digest_free(session->digest);
    session->incoming = session->outgoing = NULL;
    session->digest = NULL;
}

static void run(struct session *session)
{
    weir_peer_endpoint(session->conn, session->peer, sizeof session->peer);
    if (session->settings->prompt)
        session_converse(session);
    else
        join_both(session);
    session_print_end(session);
    if (session->settings->summary)
        summary_print(session);
}

int session_run(struct session *session)
{
    if (session_prepare(session) < 0)
        session->status = failed();
    else
        run(session);
    session_release(session);
    return session->status;
}

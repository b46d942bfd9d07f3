/*
 * weir listen on datagram sockets; see listen_datagrams.h.
 *
 * A server can answer a datagram until its handler returns. So the handler of the last one waits, while there is something on
 * stdin to send, until another peer's takes its place. All of it runs on the server's one worker.
 */
#include "listen_datagrams.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Between tries to send where the socket, or a peer's queue, is full. */
#define PAUSE WEIR_MS(1)

struct hearing {
    struct listening *listening;
    struct session session;
    weir_channel *printing;    /* holds a token while somebody prints: one at a time, in the order they came */
    weir_channel *replaced;    /* a token for the handler that waits: another takes its place */
    const weir_datagram *last; /* of the handler that waits; NULL: none does */
};

static void stop_if_settled(const struct hearing *hearing)
{
    if (hearing->session.settled)
        weir_server_stop(hearing->listening->listener, WEIR_NOW);
}

/* --- stdin, to the peer that was heard last --- */

/* Whether to try once more to send, after a while. */
static bool is_full(void)
{
    return (errno == EAGAIN || errno == ENOBUFS) && weir_sleep(PAUSE) == 0;
}

/* A peer that cannot be answered is no reason to end: another may be heard. */
static int answer(struct session *session, const char *data, size_t size)
{
    const struct hearing *hearing = (const struct hearing *)((char *)session - offsetof(struct hearing, session));
    while (hearing->last && !weir_cancelled()) {
        if (weir_reply(hearing->last, data, size) == 0)
            return 1;
        if (is_full())
            continue;
        tell_error();
        return 0;
    }
    return weir_fail(WEIR_ERROR_CANCELLED, ECANCELED, "send", session->peer, NULL);
}

/* A fiber. */
static int send_stdin(void *arg)
{
    struct hearing *hearing = arg;
    session_sender(&hearing->session);
    if (hearing->last && weir_channel_send(hearing->replaced, &(char){0}, WEIR_NOW) == 0)
        hearing->last = NULL;
    stop_if_settled(hearing);
    return 0;
}

/* --- silence --- */

/* Waits until that may be. */
static bool is_silent(const struct session *session)
{
    int64_t timeout = session->settings->timeout;
    return weir_sleep_until(session->last_byte + timeout) == 0 && weir_now() >= session->last_byte + timeout;
}

/* A fiber, where there is a --timeout. */
static int watch_silence(void *arg)
{
    struct hearing *hearing = arg;
    struct session *session = &hearing->session;
    while (!session->settled && !weir_cancelled()) {
        if (!is_silent(session))
            continue;
        session_fail_silent(session);
    }
    stop_if_settled(hearing);
    return 0;
}

/* --- what is heard --- */

static int spawn(struct hearing *hearing, weir_fiber_function *function, const char *name)
{
    weir_fiber_options options = {.size = sizeof options, .name = name, .detached = true};
    return weir_spawn(function, hearing, &options) ? 0 : -1;
}

/* With the first datagram stdin is read: before that there is nobody to send it to. */
static int begin(struct hearing *hearing)
{
    struct session *session = &hearing->session;
    hearing->listening->heard = true;
    session->last_byte = weir_now();
    session->sending = true;
    if (session->settings->timeout != WEIR_FOREVER && spawn(hearing, watch_silence, "silence") < 0)
        return -1;
    return spawn(hearing, send_stdin, "sender");
}

static void note_peer(struct hearing *hearing, const weir_datagram *datagram)
{
    const weir_endpoint *endpoint = &hearing->listening->dialling.endpoint;
    struct session *session = &hearing->session;
    char peer[sizeof session->peer];
    weir_endpoint_text(endpoint->scheme, true, &datagram->peer, peer, sizeof peer);
    if (strcmp(peer, session->peer) != 0)
        dialling_say(&hearing->listening->dialling, "heard %s", peer);
    memcpy(session->peer, peer, sizeof peer);
}

/* Whether this datagram's handler is to wait. */
static bool is_new_peer(const struct hearing *hearing, const weir_datagram *datagram)
{
    return hearing->session.sending && datagram->peer.length > 0 &&
           !(hearing->last && weir_address_equal(&hearing->last->peer, &datagram->peer));
}

/* Prints a datagram, one after the other. Whether its handler is to wait, as the last one. */
static bool print(struct hearing *hearing, const weir_datagram *datagram)
{
    struct session *session = &hearing->session;
    if (session->settled)
        return false;
    note_peer(hearing, datagram);
    if (!hearing->listening->heard && begin(hearing) < 0)
        session_fail(session);
    else if (session_print(session, datagram->data, datagram->length) == 0 && is_new_peer(hearing, datagram))
        return true;
    stop_if_settled(hearing);
    return false;
}

/* Takes the place of the one that waits, which is still there until this one has it. */
static void become_last(struct hearing *hearing, const weir_datagram *datagram)
{
    bool other = hearing->last != NULL;
    hearing->last = datagram;
    if (other)
        weir_channel_send(hearing->replaced, &(char){0}, WEIR_FOREVER);
}

static void hear(const weir_datagram *datagram, void *arg)
{
    struct hearing *hearing = arg;
    char token = 0;
    if (weir_channel_send(hearing->printing, &token, WEIR_FOREVER) < 0)
        return;
    bool waits = print(hearing, datagram);
    if (waits)
        become_last(hearing, datagram);
    weir_channel_receive(hearing->printing, &token, WEIR_NOW);
    if (waits && hearing->session.sending)
        weir_channel_receive(hearing->replaced, &token, WEIR_FOREVER);
    if (hearing->last == datagram)
        hearing->last = NULL;
}

/* --- the server --- */

/* What came faster than it was printed, and was dropped by the kernel. */
static void tell_dropped(const struct hearing *hearing)
{
    weir_counters counters;
    weir_server_counters(hearing->listening->listener, &counters);
    if (counters.datagrams_dropped)
        weir_log(WEIR_LOG_WARNING, "listen: %" PRIu64 " datagrams were lost: they came faster than they were printed",
                 counters.datagrams_dropped);
}

static int status_of(struct hearing *hearing)
{
    struct session *session = &hearing->session;
    if (!hearing->listening->heard)
        return listening_unheard(hearing->listening);
    session_end(session, "signal", "ended by a signal");
    tell_dropped(hearing);
    if (session->settings->summary)
        summary_print(session);
    return session->status;
}

static int run(struct hearing *hearing)
{
    struct listening *listening = hearing->listening;
    if (session_prepare(&hearing->session) < 0)
        return failed();
    listening->server.workers = 1;
    listening->server.replies_per_second = -1;
    listening->server.reply_to_any = true; /* it is no service that answers by itself */
    listening->listener = weir_server_new(&listening->server);
    if (!listening->listener ||
        weir_server_add_datagrams(listening->listener, listening->dialling.endpoint.text, hear, hearing) < 0 ||
        listening_run(listening) < 0)
        return failed();
    return status_of(hearing);
}

int listen_datagrams(struct listening *listening)
{
    struct hearing hearing = {
        .listening = listening,
        .session = {.settings = &listening->session,
                    .dialling = &listening->dialling,
                    .command = "listen",
                    .datagram = true,
                    .answer = answer,
                    .recorder = listening->recorder},
        .printing = weir_channel_new(1, 1),
        .replaced = weir_channel_new(1, 0),
    };
    int status = hearing.printing && hearing.replaced ? run(&hearing) : failed();
    weir_server_free(listening->listener);
    listening->listener = NULL;
    weir_channel_free(hearing.printing);
    weir_channel_free(hearing.replaced);
    session_release(&hearing.session);
    return status;
}

/* How streams break, and close: resets, what is sent to where nobody is, and the faults that break them. */
#include <errno.h>
#include <poll.h>

#include "engine/sim/stream.h"

#define HEALED_WITHIN WEIR_S(1)
/* How long Linux sends again what nobody acknowledges: tcp_retries2's 15. */
#define GIVEN_UP_AFTER WEIR_MS(924600)

enum {
    KEEP_IDLE = 7200, /* Linux's tcp_keepalive_time, _probes and _intvl, in s */
    KEEP_COUNT = 9,
    KEEP_INTERVAL = 75,
    EVERYTHING = POLLIN | POLLOUT | POLLRDHUP | POLLHUP,
};

void weir__sim_part(struct weir__sim_stream *stream)
{
    if (stream->peer)
        stream->peer->peer = NULL;
    stream->peer = NULL;
}

static const char *verb_of(int error)
{
    return error == ECONNREFUSED ? "refused" : error == ETIMEDOUT ? "timed-out" : "reset";
}

void weir__sim_break(struct weir__sim_stream *stream, int error)
{
    if (stream->state == WEIR__SIM_BROKEN)
        return;
    weir__sim_trace(&stream->object, verb_of(error), 0, NULL, 0);
    weir__sim_wire_lose(stream);
    weir__sim_cancel(&stream->doom);
    weir__sim_cancel(&stream->step);
    weir__sim_let_go(stream);
    weir__sim_part(stream);
    /* A reset that comes after the end concerns only what is sent (tcp_reset of Linux). */
    stream->error = error == ECONNRESET && stream->ended ? EPIPE : error;
    stream->state = WEIR__SIM_BROKEN;
    stream->no_read = stream->no_write = true;
    weir__sim_changed(&stream->object, EVERYTHING | POLLERR);
}

static void doomed(void *arg)
{
    struct weir__sim_stream *stream = arg;
    stream->doom = NULL;
    if (stream->state == WEIR__SIM_ARRIVING) {
        weir__sim_stream_free(stream);
        return;
    }
    bool refused = stream->state == WEIR__SIM_CONNECTING && stream->doom_error == ECONNRESET;
    weir__sim_break(stream, refused ? ECONNREFUSED : stream->doom_error);
}

void weir__sim_doom(struct weir__sim_stream *stream, int64_t time, int error)
{
    if (stream->state == WEIR__SIM_BROKEN || (stream->doom && stream->doom_at <= time))
        return;
    weir__sim_cancel(&stream->doom);
    stream->doom = weir__sim_at(time, doomed, stream);
    stream->doom_at = time;
    stream->doom_error = error;
}

/* What is sent to where nobody is: it is reset, or, where not even that comes back, given up after a long time. */
void weir__sim_send_to_nobody(struct weir__sim_stream *from)
{
    if (from->silent)
        weir__sim_doom(from, weir__sim_here->now + GIVEN_UP_AFTER, ETIMEDOUT);
    else
        weir__sim_doom(from, weir__sim_back_at(from), ECONNRESET);
}

/* SO_KEEPALIVE: a probe is answered by a reset, or several are by nothing. */
static void probe(struct weir__sim_stream *stream)
{
    const struct weir__sim_options *options = &stream->binding.options;
    if (!options->keepalive)
        return;
    int64_t seconds = options->keep_idle ? options->keep_idle : KEEP_IDLE;
    if (stream->silent)
        seconds += (int64_t)(options->keep_count ? options->keep_count : KEEP_COUNT) *
                   (options->keep_interval ? options->keep_interval : KEEP_INTERVAL);
    weir__sim_doom(stream, weir__sim_here->now + WEIR_S(seconds), stream->silent ? ETIMEDOUT : ECONNRESET);
}

/*
 * When faults are over nothing may wait for ever: then a reset comes by itself, as from a machine in between that was
 * started again.
 */
void weir__sim_sever(struct weir__sim_stream *stream)
{
    int64_t healed =
        weir__sim_later(weir__sim_here->now, weir__sim_here->faults_end) + weir__sim_between(0, HEALED_WITHIN);
    stream->severed = true;
    stream->silent = weir__sim_below(2);
    weir__sim_doom(stream, healed, ECONNRESET);
    probe(stream);
    if (stream->unacknowledged)
        weir__sim_send_to_nobody(stream);
}

void weir__sim_send_reset(struct weir__sim_stream *stream)
{
    struct weir__sim_stream *peer = stream->peer;
    if (!peer)
        return;
    weir__sim_doom(peer, weir__sim_there_at(stream, 0), ECONNRESET);
    weir__sim_part(stream);
}

/* --- faults --- */

/* A reset by what is between the two, which learn it both, or one of them alone. */
void weir__sim_cut(struct weir__sim_stream *receiver)
{
    struct weir__sim_stream *sender = receiver->peer;
    uint64_t who = sender ? weir__sim_below(8) : 0;
    weir__sim_part(receiver);
    if (sender && who == 1)
        weir__sim_sever(sender);
    else if (sender)
        weir__sim_doom(sender, weir__sim_there_at(receiver, 0), ECONNRESET);
    if (who != 2) {
        weir__sim_break(receiver, ECONNRESET);
        return;
    }
    weir__sim_wire_lose(receiver);
    weir__sim_sever(receiver);
}

/* --- closing --- */

/* What is still on its way to an end that is closed now is answered by a reset, if it is more than the peer's end. */
static void answer_incoming(struct weir__sim_stream *stream)
{
    struct weir__sim_piece *piece = weir__sim_first_piece(&stream->incoming);
    if (piece && !piece->end) {
        int64_t back = weir__sim_transit(stream->object.host, stream->peer->object.host, 0);
        weir__sim_doom(stream->peer, weir__sim_later(weir__sim_here->now, piece->at) + back, ECONNRESET);
    } else if (piece) {
        weir__sim_acknowledge(stream, 1);
    }
}

static void close_local(struct weir__sim_stream *stream, bool unread)
{
    struct weir__sim_stream *peer = stream->peer;
    peer->unacknowledged = 0;
    peer->no_write = true;
    if (unread)
        peer->error = ECONNRESET;
    if (!peer->ended)
        weir__sim_finish(peer);
    weir__sim_changed(&peer->object, EVERYTHING | (unread ? POLLERR : 0));
}

/* One that waited in its listener's queue was not to be read by anybody. */
void weir__sim_wire_close(struct weir__sim_stream *stream)
{
    bool unread = stream->readable + stream->held > 0 || stream->listener;
    if (!stream->peer)
        return;
    if (weir__sim_is_local(stream)) {
        close_local(stream, unread);
    } else if (unread || stream->lingers_not || stream->object.host->down || stream->state != WEIR__SIM_CONNECTED) {
        weir__sim_send_reset(stream);
        return;
    } else {
        weir__sim_wire_end(stream);
        answer_incoming(stream);
    }
    weir__sim_part(stream);
}

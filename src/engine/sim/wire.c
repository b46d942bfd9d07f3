/*
 * What is under way between the two ends of a stream: pieces in order, the end, acknowledgements; and the faults that happen
 * there.
 *
 * Acknowledged is what has come into the receiver's buffer; where that is full the rest waits before it, and the sender's own
 * buffer fills. Between Unix sockets all is there at once, and acknowledged when it is read.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/sim/stream.h"
#include "engine/sim/vector.h"

#define LONGEST_STALL WEIR_S(10)
#define LONGEST_HOLD  WEIR_MS(2)

/* --- pieces --- */

static void free_piece(struct weir__sim_piece *piece)
{
    weir__list_remove(&piece->link);
    free(piece);
}

static void free_pieces(struct weir__list *list)
{
    struct weir__sim_piece *piece;
    while ((piece = weir__sim_first_piece(list)))
        free_piece(piece);
}

static struct weir__sim_piece *new_piece(size_t size)
{
    struct weir__sim_piece *piece = malloc(sizeof *piece + size);
    if (!piece)
        return NULL;
    *piece = (struct weir__sim_piece){.size = size, .end = size == 0};
    weir__list_init(&piece->link);
    return piece;
}

/* --- times --- */

int64_t weir__sim_there_at(const struct weir__sim_stream *from, size_t size)
{
    struct weir_sim_host *here = from->object.host, *far = from->far;
    int64_t open = far ? weir__sim_open_at(here, far) : weir__sim_here->now;
    return weir__sim_later(weir__sim_here->now, open) + weir__sim_transit(here, far ? far : here, size);
}

int64_t weir__sim_back_at(const struct weir__sim_stream *from)
{
    int64_t there = weir__sim_there_at(from, 0);
    return there + weir__sim_transit(from->far ? from->far : from->object.host, from->object.host, 0);
}

int64_t weir__sim_arrival_at(struct weir__sim_stream *from, struct weir__sim_stream *to, size_t size)
{
    to->last_arrival = weir__sim_later(weir__sim_there_at(from, size), to->last_arrival);
    return to->last_arrival;
}

/* --- acknowledgements --- */

static void room_again(struct weir__sim_stream *sender, size_t size)
{
    bool before = weir__sim_has_room(sender);
    sender->unacknowledged -= size;
    if (!before && weir__sim_has_room(sender) && !sender->no_write)
        weir__sim_changed(&sender->object, POLLOUT);
}

static void acknowledged(void *arg);

static void acknowledge_rest(struct weir__sim_stream *sender)
{
    if (sender->acknowledge || !sender->received)
        return;
    sender->acknowledging = sender->received;
    sender->received = 0;
    /* It has as far to come as the sender's own pieces have to go. */
    sender->acknowledge = weir__sim_at(weir__sim_there_at(sender, 0), acknowledged, sender);
}

static void acknowledged(void *arg)
{
    struct weir__sim_stream *sender = arg;
    sender->acknowledge = NULL;
    room_again(sender, sender->acknowledging);
    acknowledge_rest(sender);
}

/* The peer learns it later, of several at once. */
void weir__sim_acknowledge(struct weir__sim_stream *receiver, size_t size)
{
    struct weir__sim_stream *sender = receiver->peer;
    if (!sender)
        return;
    sender->received += size;
    acknowledge_rest(sender);
}

/* --- arriving --- */

void weir__sim_let_go(struct weir__sim_stream *stream)
{
    weir__sim_cancel(&stream->release);
    stream->readable += stream->held;
    stream->held = 0;
}

static void stall(struct weir__sim_stream *receiver)
{
    int64_t most = weir__sim_here->faults_end - weir__sim_here->now;
    int64_t time = weir__sim_between(WEIR_US(100), LONGEST_STALL >> weir__sim_below(10));
    receiver->stalled_until = weir__sim_here->now + (time < most ? time : most);
    weir__sim_trace(&receiver->object, "stalled", receiver->stalled_until - weir__sim_here->now, NULL, 0);
}

/* Puts the first bytes of a piece behind what can be read. The whole piece is moved; a part of it is copied. */
static void put(struct weir__sim_stream *receiver, struct weir__sim_piece *piece, size_t size)
{
    struct weir__sim_piece *part = piece;
    if (size < piece->size - piece->taken) {
        part = new_piece(size);
        if (!part)
            abort();
        memcpy(part->bytes, piece->bytes + piece->taken, size);
        piece->taken += size;
    } else {
        weir__list_remove(&piece->link);
    }
    weir__list_push_back(&receiver->pieces, &part->link);
    *(receiver->held ? &receiver->held : &receiver->readable) += size;
}

static void deliver(struct weir__sim_stream *receiver, struct weir__sim_piece *piece, size_t size)
{
    put(receiver, piece, size);
    weir__sim_trace(&receiver->object, "delivered", (int64_t)size, NULL, 0);
    weir__sim_changed(&receiver->object, POLLIN);
}

void weir__sim_finish(struct weir__sim_stream *receiver)
{
    weir__sim_let_go(receiver);
    receiver->ended = true;
    weir__sim_trace(&receiver->object, "fin", 0, NULL, 0);
    weir__sim_changed(&receiver->object, POLLIN | POLLRDHUP | (receiver->no_write ? POLLHUP : 0));
}

static size_t room_of(const struct weir__sim_stream *receiver)
{
    size_t used = receiver->readable + receiver->held;
    return used < receiver->receive_room ? receiver->receive_room - used : 0;
}

/* As much of a piece as comes in now; the rest a little later, or when there is room. Whether all of it has come. */
static bool take_in_bytes(struct weir__sim_stream *receiver, struct weir__sim_piece *piece)
{
    size_t left = piece->size - piece->taken, room = room_of(receiver), size = left < room ? left : room;
    if (room == 0 || size == 0) {
        receiver->shut_window = true;
        return false;
    }
    bool short_one = size > 1 && weir__sim_strikes(WEIR_SIM_SHORT);
    if (short_one)
        size = 1 + weir__sim_below(size - 1);
    if (size < left)
        piece->at = weir__sim_here->now + weir__sim_between(0, LONGEST_HOLD);
    receiver->shut_window = size < left && !short_one;
    deliver(receiver, piece, size);
    weir__sim_acknowledge(receiver, size);
    return size == left;
}

/* A reset may come at any byte, so the first bytes of the piece may have arrived. */
static void cut_within(struct weir__sim_stream *receiver, struct weir__sim_piece *piece)
{
    size_t left = piece->size - piece->taken, room = room_of(receiver), most = left < room ? left : room;
    size_t size = most ? weir__sim_below(most + 1) : 0;
    if (size)
        deliver(receiver, piece, size);
    weir__sim_cut(receiver);
}

/* Whether the next piece may come in, too. */
static bool take_in(struct weir__sim_stream *receiver, struct weir__sim_piece *piece)
{
    if (weir__sim_strikes_rarely(WEIR_SIM_RESET, 4)) {
        cut_within(receiver, piece);
        return false;
    }
    if (weir__sim_strikes_rarely(WEIR_SIM_STALL, 4)) {
        stall(receiver);
        piece->at = receiver->stalled_until;
        return false;
    }
    if (!piece->end)
        return take_in_bytes(receiver, piece);
    free_piece(piece);
    weir__sim_acknowledge(receiver, 1);
    weir__sim_finish(receiver);
    return true;
}

static void arrive(void *arg);

static void await_arrival(struct weir__sim_stream *receiver)
{
    struct weir__sim_piece *piece = weir__sim_first_piece(&receiver->incoming);
    if (piece && !receiver->arrival && !receiver->shut_window)
        receiver->arrival = weir__sim_at(weir__sim_later(piece->at, receiver->stalled_until), arrive, receiver);
}

static void arrive(void *arg)
{
    struct weir__sim_stream *receiver = arg;
    struct weir__sim_piece *piece;
    receiver->arrival = NULL;
    while ((piece = weir__sim_first_piece(&receiver->incoming)) && piece->at <= weir__sim_here->now)
        if (!take_in(receiver, piece))
            break;
    await_arrival(receiver);
}

/* --- sending --- */

static void launch(struct weir__sim_stream *from, struct weir__sim_piece *piece)
{
    struct weir__sim_stream *to = from->peer;
    if (weir__sim_is_local(from)) {
        deliver(to, piece, piece->size);
        return;
    }
    piece->at = weir__sim_arrival_at(from, to, piece->size);
    weir__list_push_back(&to->incoming, &piece->link);
    await_arrival(to);
}

int weir__sim_wire_send(struct weir__sim_stream *from, const struct msghdr *message, size_t size)
{
    from->unacknowledged += size;
    if (!from->peer) {
        weir__sim_send_to_nobody(from);
        return 0;
    }
    struct weir__sim_piece *piece = new_piece(size);
    if (!piece) {
        from->unacknowledged -= size;
        errno = ENOBUFS;
        return -1;
    }
    weir__sim_vector_get(message, 0, piece->bytes, size);
    launch(from, piece);
    return 0;
}

/* What is sent after the peer was closed in peace is answered all the same, if it is but the end. */
static void end_to_nobody(struct weir__sim_stream *from)
{
    if (from->severed) {
        weir__sim_send_to_nobody(from);
        return;
    }
    from->received++;
    acknowledge_rest(from);
}

void weir__sim_wire_end(struct weir__sim_stream *from)
{
    if (from->end_sent)
        return;
    from->end_sent = true;
    if (weir__sim_is_local(from)) {
        if (from->peer)
            weir__sim_finish(from->peer);
        return;
    }
    from->unacknowledged++;
    if (!from->peer) {
        end_to_nobody(from);
        return;
    }
    struct weir__sim_piece *piece = new_piece(0);
    if (!piece)
        abort();
    launch(from, piece);
}

/* --- reading --- */

/* A window that was shut opens once there is room for much: then the sender is told, and sends. */
static void open_window(struct weir__sim_stream *receiver)
{
    struct weir__sim_piece *piece = weir__sim_first_piece(&receiver->incoming);
    if (!receiver->shut_window || room_of(receiver) * 2 < receiver->receive_room)
        return;
    receiver->shut_window = false;
    if (piece)
        piece->at = weir__sim_back_at(receiver);
    await_arrival(receiver);
}

static void taken(struct weir__sim_stream *stream, size_t size)
{
    stream->readable -= size;
    if (!weir__sim_is_local(stream))
        open_window(stream);
    else if (stream->peer)
        room_again(stream->peer, size);
}

size_t weir__sim_wire_take(struct weir__sim_stream *stream, const struct msghdr *message, size_t size, bool peek)
{
    size_t done = 0;
    struct weir__list *link = stream->pieces.next;
    while (done < size) {
        struct weir__sim_piece *piece = weir__list_entry(link, struct weir__sim_piece, link);
        size_t left = piece->size - piece->taken, part = left < size - done ? left : size - done;
        link = link->next;
        weir__sim_vector_put(message, done, piece->bytes + piece->taken, part);
        done += part;
        if (peek)
            continue;
        piece->taken += part;
        if (piece->taken == piece->size)
            free_piece(piece);
    }
    if (!peek)
        taken(stream, done);
    return done;
}

static void release(void *arg)
{
    struct weir__sim_stream *stream = arg;
    stream->release = NULL;
    weir__sim_let_go(stream);
    weir__sim_changed(&stream->object, POLLIN);
}

void weir__sim_hold(struct weir__sim_stream *stream, size_t size)
{
    stream->held += stream->readable - size;
    stream->readable = size;
    if (stream->held && !stream->release)
        stream->release = weir__sim_at(weir__sim_here->now + weir__sim_between(0, LONGEST_HOLD), release, stream);
}

/* --- the end --- */

void weir__sim_wire_lose(struct weir__sim_stream *stream)
{
    free_pieces(&stream->incoming);
    weir__sim_cancel(&stream->arrival);
}

void weir__sim_wire_drop(struct weir__sim_stream *stream)
{
    weir__sim_wire_lose(stream);
    free_pieces(&stream->pieces);
    stream->readable = stream->held = 0;
    weir__sim_cancel(&stream->acknowledge);
    weir__sim_cancel(&stream->release);
    weir__sim_cancel(&stream->doom);
}

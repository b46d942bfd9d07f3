/* Streams as their ends see them: tcp and Unix sockets, the calls on them, and what poll(2) says. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/text.h"
#include "engine/sim/stream.h"
#include "engine/sim/vector.h"

/* Buffers of 4 KiB to 256 KiB: each doubling is as likely as any other. */
enum { SMALLEST_BUFFER = 4096, DOUBLINGS = 6, OUT_OF_BUFFERS = 16 };

static int fail(int number)
{
    errno = number;
    return -1;
}

/* --- making them --- */

static size_t draw_room(void)
{
    size_t least = (size_t)SMALLEST_BUFFER << weir__sim_below(DOUBLINGS);
    return least + weir__sim_below(least + 1);
}

static void enlist(struct weir__sim_stream *stream)
{
    struct weir__list *streams = &weir__sim_here->streams;
    if (!streams->next)
        weir__list_init(streams);
    weir__list_push_back(streams, &stream->all);
}

struct weir__sim_stream *weir__sim_stream_of(int family, struct weir_sim_host *host)
{
    const struct weir__sim_kind *kind = family == AF_UNIX ? &weir__sim_unix : &weir__sim_tcp;
    struct weir__sim_stream *stream = weir__sim_object_new(kind, sizeof *stream, host);
    if (!stream)
        return NULL;
    weir__sim_binding_init(&stream->binding, &stream->object, family, false);
    weir__list_init(&stream->incoming);
    weir__list_init(&stream->pieces);
    weir__list_init(&stream->queued);
    weir__list_init(&stream->arriving);
    weir__list_init(&stream->queue);
    enlist(stream);
    return stream;
}

struct weir__sim_object *weir__sim_stream_new(int family)
{
    struct weir__sim_stream *stream = weir__sim_stream_of(family, weir__sim_host());
    return stream ? &stream->object : NULL;
}

void weir__sim_draw_rooms(struct weir__sim_stream *stream)
{
    stream->send_room = draw_room();
    stream->receive_room = draw_room();
}

void weir__sim_join(struct weir__sim_stream *one, struct weir__sim_stream *other)
{
    one->peer = other;
    other->peer = one;
    one->far = other->object.host;
    other->far = one->object.host;
    weir__sim_draw_rooms(one);
    weir__sim_draw_rooms(other);
}

int weir__sim_stream_pair(struct weir__sim_object *pair[2])
{
    struct weir__sim_stream *ends[2];
    for (int i = 0; i < 2; i++) {
        ends[i] = weir__sim_stream_of(AF_UNIX, weir__sim_host());
        if (!ends[i] && i)
            weir__sim_stream_free(ends[0]);
        if (!ends[i])
            return -1;
        ends[i]->state = WEIR__SIM_CONNECTED;
        ends[i]->other = (union weir__sim_address){.any.sa_family = AF_UNIX};
        ends[i]->other_length = sizeof(sa_family_t);
        pair[i] = &ends[i]->object;
    }
    weir__sim_join(ends[0], ends[1]);
    return 0;
}

/* --- what is so --- */

/* Linux wakes who writes when a third is free; a Unix socket when three quarters are. */
bool weir__sim_has_room(const struct weir__sim_stream *stream)
{
    size_t used = stream->unacknowledged;
    return weir__sim_is_local(stream) ? used * 4 <= stream->send_room : used * 3 <= stream->send_room * 2;
}

/* Of those that are or were connected. */
static unsigned connected_ready(const struct weir__sim_stream *stream)
{
    bool read_over = stream->no_read || stream->ended;
    unsigned events = read_over ? POLLIN | POLLRDHUP : 0;
    if (read_over && stream->no_write)
        events |= POLLHUP;
    if (stream->readable)
        events |= POLLIN;
    if (stream->no_write || weir__sim_has_room(stream))
        events |= POLLOUT;
    return events;
}

unsigned weir__sim_stream_ready(struct weir__sim_object *object)
{
    const struct weir__sim_stream *stream = weir__sim_stream(object);
    unsigned error = stream->error ? POLLERR : 0;
    switch (stream->state) {
    case WEIR__SIM_LISTENING:
        return weir__list_empty(&stream->queue) ? 0 : POLLIN;
    case WEIR__SIM_CONNECTING:
    case WEIR__SIM_ARRIVING:
        return error;
    case WEIR__SIM_FRESH:
        return POLLOUT | POLLHUP | error;
    default:
        return connected_ready(stream) | error;
    }
}

int weir__sim_take_error(struct weir__sim_stream *stream)
{
    int error = stream->error;
    stream->error = 0;
    return error;
}

/* --- sending --- */

/* Why nothing can be sent at all; 0: it can. */
static int unsendable(struct weir__sim_stream *stream)
{
    bool local = weir__sim_is_local(stream);
    if (stream->state == WEIR__SIM_CONNECTING)
        return EAGAIN;
    if (!local && stream->error)
        return weir__sim_take_error(stream);
    if (stream->state == WEIR__SIM_FRESH || stream->state == WEIR__SIM_LISTENING)
        return local ? ENOTCONN : EPIPE;
    if (stream->no_write || (local && !stream->peer))
        return EPIPE;
    return weir__sim_strikes_rarely(WEIR_SIM_RESOURCES, OUT_OF_BUFFERS) ? ENOBUFS : 0;
}

static ssize_t send_bytes(struct weir__sim_object *object, const struct msghdr *message, int flags)
{
    (void)flags; /* a signal never comes, and nothing waits */
    struct weir__sim_stream *stream = weir__sim_stream(object);
    int error = unsendable(stream);
    if (error)
        return fail(error);
    size_t size = weir__sim_vector_size(message);
    size_t used = stream->unacknowledged, room = used < stream->send_room ? stream->send_room - used : 0;
    if (size == 0)
        return 0;
    if (room == 0)
        return fail(EAGAIN);
    if (size > room)
        size = room;
    if (size > 1 && weir__sim_strikes(WEIR_SIM_SHORT))
        size = 1 + weir__sim_below(size - 1);
    return weir__sim_wire_send(stream, message, size) < 0 ? -1 : (ssize_t)size;
}

/* --- receiving --- */

/* What recv(2) says where there is nothing to read: the number of an error, or 0 for the end. */
static int nothing_to_read(struct weir__sim_stream *stream)
{
    bool local = weir__sim_is_local(stream);
    if (stream->ended && !local)
        return 0;
    if (stream->error)
        return weir__sim_take_error(stream);
    if (stream->ended || stream->no_read)
        return 0;
    if (stream->state == WEIR__SIM_FRESH || stream->state == WEIR__SIM_LISTENING)
        return local ? EINVAL : ENOTCONN;
    return EAGAIN;
}

/*
 * Whoever reads less than they asked for may take it that there is no more until they are told (Linux says so of streams, and
 * the library relies on it). So a short read is as if the rest had come a moment later; not once the end has come, which it
 * would have come before.
 */
static size_t cut_read(struct weir__sim_stream *stream, size_t size)
{
    if (size < 2 || stream->ended || stream->no_read || !weir__sim_strikes(WEIR_SIM_SHORT))
        return size;
    size = 1 + weir__sim_below(size - 1);
    weir__sim_hold(stream, size);
    return size;
}

static ssize_t receive_bytes(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
    if (!stream->readable) {
        int error = nothing_to_read(stream);
        return error ? fail(error) : 0;
    }
    size_t size = weir__sim_vector_size(message);
    size = cut_read(stream, size < stream->readable ? size : stream->readable);
    return (ssize_t)weir__sim_wire_take(stream, message, size, flags & MSG_PEEK);
}

/* --- ends --- */

/* Between Unix sockets each shutdown is the peer's, too. */
static void shut_local(struct weir__sim_stream *stream, bool reading)
{
    if (!reading || !stream->peer)
        return;
    stream->peer->no_write = true;
    weir__sim_changed(&stream->peer->object, POLLOUT | (stream->peer->ended ? POLLHUP : 0));
}

static void shut(struct weir__sim_stream *stream, bool reading, bool writing)
{
    if (reading)
        stream->no_read = true;
    if (weir__sim_is_local(stream))
        shut_local(stream, reading);
    if (writing && !stream->no_write)
        weir__sim_wire_end(stream);
    if (writing)
        stream->no_write = true;
}

static int shutdown_stream(struct weir__sim_object *object, int how)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    bool reading = how != SHUT_WR, writing = how != SHUT_RD;
    if (stream->state == WEIR__SIM_FRESH || stream->state == WEIR__SIM_BROKEN)
        return fail(ENOTCONN);
    if (stream->state == WEIR__SIM_CONNECTING) {
        weir__sim_disconnect(stream);
    } else if (stream->state == WEIR__SIM_LISTENING) {
        if (reading)
            weir__sim_stop_listening(stream);
    } else {
        shut(stream, reading, writing);
    }
    weir__sim_changed(object, weir__sim_stream_ready(object));
    return 0;
}

void weir__sim_disconnect(struct weir__sim_stream *stream)
{
    if (stream->state == WEIR__SIM_CONNECTING || stream->state == WEIR__SIM_CONNECTED)
        stream->error = ECONNRESET;
    weir__sim_send_reset(stream);
    weir__sim_wire_drop(stream);
    weir__sim_cancel(&stream->step);
    stream->state = WEIR__SIM_FRESH;
    stream->no_read = stream->no_write = stream->ended = stream->end_sent = false;
    stream->severed = stream->silent = stream->connect_told = stream->shut_window = false;
    stream->unacknowledged = stream->acknowledging = stream->received = 0;
    stream->last_arrival = stream->stalled_until = 0;
    if (!weir__sim_is_local(stream) && stream->chosen_port)
        weir__sim_unbind(&stream->binding);
    stream->chosen_port = false;
}

void weir__sim_stream_free(struct weir__sim_stream *stream)
{
    weir__sim_leave_queue(stream);
    weir__sim_wire_drop(stream);
    weir__sim_cancel(&stream->step);
    weir__sim_part(stream);
    weir__sim_unbind(&stream->binding);
    weir__list_remove(&stream->all);
    weir__sim_object_free(&stream->object);
}

static void closed(struct weir__sim_object *object)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    if (stream->state == WEIR__SIM_LISTENING)
        weir__sim_stop_listening(stream);
    weir__sim_wire_close(stream);
    weir__sim_stream_free(stream);
}

void weir__sim_streams_end(struct weir__sim *sim)
{
    struct weir__list *link;
    if (!sim->streams.next)
        return;
    weir__list_each(link, &sim->streams) weir__sim_leave_queue(weir__list_entry(link, struct weir__sim_stream, all));
    while (!weir__list_empty(&sim->streams))
        weir__sim_stream_free(weir__list_entry(weir__list_front(&sim->streams), struct weir__sim_stream, all));
}

/* --- the rest --- */

static int bind_stream(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length)
{
    struct weir__sim_stream *stream = weir__sim_stream(object);
    if (stream->state != WEIR__SIM_FRESH)
        return fail(EINVAL);
    return weir__sim_bind(&stream->binding, address, length);
}

static int name_of(struct weir__sim_object *object, bool peer, struct sockaddr *address, socklen_t *length)
{
    const struct weir__sim_stream *stream = weir__sim_stream(object);
    if (!peer)
        return weir__sim_local_name(&stream->binding, address, length);
    if (stream->state != WEIR__SIM_CONNECTED)
        return fail(ENOTCONN);
    return weir__sim_copy_address(&stream->other, stream->other_length, address, length);
}

static int ioctl_stream(struct weir__sim_object *object, unsigned long request, void *argument)
{
    const struct weir__sim_stream *stream = weir__sim_stream(object);
    if (request != TIOCOUTQ && request != FIONREAD)
        return fail(ENOTTY);
    if (stream->state == WEIR__SIM_LISTENING)
        return fail(EINVAL);
    *(int *)argument = (int)(request == TIOCOUTQ ? stream->unacknowledged : stream->readable);
    return 0;
}

static void describe(const struct weir__sim_object *object, char *text, size_t size)
{
    const struct weir__sim_stream *stream = (const struct weir__sim_stream *)object;
    struct weir__text written = weir__text(text, size);
    char end[150] = "";
    if (stream->binding.length)
        weir__sim_address_text(&stream->binding.address.any, stream->binding.length, end, sizeof end);
    weir__text_put(&written, end);
    if (!stream->other_length)
        return;
    weir__text_put(&written, "<>");
    weir__sim_address_text(&stream->other.any, stream->other_length, end, sizeof end);
    weir__text_put(&written, end);
}

#define OF_ALL                                                                                                         \
    .socket = true, .bind = bind_stream, .listen = weir__sim_stream_listen, .connect = weir__sim_stream_connect,       \
    .shutdown = shutdown_stream, .socket_name = name_of, .get_option = weir__sim_stream_get_option,                    \
    .set_option = weir__sim_stream_set_option, .ioctl = ioctl_stream, .ready = weir__sim_stream_ready,                 \
    .receive = receive_bytes, .send = send_bytes, .closed = closed, .describe = describe

const struct weir__sim_kind weir__sim_tcp = {.name = "tcp", OF_ALL};
const struct weir__sim_kind weir__sim_unix = {.name = "unix", OF_ALL};
const struct weir__sim_kind weir__sim_listener = {.name = "listener", .accept = weir__sim_stream_accept, OF_ALL};

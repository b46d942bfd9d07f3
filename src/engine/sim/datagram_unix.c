/*
 * Unix datagrams: reliable and in order, from one call to the other. As on Linux a receiver that is not connected to the
 * sender takes a few and no more, and a sender has a limit on its bytes that nobody has received.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "engine/sim/datagram.h"
#include "engine/sim/vector.h"

enum { MOST_QUEUED = 10 }; /* net.unix.max_dgram_qlen: one more is taken */

static int fail(int number)
{
    errno = number;
    return -1;
}

static size_t buffer_of(const struct weir__sim_datagrams *socket)
{
    int set = socket->binding.options.send_buffer;
    return set > 0 ? (size_t)set : WEIR__SIM_BUFFER;
}

/* Whether a receiver takes no more from a socket. */
static bool is_full(const struct weir__sim_datagrams *other, const struct weir__sim_datagrams *sender)
{
    return other != sender && other->other != sender && other->count > MOST_QUEUED;
}

/* As unix_writable() of Linux: three quarters of the buffer are free. */
static bool has_room(const struct weir__sim_datagrams *socket)
{
    return socket->unread * 4 <= buffer_of(socket);
}

unsigned weir__sim_unix_room(const struct weir__sim_datagrams *socket)
{
    bool full = socket->other && is_full(socket->other, socket);
    return has_room(socket) && !full ? POLLOUT : 0;
}

/* --- connecting --- */

static void leave(struct weir__sim_datagrams *socket)
{
    weir__list_remove(&socket->link);
    socket->other = NULL;
    socket->other_closed = false;
}

void weir__sim_unix_join(struct weir__sim_datagrams *socket, struct weir__sim_datagrams *other)
{
    leave(socket);
    socket->other = other;
    weir__list_push_back(&other->connected, &socket->link);
}

/* The socket of an address, to which `socket` may send; NULL and errno. */
static struct weir__sim_datagrams *find(const struct weir__sim_datagrams *socket, const struct sockaddr *address,
                                        socklen_t length)
{
    const struct weir__sim_binding *binding = weir__sim_find_local(socket->object.host, address, length, true);
    struct weir__sim_datagrams *other = binding ? (struct weir__sim_datagrams *)binding->object : NULL;
    if (!other || !other->other || other->other == socket)
        return other;
    errno = EPERM;
    return NULL;
}

int weir__sim_unix_connect(struct weir__sim_datagrams *socket, const struct sockaddr *address, socklen_t length)
{
    if (length < sizeof address->sa_family)
        return fail(EINVAL);
    if (address->sa_family == AF_UNSPEC) {
        leave(socket);
        return 0;
    }
    if (address->sa_family != AF_UNIX)
        return fail(EINVAL);
    struct weir__sim_datagrams *other = find(socket, address, length);
    if (!other)
        return -1;
    weir__sim_unix_join(socket, other);
    return 0;
}

/* --- sending --- */

/* Where a message goes; NULL and errno. */
static struct weir__sim_datagrams *receiver_of(struct weir__sim_datagrams *socket, const struct msghdr *message)
{
    if (message->msg_name && message->msg_namelen > 0)
        return find(socket, message->msg_name, message->msg_namelen);
    if (!socket->other)
        errno = socket->other_closed ? ECONNREFUSED : ENOTCONN;
    socket->other_closed = false;
    return socket->other;
}

/* The error for which nothing can be sent now; 0: none. */
static int obstacle(const struct weir__sim_datagrams *socket, const struct weir__sim_datagrams *other, size_t size)
{
    if (size > buffer_of(socket) - 32)
        return EMSGSIZE;
    if (other->no_reading)
        return EPIPE;
    if (weir__sim_strikes_rarely(WEIR_SIM_RESOURCES, 8))
        return ENOBUFS;
    return is_full(other, socket) || socket->unread >= buffer_of(socket) ? EAGAIN : 0;
}

/*
 * Who is not connected is not told when the receiver has room. But Linux has taken memory from the sender's buffer by then,
 * and that it is given back is room for it, which is told: so who waits for that goes round in circles.
 */
static void try_again(struct weir__sim_datagrams *socket)
{
    if (!socket->other && has_room(socket))
        weir__sim_changed(&socket->object, POLLOUT);
}

ssize_t weir__sim_unix_send(struct weir__sim_datagrams *socket, const struct msghdr *message)
{
    size_t size = weir__sim_vector_size(message);
    struct weir__sim_datagrams *other = receiver_of(socket, message);
    int number = other ? obstacle(socket, other, size) : errno;
    if (number == EAGAIN)
        try_again(socket);
    if (number)
        return fail(number);
    struct weir__sim_datagram *datagram = weir__sim_datagram_made(message, size);
    if (!datagram)
        return -1;
    datagram->sender = socket;
    datagram->source = socket->binding.address;
    datagram->source_length = socket->binding.length;
    weir__list_push_back(&socket->sent, &datagram->sent);
    socket->unread += weir__sim_datagram_cost(datagram);
    weir__sim_datagram_queue(other, datagram);
    return (ssize_t)size;
}

void weir__sim_unix_taken(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram)
{
    struct weir__sim_datagrams *sender = datagram->sender;
    struct weir__list *link;
    if (sender) {
        weir__list_remove(&datagram->sent);
        sender->unread -= weir__sim_datagram_cost(datagram);
        if (sender != socket && has_room(sender))
            weir__sim_changed(&sender->object, POLLOUT);
    }
    if (socket->count != MOST_QUEUED)
        return;
    weir__list_each(link, &socket->connected)
        weir__sim_changed(&weir__list_entry(link, struct weir__sim_datagrams, link)->object, POLLOUT);
}

/* --- the end --- */

/* What it sent stays where it is; who is connected to it finds out. */
void weir__sim_unix_closed(struct weir__sim_datagrams *socket)
{
    struct weir__list *link;
    while ((link = weir__list_pop_front(&socket->sent)))
        weir__list_entry(link, struct weir__sim_datagram, sent)->sender = NULL;
    leave(socket);
    while ((link = weir__list_front(&socket->connected))) {
        struct weir__sim_datagrams *one = weir__list_entry(link, struct weir__sim_datagrams, link);
        leave(one);
        one->other_closed = true;
        weir__sim_changed(&one->object, POLLOUT);
    }
}

/* Datagram sockets: their life, receiving, and options. */
#include "engine/sim/datagram.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "engine/sim/vector.h"

static struct weir__sim_datagrams *socket_of(struct weir__sim_object *object)
{
    return (struct weir__sim_datagrams *)object;
}

static int fail(int number)
{
    errno = number;
    return -1;
}

/* --- datagrams --- */

struct weir__sim_datagram *weir__sim_datagram_made(const struct msghdr *message, size_t size)
{
    struct weir__sim_datagram *datagram = malloc(sizeof *datagram + size);
    if (!datagram)
        return NULL;
    memset(datagram, 0, sizeof *datagram);
    weir__list_init(&datagram->link);
    weir__list_init(&datagram->sent);
    datagram->size = datagram->whole = size;
    weir__sim_vector_get(message, 0, datagram->bytes, size);
    return datagram;
}

void weir__sim_datagram_queue(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram)
{
    weir__list_push_back(&socket->queue, &datagram->link);
    socket->queued += weir__sim_datagram_cost(datagram);
    socket->count++;
    weir__sim_changed(&socket->object, POLLIN);
}

static struct weir__sim_datagram *first_of(const struct weir__sim_datagrams *socket)
{
    struct weir__list *link = weir__list_front(&socket->queue);
    return link ? weir__list_entry(link, struct weir__sim_datagram, link) : NULL;
}

static void take(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram)
{
    weir__list_remove(&datagram->link);
    socket->queued -= weir__sim_datagram_cost(datagram);
    socket->count--;
    if (weir__sim_is_unix(socket))
        weir__sim_unix_taken(socket, datagram);
    free(datagram);
}

socklen_t weir__sim_in_family(int family, const union weir__sim_address *address, socklen_t length,
                              union weir__sim_address *same)
{
    *same = *address;
    if (family != AF_INET6 || address->any.sa_family != AF_INET)
        return length;
    same->ip6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = address->ip4.sin_port};
    same->ip6.sin6_addr.s6_addr[10] = same->ip6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(same->ip6.sin6_addr.s6_addr + 12, &address->ip4.sin_addr, sizeof address->ip4.sin_addr);
    return sizeof same->ip6;
}

/* --- receiving --- */

static int take_error(struct weir__sim_datagrams *socket)
{
    int error = socket->error;
    socket->error = 0;
    return error;
}

static void tell_source(const struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram,
                        struct msghdr *message)
{
    union weir__sim_address source;
    socklen_t length = weir__sim_in_family(socket->binding.family, &datagram->source, datagram->source_length, &source);
    if (message->msg_name)
        weir__sim_copy_address(&source, length, message->msg_name, &message->msg_namelen);
}

/* What was cut on its way, or is larger than the message has room for, is marked. */
static ssize_t hand_out(const struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram,
                        struct msghdr *message, int flags)
{
    size_t room = weir__sim_vector_size(message);
    size_t size = datagram->size < room ? datagram->size : room;
    message->msg_flags = datagram->whole > size ? MSG_TRUNC : 0;
    weir__sim_vector_put(message, 0, datagram->bytes, size);
    tell_source(socket, datagram, message);
    if (weir__sim_is_unix(socket))
        message->msg_controllen = 0;
    else
        weir__sim_control_tell(socket, datagram, message);
    return (ssize_t)(flags & MSG_TRUNC ? datagram->whole : size);
}

static ssize_t datagram_receive(struct weir__sim_object *object, struct msghdr *message, int flags)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    struct weir__sim_datagram *datagram = first_of(socket);
    if (socket->error)
        return fail(take_error(socket));
    if (!datagram)
        return fail(EAGAIN);
    ssize_t length = hand_out(socket, datagram, message, flags);
    if (!(flags & MSG_PEEK))
        take(socket, datagram);
    return length;
}

/* --- sending and addresses --- */

static ssize_t datagram_send(struct weir__sim_object *object, const struct msghdr *message, int flags)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    (void)flags;
    if (socket->error)
        return fail(take_error(socket));
    if (socket->no_writing)
        return fail(EPIPE);
    return weir__sim_is_unix(socket) ? weir__sim_unix_send(socket, message) : weir__sim_udp_send(socket, message);
}

static int datagram_bind(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length)
{
    return weir__sim_bind(&socket_of(object)->binding, address, length);
}

static int datagram_connect(struct weir__sim_object *object, const struct sockaddr *address, socklen_t length)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    return weir__sim_is_unix(socket) ? weir__sim_unix_connect(socket, address, length)
                                     : weir__sim_udp_connect(socket, address, length);
}

static int peer_name(const struct weir__sim_datagrams *socket, struct sockaddr *address, socklen_t *length)
{
    union weir__sim_address peer;
    if (socket->other)
        return weir__sim_local_name(&socket->other->binding, address, length);
    if (!socket->peer_length)
        return fail(ENOTCONN);
    socklen_t peer_length = weir__sim_in_family(socket->binding.family, &socket->peer, socket->peer_length, &peer);
    return weir__sim_copy_address(&peer, peer_length, address, length);
}

static int datagram_name(struct weir__sim_object *object, bool peer, struct sockaddr *address, socklen_t *length)
{
    const struct weir__sim_datagrams *socket = socket_of(object);
    return peer ? peer_name(socket, address, length) : weir__sim_local_name(&socket->binding, address, length);
}

/* As Linux has it: done, even where it says that the socket is not connected. */
static int datagram_shutdown(struct weir__sim_object *object, int how)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    socket->no_reading |= how != SHUT_WR;
    socket->no_writing |= how != SHUT_RD;
    weir__sim_changed(object, object->kind->ready(object));
    return socket->peer_length || weir__sim_is_unix(socket) ? 0 : fail(ENOTCONN);
}

static unsigned datagram_ready(struct weir__sim_object *object)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    unsigned ready = weir__sim_is_unix(socket) ? weir__sim_unix_room(socket) : weir__sim_udp_room(socket);
    if (socket->count)
        ready |= POLLIN;
    if (socket->no_reading)
        ready |= POLLIN | POLLRDHUP;
    if (socket->no_reading && socket->no_writing)
        ready |= POLLHUP;
    return ready | (socket->error ? POLLERR : 0U);
}

/* --- options --- */

/* Datagrams are not packed together here (UDP_SEGMENT, UDP_GRO). */
static int datagram_get_option(struct weir__sim_object *object, int level, int name, void *value, socklen_t *length)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    if (level == IPPROTO_UDP)
        return fail(ENOPROTOOPT);
    if (level != SOL_SOCKET || name != SO_ERROR)
        return weir__sim_get_option(&socket->binding, level, name, value, length);
    if (*length < sizeof(int))
        return fail(EINVAL);
    int error = take_error(socket);
    memcpy(value, &error, sizeof error);
    *length = sizeof error;
    return 0;
}

/* The switch that tells where datagrams were sent to; NULL: it is another option. */
static bool *telling_of(struct weir__sim_datagrams *socket, int level, int name)
{
    if (level == IPPROTO_IP && name == IP_PKTINFO)
        return &socket->tells4;
    if (level == IPPROTO_IPV6 && name == IPV6_RECVPKTINFO && socket->binding.family == AF_INET6)
        return &socket->tells6;
    return NULL;
}

static int datagram_set_option(struct weir__sim_object *object, int level, int name, const void *value,
                               socklen_t length)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    bool *telling = weir__sim_is_unix(socket) ? NULL : telling_of(socket, level, name);
    int on;
    if (level == IPPROTO_UDP)
        return fail(ENOPROTOOPT);
    if (!telling)
        return weir__sim_set_option(&socket->binding, level, name, value, length);
    if (length < sizeof on)
        return fail(EINVAL);
    memcpy(&on, value, sizeof on);
    *telling = on;
    return 0;
}

static int datagram_ioctl(struct weir__sim_object *object, unsigned long request, void *argument)
{
    const struct weir__sim_datagrams *socket = socket_of(object);
    const struct weir__sim_datagram *first = first_of(socket);
    int bytes;
    if (request == FIONREAD)
        bytes = first ? (int)first->size : 0;
    else if (request == TIOCOUTQ)
        bytes = (int)socket->unread;
    else
        return fail(ENOTTY);
    memcpy(argument, &bytes, sizeof bytes);
    return 0;
}

/* --- a socket's life --- */

static void datagram_closed(struct weir__sim_object *object)
{
    struct weir__sim_datagrams *socket = socket_of(object);
    struct weir__sim_datagram *datagram;
    weir__sim_unbind(&socket->binding);
    while ((datagram = first_of(socket)))
        take(socket, datagram);
    if (weir__sim_is_unix(socket))
        weir__sim_unix_closed(socket);
    else
        weir__sim_udp_closed(socket);
    weir__sim_object_free(object);
}

static void datagram_describe(const struct weir__sim_object *object, char *text, size_t size)
{
    const struct weir__sim_datagrams *socket = (const struct weir__sim_datagrams *)object;
    weir__sim_address_text(&socket->binding.address.any, socket->binding.length, text, size);
    size_t length = strlen(text);
    if (!socket->peer_length || length + 2 > size)
        return;
    text[length] = '>';
    weir__sim_address_text(&socket->peer.any, socket->peer_length, text + length + 1, size - length - 1);
}

#define KIND(called)                                                                                                   \
    {                                                                                                                  \
        .name = (called), .socket = true, .receive = datagram_receive, .send = datagram_send, .bind = datagram_bind,   \
        .connect = datagram_connect, .shutdown = datagram_shutdown, .socket_name = datagram_name,                      \
        .get_option = datagram_get_option, .set_option = datagram_set_option, .ioctl = datagram_ioctl,                 \
        .ready = datagram_ready, .closed = datagram_closed, .describe = datagram_describe                              \
    }

static const struct weir__sim_kind udp_kind = KIND("udp"), unix_kind = KIND("unix-datagram");

struct weir__sim_object *weir__sim_datagram_new(int family)
{
    const struct weir__sim_kind *kind = family == AF_UNIX ? &unix_kind : &udp_kind;
    struct weir__sim_datagrams *socket = weir__sim_object_new(kind, sizeof *socket, weir__sim_host());
    if (!socket)
        return NULL;
    weir__sim_binding_init(&socket->binding, &socket->object, family, true);
    weir__list_init(&socket->queue);
    weir__list_init(&socket->link);
    weir__list_init(&socket->connected);
    weir__list_init(&socket->sent);
    return &socket->object;
}

int weir__sim_datagram_pair(struct weir__sim_object *pair[2])
{
    pair[0] = weir__sim_datagram_new(AF_UNIX);
    pair[1] = pair[0] ? weir__sim_datagram_new(AF_UNIX) : NULL;
    if (!pair[1]) {
        if (pair[0])
            datagram_closed(pair[0]);
        return fail(ENOMEM);
    }
    weir__sim_unix_join(socket_of(pair[0]), socket_of(pair[1]));
    weir__sim_unix_join(socket_of(pair[1]), socket_of(pair[0]));
    return 0;
}

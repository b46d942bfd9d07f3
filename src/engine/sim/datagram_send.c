/*
 * udp: a datagram is sent, is under way, and arrives; or does not, or twice, late, or cut. Without a fault those of one
 * socket for one host arrive in order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <weir/time.h>

#include "engine/sim/datagram.h"
#include "engine/sim/vector.h"

/* What fits into a packet of IPv4, and of IPv6; the headers, which travel too. */
enum { MOST4 = 65507, MOST6 = 65527, HEADERS = 48 };

#define LONGEST_FULL   WEIR_MS(50)
#define LONGEST_DETOUR WEIR_MS(300)

static int fail(int number)
{
    errno = number;
    return -1;
}

static uint16_t *port_of(union weir__sim_address *address)
{
    return address->any.sa_family == AF_INET ? &address->ip4.sin_port : &address->ip6.sin6_port;
}

static bool is_any(const union weir__sim_address *address)
{
    return address->any.sa_family == AF_INET ? address->ip4.sin_addr.s_addr == htonl(INADDR_ANY)
                                             : IN6_IS_ADDR_UNSPECIFIED(&address->ip6.sin6_addr);
}

static bool is_same(const union weir__sim_address *a, const union weir__sim_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->ip4.sin_port == b->ip4.sin_port && a->ip4.sin_addr.s_addr == b->ip4.sin_addr.s_addr;
    return a->ip6.sin6_port == b->ip6.sin6_port && IN6_ARE_ADDR_EQUAL(&a->ip6.sin6_addr, &b->ip6.sin6_addr);
}

/* --- whereto --- */

/* To send to no address in particular is to send to oneself. */
static void make_definite(union weir__sim_address *address)
{
    if (!is_any(address))
        return;
    if (address->any.sa_family == AF_INET)
        address->ip4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address->ip6.sin6_addr = in6addr_loopback;
}

/* An address that somebody gave, as one to send to. Its length; 0 and errno if the socket cannot. */
static socklen_t destination(const struct weir__sim_datagrams *socket, const struct sockaddr *address, socklen_t length,
                             union weir__sim_address *to)
{
    int family = socket->binding.family;
    errno = 0;
    if (length < sizeof to->ip4 || (address->sa_family == AF_INET6 && length < sizeof to->ip6))
        errno = EINVAL;
    else if (address->sa_family != family && !(family == AF_INET6 && address->sa_family == AF_INET))
        errno = EAFNOSUPPORT;
    if (errno)
        return 0;
    length = weir__sim_plain_address(address, length, to);
    make_definite(to);
    if (*port_of(to) == 0)
        errno = EINVAL;
    else if (family == AF_INET6 && to->any.sa_family == AF_INET && socket->binding.only6)
        errno = ENETUNREACH;
    else if (to->any.sa_family == AF_INET && to->ip4.sin_addr.s_addr == htonl(INADDR_BROADCAST))
        errno = EACCES;
    return errno ? 0 : length;
}

/* --- wherefrom --- */

/* Binds to a port of any address, as sendto(2) does where nobody has. */
static int bind_to_any(struct weir__sim_datagrams *socket)
{
    union weir__sim_address any = {0};
    bool ip4 = socket->binding.family == AF_INET;
    if (ip4)
        any.ip4.sin_family = AF_INET;
    else
        any.ip6.sin6_family = AF_INET6;
    return weir__sim_bind(&socket->binding, &any.any, ip4 ? sizeof any.ip4 : sizeof any.ip6);
}

/* The address that a datagram leaves from, without its port: asked for, bound to, or the way's. Its length, or 0. */
static socklen_t source_address(const struct weir__sim_datagrams *socket, const struct msghdr *message,
                                const union weir__sim_address *to, union weir__sim_address *from)
{
    struct weir_sim_host *host = socket->object.host;
    int asked = weir__sim_control_source(message, from);
    if (asked < 0)
        return 0;
    if (asked > 0 && (from->any.sa_family != to->any.sa_family || weir__sim_host_at(host, &from->any) != host)) {
        errno = EINVAL;
        return 0;
    }
    if (asked > 0)
        return (socklen_t)asked;
    socklen_t length = weir__sim_plain_address(&socket->binding.address.any, socket->binding.length, from);
    if (from->any.sa_family == to->any.sa_family && !is_any(from))
        return length;
    length = weir__sim_source(host, &to->any, from);
    if (!length)
        errno = ENETUNREACH;
    return length;
}

/* With IP_BIND_ADDRESS_NO_PORT a socket may have an address and no port yet. 0, or -1 and errno. */
static int get_port(struct weir__sim_datagrams *socket, const union weir__sim_address *to)
{
    struct weir__sim_binding *binding = &socket->binding;
    if (!binding->length)
        return bind_to_any(socket);
    return *port_of(&binding->address) ? 0 : weir__sim_bind_towards(binding, &to->any);
}

/* 0, or -1 and errno. */
static int address_datagram(struct weir__sim_datagrams *socket, const struct msghdr *message,
                            struct weir__sim_datagram *datagram)
{
    if (get_port(socket, &datagram->destination) < 0)
        return -1;
    datagram->source_length = source_address(socket, message, &datagram->destination, &datagram->source);
    if (!datagram->source_length)
        return -1;
    *port_of(&datagram->source) = *port_of(&socket->binding.address);
    datagram->from = socket->object.host;
    datagram->to = weir__sim_host_at(datagram->from, &datagram->destination.any);
    return 0;
}

/* --- arriving --- */

static bool is_connected_to(const struct weir__sim_datagrams *socket, const union weir__sim_address *address)
{
    return socket->peer_length && is_same(&socket->peer, address);
}

static struct weir__sim_datagrams *socket_at(struct weir_sim_host *host, const union weir__sim_address *address)
{
    const struct weir__sim_binding *binding = host->down ? NULL : weir__sim_find(host, &address->any, true);
    return binding ? (struct weir__sim_datagrams *)binding->object : NULL;
}

/* Word has come that nobody listens there. It concerns who is connected to that address, and else nobody. */
static void refused(void *arg)
{
    struct weir__sim_datagram *datagram = arg;
    weir__sim_here->delivering = datagram->from;
    struct weir__sim_datagrams *sender = socket_at(datagram->from, &datagram->source);
    if (sender && is_connected_to(sender, &datagram->destination)) {
        weir__sim_trace(&sender->object, "refused", ECONNREFUSED, NULL, 0);
        sender->error = ECONNREFUSED;
        weir__sim_changed(&sender->object, POLLERR);
    }
    weir__list_remove(&datagram->link);
    free(datagram);
}

/* The way back is as bad as the way there. */
static void refuse(struct weir__sim_datagram *datagram)
{
    struct weir__sim *sim = weir__sim_here;
    weir__sim_trace(NULL, "nobody there", (int64_t)datagram->size, NULL, 0);
    if (weir__sim_open_at(datagram->to, datagram->from) > sim->now || weir__sim_strikes(WEIR_SIM_LOSS)) {
        weir__list_remove(&datagram->link);
        free(datagram);
        return;
    }
    weir__sim_at(sim->now + weir__sim_transit(datagram->to, datagram->from, HEADERS), refused, datagram);
}

static size_t room_of(const struct weir__sim_datagrams *socket)
{
    int set = socket->binding.options.receive_buffer;
    return set > 0 ? (size_t)set : WEIR__SIM_BUFFER;
}

static void deliver(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram)
{
    weir__list_remove(&datagram->link);
    if (socket->queued >= room_of(socket)) {
        weir__sim_trace(&socket->object, "dropped", (int64_t)datagram->size, NULL, 0);
        socket->binding.drops++;
        free(datagram);
        return;
    }
    weir__sim_trace(&socket->object, "delivered", (int64_t)datagram->size, datagram->bytes, datagram->size);
    weir__sim_datagram_queue(socket, datagram);
}

/* A host that was killed says nothing. */
static void arrive(void *arg)
{
    struct weir__sim_datagram *datagram = arg;
    weir__sim_here->delivering = datagram->to;
    if (datagram->to->down) {
        weir__list_remove(&datagram->link);
        free(datagram);
        return;
    }
    struct weir__sim_datagrams *socket = socket_at(datagram->to, &datagram->destination);
    if (socket && (!socket->peer_length || is_connected_to(socket, &datagram->source)))
        deliver(socket, datagram);
    else
        refuse(datagram);
}

/* --- on the way --- */

static struct weir__sim_lane *lane_of(struct weir__sim_datagrams *socket, const struct weir_sim_host *to)
{
    for (size_t i = 0; i < socket->lane_count; i++)
        if (socket->lanes[i].host == to->number)
            return &socket->lanes[i];
    struct weir__sim_lane *lanes = realloc(socket->lanes, (socket->lane_count + 1) * sizeof *lanes);
    if (!lanes)
        abort();
    socket->lanes = lanes;
    lanes[socket->lane_count] = (struct weir__sim_lane){.host = to->number};
    return &lanes[socket->lane_count++];
}

static int64_t arrival(struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram)
{
    int64_t time = weir__sim_here->now + weir__sim_transit(datagram->from, datagram->to, datagram->size + HEADERS);
    if (weir__sim_strikes(WEIR_SIM_REORDER))
        return time + weir__sim_between(0, LONGEST_DETOUR);
    struct weir__sim_lane *lane = lane_of(socket, datagram->to);
    if (lane->latest < time)
        lane->latest = time;
    return lane->latest;
}

static void launch(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram)
{
    weir__list_push_back(&weir__sim_here->datagrams, &datagram->link);
    weir__sim_at(arrival(socket, datagram), arrive, datagram);
}

static void launch_twice(struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram)
{
    struct weir__sim_datagram *twin = malloc(sizeof *twin + datagram->size);
    if (!twin)
        abort();
    memcpy(twin, datagram, sizeof *twin + datagram->size);
    weir__sim_trace(&socket->object, "duplicated", (int64_t)datagram->size, NULL, 0);
    launch(socket, twin);
}

static bool gets_lost(const struct weir__sim_datagram *datagram)
{
    return !datagram->to || weir__sim_is_dead(&datagram->destination.any) ||
           weir__sim_open_at(datagram->from, datagram->to) > weir__sim_here->now || weir__sim_strikes(WEIR_SIM_LOSS);
}

/* Takes the datagram. */
static void travel(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram)
{
    if (gets_lost(datagram)) {
        weir__sim_trace(&socket->object, "lost", (int64_t)datagram->size, NULL, 0);
        free(datagram);
        return;
    }
    if (datagram->size && weir__sim_strikes(WEIR_SIM_TRUNCATE)) {
        datagram->size = weir__sim_below(datagram->size);
        weir__sim_trace(&socket->object, "cut", (int64_t)datagram->size, NULL, 0);
    }
    if (weir__sim_strikes(WEIR_SIM_DUPLICATE))
        launch_twice(socket, datagram);
    launch(socket, datagram);
}

/* --- sending --- */

static void room_again(void *arg)
{
    struct weir__sim_datagrams *socket = arg;
    socket->room = NULL;
    weir__sim_changed(&socket->object, POLLOUT);
}

unsigned weir__sim_udp_room(const struct weir__sim_datagrams *socket)
{
    return socket->room ? 0 : POLLOUT;
}

/* The error for which nothing can be sent now; 0: none. A full device takes nothing for a while. */
static int obstacle(struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram, size_t size)
{
    if (size > (datagram->destination.any.sa_family == AF_INET ? MOST4 : MOST6))
        return EMSGSIZE;
    if (weir__sim_strikes_rarely(WEIR_SIM_RESOURCES, 8))
        return ENOBUFS;
    if (!socket->room && weir__sim_strikes_rarely(WEIR_SIM_STALL, 4))
        socket->room = weir__sim_at(weir__sim_here->now + weir__sim_between(0, LONGEST_FULL), room_again, socket);
    return socket->room ? EAGAIN : 0;
}

static socklen_t destination_of(const struct weir__sim_datagrams *socket, const struct msghdr *message,
                                union weir__sim_address *to)
{
    if (message->msg_name && message->msg_namelen > 0)
        return destination(socket, message->msg_name, message->msg_namelen, to);
    *to = socket->peer;
    if (!socket->peer_length)
        errno = EDESTADDRREQ;
    return socket->peer_length;
}

ssize_t weir__sim_udp_send(struct weir__sim_datagrams *socket, const struct msghdr *message)
{
    size_t size = weir__sim_vector_size(message);
    struct weir__sim_datagram *datagram = weir__sim_datagram_made(message, size);
    if (!datagram)
        return -1;
    datagram->destination_length = destination_of(socket, message, &datagram->destination);
    int number = datagram->destination_length ? obstacle(socket, datagram, size) : errno;
    if (!number && address_datagram(socket, message, datagram) < 0)
        number = errno;
    if (number) {
        free(datagram);
        return fail(number);
    }
    travel(socket, datagram);
    return (ssize_t)size;
}

/* --- connecting, and the end --- */

int weir__sim_udp_connect(struct weir__sim_datagrams *socket, const struct sockaddr *address, socklen_t length)
{
    union weir__sim_address to;
    if (length >= sizeof address->sa_family && address->sa_family == AF_UNSPEC) {
        socket->peer_length = 0;
        return 0;
    }
    socklen_t to_length = destination(socket, address, length, &to);
    if (!to_length || weir__sim_bind_towards(&socket->binding, &to.any) < 0)
        return -1;
    socket->peer = to;
    socket->peer_length = to_length;
    return 0;
}

void weir__sim_udp_closed(struct weir__sim_datagrams *socket)
{
    if (socket->room)
        weir__sim_forget(socket->room);
    free(socket->lanes);
}

void weir__sim_datagrams_end(struct weir__sim *sim)
{
    struct weir__list *link;
    while ((link = weir__list_pop_front(&sim->datagrams)))
        free(weir__list_entry(link, struct weir__sim_datagram, link));
}

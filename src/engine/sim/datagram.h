/*
 * Datagram sockets, as their parts share them.
 *
 * datagram.c          a socket's life, receiving, options     datagram_send.c   udp: sent, on its way, arrived
 * datagram_unix.c     Unix datagrams: from queue to queue     datagram_control.c  control messages
 */
#ifndef WEIR_ENGINE_SIM_DATAGRAM_H
#define WEIR_ENGINE_SIM_DATAGRAM_H

#include "engine/sim/sim.h"

/* What Linux gives a socket to send and to receive with (net.core.wmem_default), and what each datagram costs besides. */
enum { WEIR__SIM_BUFFER = 212992, WEIR__SIM_OVERHEAD = 512 };

struct weir__sim_datagrams;

/* One datagram, under way or in the queue of its receiver. */
struct weir__sim_datagram {
    struct weir__list link;             /* in sim->datagrams, or in a queue */
    struct weir__list sent;             /* Unix: among those of its sender that nobody has received */
    struct weir__sim_datagrams *sender; /* Unix; NULL: it is closed */
    struct weir_sim_host *from, *to;    /* udp */
    union weir__sim_address source, destination;
    socklen_t source_length, destination_length;
    size_t size, whole; /* what is here, and what it was when it was sent */
    unsigned char bytes[];
};

/* When what was sent to a host before arrives there at the latest: the next does not overtake it. */
struct weir__sim_lane {
    unsigned host;
    int64_t latest;
};

/* A socket. */
struct weir__sim_datagrams {
    struct weir__sim_object object;
    struct weir__sim_binding binding;
    union weir__sim_address peer; /* udp: in its own family */
    socklen_t peer_length;        /* 0: not connected */
    struct weir__list queue;
    size_t queued, count; /* bytes with what each costs, and datagrams */
    int error;            /* is told once */
    bool no_reading, no_writing;

    /* udp */
    bool tells4, tells6; /* IP_PKTINFO, IPV6_RECVPKTINFO */
    struct weir__sim_lane *lanes;
    size_t lane_count;
    struct weir__sim_event *room; /* nothing can be sent until then */

    /* Unix */
    struct weir__sim_datagrams *other; /* whom it is connected to */
    bool other_closed;                 /* it was, and the next to be sent is told */
    struct weir__list link;            /* in other->connected */
    struct weir__list connected, sent;
    size_t unread; /* bytes of `sent` */
};

static inline size_t weir__sim_datagram_cost(const struct weir__sim_datagram *datagram)
{
    return datagram->size + WEIR__SIM_OVERHEAD;
}

static inline bool weir__sim_is_unix(const struct weir__sim_datagrams *socket)
{
    return socket->binding.family == AF_UNIX;
}

/* What is in a message, on its own; NULL with ENOMEM. Freed with free(3). */
struct weir__sim_datagram *weir__sim_datagram_made(const struct msghdr *message, size_t size);
/* Puts it into the socket's queue, which is told. */
void weir__sim_datagram_queue(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram);
/* The address as one of the family; returns its length. */
socklen_t weir__sim_in_family(int family, const union weir__sim_address *address, socklen_t length,
                              union weir__sim_address *same);

/* --- udp --- */

ssize_t weir__sim_udp_send(struct weir__sim_datagrams *socket, const struct msghdr *message);
int weir__sim_udp_connect(struct weir__sim_datagrams *socket, const struct sockaddr *address, socklen_t length);
unsigned weir__sim_udp_room(const struct weir__sim_datagrams *socket); /* POLLOUT or 0 */
void weir__sim_udp_closed(struct weir__sim_datagrams *socket);

/* --- Unix --- */

ssize_t weir__sim_unix_send(struct weir__sim_datagrams *socket, const struct msghdr *message);
int weir__sim_unix_connect(struct weir__sim_datagrams *socket, const struct sockaddr *address, socklen_t length);
void weir__sim_unix_join(struct weir__sim_datagrams *socket, struct weir__sim_datagrams *other);
unsigned weir__sim_unix_room(const struct weir__sim_datagrams *socket);
/* A datagram has left the queue of `socket`: others may send again. */
void weir__sim_unix_taken(struct weir__sim_datagrams *socket, struct weir__sim_datagram *datagram);
void weir__sim_unix_closed(struct weir__sim_datagrams *socket);

/* --- control messages --- */

/* Tells in the message where the datagram was sent to, as the socket has asked. */
void weir__sim_control_tell(const struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram,
                            struct msghdr *message);
/* The address to send from that a message asks for; its length, 0: none, -1: EINVAL. */
int weir__sim_control_source(const struct msghdr *message, union weir__sim_address *source);

#endif

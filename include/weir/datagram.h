/* Datagrams: sockets bound to an address, and many datagrams a system call. */
#ifndef WEIR_DATAGRAM_H
#define WEIR_DATAGRAM_H

#include <weir/conn.h>

WEIR_BEGIN

typedef struct weir_bind_options {
    size_t size;
    const char *scheme; /* the scheme of short endpoints; default "udp" */
    int unix_mode;      /* of a Unix socket's file; default 0600 */
    weir_socket_options socket;
} weir_bind_options;

/*
 * A datagram socket bound to an endpoint: udp, or unix with ?type=datagram (a Unix socket's file is removed on close).
 * One socket has one address: without a host it is 127.0.0.1; "*" is every IPv4 and IPv6 address.
 * May park to resolve. Returns NULL with EINVAL, EADDRINUSE and as weir_listen.
 */
WEIR_API weir_conn *weir_bind(const char *endpoint, const weir_bind_options *options);

/* One datagram: what a server's handler is given, and what the batch calls take. */
typedef struct weir_datagram {
    char *data;
    size_t length;                       /* of what is in data */
    size_t capacity;                     /* receiving: the room at data */
    weir_address peer;                   /* receiving: the sender; sending: to whom, length 0 for the connected peer */
    bool truncated;                      /* it was longer than the room; `length` bytes of it are here */
    struct weir_datagram_origin *origin; /* the library's: how weir_reply knows the socket */
} weir_datagram;

/*
 * Receives between 1 and `count` datagrams, as many as have arrived, in as few system calls as the kernel allows
 * (recvmmsg). Where UDP_GRO was set on the socket before the first call, what the kernel packed together is taken apart.
 * Parks until there is one. Returns how many, or -1 as weir_recvfrom.
 */
WEIR_API int weir_recv_batch(weir_conn *conn, weir_datagram *datagrams, int count);

/*
 * Sends all of them in order (sendmmsg; equal ones for one peer as one UDP_SEGMENT message where the kernel offers it).
 * Parks while the socket is full. Returns `count`; or -1 with the error of the first that could not be sent, `transferred` datagrams went before it.
 */
WEIR_API int weir_send_batch(weir_conn *conn, const weir_datagram *datagrams, int count);

/*
 * Answers a datagram that a server's handler was given, from the address it was sent to. The bytes are copied; answers
 * of one batch leave together, those of a handler that has parked at once. Refused, -1 with EPERM and counted: for
 * senders a server must not answer, for what was sent to broadcast or multicast, and for those that had their share; see
 * weir_server_options.reply_to_any, replies_per_second. -1 with EMSGSIZE, or as sendto(2). Does not park. Any thread,
 * until the handler returns.
 */
WEIR_API int weir_reply(const weir_datagram *datagram, const void *data, size_t length);

WEIR_END

#endif

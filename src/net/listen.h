/* Sockets that listen (and datagram sockets that are bound), as weir_listen, weir_bind and servers open them. */
#ifndef WEIR_NET_LISTEN_H
#define WEIR_NET_LISTEN_H

#include <weir/conn.h>

#include "net/unix_path.h"

enum { WEIR__LISTEN_MOST = 16 };

/* One of an endpoint's sockets: non-blocking, close-on-exec, streams already listening. */
struct weir__listen_socket {
    int fd;
    bool any;                    /* one IPv6 socket for every address of both families */
    weir_address address;        /* with the port that the system chose */
    struct weir__unix_file file; /* of a Unix socket: what weir__unix_unlink removes once it is closed */
};

/*
 * Opens what a server on an endpoint needs, streams and datagrams alike: without a host 127.0.0.1 and ::1 (where the
 * machine has both) on the same port, for a name all its addresses. Nobody else listens there: the sockets are bound without
 * SO_REUSEPORT. The options' socket options are set on them, and accepted connections inherit them. May park to resolve.
 * `options` is complete, or NULL for the defaults. Returns how many there are, at most `most`: a name with more addresses
 * has its first served. -1 with the error, as weir_listen.
 */
int weir__listen_sockets(const weir_endpoint *endpoint, const weir_listen_options *options,
                         struct weir__listen_socket *sockets, size_t most);

/*
 * One more socket on the address of an IPv4 or IPv6 one that weir__listen_sockets opened, with the same options, for
 * another worker: the system spreads clients or datagrams over both. Nobody can bind there who does not ask for
 * SO_REUSEPORT himself (as the same user). Returns it, or -1 and errno.
 */
int weir__listen_sibling(int fd, const weir_listen_options *options);

/* Shuts down and closes them, and removes a Unix socket's file. */
void weir__listen_close(struct weir__listen_socket *sockets, size_t count);

/* A socket's endpoint in full notation, with * as host of one for every address. Returns `text`. */
char *weir__listen_text(const weir_endpoint *endpoint, const struct weir__listen_socket *one, char *text, size_t size);

#endif

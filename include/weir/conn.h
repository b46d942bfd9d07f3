/*
 * Connections and listeners: POSIX's and Python's socket calls, with deadlines.
 *
 * Every call works alike in a fiber (it parks), in any thread and in main (it blocks). One reader and one writer may
 * use a connection at a time, from whichever fibers and threads; a second of a kind gets EBUSY. "Reading" are recv,
 * receive and what is built on them; "writing" are send and what is built on it. Who opened or was given a
 * connection closes it, once, when no call is in progress on it; any thread may cancel, shut down or abort it meanwhile.
 */
#ifndef WEIR_CONN_H
#define WEIR_CONN_H

#include <sys/uio.h>
#include <weir/endpoint.h>
#include <weir/file.h>
#include <weir/tls.h>

WEIR_BEGIN

/* What weir_connect, weir_accept, weir_bind and weir_adopt do to a socket, beside TCP_NODELAY, unless told otherwise. */
typedef struct weir_socket_options {
    bool delay;         /* leave Nagle's algorithm on; the default is TCP_NODELAY */
    bool keepalive;     /* SO_KEEPALIVE */
    int receive_buffer; /* SO_RCVBUF in bytes, above the system's bound where that is allowed; 0: the system's */
    int send_buffer;    /* SO_SNDBUF in bytes; 0: the system's */
} weir_socket_options;

typedef struct weir_connect_options {
    size_t size;
    int64_t timeout;    /* for the whole of it: resolving, every address tried; default 30 s */
    const char *bind;   /* the local address to connect from, as HOST, :PORT or HOST:PORT (in Unix sockets: a path) */
    int family;         /* AF_INET or AF_INET6 alone; default both, RFC 8305 */
    const char *scheme; /* the scheme of short endpoints; default "tcp" */
    weir_socket_options socket;
    weir_tls_options tls; /* of tls:// and https:// endpoints */
    /*
     * What to go through, in order, NULL-terminated; NULL: nothing. "ssh://USER@HOST:PORT?config=FILE", by OpenSSH's
     * ssh -W; "socks5://USER:PASSWORD@HOST:PORT" and "http://USER:PASSWORD@HOST:PORT" (CONNECT), which resolve the
     * names themselves; see weir/via.h.
     */
    const char *const *via;
} weir_connect_options;

/*
 * Connects to an endpoint. Names are resolved on the pool; where there are several addresses, they are tried in
 * RFC 8305's order, the next 250 ms after the last or as soon as it failed; the first that answers wins.
 * On udp it fixes the peer. Parks. Returns NULL with EINVAL, ENOENT of kind RESOLVE, ECONNREFUSED and connect(2)'s others,
 * ETIMEDOUT of kind DEADLINE, ECANCELED, ENOMEM, EMFILE. `options` may be NULL. Python's create_connection.
 */
WEIR_API weir_conn *weir_connect(const char *endpoint, const weir_connect_options *options);

/*
 * The addresses of an endpoint, with its port, in the order in which weir_connect tries them; of one family alone unless
 * `family` is 0. Names are resolved on the pool. Parks. Stores at most `most`, and returns how many there are; -1 with ENOENT of
 * kind RESOLVE, EINVAL, ETIMEDOUT, ECANCELED, ENOMEM. Python's getaddrinfo.
 */
WEIR_API int weir_resolve(const char *endpoint, int family, weir_address *addresses, size_t most, int64_t deadline);

typedef struct weir_listen_options {
    size_t size;
    int64_t backlog;            /* default 4,096; the system has the last word */
    const char *scheme;         /* the scheme of short endpoints; default "tcp" */
    int unix_mode;              /* of a Unix socket's file; default 0600 */
    weir_socket_options socket; /* of the connections that it accepts */
    weir_tls_options tls;       /* of tls:// endpoints, which must have a certificate */
} weir_listen_options;

/*
 * Listens on an endpoint. Without a host on loopback, 127.0.0.1 and (where the machine has it) ::1, both on the same
 * port; "*" on every address. Port 0 lets the system choose. A port somebody else listens on is EADDRINUSE, always;
 * one left in TIME_WAIT is no obstacle. A Unix socket file nobody listens behind is replaced, a live one is EADDRINUSE;
 * it is removed on close. May park to resolve. Returns NULL with EINVAL, EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOENT of kind
 * RESOLVE, EMFILE, ENOMEM. Python's create_server.
 */
WEIR_API weir_listener *weir_listen(const char *endpoint, const weir_listen_options *options);

/*
 * Waits for a client. Parks. The connection is the caller's. Returns NULL with ETIMEDOUT, ECANCELED, EMFILE, ENFILE,
 * ENOMEM, ENOBUFS, EBUSY. A client that went away before it was accepted is passed over.
 */
WEIR_API weir_conn *weir_accept(weir_listener *listener);

/* Each weir_accept waits this long at most; default WEIR_FOREVER. */
WEIR_API void weir_listener_set_timeout(weir_listener *listener, int64_t timeout);

/* The number of addresses it listens on, and the one at `index` in full notation: "tcp://127.0.0.1:8000". NULL past the end. */
WEIR_API size_t weir_listener_count(const weir_listener *listener);
WEIR_API const char *weir_listener_endpoint(const weir_listener *listener, size_t index);

/* Wakes whoever waits in weir_accept, with ECANCELED. Any thread. */
WEIR_API void weir_listener_cancel(weir_listener *listener);

/* Stops listening; a Unix socket's file is removed. NULL is fine. Does not park. */
WEIR_API void weir_listener_close(weir_listener *listener);

/* A pair of connections joined to each other (socketpair(2)), of SOCK_STREAM or SOCK_DGRAM. Returns 0 or -1. */
WEIR_API int weir_pair(int type, weir_conn *pair[2]);

/* Makes a connection of an open socket, which is then the connection's to close. Returns NULL with ENOTSOCK, EBADF, ENOMEM. */
WEIR_API weir_conn *weir_adopt(int fd);

/*
 * Gives the descriptor back to the caller and frees the connection. What weir_read_line and the like had read ahead
 * would be lost: EBUSY while there is any, or while a call is in progress. Returns the descriptor (blocking), or -1.
 */
WEIR_API int weir_yield_fd(weir_conn *conn);

/* The descriptor, for setsockopt and the like. It stays the connection's. */
WEIR_API int weir_fd(const weir_conn *conn);

/* --- reading --- */

/*
 * Receives at most `size` bytes: what is there, at least one. Parks. Returns 0 at the end of the stream; -1 with
 * ECONNRESET, ETIMEDOUT (of kind DEADLINE: the caller's; otherwise TCP's), ECANCELED, EBUSY, ECONNABORTED, ENOTCONN.
 */
WEIR_API ssize_t weir_recv(weir_conn *conn, void *buffer, size_t size);

/* The same with POSIX's flags: MSG_PEEK, MSG_WAITALL, MSG_TRUNC (datagrams: the true length), MSG_DONTWAIT (EAGAIN). */
WEIR_API ssize_t weir_recv_flags(weir_conn *conn, void *buffer, size_t size, int flags);

/* The same, and tells who sent it. `from` may be NULL. */
WEIR_API ssize_t weir_recvfrom(weir_conn *conn, void *buffer, size_t size, int flags, weir_address *from);

/* Receives into several buffers, as readv(2). */
WEIR_API ssize_t weir_recv_vector(weir_conn *conn, const struct iovec *vector, int count);

/*
 * A lent receive: receives into a buffer of the worker and shows it in *data; nothing is allocated while waiting, so
 * that an idle connection holds no buffer. The bytes may be read and changed until the connection's next reading call,
 * weir_release or close, by the fiber that received. A view is at most 64 KiB, less when the pool is empty. Returns as weir_recv.
 */
WEIR_API ssize_t weir_receive(weir_conn *conn, char **data);

/* Gives a lent view back before the next receive. Fine if there is none. */
WEIR_API void weir_release(weir_conn *conn);

/* Receives exactly `size` bytes. 0, or -1 as weir_recv; the stream's end before that is ENODATA of kind CLOSED. */
WEIR_API int weir_read_exactly(weir_conn *conn, void *buffer, size_t size);

/*
 * A line, without its LF or CR LF, NUL-terminated (it may hold NULs itself: see *length; `length` may be NULL). *line is
 * the connection's, valid until its next reading call. What follows the line is kept for the next reading call, of
 * whichever kind. The last line of a stream needs no newline, as with Python's readline and getline(3).
 * Parks. Returns 1 with a line, 0 at the end of the stream; -1 with EMSGSIZE of kind LIMIT (more than `limit` bytes
 * without a newline; nothing is lost), ENOMEM, or as weir_recv.
 */
WEIR_API int weir_read_line(weir_conn *conn, char **line, size_t *length, size_t limit);

/*
 * What comes up to and with the `mark_length` bytes of `mark`, likewise. Returns 1, or 0 at the end of the stream where
 * nothing was left; -1 with ENODATA of kind CLOSED where something was left without the mark (weir_recv returns it), or as
 * weir_read_line. Python's asyncio readuntil.
 */
WEIR_API int weir_read_until(weir_conn *conn, const void *mark, size_t mark_length, char **data, size_t *length,
                             size_t limit);

/* Whether the end of the stream was received and nothing that was read ahead is left. */
WEIR_API bool weir_at_end(const weir_conn *conn);

/* --- writing --- */

/* Sends some of it, at least one byte. Parks while the peer takes none. Returns how many, or -1 as weir_recv and EPIPE. */
WEIR_API ssize_t weir_send(weir_conn *conn, const void *data, size_t size);

/* The same with POSIX's flags: MSG_MORE, MSG_OOB (not by TLS), MSG_DONTWAIT (EAGAIN), MSG_DONTROUTE. SIGPIPE is never raised. */
WEIR_API ssize_t weir_send_flags(weir_conn *conn, const void *data, size_t size, int flags);

/* Sends all of it. Returns 0, or -1 as weir_send; weir_error()->transferred then tells how much went. */
WEIR_API int weir_send_all(weir_conn *conn, const void *data, size_t size);

/* Sends several buffers, some of them or all, as writev(2). `vector` is not changed. */
WEIR_API ssize_t weir_send_vector(weir_conn *conn, const struct iovec *vector, int count);
WEIR_API int weir_send_vector_all(weir_conn *conn, const struct iovec *vector, int count);

/* The same as weir_send_vector with the flags of weir_send_flags. By TLS at most one lent buffer's worth goes at a time. */
WEIR_API ssize_t weir_send_vector_flags(weir_conn *conn, const struct iovec *vector, int count, int flags);

/* Sends a datagram to `to`, or to the peer that weir_connect fixed if NULL. Returns its length, or -1 as sendto(2). */
WEIR_API ssize_t weir_sendto(weir_conn *conn, const void *data, size_t size, int flags, const weir_address *to);

/*
 * Sends `count` bytes of an open file from *offset, which is moved on, without copying them through the program.
 * Stops early at the end of the file. Returns how many went, or -1 as weir_send (with transferred), or sendfile(2)'s.
 */
WEIR_API int64_t weir_sendfile(weir_conn *conn, int file, int64_t *offset, uint64_t count);

/*
 * Joins two connections: what comes from each goes to the other; the end of one direction is passed on as a
 * half-close while the other goes on. Ends when both have ended. Of a side that was cut off (EPIPE, ECONNRESET) what it sent
 * before is still delivered; then the other is cut as well. Last words of which nothing is taken for five seconds are
 * dropped. One fiber or thread serves both directions; streams go through a pipe of the kernel's while much comes
 * (splice(2)), and nothing is held while nothing comes. A connection's time-out begins again with each transfer. `bytes`
 * (may be NULL) counts both directions: [0] a to b, [1] b to a. Parks.
 * Returns 0, or -1 with the first error, which names its side, as weir_recv and weir_send, or ENOMEM; both are then
 * aborted. They stay the caller's to close.
 */
WEIR_API int weir_copy(weir_conn *a, weir_conn *b, uint64_t bytes[2]);

/*
 * Copies from a connection to a file or the other way, to the end of the source or `most` bytes (UINT64_MAX: no bound),
 * by splice(2) where the file is a pipe, which is enlarged to 1 MiB where that is allowed, by sendfile(2) from a regular
 * file, through a buffer otherwise. What had been read ahead goes first; a regular file is read and written at its position,
 * which moves on. Each is a reading and a writing call on the two; a half-close is the caller's to pass on. Parks (files on
 * the pool, as their own calls do). WEIR_NOW for a deadline: what need not be waited for.
 * Returns how many bytes went; or -1 with the error of weir_recv and weir_file_write_all, or weir_file_read and weir_send,
 * ETIMEDOUT, ECANCELED (weir_cancel, weir_file_cancel or the fiber's), EBUSY or ENOMEM: its subject tells which side it was,
 * `transferred` how much went. What was received and not written then is received again by the connection's next reading
 * call; what was read from a file other than by splice(2) or sendfile(2) and not sent, at most 1 MiB, is lost. But
 * weir_file_cancel on the file that is read counts only once that was sent: it ends the reading and loses nothing.
 */
WEIR_API int64_t weir_copy_to_file(weir_conn *from, weir_file *to, uint64_t most, int64_t deadline);
WEIR_API int64_t weir_copy_from_file(weir_conn *to, weir_file *from, uint64_t most, int64_t deadline);

/* --- both --- */

/*
 * As shutdown(2): SHUT_RD, SHUT_WR (the peer reads an end, we go on reading) or SHUT_RDWR. Any thread. 0 or -1.
 * By TLS the end is a message: where the socket has no room for it and nobody is writing, SHUT_WR waits as weir_send,
 * for a minute at most.
 */
WEIR_API int weir_shutdown(weir_conn *conn, int how);

/*
 * Closes and frees. The kernel goes on delivering what was sent; if `weir_set_linger` asked for it, waits until the peer
 * has acknowledged it or the time is over. By TLS it waits until the socket has taken all, for a minute at most (on a
 * server, within its limits), unless the connection has failed; through ssh until that has ended (see weir/via.h). NULL is fine. Returns 0; -1 with ETIMEDOUT if that
 * time passed, ECONNRESET of kind CLOSED if the peer will not any more, ECANCELED; closed all the same.
 */
WEIR_API int weir_close(weir_conn *conn);

/*
 * Ends our side, as weir_shutdown does, and waits until the peer's system has acknowledged all that was sent; on Unix sockets
 * until the peer has read it. Parks; nobody else may be sending. Returns 0; -1 with ETIMEDOUT of kind DEADLINE, ECONNRESET of kind
 * CLOSED if the peer will not any more, or closed without having read what its system had acknowledged; ECANCELED, ECONNABORTED.
 */
WEIR_API int weir_flush(weir_conn *conn, int64_t timeout);

/* How long weir_close waits likewise; default 0, not at all: the kernel sees to it. */
WEIR_API void weir_set_linger(weir_conn *conn, int64_t timeout);

/*
 * Cuts the connection: queued output is dropped, the peer gets a reset (on Unix sockets, which have none, an end), calls
 * in progress and later ones fail with ECONNABORTED. It is still its owner's to close. Any thread.
 */
WEIR_API void weir_abort(weir_conn *conn);

/* The calls that are in progress on it fail with ECANCELED; later ones are not concerned. Any thread. */
WEIR_API void weir_cancel(weir_conn *conn);

/* Every call on it waits at most this long; WEIR_FOREVER (the default) or WEIR_NOW: not at all. Python's settimeout. Any thread. */
WEIR_API void weir_set_timeout(weir_conn *conn, int64_t timeout);

typedef enum weir_direction {
    WEIR_READ = 1,
    WEIR_WRITE = 2,
    WEIR_READ_WRITE = 3,
} weir_direction;

/*
 * Calls of that direction, the one in progress included, fail with ETIMEDOUT once the monotonic clock reaches `deadline`
 * (of weir_deadline); one in the past fails them at once, WEIR_FOREVER takes it back. The connection stays usable. Any thread. Go's SetDeadline.
 */
WEIR_API void weir_set_deadline(weir_conn *conn, weir_direction direction, int64_t deadline);

/*
 * Has `conn` keep to what the server of `client` set it: idle_timeout, write_timeout, message_timeout, the end of its lifetime.
 * For a connection that a handler makes on its client's behalf and closes before it returns; the server does not count its
 * bytes. Without effect where `client` is no server's. Before the first use of `conn`. Does not park.
 */
WEIR_API void weir_share_limits(weir_conn *conn, const weir_conn *client);

/* The address of this end and of the other. 0, or -1 with ENOTCONN. */
WEIR_API int weir_local_address(const weir_conn *conn, weir_address *address);
WEIR_API int weir_peer_address(const weir_conn *conn, weir_address *address);

/* The endpoint of this end and of the other in full notation, "unconnected" where there is none. Returns `text`. */
WEIR_API char *weir_local_endpoint(const weir_conn *conn, char *text, size_t size);
WEIR_API char *weir_peer_endpoint(const weir_conn *conn, char *text, size_t size);

/* The scheme of the endpoint that it was made for: of the server's it came to, or of the one connected to. Does not park. */
WEIR_API weir_scheme weir_conn_scheme(const weir_conn *conn);

/* Bytes received and sent on it so far. */
WEIR_API void weir_conn_bytes(const weir_conn *conn, uint64_t *received, uint64_t *sent);

/* TCP_NODELAY, SO_KEEPALIVE, SO_RCVBUF, SO_SNDBUF. 0 or -1. */
WEIR_API int weir_set_nodelay(weir_conn *conn, bool on);
WEIR_API int weir_set_keepalive(weir_conn *conn, bool on);
WEIR_API int weir_set_buffers(weir_conn *conn, int receive, int send);

/* Closes a connection at the end of a scope, as Python's `with`: weir_auto weir_conn *c = weir_connect(...); */
WEIR_API void weir_auto_close(weir_conn **conn);
#define weir_auto __attribute__((cleanup(weir_auto_close)))

WEIR_END

#endif

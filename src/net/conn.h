/*
 * A connection's inside: one object for every kind of socket.
 *
 * Each direction is a side of its own, used by one caller at a time (enter, leave). Whoever cancels, aborts or moves a
 * deadline changes the side, sets `news` and wakes the waiter, who looks at everything again.
 *
 * An idle connection is this object and nothing else: buffers exist while something is in them.
 */
#ifndef WEIR_NET_CONN_H
#define WEIR_NET_CONN_H

#include <errno.h>
#include <weir/conn.h>

#include "engine/engine.h"
#include "net/unix_path.h"

struct weir__lines;
struct weir__tls;
struct weir__packed;
struct weir__ssh;

/* Limits that a server sets on its connections; one object for all of them. WEIR_FOREVER: no limit. */
struct weir__conn_limits {
    int64_t idle;                              /* nothing either way while reading waits */
    int64_t write;                             /* no progress of a write that waits */
    int64_t message;                           /* for the rest of a line or message, once begun; see message_end */
    _Atomic uint64_t *moved[2];                /* the server's counters of bytes received and sent; NULL: not counted */
    const struct weir__conn_limits *uncounted; /* the same without counters, for weir_share_limits; NULL: these are */
    bool shared;                               /* connections of several threads count there */
};

/* Which limit or fault ended a connection's last failed call: what a server counts. */
enum weir__conn_failure {
    WEIR__FAILURE_NONE,
    WEIR__FAILURE_RESET,
    WEIR__FAILURE_IDLE,
    WEIR__FAILURE_WRITE,
    WEIR__FAILURE_MESSAGE,
    WEIR__FAILURE_LIFETIME,
    WEIR__FAILURE_DEADLINE, /* the handler's own */
    WEIR__FAILURE_CANCELLED,
    WEIR__FAILURE_TLS, /* no handshake came about */
    WEIR__FAILURE_OTHER,
};

/* What few connections have. */
struct weir__conn_rare {
    int64_t linger;
    char *name;         /* the endpoint as the user wrote it: of connections made by weir_connect */
    weir_address bound; /* of a Unix socket with a file: removed on close if it still is that file */
    struct weir__unix_file file;
    struct weir__packed *packed; /* see batch.h; NULL: datagrams come one by one */
    struct weir__tls *tls;       /* see tls.h; NULL: none, and the connection is not `secure` */
    bool through;                /* it goes through others (via.h) to what `name` says */
    struct weir__ssh *ssh;       /* what the other end of the socket pair is, see ssh.h; NULL: it is none of ssh's */
};

struct weir__side {
    atomic_bool busy;
    atomic_bool cancelled;    /* the call in progress */
    atomic_bool news;         /* something that the waiter must look at has changed */
    _Atomic int64_t deadline; /* weir_set_deadline */
    int64_t call_deadline;    /* of the call in progress: weir_set_timeout */
    _Atomic int64_t progress; /* when bytes went last, or a write began to wait */
    bool stalled;             /* a write: it has waited since it began */
    uint64_t bytes;
};

struct weir_conn {
    struct weir__watch watch;  /* first */
    struct weir__side side[2]; /* reading, writing */
    _Atomic int64_t timeout;
    int64_t lifetime_end;
    int64_t message_end;                    /* 0, or when the message that is being read must be whole; reader's */
    const struct weir__conn_limits *limits; /* its server's; NULL: none */
    struct weir__lines *lines;              /* what buffered reading has read ahead; NULL: nothing, ever */
    void *lent;                             /* the view that is lent out; reader's */
    struct weir__conn_rare *rare;
    uint8_t scheme; /* weir_scheme */
    bool datagram;
    bool secure;             /* it speaks TLS: rare->tls is there */
    bool packing_known;      /* it was found out whether the kernel packs datagrams (UDP_GRO); reader's */
    bool ended;              /* the end of the stream was received; reader's */
    _Atomic uint8_t failure; /* enum weir__conn_failure; of whichever direction failed last */
    atomic_bool aborted;
    atomic_bool bound; /* aborted, an error owed, a timeout or deadline ever set: calls look before they begin */
    /* The errno by which the socket told a writer that the connection is gone: to the reader it looks ended then. 0: none. */
    _Atomic uint8_t broken;
    atomic_bool untaken; /* the socket told a flush that the peer, which has ended its side, took not all */
    uint8_t owed; /* the errno of a failure that a receive could not tell, since bytes came before it; reader's */
};

/*
 * Makes a connection of a non-blocking close-on-exec descriptor, which is then its to close. NULL with an error if there is
 * no memory: the descriptor stays the caller's.
 */
weir_conn *weir__conn_new(int fd, weir_scheme scheme, bool datagram);

/* What few connections have, made where it is not there; NULL with an error if there is no memory. */
struct weir__conn_rare *weir__conn_rare(weir_conn *conn);

/* Sets the options of a new socket: TCP_NODELAY unless told otherwise, keepalive, buffers. `tcp`: it has a Nagle algorithm. */
void weir__socket_setup(int fd, bool tcp, const weir_socket_options *options);

/* Server's limits, and how long it may live from now (WEIR_FOREVER: as long as it likes). Before its first use. */
void weir__conn_set_limits(weir_conn *conn, const struct weir__conn_limits *limits, int64_t lifetime);

/* --- ssh_conn.c; of connections that are one end of an ssh's socket pair --- */

/* What weir__conn_false_end says of one whose ssh has closed it: whether that is the stream's end, or its own. */
int weir__ssh_false_end(const weir_conn *conn);

/* Whether a call has failed since ssh has; then the error is set, in its words. */
bool weir__ssh_broke(weir_conn *conn, int number, const char *step);

/* Ends ssh at once, from any thread. */
void weir__ssh_reset(weir_conn *conn);

static inline bool weir__conn_by_ssh(const weir_conn *conn)
{
    return conn->rare && conn->rare->ssh;
}

/*
 * A receive has brought nothing: 0 if this is the end of the stream, else what its reader is to be told. An abort shuts down,
 * which looks like an end; and a failure is told by the kernel once, by whichever call comes first, and is an end then.
 */
static inline int weir__conn_false_end(const weir_conn *conn)
{
    if (conn->aborted)
        return ECONNABORTED;
    int number = weir__conn_by_ssh(conn) && !conn->ended ? weir__ssh_false_end(conn) : 0;
    if (number != 0)
        return number;
    return conn->datagram || conn->ended ? 0 : atomic_load_explicit(&conn->broken, memory_order_relaxed);
}

/* The directions here are WEIR__READABLE and WEIR__WRITABLE. */

static inline struct weir__side *weir__conn_side(weir_conn *conn, int direction)
{
    return &conn->side[direction == WEIR__WRITABLE];
}

/* What a call finds that is not free to go on at once: somebody else in it, an abort, a time bound. 0 or -1. */
int weir__conn_enter_bound(weir_conn *conn, int direction, bool busy, const char *step);

/* Lets others run who share the caller's loop. 0, or -1 with ECANCELED. */
int weir__conn_turn_over(weir_conn *conn, const char *step);

/*
 * Begins a call of that direction: 0, or -1 with EBUSY, ECONNABORTED, ETIMEDOUT if its deadline has passed. leave ends it,
 * in any case after a 0. Inline, as the next two: each byte received and sent goes by here.
 */
static inline int weir__conn_enter(weir_conn *conn, int direction, const char *step)
{
    struct weir__side *side = weir__conn_side(conn, direction);
    if (--weir__turn_left == 0 && weir__conn_turn_over(conn, step) < 0)
        return -1;
    bool busy = atomic_exchange_explicit(&side->busy, true, memory_order_acquire);
    if (busy || atomic_load_explicit(&conn->bound, memory_order_relaxed))
        return weir__conn_enter_bound(conn, direction, busy, step);
    atomic_store_explicit(&side->cancelled, false, memory_order_relaxed);
    side->stalled = false;
    return 0;
}

/* The same; but the handshake of TLS is the caller's to make, by weir__tls_try, where nobody has begun it. */
int weir__conn_enter_unshaken(weir_conn *conn, int direction, const char *step);

static inline void weir__conn_leave(weir_conn *conn, int direction)
{
    atomic_store_explicit(&weir__conn_side(conn, direction)->busy, false, memory_order_release);
}

/* What a transfer means to a server: that the connection is not idle, and bytes in its counters. */
void weir__conn_progress(weir_conn *conn, int direction, size_t bytes);

/* Counts bytes (0: the stream's end is no progress). */
static inline void weir__conn_count(weir_conn *conn, int direction, size_t bytes)
{
    weir__conn_side(conn, direction)->bytes += bytes;
    if (bytes && conn->limits)
        weir__conn_progress(conn, direction, bytes);
}

/* Waits until a call in that direction is worth trying again. 0; or -1 with the deadline, limit, cancel or abort that ended it. */
int weir__conn_wait(weir_conn *conn, int direction, const char *step);

/* The same, with a bound that is no failure: 1 when `until` has come before anything else. */
int weir__conn_wait_until(weir_conn *conn, int direction, int64_t until, const char *step);

/*
 * The same for a call of the one direction that has to wait for the other, in whose place nobody may wait: its own bounds
 * and its own cancel end it.
 */
int weir__conn_wait_as(weir_conn *conn, int call, int direction, int64_t until, const char *step);

/* Waits that long, however ready the descriptor is. Ends and fails as weir__conn_wait. */
int weir__conn_pause(weir_conn *conn, int direction, int64_t pause, const char *step);

/*
 * Where a datagram found no room: waits until it is worth trying again. `named`: it was for an address of its own. 0, or -1 as
 * weir__conn_wait.
 */
int weir__conn_wait_room(weir_conn *conn, bool named);

/*
 * The parts of it, for who waits for several things. Look at what others may have changed (from then on a further change
 * shows in the side's `news`): 0, or -1 with their abort or cancel. When to wait to at most. What to make of the errno of a
 * wait that failed: -1 with the error; 0 for ETIMEDOUT that was not this direction's, whose deadline may have been moved.
 */
int weir__conn_look(weir_conn *conn, int direction, const char *step);
int64_t weir__conn_bound(weir_conn *conn, int direction);
int weir__conn_wait_failed(weir_conn *conn, int direction, const char *step);

/*
 * For calls that go on for long: before each transfer, 0, or -1 if the call was cancelled or aborted or its deadline has
 * passed; after it, that a write which waits again begins to wait then; `restart`: and that the time-out begins again.
 */
int weir__conn_go_on(weir_conn *conn, int direction, const char *step);
void weir__conn_moved(weir_conn *conn, int direction, bool restart);

/*
 * The one place that decides whether the kernel may move bytes between this connection's descriptor and another without
 * the library seeing them: not where they have bounds, or come otherwise than they are read.
 */
static inline bool weir__conn_spliceable(const weir_conn *conn)
{
    return !conn->datagram && !conn->secure;
}

/* errno of a call that failed as the connection's error. Returns -1. */
int weir__conn_fail(weir_conn *conn, int number, const char *step);
/* The error of every call on a connection that was aborted, whatever the system makes of it. Returns -1. */
int weir__conn_fail_aborted(weir_conn *conn, const char *step);

/* MSG_OOB of a connection with TLS. Returns -1 with EOPNOTSUPP. */
int weir__conn_refuse_urgent(weir_conn *conn, const char *step);

/* The connection as errors name it, "" if nothing is known. Returns `text`. */
const char *weir__conn_name(weir_conn *conn, char *text, size_t size);

/* --- the bytes of a stream, in plain text or by TLS --- */

/* tls.c; of secure connections. */
bool weir__tls_pending(const weir_conn *conn);
ssize_t weir__tls_receive(weir_conn *conn, void *buffer, size_t size, int flags);
ssize_t weir__tls_send(weir_conn *conn, const void *data, size_t size, int flags);

/*
 * A writing call: waits until what TLS keeps of our end is with the socket, within the limits of a server, else for a
 * minute. 0, or -1 with the error.
 */
int weir__conn_send_end(weir_conn *conn, const char *step);

/*
 * Ends TLS before a close. What counts as sent is to get there, and an end without close_notify would be a cut: where the
 * socket has no room that is waited for as above, unless something has failed before. 0, or -1 with the error.
 */
int weir__conn_end_secure(weir_conn *conn);

/* Whether reading is worth trying before waiting: something may have come, or been received and not been deciphered. */
static inline bool weir__conn_maybe_readable(const weir_conn *conn)
{
    return weir__watch_maybe_ready(&conn->watch, WEIR__READABLE) || (conn->secure && weir__tls_pending(conn));
}

/* As recv(2) and send(2) with MSG_DONTWAIT. What lies in TLS' outbox after a send is to be flushed. */
static inline ssize_t weir__conn_receive_now(weir_conn *conn, void *buffer, size_t size, int flags)
{
    if (conn->secure)
        return weir__tls_receive(conn, buffer, size, flags);
    return weir__system()->recv(conn->watch.fd, buffer, size, flags | MSG_DONTWAIT);
}

static inline ssize_t weir__conn_send_now(weir_conn *conn, const void *data, size_t size, int flags)
{
    if (conn->secure)
        return weir__tls_send(conn, data, size, flags);
    return weir__system()->send(conn->watch.fd, data, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* A read of a stream that got less than it asked for has emptied the socket; of TLS the socket itself has said so. */
static inline void weir__conn_drained(weir_conn *conn)
{
    if (!conn->secure)
        weir__watch_drained(&conn->watch);
}

/* One receive as recv(2), waiting, of what the socket has (not of what was read ahead); between enter and leave. `from` may be NULL. */
ssize_t weir__conn_receive(weir_conn *conn, void *buffer, size_t size, int flags, weir_address *from);

/* One send as sendmsg(2), waiting; between enter and leave. */
ssize_t weir__conn_send(weir_conn *conn, const void *data, size_t size, int flags);
ssize_t weir__conn_send_message(weir_conn *conn, const struct msghdr *message, int flags);

/* --- lines.c: what was read ahead --- */

void weir__lines_free(struct weir__lines *lines);
/* Takes back a line that was handed out, and the memory if nothing is ahead. Only where conn->lines is not NULL. */
void weir__lines_settle(weir_conn *conn);
/* Takes at most `size` bytes of what was read ahead; 0 if there is nothing. */
ssize_t weir__lines_take(weir_conn *conn, void *buffer, size_t size, bool peek);
size_t weir__lines_left(const weir_conn *conn);
/* Puts back what was taken or received, before what is ahead. 0, or -1 without memory. */
int weir__lines_give_back(weir_conn *conn, const void *data, size_t size);

#endif

/*
 * TLS on a connection: the same object, the same calls.
 *
 * OpenSSL has no descriptor: it receives and sends through a BIO of ours, by weir__system(), and never waits. So
 * nothing parks within a call of it, and its queue of errors, which belongs to the thread, is read before anybody
 * else can have been there.
 * - Reading receives straight from the socket, ahead of what was asked for: one recv(2) for a short record, and the
 *   watch knows what it left. A reader must look at what lies in OpenSSL before it waits (weir__conn_maybe_readable).
 * - Writing sends straight to the socket. What that does not take stays in the outbox, at most some records, so that
 *   for OpenSSL a write is always whole: its reader, which answers key updates, never finds half of another's record,
 *   and never has to wait for writing. The writer waits until the outbox is empty before it goes on.
 * - The reader and the writer share the SSL object by a lock that is held for one call and never across a wait.
 * - The end is a close_notify. A stream without one is ECONNRESET of kind CLOSED, whatever came before it.
 * - The handshake needs both directions and is over before anything else: weir_connect makes it, a server's client
 *   fiber, or the first call on an accepted connection, while another one on it waits.
 * - A silent connection holds no buffers (SSL_MODE_RELEASE_BUFFERS), and not the stack pages that its handshake
 *   touched.
 */
#ifndef WEIR_NET_TLS_H
#define WEIR_NET_TLS_H

#include <pthread.h>
#include <weir/tls.h>

#include "net/conn.h"

struct ssl_st;
struct weir__tls_context;

enum weir__tls_state { WEIR__TLS_NEW, WEIR__TLS_SHAKING, WEIR__TLS_READY, WEIR__TLS_FAILED };

struct weir__tls {
    struct ssl_st *ssl;
    struct weir__tls_context *context;
    pthread_mutex_t lock; /* of the SSL object and of all below but the atomic ones */
    _Atomic uint8_t state;
    bool insecure;    /* client: nobody looks at the certificate */
    bool cut;         /* the socket has told an end */
    bool ended;       /* a close_notify has come; reader's */
    bool ending;      /* ours was asked for: once the outbox is empty nothing follows */
    atomic_bool deaf; /* our reading side was shut down: an end of the socket is what was asked for */
    bool more;        /* further records follow at once: MSG_MORE */
    size_t fruitless; /* bytes received by the read that is going on */
    int send_error;   /* errno of a send whose bytes are in the outbox, and which nobody has been told of; 0: none */
    int socket_error; /* errno of the BIO's last call that failed, 0: none did */
    char *outbox;     /* NULL: empty */
    size_t start, end, size;
    atomic_bool owes;    /* there is something in the outbox */
    atomic_bool stuck;   /* a write waits for the rest of a message to TLS itself, of which a part has been read */
    atomic_bool told;    /* a write has received: the reader is to look, though the socket does not tell */
    bool heard;          /* the same, of the write that is going on */
    _Atomic int failure; /* the errno that ended it, 0: it goes on; `reason` and `kind` are settled before it */
    uint8_t kind;        /* weir_error_kind */
    char *reason;        /* NULL: the system's words */
    char *peer_name, *alpn;
    char *peer; /* client: whom it expects, and where; what sessions are kept by. NULL: none is */
};

/* --- tls_files.c, tls_context.c: certificates, keys, whom to trust. The first three park in fibers. --- */

/* What a server of these options shows. Reads files. NULL with an error. */
struct weir__tls_context *weir__tls_server(const weir_tls_options *options);

/*
 * Reads the files again: who comes from now on is shown the new ones; sessions go on unless clients show
 * certificates. 0; -1 with an error, and all stays as it was.
 */
int weir__tls_reload(struct weir__tls_context *context);

/*
 * What a client of these options uses; many have one. NULL with an error, which names the endpoint where it is none of
 * a file. weir__tls_drop is due.
 */
struct weir__tls_context *weir__tls_client(const weir_tls_options *options, const char *endpoint, int64_t deadline);

/* One more who uses it, and one less. */
struct weir__tls_context *weir__tls_take(struct weir__tls_context *context);
void weir__tls_drop(struct weir__tls_context *context);

/* A new SSL object of what it is at the moment. NULL without memory. */
struct ssl_st *weir__tls_new_ssl(struct weir__tls_context *context);

/* --- tls.c: the object --- */

/* Puts TLS on a new connection, whose handshake is to come. 0, or -1 without memory. */
int weir__tls_attach(weir_conn *conn, struct weir__tls_context *context, bool server);

/* Its memory; nobody uses the connection any more. */
void weir__tls_free(struct weir__tls *tls);

/* Of a connection that has TLS, and so its rare part. */
static inline struct weir__tls *weir__tls_of(const weir_conn *conn)
{
    if (!conn->rare)
        __builtin_unreachable();
    return conn->rare->tls;
}

/*
 * Beside these, in conn.h: weir__tls_pending, the reader's: whether reading may bring something without the socket's
 * doing. weir__tls_receive, as recv(2) that never waits, MSG_PEEK: 0 after a close_notify. weir__tls_send, as send(2)
 * that never waits: EAGAIN while the outbox holds something; what it took may lie there when it returns.
 */

/* Sends what is in the outbox. 0 when it is empty, -1 and errno. */
int weir__tls_flush(weir_conn *conn);

/*
 * Whether the last write brought nothing though the socket takes something: it is to wait without asking the socket, and
 * the watch is to be left alone.
 */
static inline bool weir__tls_is_stuck(const weir_conn *conn)
{
    return conn->secure && weir__tls_of(conn)->stuck;
}

/*
 * How long to wait until the next look where nothing tells: longer and longer, so that a peer that leaves many in that
 * state costs little.
 */
int64_t weir__tls_pause(const weir_conn *conn);

/*
 * When whoever waits in that direction is to look again though nothing tells: while it is stuck; and a reader, while what
 * answers the peer lies in the outbox and nobody is writing. WEIR_FOREVER: not at all.
 */
int64_t weir__tls_look_again(weir_conn *conn, int direction);

/* Whether a writer has received since the reader looked; from then on it has not. */
bool weir__tls_told(weir_conn *conn);

/*
 * Sends a close_notify and, once all is out, ends the socket's side. 0; -1 and errno, EAGAIN: something is in the
 * outbox still.
 */
int weir__tls_end(weir_conn *conn);

/*
 * Drops what has come and was not read, so that closing does not reset the connection and what the peer has yet to
 * get.
 */
void weir__tls_discard(weir_conn *conn);

/* --- tls_bio.c; under the lock --- */

/* What OpenSSL receives and sends through. NULL without memory. */
struct bio_st *weir__tls_new_bio(weir_conn *conn);

/* How much went, 0 where the socket takes nothing now, -1 and errno. */
ssize_t weir__tls_send_now(const weir_conn *conn, const char *data, size_t size, int flags);

/* --- tls_handshake.c --- */

/* Whose certificate is to be shown: a name or an address. With whom a session is kept, it is gone on with. 0 or -1. */
int weir__tls_expect(weir_conn *conn, const weir_tls_options *options, const weir_endpoint *endpoint);

/*
 * Makes the handshake, until `deadline` at the latest. Parks. 0, or -1 with the error. Nobody else may use the
 * connection.
 */
int weir__tls_handshake(weir_conn *conn, int64_t deadline);

/*
 * Makes as much of it as can be made without waiting, where nobody has begun or a call before went away from it: for who
 * waits for several things. Whether it is over, well or not; false: the peer is to go on, or, where the outbox is not
 * empty, to take something.
 */
bool weir__tls_try(weir_conn *conn);

/* Has it made where it was not: at the beginning of a call, whose direction is entered. 0, or -1 with the error. */
int weir__tls_ready(weir_conn *conn, int direction, const char *step);

/* --- tls_peer.c --- */

/* What is asked for later, while somebody may be in the SSL object. */
void weir__tls_note_peer(struct weir__tls *tls);

/* --- tls_error.c: what OpenSSL says, in our words --- */

/* Settles why the connection is over, by OpenSSL's queue of errors; under the lock. Returns its errno. */
int weir__tls_settle_failure(struct weir__tls *tls);

/* The error of a connection whose TLS has ended with it: true, and it is set; false: it has not. */
bool weir__tls_fail(weir_conn *conn, int number, const char *step);

/* The first error in OpenSSL's queue as the error of a call. Returns -1. */
int weir__tls_fail_openssl(const char *step, const char *subject, const char *what);

#endif

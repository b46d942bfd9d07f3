/* TLS: the SSL object between a connection's calls and its socket; see tls.h. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    RECORD = 16 * 1024,          /* the most that one holds */
    RECORDS = 64 * 1024,         /* written by one call */
    FRUITLESS_MOST = 256 * 1024, /* received by one read that brings nothing: more than any handshake has */
    OUTBOX_MOST = 256 * 1024     /* a peer that asks for answers and takes none gets no more of our memory */
};

/* --- the socket, as OpenSSL sees it; all under the lock --- */

static int bio_read(BIO *bio, char *data, int size)
{
    weir_conn *conn = BIO_get_data(bio);
    struct weir__tls *tls = weir__tls_of(conn);
    ssize_t length;
    BIO_clear_retry_flags(bio);
    do
        length = weir__system()->recv(conn->watch.fd, data, (size_t)size, MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    if (length > 0 && (tls->fruitless += (size_t)length) > FRUITLESS_MOST) {
        length = -1;
        errno = EPROTO;
    }
    if (length > 0) {
        if (length < size)
            weir__watch_drained(&conn->watch);
        return (int)length;
    }
    int number = length == 0 ? weir__conn_false_end(conn) : errno;
    if (number == EAGAIN) {
        weir__watch_clear(&conn->watch, WEIR__READABLE);
        BIO_set_retry_read(bio);
        return -1;
    }
    tls->cut = number == 0;
    tls->socket_error = number;
    return 0;
}

/* How much went, 0 where the socket takes nothing now, -1 and errno. */
static ssize_t send_now(const weir_conn *conn, const char *data, size_t size, int flags)
{
    ssize_t sent;
    do
        sent = weir__system()->send(conn->watch.fd, data, size, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

/* Adds to the outbox. 0, or -1 and errno. */
static int keep(struct weir__tls *tls, const char *data, size_t size)
{
    size_t held = tls->end - tls->start;
    if (held + size > OUTBOX_MOST) {
        errno = ENOBUFS;
        return -1;
    }
    if (tls->end + size > tls->size) {
        char *larger = malloc(held + size);
        if (!larger)
            return -1;
        if (held)
            memcpy(larger, tls->outbox + tls->start, held);
        free(tls->outbox);
        tls->outbox = larger;
        tls->size = held + size;
        tls->start = 0;
        tls->end = held;
    }
    memcpy(tls->outbox + tls->end, data, size);
    tls->end += size;
    tls->owes = true;
    return 0;
}

/*
 * A record that could not be sent is kept too, since what follows it is of no use without it; the error is told by
 * the flush that comes next, and after that it is tried again.
 */
static int bio_write(BIO *bio, const char *data, int size)
{
    weir_conn *conn = BIO_get_data(bio);
    struct weir__tls *tls = weir__tls_of(conn);
    BIO_clear_retry_flags(bio);
    ssize_t sent = tls->owes ? 0 : send_now(conn, data, (size_t)size, tls->more ? MSG_MORE : 0);
    if (sent < 0) {
        tls->send_error = errno;
        sent = 0;
    }
    if (sent == size || keep(tls, data + sent, (size_t)(size - sent)) == 0)
        return size;
    tls->socket_error = errno;
    return -1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    const weir_conn *conn = BIO_get_data(bio);
    if (command == BIO_CTRL_EOF)
        return weir__tls_of(conn)->cut;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "weir");
    if (!method)
        return;
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
}

static BIO *new_bio(weir_conn *conn)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio)
        return NULL;
    BIO_set_data(bio, conn);
    BIO_set_init(bio, 1);
    return bio;
}

/* --- its life --- */

int weir__tls_attach(weir_conn *conn, struct weir__tls_context *context, bool server)
{
    const struct weir__conn_rare *rare = weir__conn_rare(conn);
    struct weir__tls *tls = rare ? calloc(1, sizeof *tls) : NULL;
    if (!tls)
        return weir__fail_memory("tls");
    tls->ssl = weir__tls_new_ssl(context);
    BIO *bio = tls->ssl ? new_bio(conn) : NULL;
    if (!bio) {
        SSL_free(tls->ssl);
        free(tls);
        ERR_clear_error();
        return weir__fail_memory("tls");
    }
    SSL_set_bio(tls->ssl, bio, bio);
    if (server)
        SSL_set_accept_state(tls->ssl);
    else
        SSL_set_connect_state(tls->ssl);
    tls->context = weir__tls_take(context);
    pthread_mutex_init(&tls->lock, NULL);
    conn->rare->tls = tls;
    conn->secure = true;
    conn->bound = true; /* its first call shakes hands */
    return 0;
}

void weir__tls_free(struct weir__tls *tls)
{
    SSL_free(tls->ssl);
    weir__tls_drop(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->outbox);
    free(tls->reason);
    free(tls->peer_name);
    free(tls->alpn);
    free(tls->peer);
    free(tls);
}

/* --- the outbox --- */

static void note_progress(weir_conn *conn)
{
    atomic_store_explicit(&conn->side[1].progress, weir__now(), memory_order_relaxed);
}

/* Nothing is left to send: if our end was asked for, the socket's follows it. */
static int emptied(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    free(tls->outbox);
    tls->outbox = NULL;
    tls->start = tls->end = tls->size = 0;
    tls->owes = false;
    return tls->ending ? weir__system()->shutdown(conn->watch.fd, SHUT_WR) : 0;
}

static int flush(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    if (!tls->owes)
        return 0;
    if (tls->send_error) {
        errno = tls->send_error;
        tls->send_error = 0;
        return -1;
    }
    while (tls->start < tls->end) {
        ssize_t sent = send_now(conn, tls->outbox + tls->start, tls->end - tls->start, 0);
        if (sent == 0)
            errno = EAGAIN;
        if (sent <= 0)
            return -1;
        tls->start += (size_t)sent;
        note_progress(conn);
    }
    return emptied(conn);
}

int weir__tls_flush(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    if (!tls->owes)
        return 0;
    pthread_mutex_lock(&tls->lock);
    int result = flush(conn);
    pthread_mutex_unlock(&tls->lock);
    return result;
}

/* --- reading --- */

bool weir__tls_pending(const weir_conn *conn)
{
    const struct weir__tls *tls = weir__tls_of(conn);
    return tls->failure || tls->ended || SSL_has_pending(tls->ssl);
}

/* What a read that brought nothing means: 0 at the end, or -1 and errno. */
static ssize_t nothing_read(struct weir__tls *tls)
{
    switch (SSL_get_error(tls->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        tls->ended = true;
        return 0;
    default:
        if (tls->cut && tls->deaf)
            return 0;
        errno = weir__tls_settle_failure(tls);
        return -1;
    }
}

/* As many records as there are and fit. What is told after the first is told again by the next call. */
static ssize_t read_records(struct weir__tls *tls, char *buffer, size_t size, bool peek)
{
    size_t done = 0, length;
    do {
        ERR_clear_error();
        tls->fruitless = 0;
        int got = peek ? SSL_peek_ex(tls->ssl, buffer, size, &length)
                       : SSL_read_ex(tls->ssl, buffer + done, size - done, &length);
        if (got != 1) {
            ssize_t result = nothing_read(tls);
            return done ? (ssize_t)done : result;
        }
        done += length;
    } while (!peek && done < size && SSL_has_pending(tls->ssl));
    return (ssize_t)done;
}

ssize_t weir__tls_receive(weir_conn *conn, void *buffer, size_t size, int flags)
{
    struct weir__tls *tls = weir__tls_of(conn);
    int failure = tls->failure;
    if (failure) {
        errno = failure;
        return -1;
    }
    if (tls->ended || size == 0)
        return 0;
    pthread_mutex_lock(&tls->lock);
    ssize_t length = read_records(tls, buffer, size, flags & MSG_PEEK);
    int number = errno;
    pthread_mutex_unlock(&tls->lock);
    errno = number;
    return length;
}

/* --- writing --- */

/* A record that there was no room to keep is lost, and the connection with it. */
static ssize_t nothing_written(struct weir__tls *tls)
{
    errno = weir__tls_settle_failure(tls);
    return -1;
}

static ssize_t write_records(struct weir__tls *tls, const char *data, size_t size, int flags)
{
    size_t done = 0, written, most = size < RECORDS ? size : RECORDS;
    if (tls->failure || tls->ending) {
        errno = tls->failure ? tls->failure : EPIPE;
        return -1;
    }
    while (done < most && !tls->owes) {
        size_t record = most - done < RECORD ? most - done : RECORD;
        tls->more = (flags & MSG_MORE) || done + record < most;
        ERR_clear_error();
        int wrote = SSL_write_ex(tls->ssl, data + done, record, &written);
        tls->more = false;
        if (wrote != 1)
            return done ? (ssize_t)done : nothing_written(tls);
        done += written;
    }
    return (ssize_t)done;
}

ssize_t weir__tls_send(weir_conn *conn, const void *data, size_t size, int flags)
{
    struct weir__tls *tls = weir__tls_of(conn);
    if (flags & MSG_OOB) {
        errno = EOPNOTSUPP;
        return -1;
    }
    pthread_mutex_lock(&tls->lock);
    ssize_t length = flush(conn) < 0 ? -1 : write_records(tls, data, size, flags);
    int number = errno;
    pthread_mutex_unlock(&tls->lock);
    errno = number;
    return length;
}

/* --- the end --- */

/* A close_notify, if the connection can still say one. */
static void say_end(struct weir__tls *tls)
{
    if (!tls->ending && !tls->failure && tls->state == WEIR__TLS_READY) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
    }
    tls->ending = true;
}

int weir__tls_end(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    pthread_mutex_lock(&tls->lock);
    say_end(tls);
    int result = tls->owes ? flush(conn) : emptied(conn);
    int number = errno;
    pthread_mutex_unlock(&tls->lock);
    errno = number;
    return result;
}

/* Session tickets that nobody had reason to read are what there is, mostly. */
void weir__tls_discard(weir_conn *conn)
{
    size_t size;
    char *buffer = weir__tls_of(conn)->ended ? NULL : weir__lend(&size);
    if (!buffer)
        return;
    weir__system()->recv(conn->watch.fd, buffer, size, MSG_DONTWAIT);
    weir__lend_return(buffer);
}

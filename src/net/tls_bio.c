/* The socket, as OpenSSL sees it: a BIO that never waits; all under the lock of the connection's TLS. */
#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls.h"

enum {
    FRUITLESS_MOST = 256 * 1024, /* received by one call that brings nothing: more than any handshake has */
    OUTBOX_MOST = 256 * 1024     /* a peer that asks for answers and takes none gets no more of our memory */
};

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
        tls->heard = true;
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
    tls->heard = true;
    return 0;
}

ssize_t weir__tls_send_now(const weir_conn *conn, const char *data, size_t size, int flags)
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
    ssize_t sent = tls->owes ? 0 : weir__tls_send_now(conn, data, (size_t)size, tls->more ? MSG_MORE : 0);
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

BIO *weir__tls_new_bio(weir_conn *conn)
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

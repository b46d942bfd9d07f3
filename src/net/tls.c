/* TLS: the SSL object between a connection's calls and its socket; see tls.h, and tls_bio.c for the socket's side. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    RECORD = 16 * 1024,  /* the most that one holds */
    RECORDS = 64 * 1024, /* written by one call */
    DISCARDS_MOST = 64   /* receives of what nobody reads any more */
};

/* Between two looks at what nothing tells of: a quarter of the time for which nothing has gone, within these. */
#define SHORTEST WEIR_MS(5)
#define LONGEST  WEIR_MS(200)

/* --- its life --- */

int weir__tls_attach(weir_conn *conn, struct weir__tls_context *context, bool server)
{
    const struct weir__conn_rare *rare = weir__conn_rare(conn);
    struct weir__tls *tls = rare ? calloc(1, sizeof *tls) : NULL;
    if (!tls)
        return weir__fail_memory("tls");
    tls->ssl = weir__tls_new_ssl(context);
    BIO *bio = tls->ssl ? weir__tls_new_bio(conn) : NULL;
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
        ssize_t sent = weir__tls_send_now(conn, tls->outbox + tls->start, tls->end - tls->start, 0);
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
    weir__tls_told(conn);
    if (tls->owes && !tls->send_error)
        flush(conn); /* what it fails with the next writer will see */
    ssize_t length = read_records(tls, buffer, size, flags & MSG_PEEK);
    int number = errno;
    pthread_mutex_unlock(&tls->lock);
    errno = number;
    return length;
}

/* --- writing --- */

/*
 * A record that there was no room to keep is lost, and the connection with it. But where the reader has met a part of a
 * ticket or key update, OpenSSL writes nothing before it has the rest, which it reads itself then.
 */
static ssize_t nothing_written(struct weir__tls *tls)
{
    if (SSL_get_error(tls->ssl, 0) == SSL_ERROR_WANT_READ) {
        tls->stuck = true;
        errno = EAGAIN;
        return -1;
    }
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
        tls->fruitless = 0;
        ERR_clear_error();
        int wrote = SSL_write_ex(tls->ssl, data + done, record, &written);
        tls->more = false;
        if (wrote != 1)
            return done ? (ssize_t)done : nothing_written(tls);
        done += written;
    }
    return (ssize_t)done;
}

/* Its wait has nothing to wake it but this: what the socket told of is no longer there. */
static void tell_reader(weir_conn *conn)
{
    weir__tls_of(conn)->told = true;
    atomic_store(&conn->side[0].news, true);
    weir__wake(&conn->watch.slot[0]);
}

bool weir__tls_told(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    return tls->told && atomic_exchange(&tls->told, false);
}

ssize_t weir__tls_send(weir_conn *conn, const void *data, size_t size, int flags)
{
    struct weir__tls *tls = weir__tls_of(conn);
    pthread_mutex_lock(&tls->lock);
    tls->heard = false;
    if (tls->stuck)
        tls->stuck = false;
    ssize_t length = flush(conn) < 0 ? -1 : write_records(tls, data, size, flags);
    int number = errno;
    bool heard = tls->heard;
    pthread_mutex_unlock(&tls->lock);
    if (heard)
        tell_reader(conn);
    errno = number;
    return length;
}

int64_t weir__tls_pause(const weir_conn *conn)
{
    int64_t quarter = (weir__now() - atomic_load_explicit(&conn->side[1].progress, memory_order_relaxed)) / 4;
    return quarter < SHORTEST ? SHORTEST : quarter < LONGEST ? quarter : LONGEST;
}

int64_t weir__tls_look_again(weir_conn *conn, int direction)
{
    const struct weir__tls *tls = weir__tls_of(conn);
    bool writes = direction == WEIR__WRITABLE;
    bool look = writes ? tls->stuck : tls->owes && !atomic_load(&conn->side[1].busy);
    return look ? weir__now() + weir__tls_pause(conn) : WEIR_FOREVER;
}

/* --- the end --- */

/* A close_notify, if the connection can still say one. */
static void say_end(struct weir__tls *tls)
{
    if (!tls->ending && !tls->failure && tls->state == WEIR__TLS_READY) {
        ERR_clear_error();
        tls->fruitless = 0;
        if (SSL_in_init(
                tls->ssl)) /* a message to TLS itself has been read in part: OpenSSL says nothing before the rest */
            SSL_do_handshake(tls->ssl);
        SSL_shutdown(tls->ssl);
        ERR_clear_error();
    }
    tls->ending = true;
}

int weir__tls_end(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    pthread_mutex_lock(&tls->lock);
    tls->heard = false;
    say_end(tls);
    int result = tls->owes ? flush(conn) : emptied(conn);
    int number = errno;
    bool heard = tls->heard;
    pthread_mutex_unlock(&tls->lock);
    if (heard)
        tell_reader(conn);
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
    for (int i = 0; i < DISCARDS_MOST; i++)
        if (weir__system()->recv(conn->watch.fd, buffer, size, MSG_DONTWAIT) <= 0)
            break;
    weir__lend_return(buffer);
}

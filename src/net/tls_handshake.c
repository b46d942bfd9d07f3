/* The handshake: made once, by one caller for all; and whose certificate the other end is to show. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fiber.h>
#include <weir/log.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/text.h"
#include "net/tls_context.h"

/* Where nobody set a time. */
#define LONGEST WEIR_S(10)
/* Between looks at what another call makes, at most. */
#define LOOK_AGAIN WEIR_MS(20)

/* --- whom to expect --- */

/*
 * Names are compared without the dot that ends them; one that begins with a dot would for OpenSSL be any name below
 * it. Addresses have no zone in certificates. A subject's common name is none of a host (RFC 9525, 2).
 */
static int set_name(SSL *ssl, const char *name)
{
    char bare[256];
    size_t length = strcspn(name, "%");
    if (length > 0 && name[length - 1] == '.')
        length--;
    if (length == 0 || length >= sizeof bare || name[0] == '.')
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "tls", name, "this is nobody's name");
    memcpy(bare, name, length);
    bare[length] = '\0';
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), bare) == 1)
        return 0;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (SSL_set1_host(ssl, bare) != 1 || SSL_set_tlsext_host_name(ssl, bare) != 1)
        return weir__tls_fail_openssl("tls", name, "this is nobody's name");
    return 0;
}

/* The name is what was verified; the endpoint spares those of one name elsewhere a ticket that is not theirs. */
static void go_on(struct weir__tls *tls, const weir_endpoint *endpoint, const char *name)
{
    size_t size = strlen(endpoint->text) + 1 + strlen(name) + 1;
    if (!(tls->peer = malloc(size)))
        return;
    struct weir__text text = weir__text(tls->peer, size);
    weir__text_put(&text, endpoint->text);
    weir__text_put(&text, " ");
    weir__text_put(&text, name);
    weir__tls_resume(tls);
}

int weir__tls_expect(weir_conn *conn, const weir_tls_options *options, const weir_endpoint *endpoint)
{
    struct weir__tls *tls = weir__tls_of(conn);
    const char *host = endpoint->host_kind == WEIR_HOST_DEFAULT ? "localhost" : endpoint->host;
    const char *name = options->server_name ? options->server_name : host;
    tls->insecure = options->insecure;
    ERR_clear_error();
    int result = set_name(tls->ssl, name);
    if (result == 0 && !options->fresh)
        go_on(tls, endpoint, name);
    ERR_clear_error();
    return result;
}

/* --- making it --- */

enum taken { FAILED = -1, WAITS, DONE };

static enum taken take_step(struct weir__tls *tls)
{
    enum taken taken = DONE;
    pthread_mutex_lock(&tls->lock);
    ERR_clear_error();
    tls->fruitless = 0;
    int result = SSL_do_handshake(tls->ssl), number = 0;
    if (result != 1) {
        taken = SSL_get_error(tls->ssl, result) == SSL_ERROR_WANT_READ ? WAITS : FAILED;
        number = taken == FAILED ? weir__tls_settle_failure(tls) : 0;
    }
    pthread_mutex_unlock(&tls->lock);
    errno = number;
    return taken;
}

static int fail_late(weir_conn *conn)
{
    char name[WEIR_ADDRESS_TEXT];
    conn->failure = WEIR__FAILURE_TLS;
    return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "tls", weir__conn_name(conn, name, sizeof name),
                     "the handshake was not over in time");
}

static int fail_step(weir_conn *conn)
{
    weir__conn_fail(conn, errno, "tls");
    conn->failure = WEIR__FAILURE_TLS;
    return -1;
}

/* For a call of that direction, `call`: what the handshake waits for is the same, whichever it is. */
static int wait_for(weir_conn *conn, int call, int direction, int64_t deadline)
{
    int waited = weir__conn_wait_as(conn, call, direction, deadline, "tls");
    return waited > 0 ? fail_late(conn) : waited;
}

static int flush(weir_conn *conn, int call, int64_t deadline)
{
    while (weir__tls_flush(conn) < 0) {
        if (errno != EAGAIN)
            return fail_step(conn);
        weir__watch_clear(&conn->watch, WEIR__WRITABLE);
        if (wait_for(conn, call, WEIR__WRITABLE, deadline) < 0)
            return -1;
    }
    return 0;
}

static void warn_insecure(weir_conn *conn)
{
    char name[WEIR_ADDRESS_TEXT];
    weir_log(WEIR_LOG_WARNING, "%s: INSECURE: its certificate is not verified, and anybody may sit in between",
             weir__conn_name(conn, name, sizeof name));
}

static void shaken(weir_conn *conn)
{
    weir__tls_note_peer(weir__tls_of(conn));
    if (weir__tls_of(conn)->insecure)
        warn_insecure(conn);
}

static int shake(weir_conn *conn, int call, int64_t deadline)
{
    struct weir__tls *tls = weir__tls_of(conn);
    for (;;) {
        enum taken taken = take_step(tls);
        if (taken == FAILED)
            return fail_step(conn);
        if (flush(conn, call, deadline) < 0)
            return -1;
        if (taken == DONE)
            break;
        if (wait_for(conn, call, WEIR__READABLE, deadline) < 0)
            return -1;
    }
    shaken(conn);
    return 0;
}

/* The error stays the caller's; whoever comes later finds its errno settled. */
static int shake_and_settle(weir_conn *conn, int direction, int64_t deadline)
{
    struct weir__tls *tls = weir__tls_of(conn);
    int result = shake(conn, direction, deadline), number = errno;
    if (result < 0 && !tls->failure)
        tls->failure = number;
    tls->state = result < 0 ? WEIR__TLS_FAILED : WEIR__TLS_READY;
    weir__forget_stack();
    errno = number;
    return result;
}

int weir__tls_handshake(weir_conn *conn, int64_t deadline)
{
    weir__tls_of(conn)->state = WEIR__TLS_SHAKING;
    return shake_and_settle(conn, WEIR__READABLE, deadline);
}

/* --- at the beginning of a call --- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t deadline_of(weir_conn *conn, int direction)
{
    const struct weir__side *side = weir__conn_side(conn, direction);
    bool bound = conn->limits && conn->limits->message != WEIR_FOREVER;
    int64_t deadline = weir_deadline(bound ? conn->limits->message : LONGEST);
    return direction == WEIR__WRITABLE ? sooner(deadline, sooner(side->call_deadline, side->deadline)) : deadline;
}

/* Another call is at it, and nothing tells when it is done: look, rarer and rarer. */
static int wait_for_other(weir_conn *conn, int direction, const char *step)
{
    struct weir__tls *tls = weir__tls_of(conn);
    char name[WEIR_ADDRESS_TEXT];
    for (int64_t pause = WEIR_MS(1); tls->state == WEIR__TLS_SHAKING; pause = pause < LOOK_AGAIN ? pause * 2 : pause) {
        if (weir__conn_look(conn, direction, step) < 0)
            return -1;
        if (weir__conn_side(conn, direction)->call_deadline <= weir_now())
            return weir__fail_deadline(step, weir__conn_name(conn, name, sizeof name));
        if (weir_sleep(pause) < 0)
            return weir__fail_cancelled(step, weir__conn_name(conn, name, sizeof name));
    }
    return 0;
}

int weir__tls_ready(weir_conn *conn, int direction, const char *step)
{
    struct weir__tls *tls = weir__tls_of(conn);
    for (;;) {
        uint8_t state = WEIR__TLS_NEW;
        if (tls->state == WEIR__TLS_READY)
            return 0;
        if (atomic_compare_exchange_strong(&tls->state, &state, WEIR__TLS_SHAKING))
            return shake_and_settle(conn, direction, deadline_of(conn, direction));
        if (state == WEIR__TLS_FAILED)
            return weir__conn_fail(conn, tls->failure, step);
        /* a select may go away from it again: then it is ours to make */
        if (state == WEIR__TLS_SHAKING && wait_for_other(conn, direction, step) < 0)
            return -1;
    }
}

bool weir__tls_try(weir_conn *conn)
{
    struct weir__tls *tls = weir__tls_of(conn);
    uint8_t state = WEIR__TLS_NEW;
    if (!atomic_compare_exchange_strong(&tls->state, &state, WEIR__TLS_SHAKING))
        return state != WEIR__TLS_SHAKING;
    enum taken taken = take_step(tls);
    if (taken != FAILED && weir__tls_flush(conn) < 0 && errno != EAGAIN) {
        taken = FAILED;
        tls->failure = errno;
    }
    if (taken == FAILED)
        conn->failure = WEIR__FAILURE_TLS;
    else if (taken == DONE)
        shaken(conn);
    tls->state = taken == WAITS ? WEIR__TLS_NEW : taken == DONE ? WEIR__TLS_READY : WEIR__TLS_FAILED;
    weir__forget_stack();
    return taken != WAITS;
}

int weir_handshake(weir_conn *conn)
{
    if (weir__conn_enter(conn, WEIR__READABLE, "tls") < 0)
        return -1;
    weir__conn_leave(conn, WEIR__READABLE);
    return 0;
}

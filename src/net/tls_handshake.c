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
/*
 * A handshake that a writer makes waits in the reader's place, where nobody tells it of the writer's cancel: it
 * looks.
 */
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

/* --- who it is --- */

static char *escaped(const unsigned char *bytes, int length)
{
    char *text = malloc((size_t)length * 4 + 1);
    if (!text)
        return NULL;
    struct weir__text out = weir__text(text, (size_t)length * 4 + 1);
    for (int i = 0; i < length; i++) {
        static const char digits[] = "0123456789abcdef";
        if (bytes[i] >= ' ' && bytes[i] < 0x7f && bytes[i] != '\\') {
            weir__text_put_char(&out, (char)bytes[i]);
            continue;
        }
        weir__text_put(&out, "\\x");
        weir__text_put_char(&out, digits[bytes[i] >> 4]);
        weir__text_put_char(&out, digits[bytes[i] & 15]);
    }
    return text;
}

static char *common_name(const X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index < 0)
        return NULL;
    unsigned char *utf8 = NULL;
    int length = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
    char *name = length > 0 ? escaped(utf8, length) : NULL;
    OPENSSL_free(utf8);
    return name;
}

static char *dns_name(const X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char *found = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_DNS)
            found = escaped(ASN1_STRING_get0_data(name->d.dNSName), ASN1_STRING_length(name->d.dNSName));
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* What is asked for later, while somebody may be in the SSL object. */
static void note_peer(struct weir__tls *tls)
{
    const X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    const unsigned char *protocol;
    unsigned length;
    if (certificate && (SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_PEER) &&
        SSL_get_verify_result(tls->ssl) == X509_V_OK && !(tls->peer_name = common_name(certificate)))
        tls->peer_name = dns_name(certificate);
    SSL_get0_alpn_selected(tls->ssl, &protocol, &length);
    if (length)
        tls->alpn = escaped(protocol, (int)length);
    ERR_clear_error();
}

const char *weir_peer_name(weir_conn *conn)
{
    return conn->secure && weir__tls_of(conn)->state == WEIR__TLS_READY ? weir__tls_of(conn)->peer_name : NULL;
}

const char *weir_alpn(weir_conn *conn)
{
    return conn->secure && weir__tls_of(conn)->state == WEIR__TLS_READY ? weir__tls_of(conn)->alpn : NULL;
}

char *weir_tls_text(weir_conn *conn, char *text, size_t size)
{
    struct weir__text out = weir__text(text, size);
    if (!conn->secure || weir__tls_of(conn)->state != WEIR__TLS_READY)
        return text;
    struct weir__tls *tls = weir__tls_of(conn);
    pthread_mutex_lock(&tls->lock);
    weir__text_put(&out, SSL_get_version(tls->ssl));
    weir__text_put(&out, " ");
    weir__text_put(&out, SSL_get_cipher_name(tls->ssl));
    weir__text_put(&out, SSL_session_reused(tls->ssl) ? " resumed" : "");
    pthread_mutex_unlock(&tls->lock);
    return text;
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

static int wait_for(weir_conn *conn, int direction, int64_t deadline)
{
    int waited = weir__conn_wait_until(conn, direction, deadline, "tls");
    return waited > 0 ? fail_late(conn) : waited;
}

static int flush(weir_conn *conn, int64_t deadline)
{
    while (weir__tls_flush(conn) < 0) {
        if (errno != EAGAIN)
            return fail_step(conn);
        weir__watch_clear(&conn->watch, WEIR__WRITABLE);
        if (wait_for(conn, WEIR__WRITABLE, deadline) < 0)
            return -1;
    }
    return 0;
}

/* As wait_for, and looks at the writer's side now and then where the caller is one. */
static int wait_as(weir_conn *conn, int direction, int64_t deadline)
{
    for (;;) {
        int64_t again = direction == WEIR__WRITABLE ? weir_deadline(LOOK_AGAIN) : WEIR_FOREVER;
        int waited = weir__conn_wait_until(conn, WEIR__READABLE, again < deadline ? again : deadline, "tls");
        if (waited <= 0)
            return waited;
        if (weir__conn_look(conn, direction, "tls") < 0)
            return -1;
        if (deadline <= weir_now())
            return fail_late(conn);
    }
}

static void warn_insecure(weir_conn *conn)
{
    char name[WEIR_ADDRESS_TEXT];
    weir_log(WEIR_LOG_WARNING, "%s: INSECURE: its certificate is not verified, and anybody may sit in between",
             weir__conn_name(conn, name, sizeof name));
}

static int shake(weir_conn *conn, int direction, int64_t deadline)
{
    struct weir__tls *tls = weir__tls_of(conn);
    for (;;) {
        enum taken taken = take_step(tls);
        if (taken == FAILED)
            return fail_step(conn);
        if (flush(conn, deadline) < 0)
            return -1;
        if (taken == DONE)
            break;
        if (wait_as(conn, direction, deadline) < 0)
            return -1;
    }
    note_peer(tls);
    if (tls->insecure)
        warn_insecure(conn);
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
    int64_t deadline = weir_deadline(conn->limits ? conn->limits->message : LONGEST);
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
    uint8_t state = WEIR__TLS_NEW;
    if (tls->state == WEIR__TLS_READY)
        return 0;
    if (atomic_compare_exchange_strong(&tls->state, &state, WEIR__TLS_SHAKING))
        return shake_and_settle(conn, direction, deadline_of(conn, direction));
    if (state == WEIR__TLS_SHAKING && wait_for_other(conn, direction, step) < 0)
        return -1;
    return tls->state == WEIR__TLS_READY ? 0 : weir__conn_fail(conn, tls->failure, step);
}

int weir_handshake(weir_conn *conn)
{
    if (weir__conn_enter(conn, WEIR__READABLE, "tls") < 0)
        return -1;
    weir__conn_leave(conn, WEIR__READABLE);
    return 0;
}

/* What OpenSSL says, in our words: one line that tells what is wrong, and at which end. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/tls.h"

enum { REASON_MOST = 240 };

/* --- certificates --- */

static const char *certificate_reason(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "its certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "its certificate is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "its certificate is for another host";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "its certificate is of an unknown CA";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "its certificate is of an unknown CA, self-signed";
    case X509_V_ERR_CERT_REVOKED:
        return "its certificate has been revoked";
    case X509_V_ERR_INVALID_PURPOSE:
        return "its certificate is for another purpose";
    default:
        return X509_verify_cert_error_string(result);
    }
}

/* --- what came in place of TLS --- */

static bool is_plaintext(int reason)
{
    return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
           reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
           reason == SSL_R_UNEXPECTED_MESSAGE;
}

/* OpenSSL's words for the alerts that a peer may send. */
static bool is_alert(int reason)
{
    return reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

/* Of a client that shows no certificate, in TLS 1.3 only its first read learns that the server wants one. */
static const char *plain_words(int reason)
{
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "it has shown no certificate";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "it speaks no TLS that is new enough (1.2 is the least)";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
        return "it has no way to encrypt in common with us";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "it wants a certificate of us";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "it does not trust our certificate: unknown CA";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "it does not trust our certificate: expired";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        return "it does not trust our certificate";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return "it has no protocol in common with us (ALPN)";
    default:
        return NULL;
    }
}

static void other(unsigned long code, bool begun, char *text, size_t size)
{
    int reason = ERR_GET_REASON(code);
    const char *words = plain_words(reason), *openssl = ERR_reason_error_string(code);
    if (words)
        snprintf(text, size, "%s", words);
    else if (!begun && is_plaintext(reason))
        snprintf(text, size, "it does not speak TLS");
    else if (is_alert(reason))
        snprintf(text, size, "it has ended TLS: %s", openssl ? openssl : "an unknown alert");
    else
        snprintf(text, size, "TLS: %s", openssl ? openssl : "an error without a name");
}

/* --- settling --- */

static void settle(struct weir__tls *tls, weir_error_kind kind, int number, const char *reason)
{
    if (tls->failure)
        return;
    tls->kind = (uint8_t)kind;
    tls->reason = reason ? strdup(reason) : NULL;
    tls->failure = number;
}

static void settle_by_openssl(struct weir__tls *tls)
{
    char text[REASON_MOST];
    unsigned long code = ERR_peek_error();
    bool begun = tls->state == WEIR__TLS_READY;
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
        snprintf(text, sizeof text, "%s", certificate_reason(SSL_get_verify_result(tls->ssl)));
    else
        other(code, begun, text, sizeof text);
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        settle(tls, WEIR_ERROR_MEMORY, ENOMEM, NULL);
    else
        settle(tls, WEIR_ERROR_TLS, EPROTO, text);
}

int weir__tls_settle_failure(struct weir__tls *tls)
{
    if (tls->socket_error)
        settle(tls, WEIR_ERROR_NONE, tls->socket_error, NULL);
    else if (tls->cut)
        settle(tls, WEIR_ERROR_CLOSED, ECONNRESET,
               tls->state == WEIR__TLS_READY ? "cut off: the stream ended without a close_notify"
                                             : "the other end has closed in the middle of the handshake");
    else
        settle_by_openssl(tls);
    ERR_clear_error();
    return tls->failure;
}

bool weir__tls_fail(weir_conn *conn, int number, const char *step)
{
    const struct weir__tls *tls = conn->secure ? weir__tls_of(conn) : NULL;
    char name[WEIR_ADDRESS_TEXT];
    if (!tls || tls->failure != number || !tls->reason)
        return false;
    weir_fail((weir_error_kind)tls->kind, number, step, weir__conn_name(conn, name, sizeof name), "%s", tls->reason);
    return true;
}

int weir__tls_fail_openssl(const char *step, const char *subject, const char *what)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    int number = ERR_GET_LIB(code) == ERR_LIB_SYS ? ERR_GET_REASON(code) : EINVAL;
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        weir__fail_memory(step);
    else if (ERR_GET_LIB(code) == ERR_LIB_SYS)
        weir_fail(WEIR_ERROR_USAGE, number, step, subject, "%s: %s", what, strerror(number));
    else
        weir_fail(WEIR_ERROR_USAGE, number, step, subject, "%s: %s", what, reason ? reason : "OpenSSL refused it");
    ERR_clear_error();
    return -1;
}

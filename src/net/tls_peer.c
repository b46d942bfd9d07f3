/* Who is at the other end, and how TLS is spoken: what the handshake has brought, for whoever asks. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/text.h"
#include "net/tls.h"

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

void weir__tls_note_peer(struct weir__tls *tls)
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

/*
 * What TLS needs before a connection: our certificate and key, whom to trust, protocols; made of options, and made
 * anew.
 */
#include "net/tls_context.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/sim/sim.h"

/* The keys that session tickets are made with, in OpenSSL's form. */
enum { TICKET_KEYS = 80 };

/* --- options, copied --- */

static int copy(const char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from && !*to ? -1 : 0;
}

int weir__tls_copy_options(weir_tls_options *to, const weir_tls_options *from)
{
    *to = (weir_tls_options){.insecure = from->insecure, .wipe = from->wipe};
    if (copy(&to->cert, from->cert) < 0 || copy(&to->key, from->key) < 0 || copy(&to->ca, from->ca) < 0 ||
        copy(&to->alpn, from->alpn) < 0)
        return weir__fail_memory("tls");
    return 0;
}

void weir__tls_free_options(const weir_tls_options *options)
{
    free((char *)(uintptr_t)options->cert);
    free((char *)(uintptr_t)options->key);
    free((char *)(uintptr_t)options->ca);
    free((char *)(uintptr_t)options->alpn);
}

/* --- protocols --- */

/* "h2,http/1.1" as TLS has it: each behind its length. 0 or -1. */
static int write_protocols(struct weir__tls_context *context)
{
    const char *text = context->options.alpn, *comma;
    if (!text)
        return 0;
    if (!(context->protocols = malloc(strlen(text) + 1)))
        return weir__fail_memory("tls");
    for (;; text = comma + 1) {
        comma = strchrnul(text, ',');
        size_t length = (size_t)(comma - text);
        if (length == 0 || length > 255)
            return weir_fail(WEIR_ERROR_USAGE, EINVAL, "tls", context->options.alpn,
                             "a protocol's name has 1 to 255 bytes");
        context->protocols[context->protocols_length++] = (unsigned char)length;
        memcpy(context->protocols + context->protocols_length, text, length);
        context->protocols_length += (unsigned)length;
        if (!*comma)
            return 0;
    }
}

/* What a server's connection speaks: what the options say, and by https where they say nothing HTTP/1.1. NULL: nothing. */
static const unsigned char *protocols_of(const struct weir__tls_context *context, SSL *ssl, unsigned *length)
{
    static const unsigned char http[] = "\x08http/1.1";
    const weir_conn *conn = BIO_get_data(SSL_get_rbio(ssl));
    bool spoken = context->protocols || conn->scheme != WEIR_SCHEME_HTTPS;
    *length = spoken ? context->protocols_length : sizeof http - 1;
    return spoken ? context->protocols : http;
}

/* The server's first that the client has too; where there is none the handshake ends, as RFC 7301 demands. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                           unsigned offered_length, void *arg)
{
    unsigned own_length;
    const unsigned char *own = protocols_of(arg, ssl, &own_length);
    unsigned char *found;
    if (!own)
        return SSL_TLSEXT_ERR_NOACK;
    int result = SSL_select_next_proto(&found, length, own, own_length, offered, offered_length);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_protocols(const struct weir__tls_context *context, SSL_CTX *made)
{
    if (context->server)
        SSL_CTX_set_alpn_select_cb(made, choose_protocol, (void *)(uintptr_t)context);
    else if (context->protocols && SSL_CTX_set_alpn_protos(made, context->protocols, context->protocols_length) != 0)
        return weir__fail_memory("tls");
    return 0;
}

/* --- certificates --- */

/* Nobody is there to type one. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool is_mismatch(void)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    return ERR_GET_LIB(code) == ERR_LIB_X509 &&
           (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH);
}

/* OpenSSL's words for what is usual would help nobody. */
static int fail_key(const char *key)
{
    int reason = ERR_GET_REASON(ERR_peek_error());
    const char *words = NULL;
    if (reason == ERR_R_INTERRUPTED_OR_CANCELLED)
        words = "the key has a password, which nobody is there to type";
    else if (reason == ERR_R_UNSUPPORTED)
        words = "there is no private key in it, or none of a kind that is known";
    if (!words)
        return weir__tls_fail_openssl("tls", key, is_mismatch() ? "not the certificate's" : "the key cannot be used");
    ERR_clear_error();
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "tls", key, "%s", words);
}

static int set_certificate(const weir_tls_options *options, SSL_CTX *made)
{
    const char *key = options->key ? options->key : options->cert;
    if (!options->cert)
        return options->key ? weir_fail(WEIR_ERROR_USAGE, EINVAL, "tls", options->key,
                                        "a key is of no use without its certificate")
                            : 0;
    SSL_CTX_set_default_passwd_cb(made, no_password);
    if (SSL_CTX_use_certificate_chain_file(made, options->cert) != 1)
        return weir__tls_fail_openssl("tls", options->cert, "the certificate cannot be read");
    if (SSL_CTX_use_PrivateKey_file(made, key, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(made) != 1)
        return fail_key(key);
    return 0;
}

static int set_trust(const struct weir__tls_context *context, SSL_CTX *made)
{
    const char *ca = context->options.ca;
    if (ca && SSL_CTX_load_verify_locations(made, ca, NULL) != 1)
        return weir__tls_fail_openssl("tls", ca, "the CA's certificate cannot be read");
    if (!context->server && !ca && !context->options.insecure && SSL_CTX_set_default_verify_paths(made) != 1)
        return weir__tls_fail_openssl("tls", "", "the system's CAs cannot be read");
    if (context->server && ca) {
        SSL_CTX_set_client_CA_list(made, SSL_load_client_CA_file(ca));
        SSL_CTX_set_verify(made, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    } else if (!context->server) {
        SSL_CTX_set_verify(made, context->options.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    }
    return 0;
}

/* --- making one --- */

/*
 * Sessions are in tickets, which cost a server no memory. What is buffered goes when it is empty: an idle connection is
 * to be small.
 */
static int set_manners(const struct weir__tls_context *context, SSL_CTX *made)
{
    static const unsigned char name[] = "weir";
    SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    if (context->options.wipe)
        SSL_CTX_set_options(made, SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(made, 1);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    if (!context->server)
        weir__tls_keep_sessions(made);
    if (SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) != 1 ||
        (context->server &&
         (SSL_CTX_set_session_id_context(made, name, sizeof name - 1) != 1 || SSL_CTX_set_num_tickets(made, 1) != 1)))
        return weir__tls_fail_openssl("tls", "", "OpenSSL cannot be set up");
    return 0;
}

static SSL_CTX *make(const struct weir__tls_context *context)
{
    ERR_clear_error();
    SSL_CTX *made = SSL_CTX_new(context->server ? TLS_server_method() : TLS_client_method());
    if (!made) {
        ERR_clear_error();
        weir__fail_memory("tls");
        return NULL;
    }
    if (set_manners(context, made) == 0 && set_certificate(&context->options, made) == 0 &&
        set_trust(context, made) == 0 && set_protocols(context, made) == 0)
        return made;
    SSL_CTX_free(made);
    return NULL;
}

struct weir__tls_context *weir__tls_context_new(const weir_tls_options *options, bool server)
{
    struct weir__tls_context *context = calloc(1, sizeof *context);
    if (!context) {
        weir__fail_memory("tls");
        return NULL;
    }
    weir__sim_forgets = weir__tls_forget_clients; /* a simulated run leaves nothing to the next */
    context->server = server;
    context->references = 1;
    pthread_mutex_init(&context->lock, NULL);
    if (weir__tls_copy_options(&context->options, options) == 0 && write_protocols(context) == 0 &&
        (context->made = make(context)))
        return context;
    weir__tls_drop(context);
    return NULL;
}

struct weir__tls_context *weir__tls_take(struct weir__tls_context *context)
{
    atomic_fetch_add(&context->references, 1);
    return context;
}

void weir__tls_drop(struct weir__tls_context *context)
{
    if (!context || atomic_fetch_sub(&context->references, 1) > 1)
        return;
    int saved = errno;
    weir__tls_forget_sessions(context);
    SSL_CTX_free(context->made);
    pthread_mutex_destroy(&context->lock);
    weir__tls_free_options(&context->options);
    free(context->protocols);
    free(context);
    errno = saved;
}

/* --- using it --- */

struct ssl_st *weir__tls_new_ssl(struct weir__tls_context *context)
{
    pthread_mutex_lock(&context->lock);
    SSL *ssl = SSL_new(context->made);
    pthread_mutex_unlock(&context->lock);
    return ssl;
}

/*
 * Who holds a ticket goes on with it; but not where clients show certificates: those are not looked at again then, and
 * whom the new CAs no longer let in is to stay out.
 */
static void keep_ticket_keys(SSL_CTX *from, SSL_CTX *to)
{
    unsigned char keys[TICKET_KEYS];
    if (SSL_CTX_get_tlsext_ticket_keys(from, keys, sizeof keys) == 1)
        SSL_CTX_set_tlsext_ticket_keys(to, keys, sizeof keys);
    OPENSSL_cleanse(keys, sizeof keys);
}

int weir__tls_make_anew(struct weir__tls_context *context)
{
    SSL_CTX *made = make(context);
    if (!made)
        return -1;
    pthread_mutex_lock(&context->lock);
    SSL_CTX *before = context->made;
    if (!context->options.ca)
        keep_ticket_keys(before, made);
    context->made = made;
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(before);
    return 0;
}

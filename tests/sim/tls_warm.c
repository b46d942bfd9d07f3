/*
 * What OpenSSL makes once, when it is first needed, and keeps: made before anything is counted. Two ends in memory do all
 * that a run may come to: handshakes in full and with a session, new keys, ends, alerts, what is no TLS at all.
 */
#include "tls_world.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

struct ends {
    SSL *client, *server;
};

static void must(int result)
{
    if (result != 1)
        abort();
}

static SSL_CTX *context_of(const SSL_METHOD *method, const char *certificate)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context)
        abort();
    if (certificate) {
        must(SSL_CTX_use_certificate_chain_file(context, certificate));
        must(SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM));
    }
    return context;
}

static struct ends join(SSL_CTX *client, SSL_CTX *server)
{
    struct ends ends = {SSL_new(client), SSL_new(server)};
    BIO *there, *back;
    if (!ends.client || !ends.server || BIO_new_bio_pair(&there, 0, &back, 0) != 1)
        abort();
    SSL_set_bio(ends.client, there, there);
    SSL_set_bio(ends.server, back, back);
    SSL_set_connect_state(ends.client);
    SSL_set_accept_state(ends.server);
    return ends;
}

/* Until nothing more comes of it. */
static void talk(const struct ends *ends)
{
    char data[100];
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(ends->client);
        SSL_do_handshake(ends->server);
        SSL_write(ends->client, "there", 5);
        SSL_read(ends->server, data, sizeof data);
        SSL_write(ends->server, "back", 4);
        SSL_read(ends->client, data, sizeof data);
        if (i == 5)
            SSL_key_update(ends->client, SSL_KEY_UPDATE_REQUESTED);
        ERR_clear_error();
    }
}

static void part(const struct ends *ends)
{
    SSL_shutdown(ends->client);
    SSL_shutdown(ends->server);
    SSL_free(ends->client);
    SSL_free(ends->server);
    ERR_clear_error();
}

static void go_on(SSL_CTX *client, SSL_CTX *server)
{
    struct ends first = join(client, server);
    talk(&first);
    SSL_SESSION *session = SSL_get1_session(first.client);
    part(&first);
    struct ends second = join(client, server);
    must(SSL_set_session(second.client, session));
    SSL_SESSION_free(session);
    talk(&second);
    part(&second);
}

/* A client that trusts nobody, bytes that are none of TLS', and an end too early. */
static void go_wrong(SSL_CTX *server, const char *certificate)
{
    char data[100];
    SSL_CTX *context = context_of(TLS_client_method(), NULL);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    struct ends distrusting = join(context, server);
    talk(&distrusting);
    part(&distrusting);
    must(SSL_CTX_load_verify_locations(context, certificate, NULL));
    struct ends broken = join(context, server);
    talk(&broken);
    BIO_write(SSL_get_wbio(broken.client), "\x17\x03\x03\x00\x14this is no cipher...", 25);
    SSL_read(broken.server, data, sizeof data);
    BIO_shutdown_wr(SSL_get_wbio(broken.server));
    SSL_read(broken.client, data, sizeof data);
    part(&broken);
    SSL_CTX_free(context);
}

void tls_warm(const char *certificate)
{
    SSL_CTX *client = context_of(TLS_client_method(), NULL), *server = context_of(TLS_server_method(), certificate);
    go_on(client, server);
    go_wrong(server, certificate);
    SSL_CTX_free(client);
    SSL_CTX_free(server);
    OPENSSL_thread_stop();
}

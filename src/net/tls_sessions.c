/*
 * Sessions that clients go on with, which spares them half of a handshake and its signature.
 *
 * They belong to a context, so to options that are the same and files that were not changed, and to whom they were
 * made with, by endpoint and by name: nobody goes on with what was verified otherwise. A few of each peer and some of
 * all, the oldest go first. A ticket of TLS 1.3 is used once, so that nobody who listens can tell two connections to be
 * the same client's (RFC 8446, C.4).
 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_context.h"

enum { OF_ONE_PEER = 4 };

/* --- the list; under the context's lock --- */

/* Takes one out of the list. */
static struct weir__tls_session take_out(struct weir__tls_context *context, size_t index)
{
    struct weir__tls_session taken = context->sessions[index];
    context->session_count--;
    memmove(&context->sessions[index], &context->sessions[index + 1],
            (context->session_count - index) * sizeof *context->sessions);
    return taken;
}

static void forget(struct weir__tls_session gone)
{
    free(gone.peer);
    SSL_SESSION_free(gone.session);
}

static bool is_with(const struct weir__tls_session *one, const char *peer)
{
    return one->peer && strcmp(one->peer, peer) == 0;
}

/* The one that has to go before another of that peer comes; the list's length where there is room. */
static size_t find_excess(const struct weir__tls_context *context, const char *peer)
{
    size_t same = 0;
    for (size_t i = 0; i < context->session_count; i++)
        if (is_with(&context->sessions[i], peer) && ++same == OF_ONE_PEER)
            return i;
    return context->session_count == WEIR__TLS_SESSIONS ? WEIR__TLS_SESSIONS - 1 : context->session_count;
}

static size_t find(const struct weir__tls_context *context, const char *peer)
{
    size_t i = 0;
    while (i < context->session_count && !is_with(&context->sessions[i], peer))
        i++;
    return i;
}

static void put_first(struct weir__tls_context *context, struct weir__tls_session one)
{
    size_t excess = find_excess(context, one.peer);
    if (excess < context->session_count)
        forget(take_out(context, excess));
    memmove(&context->sessions[1], &context->sessions[0], context->session_count * sizeof *context->sessions);
    context->sessions[0] = one;
    context->session_count++;
}

/* --- keeping --- */

/* Whether it was kept. Without memory it is not, and nobody needs to know. */
static bool keep(struct weir__tls_context *context, const char *peer, SSL_SESSION *session)
{
    struct weir__tls_session one = {strdup(peer), session};
    pthread_mutex_lock(&context->lock);
    if (!context->sessions)
        context->sessions = calloc(WEIR__TLS_SESSIONS, sizeof *context->sessions);
    bool kept = one.peer && context->sessions;
    if (kept)
        put_first(context, one);
    pthread_mutex_unlock(&context->lock);
    if (!kept)
        free(one.peer);
    return kept;
}

/* OpenSSL has a new one of a connection: 1 where it is ours from now on. */
static int take_new(SSL *ssl, SSL_SESSION *session)
{
    const weir_conn *conn = BIO_get_data(SSL_get_rbio(ssl));
    const struct weir__tls *tls = weir__tls_of(conn);
    return tls->peer && SSL_SESSION_is_resumable(session) && keep(tls->context, tls->peer, session);
}

void weir__tls_keep_sessions(SSL_CTX *made)
{
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, take_new);
}

/* --- going on --- */

/* The newest of a peer, the caller's to free; NULL: there is none. */
static SSL_SESSION *take(struct weir__tls_context *context, const char *peer)
{
    SSL_SESSION *session = NULL;
    pthread_mutex_lock(&context->lock);
    for (size_t i; !session && (i = find(context, peer)) < context->session_count;) {
        SSL_SESSION *found = context->sessions[i].session;
        bool fits = SSL_SESSION_is_resumable(found) == 1,
             once = SSL_SESSION_get_protocol_version(found) >= TLS1_3_VERSION;
        if (fits && SSL_SESSION_up_ref(found) == 1)
            session = found;
        if (!session || once)
            forget(take_out(context, i));
    }
    pthread_mutex_unlock(&context->lock);
    return session;
}

void weir__tls_resume(struct weir__tls *tls)
{
    SSL_SESSION *session = take(tls->context, tls->peer);
    if (session)
        SSL_set_session(tls->ssl, session);
    SSL_SESSION_free(session);
    ERR_clear_error();
}

void weir__tls_forget_sessions(struct weir__tls_context *context)
{
    while (context->session_count > 0)
        forget(take_out(context, context->session_count - 1));
    free(context->sessions);
    context->sessions = NULL;
}

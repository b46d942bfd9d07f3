/* The inside of a context: the options that it was made of, and what OpenSSL has of them at the moment. */
#ifndef WEIR_NET_TLS_CONTEXT_H
#define WEIR_NET_TLS_CONTEXT_H

#include <openssl/types.h>

#include "net/tls.h"

enum { WEIR__TLS_SESSIONS = 64 };

/* A session that a client may go on with. */
struct weir__tls_session {
    char *peer; /* whom it is with, as weir__tls has it */
    struct ssl_session_st *session;
};

struct weir__tls_context {
    atomic_uint references;
    bool server;
    weir_tls_options options; /* copies; without server_name, which is a connection's */
    unsigned char *protocols; /* ALPN; NULL: none */
    unsigned protocols_length;
    pthread_mutex_t lock; /* of what follows */
    SSL_CTX *made;
    struct weir__tls_session *sessions; /* a client's, the newest first; NULL: none yet */
    size_t session_count;
};

/* NULL with an error; one reference. */
struct weir__tls_context *weir__tls_context_new(const weir_tls_options *options, bool server);

/* As weir__tls_reload, where files may be read. */
int weir__tls_make_anew(struct weir__tls_context *context);

/* Copies what a context has of options. 0, or -1 with an error: what was copied is to be freed all the same. */
int weir__tls_copy_options(weir_tls_options *to, const weir_tls_options *from);
void weir__tls_free_options(const weir_tls_options *options);

/* --- tls_client.c --- */

/* As weir__tls_client, where files may be read. */
struct weir__tls_context *weir__tls_client_context(const weir_tls_options *options);

/* One that is there already, of options that name no file; NULL, no error. */
struct weir__tls_context *weir__tls_client_without_files(const weir_tls_options *options);

/* Drops those that are kept, with all sessions, and OpenSSL's memory of this thread. */
void weir__tls_forget_clients(void);

/* --- tls_sessions.c --- */

/* Has a client's connections keep what they may go on with later. */
void weir__tls_keep_sessions(SSL_CTX *made);

/* Has a new connection go on with a session, where one is kept of its peer. */
void weir__tls_resume(struct weir__tls *tls);

/* Forgets all; OpenSSL wipes their keys. */
void weir__tls_forget_sessions(struct weir__tls_context *context);

#endif

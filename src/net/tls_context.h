/* The inside of a context: the options that it was made of, and what OpenSSL has of them at the moment. */
#ifndef WEIR_NET_TLS_CONTEXT_H
#define WEIR_NET_TLS_CONTEXT_H

#include <openssl/types.h>

#include "net/tls.h"

struct weir__tls_context {
    atomic_uint references;
    bool server;
    weir_tls_options options; /* copies; without server_name, which is a connection's */
    unsigned char *protocols; /* ALPN; NULL: none */
    unsigned protocols_length;
    pthread_mutex_t lock; /* of `made` */
    SSL_CTX *made;
};

/* NULL with an error; one reference. */
struct weir__tls_context *weir__tls_context_new(const weir_tls_options *options, bool server);

#endif

/* TLS: what a tls:// endpoint needs beside its address, and who is at the other end. */
#ifndef WEIR_TLS_H
#define WEIR_TLS_H

#include <weir/api.h>

WEIR_BEGIN

typedef struct weir_conn weir_conn;
typedef struct weir_listener weir_listener;

/*
 * How TLS is spoken: 1.2 or 1.3, never less. A member of other options; every zero is the default. Files are PEM, and
 * read when they are needed: by weir_connect, weir_listen, weir_server_new and weir_server_reload; in a fiber on the
 * pool. Clients of the same options go on with the sessions of those before them, to the same endpoint by the same name.
 */
typedef struct weir_tls_options {
    const char *cert; /* our certificate, and behind it those it hangs on; a server must have one */
    const char *key;  /* its private key; default: in the same file */
    /*
     * Whose certificates are trusted, instead of the system's: of a client, the servers'. A server that has it asks
     * its clients for certificates by these, and lets in nobody else (mutual TLS).
     */
    const char *ca;
    const char *server_name; /* clients: the name that the certificate must be for; default: the endpoint's host */
    bool insecure; /* clients: take any certificate. Whoever sits in between reads all; said in the log each time */
    bool fresh;    /* clients: shake hands in full, not with the session of a connection before */
    bool wipe;     /* overwrite what was read where it was deciphered, which costs some: for passwords */
    /* protocols, the dearest first, with commas: "h2,http/1.1"; default: none are spoken of, but by https servers "http/1.1" */
    const char *alpn;
} weir_tls_options;

/*
 * Shakes hands now. Elsewhere the first call that reads or writes does it, within that call's time and 10 s;
 * weir_connect and servers have done it already. Nothing to do on connections without TLS. Parks. 0, or -1 with
 * EPROTO of kind TLS, ECONNRESET of kind CLOSED where the other end has gone, ETIMEDOUT, or as weir_recv.
 */
WEIR_API int weir_handshake(weir_conn *conn);

/*
 * Whom the certificate names that the other end has shown and that was verified: its common name, or else its first
 * DNS name; bytes that are not printable ASCII are escaped as \xHH. NULL where there is none: without TLS, without a
 * certificate, before the handshake, with `insecure`. The connection's, valid until it is closed. Does not park.
 */
WEIR_API const char *weir_peer_name(weir_conn *conn);

/*
 * The protocol that both ends have agreed on (ALPN); NULL: none. The connection's, valid until it is closed. Does not
 * park.
 */
WEIR_API const char *weir_alpn(weir_conn *conn);

/*
 * How TLS is spoken on it, "TLSv1.3 TLS_AES_256_GCM_SHA384"; " resumed" follows where it went on with an older
 * session. "" without TLS or before the handshake. Returns `text`. Does not park.
 */
WEIR_API char *weir_tls_text(weir_conn *conn, char *text, size_t size);

WEIR_END

#endif

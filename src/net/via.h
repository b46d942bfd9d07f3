/*
 * Going through others, inside: what a URL of weir_connect's `via` says, and how each kind of hop is gone through. One
 * table of kinds (via_url.c) says what their URLs may hold; the chain (via.c) goes through one after the other.
 *
 * A proxy is spoken to on a connection that stands: one to the proxy becomes one to what is behind it. ssh hops that
 * follow each other are one ssh, whose ProxyCommand is that of the hop before (ssh_line.c); one behind a proxy gets
 * that connection by two FIFOs (ssh_carrier.c).
 */
#ifndef WEIR_NET_VIA_H
#define WEIR_NET_VIA_H

#include <weir/via.h>

#include "net/happy_eyeballs.h"

/* What one may go through. */
enum { WEIR__VIA_MOST = 8 };

enum weir__via_kind { WEIR__VIA_SSH, WEIR__VIA_SOCKS5, WEIR__VIA_HTTP };

/* One hop, taken apart. */
struct weir__via {
    enum weir__via_kind kind;
    weir_endpoint to;         /* its host and port, of scheme tcp; port 0: ssh's own configuration says */
    char shown[400];          /* as errors and logs name it, without user and password: "socks5://proxy:1080" */
    bool has_user;            /* the URL names one */
    bool has_password;        /* before a proxy is spoken to: of the URL, the file or the environment */
    char user[256];           /* decoded; no NUL and no control character, not empty where has_user */
    char password[256];       /* decoded; a secret: in no message */
    char password_file[1024]; /* "": none */
    char config[1024];        /* ssh: its -F; "": none */
    bool multiplex;           /* ssh */
};

struct weir__via_list {
    size_t count;
    struct weir__via hops[WEIR__VIA_MOST];
};

/*
 * Takes a NULL-terminated list apart. Reads no files. NULL with EINVAL of kind USAGE or ENOMEM. The caller gives it to
 * weir__via_free, which wipes it.
 */
struct weir__via_list *weir__via_parse(const char *const *via);
void weir__via_free(struct weir__via_list *list);

/*
 * Settles has_password and password of a proxy whose URL names a user; may read its file, on the pool. 0, or -1 with
 * the error. Parks.
 */
int weir__via_settle_password(struct weir__via *proxy, int64_t deadline);

/*
 * Goes through the first `most` hops; what the last of those is asked for is the next one, or at the end of the list
 * the endpoint. Parks. NULL with the error.
 */
weir_conn *weir__via_go_through(struct weir__via_list *list, size_t most, const struct weir__dialling *dialling);

/* Connects through the dialling's `via`, which is not empty. Parks. The caller's; NULL with the error. */
weir_conn *weir__via_dial(const struct weir__dialling *dialling);

/* A connection to an endpoint without any detour: dial.c's. NULL with the error. Parks. */
weir_conn *weir__dial_directly(struct weir__dialling *dialling);

/*
 * Has a proxy, to which `conn` stands and which has said nothing yet, connect to `to`; a name is handed on as it is.
 * Reads nothing of what comes behind the proxy's answer. 0; -1 with EINVAL of kind USAGE, ECONNREFUSED, EACCES and
 * others of kind PROXY, ETIMEDOUT, ECANCELED; the connection is of no use then, and stays the caller's to close.
 * Parks.
 */
int weir__via_socks5(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, int64_t deadline);
int weir__via_http(weir_conn *conn, const struct weir__via *proxy, const weir_endpoint *to, int64_t deadline);

#endif

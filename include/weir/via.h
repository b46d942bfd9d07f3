/*
 * Going through others: ssh, SOCKS and HTTP proxies, in the order in which weir_connect's `via` names them.
 *
 *   ssh://[USER@]HOST[:PORT][?config=FILE][&multiplex=yes]  OpenSSH, with the user's own configuration, known hosts
 *                                                           and agent
 *   socks5://[USER[:PASSWORD]@]HOST[:PORT]  RFC 1928, 1929; names are resolved there; port 1080
 *   http://[USER[:PASSWORD]@]HOST[:PORT]    CONNECT (RFC 9110); names are resolved there; port 80
 *
 * A proxy's password may be left out of the URL, where it would be seen: ?password-file=FILE reads it from a file's
 * first line; WEIR_PROXY_PASSWORD is the environment's. USER, PASSWORD and FILE may hold %XX. WEIR_SSH names another
 * ssh.
 *
 * Through ssh a connection is one end of a socket pair, and ssh a child process that has the other (ssh -W).
 * weir_connect waits until the target has answered; its errors, and those of calls that fail since ssh has ended, are
 * of kind SSH and end with its words. A stream that breaks off since ssh died is ECONNRESET and no end; of a shared
 * one (multiplex) that cannot be known. weir_close waits until ssh has brought away what was sent and has ended: at
 * most two seconds from when it takes nothing more, not at all where nothing was sent or the connection was cut. ssh
 * ends with the thread that connected, if not before.
 */
#ifndef WEIR_VIA_H
#define WEIR_VIA_H

#include <weir/api.h>

WEIR_BEGIN

/*
 * Whether each of a NULL-terminated list is one of those above. Nothing is connected to. 0; -1 with EINVAL of kind
 * USAGE, which names it.
 */
WEIR_API int weir_check_via(const char *const *via);

/* A path through others that is kept open: many connections go through it, at the cost of one. */
typedef struct weir_forward weir_forward;

/*
 * Opens a path to `remote` (a tcp endpoint, as the last of `via` sees it), which must end with an ssh://: one ssh with
 * a forwarded Unix socket in a folder of ours that nobody else may enter. Waits until ssh has logged in and listens,
 * for `timeout` at most; 0: 30 s. Parks. The caller's. NULL with EINVAL, ECONNREFUSED and others of kind SSH whose
 * sentence ends with ssh's own words, ENOENT (there is no ssh), ETIMEDOUT, ECANCELED, ENOMEM.
 */
WEIR_API weir_forward *weir_forward_open(const char *const *via, const char *remote, int64_t timeout);

/* The endpoint that weir_connect is to be given, "unix:/run/user/1000/weir-…/0"; valid until it is closed. */
WEIR_API const char *weir_forward_endpoint(const weir_forward *forward);

/*
 * Waits for its end. Parks. -1 always: with the error that ended it, of kind SSH with ssh's words; or ETIMEDOUT,
 * ECANCELED.
 */
WEIR_API int weir_forward_wait(weir_forward *forward, int64_t deadline);

/* Ends ssh, reaps it and removes the folder. NULL is fine. Parks for a moment. */
WEIR_API void weir_forward_close(weir_forward *forward);

WEIR_END

#endif

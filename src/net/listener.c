/* Listeners: what weir_listen makes, and accepting from all of its sockets at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "base/error.h"
#include "engine/backend.h"
#include "engine/several.h"
#include "net/listen.h"
#include "net/options.h"
#include "net/tls.h"

/* How often in a row a client may have gone before it was accepted: a whole queue of them. */
enum { PASSED_OVER_MOST = 4096 };

struct listening {
    struct weir__listen_socket socket;
    char text[sizeof((weir_endpoint *)0)->text];
};

struct weir_listener {
    struct weir__several *several; /* closes the sockets too */
    atomic_bool busy;              /* somebody is in weir_accept */
    atomic_bool cancelled;         /* the weir_accept in progress */
    _Atomic int64_t timeout;
    weir_scheme scheme;
    weir_socket_options options;   /* of the connections */
    struct weir__tls_context *tls; /* NULL: they have none */
    size_t count;
    size_t next; /* the socket to try first, so that none starves; who accepts */
    struct listening sockets[];
};

/* --- making one --- */

static weir_listener *new_listener(const weir_endpoint *endpoint, const weir_socket_options *options,
                                   const struct weir__listen_socket *sockets, size_t count)
{
    weir_listener *listener = calloc(1, sizeof *listener + count * sizeof listener->sockets[0]);
    if (listener == NULL)
        return NULL;
    listener->several = weir__several_new(count);
    if (listener->several == NULL) {
        free(listener);
        return NULL;
    }
    listener->timeout = WEIR_FOREVER;
    listener->scheme = endpoint->scheme;
    listener->options = *options;
    listener->count = count;
    for (size_t i = 0; i < count; i++) {
        struct listening *one = &listener->sockets[i];
        one->socket = sockets[i];
        weir__listen_text(endpoint, &sockets[i], one->text, sizeof one->text);
        weir__several_add(listener->several, sockets[i].fd);
    }
    return listener;
}

static weir_listener *listen_on(const weir_endpoint *endpoint, const weir_listen_options *options)
{
    struct weir__listen_socket *sockets = calloc(WEIR__LISTEN_MOST, sizeof *sockets);
    if (sockets == NULL) {
        weir__fail_memory("listen");
        return NULL;
    }
    weir_listener *listener = NULL;
    int count = weir__listen_sockets(endpoint, options, sockets, WEIR__LISTEN_MOST);
    if (count > 0) {
        listener = new_listener(endpoint, &options->socket, sockets, (size_t)count);
        if (listener == NULL) {
            weir__listen_close(sockets, (size_t)count);
            weir__fail_memory("listen");
        }
    }
    free(sockets);
    return listener;
}

weir_listener *weir_listen(const char *text, const weir_listen_options *options)
{
    weir_listen_options known;
    weir_endpoint endpoint;
    if (weir__known_options(&known, sizeof known, options, "listen") < 0 ||
        weir_parse_endpoint(text, known.scheme, &endpoint) < 0)
        return NULL;
    if (endpoint.datagram) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "listen", endpoint.text, "datagrams are not accepted but received");
        return NULL;
    }
    struct weir__tls_context *tls = NULL;
    if (weir_scheme_is_secure(endpoint.scheme) && (tls = weir__tls_server(&known.tls)) == NULL)
        return NULL;
    weir_listener *listener = listen_on(&endpoint, &known);
    if (listener == NULL)
        weir__tls_drop(tls);
    else
        listener->tls = tls;
    return listener;
}

/* --- accepting --- */

/* A client of one socket; -1 with EAGAIN if there is none. */
static int accept_one(int fd)
{
    for (int passed_over = 0; passed_over < PASSED_OVER_MOST; passed_over++) {
        int client = weir__system()->accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (client >= 0 || errno == EAGAIN || !weir__accept_error_passes(errno))
            return client;
    }
    errno = EAGAIN;
    return -1;
}

/* A client of any socket; -1 with EAGAIN if there is none. */
static int accept_any(weir_listener *listener)
{
    for (size_t tried = 0; tried < listener->count; tried++) {
        size_t index = listener->next++ % listener->count;
        int client = accept_one(listener->sockets[index].socket.fd);
        if (client >= 0 || errno != EAGAIN)
            return client;
    }
    return -1;
}

static bool is_cancelled(void *arg)
{
    return ((weir_listener *)arg)->cancelled;
}

/* Returns -1. */
static int fail_accept(weir_listener *listener, int number)
{
    const char *name = listener->sockets[0].text;
    if (number == ETIMEDOUT)
        return weir__fail_deadline("accept", name);
    if (number == ECANCELED)
        return weir__fail_cancelled("accept", name);
    return weir__fail_system(number, "accept", name);
}

static int accept_client(weir_listener *listener)
{
    int64_t deadline = weir_deadline(listener->timeout);
    for (;;) {
        int client = accept_any(listener);
        if (client >= 0)
            return client;
        if (errno != EAGAIN)
            return fail_accept(listener, errno);
        if (weir__several_wait(listener->several, WEIR__READABLE, deadline, is_cancelled, listener) < 0)
            return fail_accept(listener, errno);
        if (listener->cancelled)
            return fail_accept(listener, ECANCELED);
    }
}

/* Takes the descriptor. Its handshake is made by its first call: whoever accepts waits for nobody. */
static weir_conn *make_client(const weir_listener *listener, int client)
{
    weir_conn *conn = weir__conn_new(client, listener->scheme, false);
    if (conn == NULL)
        weir__system()->close(client);
    if (conn == NULL || listener->tls == NULL || weir__tls_attach(conn, listener->tls, true) == 0)
        return conn;
    weir_close(conn);
    return NULL;
}

weir_conn *weir_accept(weir_listener *listener)
{
    if (atomic_exchange(&listener->busy, true)) {
        weir__fail_busy("accept", listener->sockets[0].text);
        return NULL;
    }
    listener->cancelled = false;
    int client = accept_client(listener);
    listener->busy = false;
    if (client < 0)
        return NULL;
    if (listener->scheme == WEIR_SCHEME_UNIX) /* which does not take over its listener's, as TCP does */
        weir__socket_setup(client, false, &listener->options);
    return make_client(listener, client);
}

void weir_listener_cancel(weir_listener *listener)
{
    if (!listener->busy)
        return;
    listener->cancelled = true;
    weir__several_wake(listener->several);
}

void weir_listener_set_timeout(weir_listener *listener, int64_t timeout)
{
    listener->timeout = timeout;
}

/* --- the rest --- */

size_t weir_listener_count(const weir_listener *listener)
{
    return listener->count;
}

const char *weir_listener_endpoint(const weir_listener *listener, size_t index)
{
    return index < listener->count ? listener->sockets[index].text : NULL;
}

/* They stop listening at once; a backend may hold on to a descriptor for a while. */
void weir_listener_close(weir_listener *listener)
{
    if (listener == NULL)
        return;
    for (size_t i = 0; i < listener->count; i++) {
        const struct weir__listen_socket *one = &listener->sockets[i].socket;
        weir__unix_unlink(&one->address, &one->file);
        weir__system()->shutdown(one->fd, SHUT_RDWR);
    }
    weir__several_close(listener->several);
    weir__tls_drop(listener->tls);
    free(listener);
}

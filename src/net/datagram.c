/* Datagram sockets: bound to an address, and sending to one. */
#include <weir/datagram.h>

#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/text.h"
#include "net/conn.h"
#include "net/listen.h"
#include "net/options.h"

/* Takes the socket: it is closed, and its file removed, if there is no memory. */
static weir_conn *make_conn(const weir_endpoint *endpoint, struct weir__listen_socket *bound)
{
    weir_conn *conn = weir__conn_new(bound->fd, endpoint->scheme, true);
    if (conn == NULL) {
        weir__listen_close(bound, 1);
        return NULL;
    }
    if (bound->file.inode == 0)
        return conn;
    struct weir__conn_rare *rare = weir__conn_rare(conn);
    if (rare != NULL) {
        rare->bound = bound->address;
        rare->file = bound->file;
        return conn;
    }
    weir__unix_unlink(&bound->address, &bound->file);
    weir_close(conn);
    return NULL;
}

/* One socket has one address: of loopback it is IPv4's. */
static int bind_one(weir_endpoint *endpoint, const weir_bind_options *options, struct weir__listen_socket *bound)
{
    const weir_listen_options listen_options = {.unix_mode = options->unix_mode, .socket = options->socket};
    if (!endpoint->datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "bind", endpoint->text, "it is not for datagrams");
    if (endpoint->host_kind == WEIR_HOST_DEFAULT && endpoint->scheme != WEIR_SCHEME_UNIX) {
        endpoint->host_kind = WEIR_HOST_ADDRESS;
        weir__copy_text(endpoint->host, "127.0.0.1", sizeof endpoint->host);
    }
    return weir__listen_sockets(endpoint, &listen_options, bound, 1);
}

weir_conn *weir_bind(const char *text, const weir_bind_options *options)
{
    weir_bind_options known;
    weir_endpoint endpoint;
    struct weir__listen_socket bound;
    if (weir__known_options(&known, sizeof known, options, "bind") < 0 ||
        weir_parse_endpoint(text, known.scheme != NULL ? known.scheme : "udp", &endpoint) < 0 ||
        bind_one(&endpoint, &known, &bound) < 0)
        return NULL;
    return make_conn(&endpoint, &bound);
}

ssize_t weir_sendto(weir_conn *conn, const void *data, size_t size, int flags, const weir_address *to)
{
    struct iovec vector = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (to != NULL && to->length > 0) {
        message.msg_name = (void *)(uintptr_t)&to->any;
        message.msg_namelen = to->length;
    }
    if (weir__conn_enter(conn, WEIR__WRITABLE, "send") < 0)
        return -1;
    ssize_t length = weir__conn_send_message(conn, &message, flags);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return length;
}

/*
 * Sockets that listen, and bound datagram sockets: an endpoint's, all on one port and nobody else's.
 *
 * Exclusive: a first socket is bound and listens without SO_REUSEPORT, so that whoever has the port already, or takes it at
 * the same moment, is noticed: with SO_REUSEADDR alone two may bind, but one may listen. SO_REUSEPORT is set on it later, when
 * a sibling is to join: the kernel looks at what is set then (tried on Linux 6.18: siblings get their share, and a
 * stranger still gets EADDRINUSE).
 */
#include "net/listen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/system.h"
#include "base/text.h"
#include "net/address.h"
#include "net/conn.h"
#include "net/resolve.h"

enum { BACKLOG = 4096, UNIX_MODE = 0600, PORT_TRIES = 100 };

/* What is being opened. */
struct opening {
    const weir_endpoint *endpoint;
    const weir_listen_options *options;
    struct weir__listen_socket *sockets;
    size_t most, count;
};

static int set_option(int fd, int level, int name, int value)
{
    return weir__system()->setsockopt(fd, level, name, &value, sizeof value);
}

static int get_option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return weir__system()->getsockopt(fd, level, name, &value, &length) < 0 ? -1 : value;
}

/* SO_REUSEADDR lets TCP bind beside connections in TIME_WAIT; for UDP it would let anybody in. */
static int new_socket(int family, bool datagram, bool both_families, const weir_socket_options *options)
{
    int type = datagram ? SOCK_DGRAM : SOCK_STREAM;
    int fd = weir__system()->socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    bool tcp = !datagram && family != AF_UNIX;
    if ((tcp && set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0) ||
        (family == AF_INET6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !both_families) < 0)) {
        int number = errno;
        weir__system()->close(fd);
        errno = number;
        return -1;
    }
    weir__socket_setup(fd, tcp, options);
    return fd;
}

static int backlog_of(const weir_listen_options *options)
{
    return options->backlog > 0 ? options->backlog : BACKLOG;
}

static int bind_socket(struct weir__listen_socket *one, const weir_listen_options *options)
{
    if (one->address.any.sa_family != AF_UNIX)
        return weir__system()->bind(one->fd, &one->address.any, one->address.length);
    mode_t mode = options->unix_mode ? (mode_t)options->unix_mode : UNIX_MODE;
    return weir__unix_bind(one->fd, &one->address, mode, &one->file);
}

static int bind_and_listen(const struct opening *opening, struct weir__listen_socket *one)
{
    if (bind_socket(one, opening->options) < 0)
        return -1;
    if (!opening->endpoint->datagram && weir__system()->listen(one->fd, backlog_of(opening->options)) < 0)
        return -1;
    one->address.length = sizeof one->address.local;
    return weir__system()->getsockname(one->fd, &one->address.any, &one->address.length);
}

/* Opens one socket and adds it. 0, or -1 and errno. */
static int open_one(struct opening *opening, const weir_address *address, bool any)
{
    bool datagram = opening->endpoint->datagram;
    struct weir__listen_socket *one = &opening->sockets[opening->count];
    *one = (struct weir__listen_socket){.any = any, .address = *address};
    one->fd = new_socket(address->any.sa_family, datagram, any, &opening->options->socket);
    if (one->fd < 0)
        return -1;
    if (bind_and_listen(opening, one) == 0) {
        opening->count++;
        return 0;
    }
    int number = errno;
    weir__unix_unlink(address, &one->file);
    weir__system()->close(one->fd);
    errno = number;
    return -1;
}

/* Whether an address cannot be had because the machine does not have its family. */
static bool family_missing(int number)
{
    return number == EAFNOSUPPORT || number == EADDRNOTAVAIL;
}

static int open_any(struct opening *opening)
{
    weir_address address;
    weir__numeric_address("::", 2, opening->endpoint->port, &address);
    if (open_one(opening, &address, true) == 0)
        return 0;
    if (!family_missing(errno))
        return -1;
    weir__numeric_address("0.0.0.0", 7, opening->endpoint->port, &address);
    return open_one(opening, &address, true);
}

/* One after the other; where the system chooses the port, it chooses it for the first. 0, or -1 and errno. */
static int open_list(struct opening *opening, const struct weir__resolved *resolved)
{
    int missing = 0;
    for (size_t i = 0; i < resolved->count && opening->count < opening->most; i++) {
        weir_address address = resolved->list[i];
        if (opening->endpoint->port == 0 && opening->count > 0)
            weir__set_port(&address, (uint16_t)weir_address_port(&opening->sockets[0].address));
        if (open_one(opening, &address, false) == 0)
            continue;
        missing = errno;
        if (!weir_address_is_loopback(&address) || !family_missing(missing))
            return -1;
    }
    errno = missing;
    return opening->count > 0 ? 0 : -1;
}

/* The port that the system chose for the first may be another's at the next: then it is asked for another. */
static int open_resolved(struct opening *opening, const struct weir__resolved *resolved)
{
    for (int tries = 1;; tries++) {
        if (open_list(opening, resolved) == 0)
            return 0;
        int number = errno;
        bool again = number == EADDRINUSE && opening->endpoint->port == 0 && opening->count > 0 && tries < PORT_TRIES;
        weir__listen_close(opening->sockets, opening->count);
        opening->count = 0;
        errno = number;
        if (!again)
            return -1;
    }
}

static int open_local(struct opening *opening)
{
    weir_address address;
    const weir_endpoint *endpoint = opening->endpoint;
    if (weir__local_address(endpoint->abstract, endpoint->path, strlen(endpoint->path), &address) < 0)
        return -1;
    return open_one(opening, &address, false);
}

int weir__listen_sockets(const weir_endpoint *endpoint, const weir_listen_options *options,
                         struct weir__listen_socket *sockets, size_t most)
{
    static const weir_listen_options defaults;
    struct opening opening = {endpoint, options ? options : &defaults, sockets, most, 0};
    const char *step = endpoint->datagram ? "bind" : "listen";
    int result;
    if (endpoint->scheme == WEIR_SCHEME_UNIX) {
        result = open_local(&opening);
    } else if (endpoint->host_kind == WEIR_HOST_ANY) {
        result = open_any(&opening);
    } else {
        struct weir__resolved *resolved = weir__resolve(endpoint, 0, WEIR_FOREVER);
        if (resolved == NULL)
            return -1;
        result = open_resolved(&opening, resolved);
        free(resolved);
    }
    return result < 0 ? weir__fail_system(errno, step, endpoint->text) : (int)opening.count;
}

/* --- siblings --- */

static int open_sibling(int fd, const weir_address *address, const weir_listen_options *options)
{
    int type = get_option(fd, SOL_SOCKET, SO_TYPE);
    int one_family = address->any.sa_family == AF_INET6 ? get_option(fd, IPPROTO_IPV6, IPV6_V6ONLY) : 1;
    if (type < 0 || one_family < 0)
        return -1;
    bool datagram = type == SOCK_DGRAM;
    int sibling = new_socket(address->any.sa_family, datagram, !one_family, &options->socket);
    if (sibling < 0)
        return -1;
    if (set_option(sibling, SOL_SOCKET, SO_REUSEPORT, 1) == 0 &&
        weir__system()->bind(sibling, &address->any, address->length) == 0 &&
        (datagram || weir__system()->listen(sibling, backlog_of(options)) == 0))
        return sibling;
    int number = errno;
    weir__system()->close(sibling);
    errno = number;
    return -1;
}

int weir__listen_sibling(int fd, const weir_listen_options *options)
{
    static const weir_listen_options defaults;
    weir_address address = {.length = sizeof address.local};
    if (weir__system()->getsockname(fd, &address.any, &address.length) < 0 ||
        set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0)
        return -1;
    return open_sibling(fd, &address, options ? options : &defaults);
}

/* --- the end --- */

void weir__listen_close(struct weir__listen_socket *sockets, size_t count)
{
    int number = errno;
    for (size_t i = 0; i < count; i++) {
        weir__unix_unlink(&sockets[i].address, &sockets[i].file);
        weir__system()->shutdown(sockets[i].fd, SHUT_RDWR); /* of a datagram socket an error */
        weir__system()->close(sockets[i].fd);
    }
    errno = number;
}

char *weir__listen_text(const weir_endpoint *endpoint, const struct weir__listen_socket *one, char *text, size_t size)
{
    struct weir__text written = weir__text(text, size);
    if (endpoint->scheme == WEIR_SCHEME_UNIX) {
        weir__text_put(&written, endpoint->text);
        return text;
    }
    if (!one->any)
        return weir_endpoint_text(endpoint->scheme, endpoint->datagram, &one->address, text, size);
    weir__text_put(&written, weir_scheme_name(endpoint->scheme));
    weir__text_put(&written, "://*:");
    weir__text_put_number(&written, weir_address_port(&one->address));
    return text;
}

/* Sockets that systemd opened for this process. */
#include "server/inherited.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "net/address.h"
#include "net/resolve.h"

enum { FIRST_INHERITED = 3, MOST_INHERITED = 64 };

static atomic_bool taken[MOST_INHERITED];

static long number_of(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;
    long number = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end ? number : 0;
}

/* How many there are. They are somebody else's if LISTEN_PID says so. */
static int inherited_count(void)
{
    if (number_of("LISTEN_PID") != (long)weir__system()->getpid())
        return 0;
    long count = number_of("LISTEN_FDS");
    return count < 0 ? 0 : count > MOST_INHERITED ? MOST_INHERITED : (int)count;
}

static int option_of(int fd, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return weir__system()->getsockopt(fd, SOL_SOCKET, name, &value, &length) < 0 ? -1 : value;
}

/* A datagram socket, or a stream that listens: what the endpoint wants. */
static bool has_kind(int fd, bool datagram)
{
    if (datagram)
        return option_of(fd, SO_TYPE) == SOCK_DGRAM;
    return option_of(fd, SO_TYPE) == SOCK_STREAM && option_of(fd, SO_ACCEPTCONN) == 1;
}

static bool is_any(const weir_address *address)
{
    if (address->any.sa_family == AF_INET)
        return address->ipv4.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(&address->ipv6.sin6_addr);
}

/* Whether one of a name's addresses is this one. */
static bool resolves_to(const weir_endpoint *endpoint, const weir_address *address)
{
    struct weir__resolved *resolved = weir__resolve(endpoint, 0, WEIR_FOREVER);
    bool found = false;
    for (size_t i = 0; resolved && i < resolved->count && !found; i++)
        found = weir_address_equal(&resolved->list[i], address);
    free(resolved);
    return found;
}

static bool host_is(const weir_endpoint *endpoint, const weir_address *address)
{
    weir_address wanted;
    switch (endpoint->host_kind) {
    case WEIR_HOST_DEFAULT:
        return weir_address_is_loopback(address);
    case WEIR_HOST_ANY:
        return is_any(address);
    case WEIR_HOST_ADDRESS:
        return weir__numeric_address(endpoint->host, strlen(endpoint->host), endpoint->port, &wanted) == 0 &&
               weir_address_equal(&wanted, address);
    default:
        return resolves_to(endpoint, address);
    }
}

static bool is_what(const weir_endpoint *endpoint, const weir_address *address)
{
    weir_address wanted;
    if (endpoint->scheme == WEIR_SCHEME_UNIX)
        return weir__local_address(endpoint->abstract, endpoint->path, strlen(endpoint->path), &wanted) == 0 &&
               weir_address_equal(&wanted, address);
    return address->any.sa_family != AF_UNIX && weir_address_port(address) == endpoint->port &&
           host_is(endpoint, address);
}

static bool take(int i, const weir_endpoint *endpoint, struct weir__listen_socket *one)
{
    const struct weir__system *system = weir__system();
    int fd = FIRST_INHERITED + i;
    *one = (struct weir__listen_socket){.fd = fd,
                                        .address = {.length = sizeof one->address - offsetof(weir_address, any)}};
    if (atomic_load(&taken[i]) || system->getsockname(fd, &one->address.any, &one->address.length) < 0 ||
        !has_kind(fd, endpoint->datagram) || !is_what(endpoint, &one->address))
        return false;
    if (atomic_exchange(&taken[i], true))
        return false;
    one->any = one->address.any.sa_family == AF_INET6 && is_any(&one->address);
    system->fcntl(fd, F_SETFD, FD_CLOEXEC);
    system->fcntl(fd, F_SETFL, system->fcntl(fd, F_GETFL, 0) | O_NONBLOCK);
    return true;
}

int weir__inherited_take(const weir_endpoint *endpoint, struct weir__listen_socket *sockets, size_t most)
{
    int count = inherited_count();
    size_t found = 0;
    for (int i = 0; i < count && found < most; i++)
        found += take(i, endpoint, &sockets[found]);
    return (int)found;
}

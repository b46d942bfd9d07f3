/* The addresses of this process' own datagram sockets. */
#include "server/own.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/system.h"
#include "net/address.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weir_address *addresses;
static size_t count;

/* How many of them may have a port, by its low byte, so that the usual "none of ours" is one load; Unix sockets count as port 0. */
static atomic_uint ports[256];

int weir__own_add(const weir_address *address)
{
    pthread_mutex_lock(&lock);
    weir_address *larger = realloc(addresses, (count + 1) * sizeof *addresses);
    if (larger) {
        addresses = larger;
        addresses[count++] = *address;
        atomic_fetch_add(&ports[weir_address_port(address) & 255], 1);
    }
    pthread_mutex_unlock(&lock);
    return larger ? 0 : -1;
}

void weir__own_remove(const weir_address *address)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        if (!weir_address_equal(&addresses[i], address))
            continue;
        addresses[i] = addresses[--count];
        atomic_fetch_sub(&ports[weir_address_port(address) & 255], 1);
        break;
    }
    if (!count) {
        free(addresses);
        addresses = NULL;
    }
    pthread_mutex_unlock(&lock);
}

/* The IPv4 address inside of one mapped into IPv6; others as they are. */
static weir_address unmapped(const weir_address *address)
{
    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->ipv6.sin6_addr))
        return *address;
    weir_address ipv4 = {.length = sizeof ipv4.ipv4};
    ipv4.ipv4.sin_family = AF_INET;
    ipv4.ipv4.sin_port = address->ipv6.sin6_port;
    __builtin_memcpy(&ipv4.ipv4.sin_addr, address->ipv6.sin6_addr.s6_addr + 12, 4);
    return ipv4;
}

/* Only what is this machine's can be bound to; the kernel knows better than any list that we could keep. */
static bool is_local(const weir_address *address)
{
    if (weir_address_is_loopback(address))
        return true;
    weir_address any_port = *address;
    weir__set_port(&any_port, 0);
    int fd = weir__system()->socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known: rather no answer than a loop */
    int bound = weir__system()->bind(fd, &any_port.any, any_port.length);
    weir__system()->close(fd);
    return bound == 0;
}

static bool is_same(const weir_address *own, const weir_address *address)
{
    weir_address a = unmapped(own), b = unmapped(address);
    if (weir_address_equal(&a, &b))
        return true;
    return weir__address_is_any(own) && weir_address_port(own) == weir_address_port(&b) && b.any.sa_family != AF_UNIX &&
           is_local(&b);
}

bool weir__own_has(const weir_address *address)
{
    bool found = false;
    if (!atomic_load_explicit(&ports[weir_address_port(address) & 255], memory_order_relaxed))
        return false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && !found; i++)
        found = is_same(&addresses[i], address);
    pthread_mutex_unlock(&lock);
    return found;
}

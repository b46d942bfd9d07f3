/* Which socket has which address: binding and choosing ports as Linux does, and the search for who is bound. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/sim/address.h"

/* What the system chooses from: Linux's ip_local_port_range. */
enum { FIRST_PORT = 32768, PORTS = 60999 - FIRST_PORT + 1 };

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path), FAMILY_ALONE = sizeof(sa_family_t) };

/* --- who gets in whose way --- */

static bool is_internet(const struct weir__sim_binding *binding)
{
    return binding->family != AF_UNIX;
}

/* Whether a wildcard stands for an address: 0.0.0.0 for all of IPv4, :: for all of IPv6 and unless told otherwise of IPv4. */
static bool stands_for(const struct weir__sim_binding *binding, const struct weir__sim_spot *any,
                       const struct weir__sim_spot *one)
{
    return any->any && (any->ip4 == one->ip4 || (!any->ip4 && !binding->only6));
}

static bool overlap(const struct weir__sim_binding *one, const struct weir__sim_binding *other)
{
    struct weir__sim_spot a = weir__sim_spot(&one->address.any), b = weir__sim_spot(&other->address.any);
    if (a.port != b.port || a.port == 0)
        return false;
    return stands_for(one, &a, &b) || stands_for(other, &b, &a) || IN6_ARE_ADDR_EQUAL(&a.ip, &b.ip);
}

static bool may_share(const struct weir__sim_binding *one, const struct weir__sim_binding *other)
{
    bool beside = one->reuse_address && other->reuse_address && !other->listening;
    return beside || (one->reuse_port && other->reuse_port);
}

bool weir__sim_in_the_way(const struct weir__sim_binding *binding)
{
    const struct weir_sim_host *host = binding->object->host;
    const struct weir__list *link;
    weir__list_each(link, &host->bound)
    {
        const struct weir__sim_binding *other = weir__list_entry(link, struct weir__sim_binding, link);
        if (other != binding && is_internet(other) && other->datagram == binding->datagram && overlap(binding, other) &&
            !may_share(binding, other))
            return true;
    }
    return false;
}

/* --- ports --- */

static bool port_taken(const struct weir_sim_host *host, uint16_t port, bool datagram)
{
    const struct weir__list *link;
    weir__list_each(link, &host->bound)
    {
        const struct weir__sim_binding *other = weir__list_entry(link, struct weir__sim_binding, link);
        if (is_internet(other) && other->datagram == datagram && weir__sim_spot(&other->address.any).port == port)
            return true;
    }
    return false;
}

/* A port that nobody of the host has; 0: there is none. The search begins somewhere, as the seed decides, and goes on from there. */
static uint16_t free_port(struct weir_sim_host *host, bool datagram)
{
    if (host->next_port == 0)
        host->next_port = (uint16_t)(FIRST_PORT + weir__sim_below(PORTS));
    for (int tries = 0; tries < PORTS; tries++) {
        uint16_t port = host->next_port++;
        if (host->next_port >= FIRST_PORT + PORTS)
            host->next_port = FIRST_PORT;
        if (!port_taken(host, port, datagram))
            return port;
    }
    return 0;
}

/* --- binding --- */

void weir__sim_binding_init(struct weir__sim_binding *binding, struct weir__sim_object *object, int family,
                            bool datagram)
{
    *binding = (struct weir__sim_binding){.object = object, .family = family, .datagram = datagram};
    weir__list_init(&binding->link);
}

static int fail(int number)
{
    errno = number;
    return -1;
}

static void enlist(struct weir__sim_binding *binding)
{
    if (weir__list_empty(&binding->link))
        weir__list_push_back(&binding->object->host->bound, &binding->link);
}

void weir__sim_bind_as(struct weir__sim_binding *binding, const struct sockaddr *address, socklen_t length)
{
    if (!is_internet(binding)) {
        binding->length = weir__sim_plain_address(address, length, &binding->address);
        return; /* it is its listener that is found by the name */
    }
    struct weir__sim_spot spot = weir__sim_spot(address);
    binding->length = weir__sim_spot_address(&spot, binding->family, &binding->address);
    enlist(binding);
}

static int bind_internet(struct weir__sim_binding *binding, const struct sockaddr *address)
{
    struct weir_sim_host *host = binding->object->host;
    struct weir__sim_spot spot = weir__sim_spot(address);
    bool later = spot.port == 0 && binding->no_port;
    if (binding->only6 && spot.ip4 && address->sa_family == AF_INET6)
        return fail(EINVAL);
    if (!weir__sim_spot_is_own(host, &spot))
        return fail(EADDRNOTAVAIL);
    if (spot.port == 0 && !later && (spot.port = free_port(host, binding->datagram)) == 0)
        return fail(EADDRINUSE);
    binding->length = weir__sim_spot_address(&spot, binding->family, &binding->address);
    if (weir__sim_in_the_way(binding)) {
        binding->length = 0;
        return fail(EADDRINUSE);
    }
    enlist(binding);
    return 0;
}

/* Five digits that nobody else has in this run, as Linux makes them up. */
static socklen_t invent_name(const struct weir__sim_binding *binding, union weir__sim_address *name)
{
    char digits[6];
    snprintf(digits, sizeof digits, "%05x", (unsigned)(binding->object->number & 0xfffff));
    memcpy(name->local.sun_path + 1, digits, 5);
    return PATH_AT + 1 + 5;
}

static int bind_path(struct weir__sim_binding *binding, const union weir__sim_address *address, const char *path)
{
    if (weir__sim_files_bind(binding->object->host, path, binding->object) < 0)
        return -1;
    binding->address = *address;
    binding->length = (socklen_t)(PATH_AT + strlen(path) + 1);
    enlist(binding);
    return 0;
}

static struct weir__sim_binding *abstract_one(const struct weir_sim_host *host, const union weir__sim_address *name,
                                              socklen_t length)
{
    const struct weir__list *link;
    weir__list_each(link, &host->bound)
    {
        struct weir__sim_binding *one = weir__list_entry(link, struct weir__sim_binding, link);
        if (one->family == AF_UNIX && one->length == length && memcmp(&one->address, name, length) == 0)
            return one;
    }
    return NULL;
}

static int bind_abstract(struct weir__sim_binding *binding, const union weir__sim_address *name, socklen_t length)
{
    if (abstract_one(binding->object->host, name, length))
        return fail(EADDRINUSE);
    binding->address = *name;
    binding->length = length;
    enlist(binding);
    return 0;
}

static int bind_local(struct weir__sim_binding *binding, const struct sockaddr *address, socklen_t length)
{
    union weir__sim_address wanted;
    char path[sizeof wanted.local.sun_path + 1];
    if (length > sizeof wanted.local)
        return fail(EINVAL);
    weir__sim_plain_address(address, length, &wanted);
    if (weir__sim_path_of(&wanted, length, path))
        return bind_path(binding, &wanted, path);
    if (length == FAMILY_ALONE)
        length = invent_name(binding, &wanted);
    return bind_abstract(binding, &wanted, length);
}

int weir__sim_bind(struct weir__sim_binding *binding, const struct sockaddr *address, socklen_t length)
{
    socklen_t least = binding->family == AF_INET ? sizeof binding->address.ip4 : sizeof binding->address.ip6;
    if (binding->length || length < FAMILY_ALONE || (is_internet(binding) && length < least))
        return fail(EINVAL);
    if (address->sa_family != binding->family)
        return fail(is_internet(binding) ? EAFNOSUPPORT : EINVAL);
    if (length > FAMILY_ALONE && weir__sim_strikes(WEIR_SIM_ADDRESS))
        return fail(EADDRINUSE);
    return is_internet(binding) ? bind_internet(binding, address) : bind_local(binding, address, length);
}

int weir__sim_bind_towards(struct weir__sim_binding *binding, const struct sockaddr *peer)
{
    if (!is_internet(binding))
        return 0;
    struct weir_sim_host *host = binding->object->host;
    struct weir__sim_spot to = weir__sim_spot(peer), own = weir__sim_spot_source(host, &to);
    if (binding->length) {
        struct weir__sim_spot before = weir__sim_spot(&binding->address.any);
        own.port = before.port;
        if (!before.any)
            own = before;
    }
    if (own.ip4 != to.ip4 || (to.ip4 && binding->only6))
        return fail(ENETUNREACH);
    if (own.port == 0 && (own.port = free_port(host, binding->datagram)) == 0)
        return fail(EADDRNOTAVAIL);
    binding->length = weir__sim_spot_address(&own, binding->family, &binding->address);
    enlist(binding);
    return 0;
}

void weir__sim_unbind(struct weir__sim_binding *binding)
{
    char path[sizeof binding->address.local.sun_path + 1];
    if (!weir__list_empty(&binding->link) && weir__sim_path_of(&binding->address, binding->length, path))
        weir__sim_files_forget(binding->object->host, binding->object);
    weir__list_remove(&binding->link);
    binding->length = 0;
}

/* --- who is it --- */

/* How well what is bound fits an address: 0 is not at all. */
static int fit(const struct weir__sim_binding *binding, const struct weir__sim_spot *to)
{
    struct weir__sim_spot own = weir__sim_spot(&binding->address.any);
    if (own.port != to->port)
        return 0;
    if (IN6_ARE_ADDR_EQUAL(&own.ip, &to->ip))
        return 3;
    return !stands_for(binding, &own, to) ? 0 : own.ip4 == to->ip4 ? 2 : 1;
}

static struct weir__sim_binding *find_internet(struct weir_sim_host *host, const struct weir__sim_spot *to,
                                               bool datagram)
{
    struct weir__sim_binding *best = NULL;
    int best_fit = 1;
    uint64_t equals = 0;
    struct weir__list *link;
    weir__list_each(link, &host->bound)
    {
        struct weir__sim_binding *one = weir__list_entry(link, struct weir__sim_binding, link);
        int one_fit = is_internet(one) && one->datagram == datagram && (datagram || one->listening) ? fit(one, to) : 0;
        if (one_fit < best_fit)
            continue;
        equals = one_fit == best_fit ? equals + 1 : 1;
        if (equals == 1 || weir__sim_below(equals) == 0)
            best = one;
        best_fit = one_fit;
    }
    return best;
}

static struct weir__sim_binding *binding_of(const struct weir_sim_host *host, const struct weir__sim_object *object)
{
    const struct weir__list *link;
    weir__list_each(link, &host->bound)
    {
        struct weir__sim_binding *one = weir__list_entry(link, struct weir__sim_binding, link);
        if (one->object == object)
            return one;
    }
    return NULL;
}

static struct weir__sim_binding *named_one(struct weir_sim_host *host, const union weir__sim_address *name,
                                           socklen_t length)
{
    char path[sizeof name->local.sun_path + 1];
    errno = ECONNREFUSED;
    if (!weir__sim_path_of(name, length, path))
        return abstract_one(host, name, length);
    struct weir__sim_object *object = weir__sim_files_socket(host, path);
    return object ? binding_of(host, object) : NULL;
}

struct weir__sim_binding *weir__sim_find_local(struct weir_sim_host *host, const struct sockaddr *address,
                                               socklen_t length, bool datagram)
{
    union weir__sim_address name;
    weir__sim_plain_address(address, length, &name);
    struct weir__sim_binding *one = named_one(host, &name, length);
    if (one && (one->datagram != datagram || (!datagram && !one->listening))) {
        errno = one->datagram != datagram ? EPROTOTYPE : ECONNREFUSED;
        return NULL;
    }
    return one;
}

struct weir__sim_binding *weir__sim_find(struct weir_sim_host *host, const struct sockaddr *address, bool datagram)
{
    struct weir__sim_spot to = weir__sim_spot(address);
    return find_internet(host, &to, datagram);
}

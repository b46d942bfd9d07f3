/* Addresses: of both families as one kind, whose they are, and their text. */
#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"
#include "engine/sim/address.h"

/* --- families --- */

static struct in6_addr mapped(struct in_addr ip4)
{
    struct in6_addr ip = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&ip.s6_addr[12], &ip4, sizeof ip4);
    return ip;
}

static struct in_addr unmapped(const struct in6_addr *ip)
{
    struct in_addr ip4;
    memcpy(&ip4, &ip->s6_addr[12], sizeof ip4);
    return ip4;
}

struct weir__sim_spot weir__sim_spot(const struct sockaddr *address)
{
    struct weir__sim_spot spot;
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *ip4 = (const struct sockaddr_in *)address;
        spot = (struct weir__sim_spot){.ip = mapped(ip4->sin_addr), .port = ntohs(ip4->sin_port)};
    } else {
        const struct sockaddr_in6 *ip6 = (const struct sockaddr_in6 *)address;
        spot = (struct weir__sim_spot){.ip = ip6->sin6_addr, .port = ntohs(ip6->sin6_port)};
    }
    spot.ip4 = IN6_IS_ADDR_V4MAPPED(&spot.ip);
    spot.any = spot.ip4 ? unmapped(&spot.ip).s_addr == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&spot.ip);
    return spot;
}

socklen_t weir__sim_spot_address(const struct weir__sim_spot *spot, int family, union weir__sim_address *address)
{
    memset(address, 0, sizeof *address);
    address->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        address->ip4.sin_addr = unmapped(&spot->ip);
        address->ip4.sin_port = htons(spot->port);
        return sizeof address->ip4;
    }
    address->ip6.sin6_addr = spot->ip;
    address->ip6.sin6_port = htons(spot->port);
    return sizeof address->ip6;
}

socklen_t weir__sim_plain_address(const struct sockaddr *address, socklen_t length, union weir__sim_address *plain)
{
    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        struct weir__sim_spot spot = weir__sim_spot(address);
        return weir__sim_spot_address(&spot, spot.ip4 ? AF_INET : AF_INET6, plain);
    }
    memset(plain, 0, sizeof *plain);
    if (length > sizeof *plain)
        length = sizeof *plain;
    memcpy(plain, address, length);
    return length;
}

/* --- whose they are --- */

static bool is_loopback(const struct weir__sim_spot *spot)
{
    return spot->ip4 ? spot->ip.s6_addr[12] == 127 : IN6_IS_ADDR_LOOPBACK(&spot->ip);
}

bool weir__sim_spot_is_own(const struct weir_sim_host *host, const struct weir__sim_spot *spot)
{
    if (spot->any || is_loopback(spot))
        return true;
    return spot->ip4 ? unmapped(&spot->ip).s_addr == host->ip4.s_addr : IN6_ARE_ADDR_EQUAL(&spot->ip, &host->ip6);
}

/* Towards itself a host uses the very address that it reaches; 127.0.0.1 towards all of 127.0.0.0/8. */
struct weir__sim_spot weir__sim_spot_source(const struct weir_sim_host *host, const struct weir__sim_spot *peer)
{
    struct weir__sim_spot source = {.ip4 = peer->ip4, .ip = peer->ip4 ? mapped(host->ip4) : host->ip6};
    if ((peer->any || is_loopback(peer)) && peer->ip4)
        source.ip = mapped((struct in_addr){htonl(INADDR_LOOPBACK)});
    else if (peer->any || is_loopback(peer))
        source.ip = in6addr_loopback;
    return source;
}

socklen_t weir__sim_source(const struct weir_sim_host *host, const struct sockaddr *peer,
                           union weir__sim_address *source)
{
    if (peer->sa_family != AF_INET && peer->sa_family != AF_INET6)
        return 0;
    struct weir__sim_spot to = weir__sim_spot(peer), from = weir__sim_spot_source(host, &to);
    return weir__sim_spot_address(&from, to.ip4 ? AF_INET : AF_INET6, source);
}

/* --- their text --- */

bool weir__sim_path_of(const union weir__sim_address *address, socklen_t length,
                       char path[sizeof address->local.sun_path + 1])
{
    const char *name = address->local.sun_path;
    if (address->any.sa_family != AF_UNIX || length <= offsetof(struct sockaddr_un, sun_path) || *name == '\0')
        return false;
    memcpy(path, name, sizeof address->local.sun_path);
    path[sizeof address->local.sun_path] = '\0';
    return true;
}

/* "unix:/path", "@name", "unix:" for one without a name. */
static void local_text(const union weir__sim_address *address, socklen_t length, struct weir__text *text)
{
    char path[sizeof address->local.sun_path + 1];
    size_t name = length > offsetof(struct sockaddr_un, sun_path) ? length - offsetof(struct sockaddr_un, sun_path) : 0;
    if (weir__sim_path_of(address, length, path) || name == 0) {
        weir__text_put(text, "unix:");
        weir__text_put(text, name ? path : "");
        return;
    }
    weir__text_put_char(text, '@');
    weir__text_put_bytes(text, address->local.sun_path + 1, name - 1);
}

void weir__sim_address_text(const struct sockaddr *address, socklen_t length, char *text, size_t size)
{
    struct weir__text written = weir__text(text, size);
    char digits[INET6_ADDRSTRLEN];
    union weir__sim_address plain;
    if (length < sizeof(sa_family_t))
        return;
    weir__sim_plain_address(address, length, &plain);
    bool ip4 = plain.any.sa_family == AF_INET;
    if (!ip4 && plain.any.sa_family != AF_INET6) {
        local_text(&plain, length, &written);
        return;
    }
    inet_ntop(plain.any.sa_family, ip4 ? (void *)&plain.ip4.sin_addr : (void *)&plain.ip6.sin6_addr, digits,
              sizeof digits);
    weir__text_put(&written, ip4 ? "" : "[");
    weir__text_put(&written, digits);
    weir__text_put(&written, ip4 ? ":" : "]:");
    weir__text_put_number(&written, ntohs(ip4 ? plain.ip4.sin_port : plain.ip6.sin6_port));
}

int weir__sim_copy_address(const void *from, socklen_t from_length, struct sockaddr *address, socklen_t *length)
{
    if (address && length) {
        memcpy(address, from, *length < from_length ? *length : from_length);
        *length = from_length;
    }
    return 0;
}

int weir__sim_local_name(const struct weir__sim_binding *binding, struct sockaddr *address, socklen_t *length)
{
    union weir__sim_address nothing = {.any.sa_family = (sa_family_t)binding->family};
    if (binding->length)
        return weir__sim_copy_address(&binding->address, binding->length, address, length);
    socklen_t size = binding->family == AF_INET    ? sizeof nothing.ip4
                     : binding->family == AF_INET6 ? sizeof nothing.ip6
                                                   : sizeof(sa_family_t);
    return weir__sim_copy_address(&nothing, size, address, length);
}

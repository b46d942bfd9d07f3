/* Where datagrams were sent to, as the kernel tells it (IP_PKTINFO, IPV6_PKTINFO), and how it is told to answer from there. */
#include "server/destination.h"

#include <string.h>

#include "base/system.h"
#include "net/address.h"
#include "net/batch.h"

/* --- asking --- */

static bool switch_on(int fd, int level, int name)
{
    int on = 1;
    return weir__system()->setsockopt(fd, level, name, &on, sizeof on) == 0;
}

/* A socket for IPv6 that has IPv4 too tells more of IPv4 if asked as one of it. */
bool weir__destination_ask(int fd, const weir_address *bound)
{
    if (!weir__address_is_any(bound) && !weir__address_is_group(bound))
        return false;
    bool ipv6 = bound->any.sa_family == AF_INET6 && switch_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    bool ipv4 = switch_on(fd, IPPROTO_IP, IP_PKTINFO);
    return ipv4 || ipv6;
}

/* --- what was told --- */

static bool is_group_ipv4(struct in_addr address)
{
    weir_address one = {.length = sizeof one.ipv4, .ipv4 = {.sin_family = AF_INET, .sin_addr = address}};
    return weir__address_is_group(&one);
}

static bool is_group_ipv6(const struct in6_addr *address)
{
    weir_address one = {.length = sizeof one.ipv6, .ipv6 = {.sin6_family = AF_INET6, .sin6_addr = *address}};
    return weir__address_is_group(&one);
}

static void answer_from(struct weir__destination *destination, int level, int type, const void *info, size_t size)
{
    struct cmsghdr *header = (struct cmsghdr *)destination->control;
    memset(destination->control, 0, sizeof destination->control);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), info, size);
    destination->length = CMSG_SPACE(size);
}

/*
 * ipi_addr is the destination, ipi_spec_dst the address of this machine that it stands for: another one if it is the
 * broadcast address of a network; none if the datagram had come before the kernel was asked.
 */
static void take_ipv4(struct weir__destination *destination, const struct in_pktinfo *told)
{
    struct in_pktinfo from = {.ipi_spec_dst = told->ipi_spec_dst};
    bool known = told->ipi_spec_dst.s_addr != htonl(INADDR_ANY);
    destination->group = is_group_ipv4(told->ipi_addr) || (known && told->ipi_spec_dst.s_addr != told->ipi_addr.s_addr);
    if (!known && !destination->group)
        from.ipi_spec_dst = told->ipi_addr;
    if (known || !destination->group)
        answer_from(destination, IPPROTO_IP, IP_PKTINFO, &from, sizeof from);
}

/* The interface is the routing's to choose, but for an address that means nothing without one. */
static void take_ipv6(struct weir__destination *destination, const struct in6_pktinfo *told)
{
    struct in6_pktinfo from = *told;
    if (!IN6_IS_ADDR_LINKLOCAL(&told->ipi6_addr))
        from.ipi6_ifindex = 0;
    destination->group = is_group_ipv6(&told->ipi6_addr);
    if (!destination->group)
        answer_from(destination, IPPROTO_IPV6, IPV6_PKTINFO, &from, sizeof from);
}

/* Of IPv4 on a socket for both, the kernel tells both: then what it tells as IPv4 counts. */
void weir__destination_read(struct weir__destination *destination, struct msghdr *received)
{
    struct in_pktinfo ipv4;
    struct in6_pktinfo ipv6;
    bool has_ipv4 = false, has_ipv6 = false;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(received); c; c = CMSG_NXTHDR(received, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
            weir__control_whole(received, c, sizeof ipv4)) {
            memcpy(&ipv4, CMSG_DATA(c), sizeof ipv4);
            has_ipv4 = true;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
                   weir__control_whole(received, c, sizeof ipv6)) {
            memcpy(&ipv6, CMSG_DATA(c), sizeof ipv6);
            has_ipv6 = true;
        }
    }
    destination->group = false;
    destination->length = 0;
    if (has_ipv4)
        take_ipv4(destination, &ipv4);
    else if (has_ipv6)
        take_ipv6(destination, &ipv6);
}

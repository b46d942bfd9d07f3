/* IP_PKTINFO and IPV6_PKTINFO: where a datagram was sent to, and which address is to be sent from. */
#include <errno.h>
#include <string.h>

#include "engine/sim/datagram.h"

enum { LOOPBACK = 1, NETWORK = 2 }; /* interfaces */

/* What is being told. */
struct telling {
    char *next;
    size_t left;
    bool cut;
};

static void tell(struct telling *telling, int level, int type, const void *data, size_t size)
{
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    if (telling->left < CMSG_SPACE(size)) {
        telling->cut = true;
        return;
    }
    memset(telling->next, 0, CMSG_SPACE(size));
    memcpy(telling->next, &header, sizeof header);
    memcpy(telling->next + CMSG_LEN(0), data, size);
    telling->next += CMSG_SPACE(size);
    telling->left -= CMSG_SPACE(size);
}

static unsigned interface_of(const struct weir__sim_datagram *datagram)
{
    return datagram->from == datagram->to ? LOOPBACK : NETWORK;
}

static void tell4(struct telling *telling, const struct weir__sim_datagram *datagram)
{
    struct in_addr to = datagram->destination.ip4.sin_addr;
    struct in_pktinfo info = {.ipi_ifindex = (int)interface_of(datagram), .ipi_spec_dst = to, .ipi_addr = to};
    tell(telling, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

static void tell6(struct telling *telling, const struct weir__sim_datagram *datagram)
{
    union weir__sim_address to;
    weir__sim_in_family(AF_INET6, &datagram->destination, datagram->destination_length, &to);
    struct in6_pktinfo info = {.ipi6_addr = to.ip6.sin6_addr, .ipi6_ifindex = interface_of(datagram)};
    tell(telling, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

/* Of IPv4 on a socket for both, Linux tells both. */
void weir__sim_control_tell(const struct weir__sim_datagrams *socket, const struct weir__sim_datagram *datagram,
                            struct msghdr *message)
{
    struct telling telling = {message->msg_control, message->msg_control ? message->msg_controllen : 0, false};
    if (socket->tells6)
        tell6(&telling, datagram);
    if (socket->tells4 && datagram->destination.any.sa_family == AF_INET)
        tell4(&telling, datagram);
    if (telling.cut)
        message->msg_flags |= MSG_CTRUNC;
    message->msg_controllen = message->msg_control ? (size_t)(telling.next - (char *)message->msg_control) : 0;
}

static int source4(const void *data, union weir__sim_address *source)
{
    struct in_pktinfo info;
    memcpy(&info, data, sizeof info);
    source->ip4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = info.ipi_spec_dst};
    return info.ipi_spec_dst.s_addr == INADDR_ANY ? 0 : (int)sizeof source->ip4;
}

static int source6(const void *data, union weir__sim_address *source)
{
    struct in6_pktinfo info;
    union weir__sim_address told = {.ip6 = {.sin6_family = AF_INET6}};
    memcpy(&info, data, sizeof info);
    told.ip6.sin6_addr = info.ipi6_addr;
    if (IN6_IS_ADDR_UNSPECIFIED(&info.ipi6_addr))
        return 0;
    return (int)weir__sim_plain_address(&told.any, sizeof told.ip6, source);
}

int weir__sim_control_source(const struct msghdr *message, union weir__sim_address *source)
{
    struct msghdr *header = (struct msghdr *)(uintptr_t)message; /* CMSG_NXTHDR(3) has it so; it changes nothing */
    int length = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
            c->cmsg_len == CMSG_LEN(sizeof(struct in_pktinfo)))
            length = source4(CMSG_DATA(c), source);
        else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
                 c->cmsg_len == CMSG_LEN(sizeof(struct in6_pktinfo)))
            length = source6(CMSG_DATA(c), source);
        else {
            errno = EINVAL;
            return -1;
        }
    }
    return length;
}

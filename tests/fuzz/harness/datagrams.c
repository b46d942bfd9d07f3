/* A datagram socket that is no socket; see datagrams.h. */
#include "datagrams.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { MOST_SEGMENTS = 100 }; /* a kernel has 64: beyond that it is only slow */

static struct fuzz_datagrams *here;
static struct weir__system table;

/* --- making them up --- */

static void take_bytes(struct fuzz_input *input, void *to, size_t size)
{
    size_t length;
    const uint8_t *bytes = fuzz_take(input, size, &length);
    if (length > 0)
        memcpy(to, bytes, length);
}

/* A path of 108 bytes has no room for its NUL; the kernel counts it all the same. */
static void read_local(struct fuzz_packet *packet, struct fuzz_input *input)
{
    static const unsigned lengths[] = {0, 2, 3, 4, 12, 60, 110, 111};
    packet->sender.local.sun_family = AF_UNIX;
    packet->sender_length = lengths[fuzz_below(input, 8)];
    if (packet->sender_length <= 2)
        return;
    take_bytes(input, packet->sender.local.sun_path, 12);
    for (size_t at = 14; at < packet->sender_length && at < sizeof packet->sender.local; at++)
        packet->sender.space[at] = (char)('a' + at % 26);
    if (packet->sender_length == 111)
        packet->sender.local.sun_path[0] = '/';
}

static void read_sender(struct fuzz_packet *packet, struct fuzz_input *input, bool udp)
{
    if (!udp) {
        read_local(packet, input);
    } else if (fuzz_byte(input) & 1) {
        packet->sender.ipv6.sin6_family = AF_INET6;
        packet->sender_length = sizeof packet->sender.ipv6;
        take_bytes(input, &packet->sender.ipv6.sin6_port, 2);
        take_bytes(input, &packet->sender.ipv6.sin6_addr, 16);
    } else {
        packet->sender.ipv4.sin_family = AF_INET;
        packet->sender_length = sizeof packet->sender.ipv4;
        take_bytes(input, &packet->sender.ipv4.sin_port, 2);
        take_bytes(input, &packet->sender.ipv4.sin_addr, 4);
    }
}

/* Puts a control message behind those that are there, as whole as there is room. */
static void put_control(struct fuzz_packet *packet, int level, int type, const void *data, size_t size)
{
    if (packet->control_length + CMSG_SPACE(size) > sizeof packet->control)
        return;
    struct cmsghdr *header = (struct cmsghdr *)(packet->control + packet->control_length);
    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), data, size);
    packet->control_length += CMSG_SPACE(size);
}

/* None is usual. What a socket's owner has asked for stands before or between them. */
static void read_control(struct fuzz_packet *packet, struct fuzz_input *input)
{
    char bytes[64] = {0};
    static const int of_two_bytes = 1 << 15;
    int segment;
    for (unsigned left = fuzz_below(input, 6); left > 0; left--)
        switch (fuzz_below(input, 4)) {
        case 0:
            put_control(packet, SOL_SOCKET, SO_TIMESTAMP, bytes, fuzz_below(input, sizeof bytes));
            break;
        case 1:
            segment = (int)fuzz_short(input);
            segment -= segment & of_two_bytes ? 2 * of_two_bytes : 0;
            put_control(packet, IPPROTO_UDP, UDP_GRO, &segment, sizeof segment);
            break;
        case 2:
            take_bytes(input, bytes, sizeof packet->ipv4);
            put_control(packet, IPPROTO_IP, IP_PKTINFO, bytes, sizeof packet->ipv4);
            break;
        default:
            take_bytes(input, bytes, sizeof packet->ipv6);
            put_control(packet, IPPROTO_IPV6, IPV6_PKTINFO, bytes, sizeof packet->ipv6);
        }
}

static size_t payload_length(struct fuzz_input *input, bool packed)
{
    unsigned code = fuzz_byte(input);
    size_t length = code < 200 ? code : code < 250 ? (code - 199) * 1301 : packed ? 65535 : 65536 + code;
    return packed && length > 65535 ? 65535 : length;
}

static void read_packet(struct fuzz_packet *packet, struct fuzz_input *input, const struct fuzz_datagrams *datagrams)
{
    read_sender(packet, input, datagrams->udp);
    packet->length = payload_length(input, datagrams->packed);
    if (fuzz_below(input, 16) == 15) {
        packet->control_length = fuzz_byte(input);
        take_bytes(input, packet->control, packet->control_length);
    } else if (datagrams->udp) {
        read_control(packet, input);
    }
}

void fuzz_datagrams_read(struct fuzz_datagrams *datagrams, struct fuzz_input *input)
{
    while (fuzz_left(input) > 0 && datagrams->count < FUZZ_PACKETS)
        read_packet(&datagrams->packets[datagrams->count++], input, datagrams);
}

/* --- receiving --- */

static int refuse(int number)
{
    errno = number;
    return -1;
}

static void give_sender(const struct fuzz_packet *packet, struct msghdr *header)
{
    size_t length = packet->sender_length < header->msg_namelen ? packet->sender_length : header->msg_namelen;
    if (!header->msg_name)
        return;
    memcpy(header->msg_name, &packet->sender, length);
    header->msg_namelen = packet->sender_length;
}

/* As put_cmsg of the kernel: a message that does not fit is cut, what comes behind it is left out. Bytes that are no messages are given as they are. */
static void give_control(struct fuzz_packet *packet, struct msghdr *header)
{
    size_t room = header->msg_control ? header->msg_controllen : 0;
    size_t length = packet->control_length < room ? packet->control_length : room;
    packet->control_cut = room > 0 && length < packet->control_length;
    if (length > 0)
        memcpy(header->msg_control, packet->control, length);
    header->msg_controllen = length;
    for (size_t at = 0; packet->control_cut && length - at >= sizeof(struct cmsghdr);) {
        struct cmsghdr *one = (struct cmsghdr *)((char *)header->msg_control + at);
        if (one->cmsg_len > length - at)
            one->cmsg_len = length - at;
        size_t step = CMSG_ALIGN(one->cmsg_len);
        if (step < sizeof *one || step > length - at)
            break;
        at += step;
    }
}

static void understand(struct fuzz_packet *packet, const struct cmsghdr *one, const char *data)
{
    size_t length = one->cmsg_len - sizeof *one;
    int segment;
    if (one->cmsg_level == IPPROTO_UDP && one->cmsg_type == UDP_GRO && length >= sizeof segment) {
        memcpy(&segment, data, sizeof segment);
        packet->segment = segment > 0 ? (size_t)segment : 0;
    } else if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO && length >= sizeof packet->ipv4) {
        memcpy(&packet->ipv4, data, sizeof packet->ipv4);
        packet->has_ipv4 = true;
    } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO && length >= sizeof packet->ipv6) {
        memcpy(&packet->ipv6, data, sizeof packet->ipv6);
        packet->has_ipv6 = true;
    }
}

/* Reads what was given: messages that are whole, the last of a kind, up to what is no message. */
static void understand_control(struct fuzz_packet *packet, const char *control, size_t length)
{
    struct cmsghdr one;
    for (size_t at = 0; at < length && length - at >= sizeof one; at += CMSG_ALIGN(one.cmsg_len)) {
        memcpy(&one, control + at, sizeof one);
        if (one.cmsg_len < sizeof one || one.cmsg_len > length - at)
            return;
        understand(packet, &one, control + at + sizeof one);
    }
}

static ssize_t give(struct msghdr *header)
{
    struct fuzz_packet *packet = &here->packets[here->next];
    const struct iovec *vector = header->msg_iov;
    give_sender(packet, header);
    give_control(packet, header);
    understand_control(packet, header->msg_control, header->msg_controllen);
    if (!here->packed)
        packet->segment = 0; /* nobody has asked */
    if (packet->segment > 0 && packet->length > MOST_SEGMENTS * packet->segment)
        packet->length = MOST_SEGMENTS * packet->segment;
    size_t length = packet->length < vector->iov_len ? packet->length : vector->iov_len;
    for (size_t at = 0; at < length; at++)
        ((char *)vector->iov_base)[at] = fuzz_payload(here->next, at);
    header->msg_flags = (length < packet->length ? MSG_TRUNC : 0) | (packet->control_cut ? MSG_CTRUNC : 0);
    here->next++;
    return (ssize_t)length;
}

/* Whether a receive fails before it begins. */
static bool receive_fails(void)
{
    unsigned fault = fuzz_left(&here->faults) > 0 ? fuzz_byte(&here->faults) : 0;
    errno = fault % 8 == 1 ? EINTR : EAGAIN;
    return here->next == here->count || errno == EINTR;
}

static ssize_t fuzz_recvmsg(int fd, struct msghdr *header, int flags)
{
    fuzz_require(fd == FUZZ_SOCKET && (flags & MSG_DONTWAIT), "descriptor %d", fd);
    return receive_fails() ? -1 : give(header);
}

static int fuzz_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    fuzz_require(fd == FUZZ_SOCKET && (flags & MSG_DONTWAIT) && count > 0, "descriptor %d", fd);
    if (receive_fails())
        return -1;
    unsigned done = 0, most = fuzz_left(&here->faults) > 0 ? fuzz_below(&here->faults, 40) + 1 : count;
    for (; done < count && done < most && here->next < here->count; done++)
        messages[done].msg_len = (unsigned)give(&messages[done].msg_hdr);
    return (int)done;
}

/* --- sending --- */

static ssize_t length_of(const struct msghdr *header)
{
    size_t length = 0;
    for (size_t i = 0; i < header->msg_iovlen; i++)
        length += header->msg_iov[i].iov_len;
    return (ssize_t)length;
}

/* What becomes of the next: 0, or an errno, which of ENOBUFS is that of all that come with it. */
static int send_fault(void)
{
    static const int faults[] = {0, 0, 0, 0, EINTR, ECONNREFUSED, ENOBUFS, EPERM};
    return fuzz_left(&here->faults) > 0 ? faults[fuzz_below(&here->faults, 8)] : 0;
}

static ssize_t fuzz_sendmsg(int fd, const struct msghdr *header, int flags)
{
    int fault = send_fault();
    fuzz_require(fd == FUZZ_SOCKET && (flags & MSG_DONTWAIT) && (flags & MSG_NOSIGNAL), "descriptor %d", fd);
    if (fault == EINTR)
        return refuse(fault);
    here->sent(header, fault == 0, here->arg);
    return fault ? refuse(fault) : length_of(header);
}

static int fuzz_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int fault = send_fault();
    fuzz_require(fd == FUZZ_SOCKET && (flags & MSG_DONTWAIT) && count > 0, "descriptor %d", fd);
    unsigned taken = fuzz_left(&here->faults) > 0 ? fuzz_below(&here->faults, count) + 1 : count;
    if (fault == EINTR)
        return refuse(fault);
    if (fault)
        taken = fault == ENOBUFS ? count : 1;
    for (unsigned i = 0; i < taken; i++) {
        here->sent(&messages[i].msg_hdr, fault == 0, here->arg);
        messages[i].msg_len = (unsigned)length_of(&messages[i].msg_hdr);
    }
    return fault ? refuse(fault) : (int)taken;
}

/* --- the rest of the table --- */

static int64_t fuzz_monotonic(void)
{
    return here->now;
}

static void fuzz_random(void *bytes, size_t size)
{
    memset(bytes, 0x5a, size);
}

static int fuzz_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    int on = here->packed && level == IPPROTO_UDP && name == UDP_GRO;
    (void)fd;
    memcpy(value, &on, sizeof on);
    *length = sizeof on;
    return 0;
}

static int fuzz_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    (void)fd, (void)level, (void)name, (void)value, (void)length;
    return 0;
}

/* Nothing ever comes later. */
static int fuzz_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout)
{
    (void)descriptors, (void)count;
    fuzz_require(timeout >= 0, "waits for ever");
    return 0;
}

static int fuzz_socket(int family, int type, int protocol)
{
    (void)family, (void)type, (void)protocol;
    return FUZZ_SOCKET + 1;
}

/* This machine has 10.0.0.0/8 and 2001:... */
static int fuzz_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)length;
    const unsigned char *bytes = (const unsigned char *)address;
    bool mine = address->sa_family == AF_INET ? bytes[4] == 10 : address->sa_family == AF_INET6 && bytes[8] == 0x20;
    return mine ? 0 : refuse(EADDRNOTAVAIL);
}

static int fuzz_close(int fd)
{
    (void)fd;
    return 0;
}

static int fuzz_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    (void)fd, (void)address, (void)length;
    return refuse(ENOTCONN);
}

static int fuzz_eventfd(unsigned initial, int flags)
{
    (void)initial, (void)flags;
    return FUZZ_SOCKET + 2;
}

void fuzz_datagrams_open(struct fuzz_datagrams *datagrams)
{
    table = weir__kernel;
    table.monotonic = fuzz_monotonic;
    table.random = fuzz_random;
    table.recvmsg = fuzz_recvmsg;
    table.recvmmsg = fuzz_recvmmsg;
    table.sendmsg = fuzz_sendmsg;
    table.sendmmsg = fuzz_sendmmsg;
    table.getsockopt = fuzz_getsockopt;
    table.setsockopt = fuzz_setsockopt;
    table.poll = fuzz_poll;
    table.socket = fuzz_socket;
    table.bind = fuzz_bind;
    table.close = fuzz_close;
    table.getpeername = fuzz_getpeername;
    table.eventfd = fuzz_eventfd;
    datagrams->now = WEIR_S(1000);
    here = datagrams;
    weir__system_here = &table;
}

void fuzz_datagrams_close(void)
{
    weir__system_here = &weir__kernel;
}

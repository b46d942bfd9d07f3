/* Datagrams that the kernel has packed together (UDP_GRO): received in one piece, and cut into what they were. */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/address.h"
#include "net/batch.h"
#include "net/conn.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* For what else the socket's owner may have asked the kernel to tell, such as times, which would push the size out. */
enum { CONTROL_ROOM = 512 };

/* One piece, from which datagrams of `segment` bytes are handed out, the last may be shorter. */
struct weir__packed {
    weir_address peer;
    size_t length, handed_out, segment;
    bool any; /* something is left, be it an empty datagram */
    char data[65536];
};

static bool is_packed(const weir_conn *conn)
{
    int on = 0;
    socklen_t length = sizeof on;
    return conn->scheme == WEIR_SCHEME_UDP &&
           weir__system()->getsockopt(conn->watch.fd, IPPROTO_UDP, UDP_GRO, &on, &length) == 0 && on;
}

int weir__packed_find(weir_conn *conn)
{
    if (is_packed(conn)) {
        struct weir__conn_rare *rare = weir__conn_rare(conn);
        if (rare == NULL)
            return -1;
        rare->packed = malloc(sizeof *rare->packed);
        if (rare->packed == NULL)
            return weir__fail_memory("recv");
        rare->packed->any = false;
    }
    conn->packing_known = true;
    return 0;
}

bool weir__packed_left(const weir_conn *conn)
{
    return conn->rare != NULL && conn->rare->packed != NULL && conn->rare->packed->any;
}

size_t weir__packed_size(struct msghdr *header)
{
    int size = 0;
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message != NULL; message = CMSG_NXTHDR(header, message))
        if (message->cmsg_level == IPPROTO_UDP && message->cmsg_type == UDP_GRO &&
            weir__control_whole(header, message, sizeof size))
            memcpy(&size, CMSG_DATA(message), sizeof size);
    return size > 0 ? (size_t)size : 0;
}

/* Receives a piece. 0, or -1 and errno. */
static int receive_piece(weir_conn *conn, struct weir__packed *packed)
{
    union {
        struct cmsghdr header;
        char space[CONTROL_ROOM];
    } control;
    struct iovec vector = {packed->data, sizeof packed->data};
    struct msghdr header = {.msg_name = &packed->peer.any,
                            .msg_namelen = sizeof packed->peer.local,
                            .msg_iov = &vector,
                            .msg_iovlen = 1,
                            .msg_control = &control,
                            .msg_controllen = sizeof control};
    ssize_t length = weir__system()->recvmsg(conn->watch.fd, &header, MSG_DONTWAIT);
    if (length < 0)
        return -1;
    packed->peer.length = weir__told_length(header.msg_namelen);
    packed->length = (size_t)length;
    size_t size = weir__packed_size(&header);
    packed->segment = size > 0 ? size : packed->length;
    packed->handed_out = 0;
    packed->any = true;
    weir__conn_count(conn, WEIR__READABLE, packed->length);
    return 0;
}

static void hand_out(struct weir__packed *packed, weir_datagram *datagram)
{
    size_t left = packed->length - packed->handed_out;
    size_t whole = left < packed->segment ? left : packed->segment;
    datagram->length = whole < datagram->capacity ? whole : datagram->capacity;
    datagram->truncated = whole > datagram->capacity;
    datagram->peer = packed->peer;
    memcpy(datagram->data, packed->data + packed->handed_out, datagram->length);
    packed->handed_out += whole;
    packed->any = packed->handed_out < packed->length;
}

int weir__packed_receive(weir_conn *conn, weir_datagram *datagrams, int count)
{
    struct weir__packed *packed = conn->rare->packed;
    int done = 0;
    while (done < count) {
        if (!packed->any && receive_piece(conn, packed) < 0)
            break;
        hand_out(packed, &datagrams[done++]);
    }
    return done > 0 ? done : -1;
}

/* Datagrams that the kernel has packed together (UDP_GRO), and taking them apart. */
#ifndef WEIR_NET_BATCH_H
#define WEIR_NET_BATCH_H

#include <weir/datagram.h>

struct weir__packed;

/*
 * Whether a control message is there with all of its `size` bytes of data: where the room for them ends, the kernel cuts
 * the last one.
 */
static inline bool weir__control_whole(const struct msghdr *header, const struct cmsghdr *message, size_t size)
{
    size_t left = header->msg_controllen - (size_t)((const char *)message - (const char *)header->msg_control);
    return message->cmsg_len >= CMSG_LEN(size) && message->cmsg_len <= left;
}

/* How long each of the datagrams is that were received as one; 0: there is one. */
size_t weir__packed_size(struct msghdr *header);

/*
 * Finds out, at the first batch, whether UDP_GRO is set on the socket: then what comes in a row from one peer comes in one
 * piece, and has to be taken apart. 0, or -1 with ENOMEM.
 */
int weir__packed_find(weir_conn *conn);

/* At least one datagram and at most `count`, without waiting. -1 and errno. */
int weir__packed_receive(weir_conn *conn, weir_datagram *datagrams, int count);

/* Whether there are any that have been received and not yet handed on. */
bool weir__packed_left(const weir_conn *conn);

#endif

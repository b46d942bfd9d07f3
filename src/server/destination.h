/*
 * Destinations: which of its addresses a socket that is bound to every one was asked at, for the answer to come from it.
 * Otherwise the kernel chooses, and who asked another address takes the answer for a stranger's.
 */
#ifndef WEIR_SERVER_DESTINATION_H
#define WEIR_SERVER_DESTINATION_H

#include <weir/endpoint.h>

/* Room for what the kernel tells of a destination, as IPv4 and IPv6. */
#define WEIR__DESTINATION_ROOM (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(struct in6_pktinfo)))

/* Where a datagram was sent to. */
struct weir__destination {
    bool group;    /* broadcast or multicast */
    size_t length; /* of control; 0: not known, or not one to answer from */
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct in6_pktinfo))]; /* for sendmsg: answer from there */
};

/* Has the kernel tell a socket's destinations, where its address does not. Whether it will. */
bool weir__destination_ask(int fd, const weir_address *bound);

/* Takes the destination out of what was received with a datagram. */
void weir__destination_read(struct weir__destination *destination, struct msghdr *received);

#endif

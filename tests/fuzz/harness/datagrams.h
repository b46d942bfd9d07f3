/*
 * A datagram socket that is no socket: a system table gives out datagrams that a script makes up, with senders, control
 * messages and lengths as a kernel may tell them and some as none would, and takes in what is sent.
 */
#ifndef FUZZ_HARNESS_DATAGRAMS_H
#define FUZZ_HARNESS_DATAGRAMS_H

#include <netinet/in.h>

#include "base/system.h"
#include "fuzz.h"

enum { FUZZ_PACKETS = 64, FUZZ_SOCKET = 1002, FUZZ_CONTROL = 256 };

/* What arrives in one piece: a datagram, or several that the kernel has put one behind the other. */
struct fuzz_packet {
    union {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
        struct sockaddr_un local;
        char space[128];
    } sender;
    socklen_t sender_length; /* as the kernel tells it, which may be more than it has room for */
    size_t length;
    _Alignas(struct cmsghdr) char control[FUZZ_CONTROL];
    size_t control_length;
    /* As it was given out: what whole control messages say. */
    bool control_cut;
    size_t segment; /* how long the datagrams in it are; 0: there is one */
    bool has_ipv4, has_ipv6;
    struct in_pktinfo ipv4; /* where it was sent to */
    struct in6_pktinfo ipv6;
};

struct fuzz_datagrams {
    struct fuzz_packet packets[FUZZ_PACKETS];
    size_t count, next;
    bool packed; /* UDP_GRO is on */
    bool udp;
    struct fuzz_input faults; /* of sending and receiving, a byte a call */
    /* What was sent, whatever became of it, is shown here: whether the kernel took it. */
    void (*sent)(const struct msghdr *message, bool taken, void *arg);
    void *arg;
    int64_t now;
};

/* Makes up the datagrams. */
void fuzz_datagrams_read(struct fuzz_datagrams *datagrams, struct fuzz_input *input);

/* The calling thread's system is these, until fuzz_datagrams_close. */
void fuzz_datagrams_open(struct fuzz_datagrams *datagrams);
void fuzz_datagrams_close(void);

/* The bytes of a packet's payload are told by where they are. */
static inline char fuzz_payload(size_t packet, size_t at)
{
    return (char)(packet * 37 + at * 7 + at / 251);
}

#endif

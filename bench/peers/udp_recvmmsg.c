/*
 * UDP echo by hand, up to 32 datagrams a call: recvmmsg takes what is there, at least one, and
 * sendmmsg returns it from the same buffers.
 */
#include "common.h"

#include <stddef.h>
#include <sys/socket.h>

enum { BATCH = 32 };

static char buffers[BATCH][PEER_BUFFER];
static struct sockaddr_in senders[BATCH];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

/* The whole buffer is offered to the next datagram, whatever the last one made of it. */
static void offer(int count)
{
    for (int i = 0; i < count; i++) {
        vectors[i].iov_len = PEER_BUFFER;
        messages[i].msg_hdr.msg_namelen = sizeof senders[i];
    }
}

static void prepare(void)
{
    for (int i = 0; i < BATCH; i++) {
        vectors[i].iov_base = buffers[i];
        messages[i].msg_hdr.msg_name = &senders[i];
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    offer(BATCH);
}

/* sendmmsg stops at a datagram that fails; that one is skipped. */
static void answer(int fd, int count)
{
    for (int i = 0; i < count; i++)
        vectors[i].iov_len = messages[i].msg_len;
    for (int done = 0; done < count;) {
        int sent = sendmmsg(fd, messages + done, (unsigned)(count - done), 0);
        done += sent > 0 ? sent : 1;
    }
}

int main(int argc, char **argv)
{
    int fd = peer_bind_udp(argc, argv, 0);
    prepare();
    for (;;) {
        int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (got > 0) {
            answer(fd, got);
            offer(got);
        }
    }
}

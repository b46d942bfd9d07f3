/* Answers of a batch of datagrams. */
#include "server/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int weir__outbox_init(struct weir__outbox *outbox, int fd, struct weir__counters *counters)
{
    outbox->fd = fd;
    outbox->counters = counters;
    outbox->bytes = malloc(WEIR__ANSWER_BYTES);
    for (int i = 0; i < WEIR__ANSWERS; i++) {
        outbox->messages[i].msg_hdr.msg_iov = &outbox->vectors[i];
        outbox->messages[i].msg_hdr.msg_iovlen = 1;
    }
    return outbox->bytes ? 0 : -1;
}

void weir__outbox_free(struct weir__outbox *outbox)
{
    free(outbox->bytes);
}

int weir__outbox_put(struct weir__outbox *outbox, const struct weir__destination *from, const weir_address *to,
                     const void *data, size_t length)
{
    if (length > WEIR__ANSWER_BYTES) {
        errno = EMSGSIZE;
        return -1;
    }
    if (outbox->count == WEIR__ANSWERS || length > WEIR__ANSWER_BYTES - outbox->used)
        weir__outbox_flush(outbox);
    char *copy = outbox->bytes + outbox->used;
    memcpy(copy, data, length);
    outbox->vectors[outbox->count] = (struct iovec){.iov_base = copy, .iov_len = length};
    struct msghdr *header = &outbox->messages[outbox->count].msg_hdr;
    header->msg_name = (void *)(uintptr_t)&to->any;
    header->msg_namelen = to->length;
    if (from) {
        header->msg_control = (void *)(uintptr_t)from->control;
        header->msg_controllen = from->length;
    }
    outbox->used += length;
    outbox->count++;
    return 0;
}

static size_t sent_bytes(const struct mmsghdr *messages, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += messages[i].msg_len;
    return bytes;
}

/* Whether the socket is full, and not just the queue of one receiver, which is what EAGAIN means of a Unix socket. */
static bool is_full(const struct mmsghdr *message, int error)
{
    const struct sockaddr *to = message->msg_hdr.msg_name;
    return error == ENOBUFS || (error == EAGAIN && to->sa_family != AF_UNIX);
}

/* sendmmsg stops at the first that cannot be sent, and says why when that is the first it is asked for. */
void weir__outbox_flush(struct weir__outbox *outbox)
{
    size_t bytes = 0;
    unsigned sent = 0, failed = 0;
    while (sent + failed < outbox->count) {
        struct mmsghdr *next = outbox->messages + sent + failed;
        int result =
            weir__system()->sendmmsg(outbox->fd, next, outbox->count - sent - failed, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result > 0) {
            bytes += sent_bytes(next, result);
            sent += (unsigned)result;
        } else if (is_full(next, errno)) {
            failed = outbox->count - sent;
        } else if (errno != EINTR) {
            failed++;
        }
    }
    if (sent) {
        weir__count(outbox->counters, datagrams_out, sent);
        weir__count(outbox->counters, bytes_out, bytes);
    }
    if (failed)
        weir__count(outbox->counters, replies_failed, failed);
    outbox->count = 0;
    outbox->used = 0;
}

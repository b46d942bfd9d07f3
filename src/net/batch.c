/*
 * Many datagrams a system call: recvmmsg and sendmmsg, and one step further where the kernel packs datagrams together:
 * UDP_SEGMENT for what is sent, UDP_GRO for what is received.
 */
#include <weir/datagram.h>

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/address.h"
#include "net/batch.h"
#include "net/conn.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

/* What a system call takes at most: its headers are on the stack. */
enum { CHUNK = 32 };

/*
 * What is sent as one message: udp(7) allows 64 segments, an IP packet 65,535 bytes, and no segment may need fragments
 * (for which this leaves room in the common packet of 1,500).
 */
enum { SEGMENTS_MOST = CHUNK, PACKED_MOST = 65000, SEGMENT_MOST = 1400 };

/* --- receiving --- */

static void describe_room(weir_datagram *datagram, struct mmsghdr *message, struct iovec *vector)
{
    *vector = (struct iovec){datagram->data, datagram->capacity};
    *message = (struct mmsghdr){.msg_hdr = {.msg_name = &datagram->peer.any,
                                            .msg_namelen = sizeof datagram->peer.local,
                                            .msg_iov = vector,
                                            .msg_iovlen = 1}};
}

static void describe_received(weir_datagram *datagram, const struct mmsghdr *message)
{
    datagram->length = message->msg_len;
    datagram->peer.length = weir__told_length(message->msg_hdr.msg_namelen);
    datagram->truncated = (message->msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

/* What has arrived, at most a chunk. -1 and errno. */
static int receive_chunk(weir_conn *conn, weir_datagram *datagrams, int count)
{
    struct mmsghdr messages[CHUNK];
    struct iovec vectors[CHUNK];
    for (int i = 0; i < count; i++)
        describe_room(&datagrams[i], &messages[i], &vectors[i]);
    int received = weir__system()->recvmmsg(conn->watch.fd, messages, (unsigned)count, MSG_DONTWAIT);
    size_t bytes = 0;
    for (int i = 0; i < received; i++) {
        describe_received(&datagrams[i], &messages[i]);
        bytes += datagrams[i].length;
    }
    weir__conn_count(conn, WEIR__READABLE, bytes);
    return received;
}

/* What has arrived; a chunk that is not full says that there was no more. -1 and errno. */
static int receive_now(weir_conn *conn, weir_datagram *datagrams, int count)
{
    if (conn->rare != NULL && conn->rare->packed != NULL)
        return weir__packed_receive(conn, datagrams, count);
    int done = 0;
    while (done < count) {
        int chunk = count - done < CHUNK ? count - done : CHUNK;
        int received = receive_chunk(conn, datagrams + done, chunk);
        if (received < 0)
            return done > 0 ? done : -1;
        done += received;
        if (received < chunk)
            break;
    }
    return done;
}

static int receive_batch(weir_conn *conn, weir_datagram *datagrams, int count)
{
    if (!conn->packing_known && weir__packed_find(conn) < 0)
        return -1;
    bool try_first = weir__watch_maybe_ready(&conn->watch, WEIR__READABLE) || weir__packed_left(conn);
    for (;;) {
        if (!try_first && weir__conn_wait(conn, WEIR__READABLE, "recv") < 0)
            return -1;
        int received = receive_now(conn, datagrams, count);
        if (received >= 0)
            return received;
        try_first = errno == EINTR;
        if (errno != EAGAIN && errno != EINTR)
            return weir__conn_fail(conn, errno, "recv");
        weir__watch_clear(&conn->watch, WEIR__READABLE);
    }
}

int weir_recv_batch(weir_conn *conn, weir_datagram *datagrams, int count)
{
    if (count <= 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "recv", "", "there is no room for a datagram");
    if (weir__conn_enter(conn, WEIR__READABLE, "recv") < 0)
        return -1;
    weir_release(conn);
    int received = receive_batch(conn, datagrams, count);
    weir__conn_leave(conn, WEIR__READABLE);
    return received;
}

/* --- sending --- */

/* The control message that tells the size of segments; aligned as one. */
union segment_size {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(uint16_t))];
};

/* Datagrams on their way into a call: each message takes one, or several of equal size for one peer. */
struct sending {
    struct mmsghdr messages[CHUNK];
    struct iovec vectors[CHUNK];
    union segment_size sizes[CHUNK];
    int message_count, datagram_count;
};

/* Whether the kernel has UDP_SEGMENT, asked once; a device that cannot do it (EIO) puts an end to it too. */
static atomic_int segments_offered = -1;

static bool ask_for_segments(const weir_conn *conn)
{
    int value;
    socklen_t length = sizeof value;
    return weir__system()->getsockopt(conn->watch.fd, IPPROTO_UDP, UDP_SEGMENT, &value, &length) == 0;
}

/* What stands in for the kernel is asked every time: what the process has learnt is true of the kernel alone. */
static bool offers_segments(const weir_conn *conn)
{
    if (conn->scheme != WEIR_SCHEME_UDP)
        return false;
    if (weir__system() != &weir__kernel)
        return ask_for_segments(conn);
    int offered = atomic_load_explicit(&segments_offered, memory_order_relaxed);
    if (offered < 0) {
        offered = ask_for_segments(conn);
        atomic_store(&segments_offered, offered);
    }
    return offered;
}

static bool same_peer(const weir_address *a, const weir_address *b)
{
    return a->length == b->length && memcmp(&a->any, &b->any, a->length) == 0;
}

/* How many of the datagrams may go as segments of one message: equal in size but for a shorter last, for one peer. */
static int run_length(const weir_datagram *datagrams, int count)
{
    size_t size = datagrams[0].length, total = size;
    if (size == 0 || size > SEGMENT_MOST)
        return 1;
    int length = 1;
    while (length < count && length < SEGMENTS_MOST) {
        const weir_datagram *next = &datagrams[length];
        if (next->length == 0 || next->length > size || total + next->length > PACKED_MOST ||
            !same_peer(&next->peer, &datagrams[0].peer))
            break;
        total += next->length;
        length++;
        if (next->length < size)
            break;
    }
    return length;
}

static void set_segment_size(struct msghdr *header, union segment_size *control, uint16_t size)
{
    memset(control, 0, sizeof *control);
    header->msg_control = control;
    header->msg_controllen = sizeof control->space;
    struct cmsghdr *message = CMSG_FIRSTHDR(header);
    message->cmsg_level = IPPROTO_UDP;
    message->cmsg_type = UDP_SEGMENT;
    message->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(message), &size, sizeof size);
}

static void add_message(struct sending *sending, const weir_datagram *datagrams, int count)
{
    int index = sending->message_count++;
    struct msghdr *header = &sending->messages[index].msg_hdr;
    struct iovec *vectors = &sending->vectors[sending->datagram_count];
    for (int i = 0; i < count; i++)
        vectors[i] = (struct iovec){datagrams[i].data, datagrams[i].length};
    *header = (struct msghdr){.msg_iov = vectors, .msg_iovlen = (size_t)count};
    if (datagrams->peer.length > 0) {
        header->msg_name = (void *)(uintptr_t)&datagrams->peer.any;
        header->msg_namelen = datagrams->peer.length;
    }
    if (count > 1)
        set_segment_size(header, &sending->sizes[index], (uint16_t)datagrams->length);
    sending->datagram_count += count;
}

static void prepare(struct sending *sending, const weir_datagram *datagrams, int count, bool packed)
{
    sending->message_count = sending->datagram_count = 0;
    if (count > CHUNK)
        count = CHUNK;
    while (sending->datagram_count < count) {
        const weir_datagram *next = datagrams + sending->datagram_count;
        add_message(sending, next, packed ? run_length(next, count - sending->datagram_count) : 1);
    }
}

/* The datagrams in the first messages. */
static int datagrams_in(const struct sending *sending, int messages)
{
    size_t count = 0;
    for (int i = 0; i < messages; i++)
        count += sending->messages[i].msg_hdr.msg_iovlen;
    return (int)count;
}

static void count_sent(weir_conn *conn, const weir_datagram *datagrams, int count)
{
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += datagrams[i].length;
    weir__conn_count(conn, WEIR__WRITABLE, bytes);
}

/* Sends some of them in one call. Returns how many, -1 and errno; *packed says what the first message was. */
static int send_chunk(weir_conn *conn, const weir_datagram *datagrams, int count, bool *packed)
{
    struct sending sending;
    prepare(&sending, datagrams, count, *packed);
    int sent = weir__system()->sendmmsg(conn->watch.fd, sending.messages, (unsigned)sending.message_count,
                                        MSG_DONTWAIT | MSG_NOSIGNAL);
    *packed = sending.messages[0].msg_hdr.msg_iovlen > 1;
    if (sent < 0)
        return -1;
    int done = datagrams_in(&sending, sent);
    count_sent(conn, datagrams, done);
    return done;
}

/* Whether an error may be due to the packing alone: a device without it, a path for smaller packets. */
static bool packing_failed(int number)
{
    if (number == EIO && weir__system() == &weir__kernel)
        atomic_store(&segments_offered, 0);
    return number == EIO || number == EINVAL || number == EMSGSIZE;
}

/* Waits where that is called for. 0 to try again, or -1 with the error. */
static int sending_failed(weir_conn *conn, const weir_datagram *first, int number)
{
    if (number == EINTR)
        return 0;
    if (number != EAGAIN)
        return weir__conn_fail(conn, number, "send");
    weir__watch_clear(&conn->watch, WEIR__WRITABLE);
    return weir__conn_wait_room(conn, first->peer.length > 0);
}

static int send_batch(weir_conn *conn, const weir_datagram *datagrams, int count)
{
    int done = 0;
    bool may_pack = true;
    while (done < count) {
        bool packed = may_pack && offers_segments(conn);
        int sent = send_chunk(conn, datagrams + done, count - done, &packed);
        may_pack = sent >= 0;
        if (sent >= 0)
            done += sent;
        else if (packed && packing_failed(errno))
            continue;
        else if (sending_failed(conn, datagrams + done, errno) < 0)
            return weir__error_transferred((uint64_t)done);
        else
            may_pack = true;
    }
    return count;
}

int weir_send_batch(weir_conn *conn, const weir_datagram *datagrams, int count)
{
    if (weir__conn_enter(conn, WEIR__WRITABLE, "send") < 0)
        return weir__error_transferred(0);
    int sent = send_batch(conn, datagrams, count);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return sent;
}

/*
 * TCP echo by hand on io_uring: multishot accept, then one receive and one send at a time a
 * connection, each into or out of the connection's own 64 KiB. All that a turn of the loop queues
 * goes in with the system call that waits for the next completions.
 *
 * Tried and no cheaper: the receive linked behind its send, direct descriptors, buffers a power of
 * two apart, and a poll SQE followed by plain recv and send.
 */
#include "common.h"

#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    SUBMISSIONS = 4096,
    COMPLETIONS = 32768,
    /* A page and a line more than the buffer: buffers a power of two apart would all compete for
     * the same sets of the cache. */
    STRIDE = PEER_BUFFER + 4096 + 64,
};

/* The connection's descriptor is its index; the buffer of one that is idle costs one page. */
struct conn {
    size_t start, end; /* what is to be sent; start == end while receiving */
};

static struct io_uring ring;
static struct conn *conns;
static char *buffers;

static struct io_uring_sqe *next_sqe(void)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    if (!sqe) {
        io_uring_submit(&ring);
        sqe = io_uring_get_sqe(&ring);
    }
    return sqe;
}

static char *buffer_of(int fd)
{
    return buffers + (size_t)fd * STRIDE;
}

static void arm_accept(int listener)
{
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    sqe->user_data = (uint64_t)listener;
}

/* A client that has just been answered is not heard at once: poll first, and save the kernel a
 * receive that would find nothing. */
static void receive(int fd, unsigned flags)
{
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_recv(sqe, fd, buffer_of(fd), PEER_BUFFER, 0);
    sqe->ioprio = (uint16_t)flags;
    sqe->user_data = (uint64_t)fd;
    conns[fd] = (struct conn){0};
}

static void send_rest(int fd)
{
    struct conn *c = &conns[fd];
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_send(sqe, fd, buffer_of(fd) + c->start, c->end - c->start, MSG_NOSIGNAL | MSG_WAITALL);
    sqe->user_data = (uint64_t)fd;
}

static void on_accepted(int listener, struct io_uring_cqe *cqe)
{
    if (cqe->res >= 0)
        receive(cqe->res, 0);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        arm_accept(listener);
}

static void on_received(int fd, int got)
{
    if (got <= 0) {
        close(fd);
        return;
    }
    conns[fd] = (struct conn){.end = (size_t)got};
    send_rest(fd);
}

static void on_sent(int fd, int sent)
{
    struct conn *c = &conns[fd];
    if (sent < 0) {
        close(fd);
        return;
    }
    c->start += (size_t)sent;
    if (c->start < c->end)
        send_rest(fd);
    else
        receive(fd, IORING_RECVSEND_POLL_FIRST);
}

static void dispatch(int listener, struct io_uring_cqe *cqe)
{
    int fd = (int)cqe->user_data;
    if (fd == listener)
        on_accepted(listener, cqe);
    else if (conns[fd].end == 0)
        on_received(fd, cqe->res);
    else
        on_sent(fd, cqe->res);
}

static void allocate(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    conns = calloc(limit.rlim_cur, sizeof *conns);
    buffers =
        mmap(NULL, limit.rlim_cur * STRIDE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!conns || buffers == MAP_FAILED)
        peer_fail("memory for connections");
    madvise(buffers, limit.rlim_cur * STRIDE, MADV_NOHUGEPAGE);
}

static void open_ring(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int result = io_uring_queue_init_params(SUBMISSIONS, &ring, &params);
    if (result < 0) {
        errno = -result;
        peer_fail("io_uring_setup");
    }
    io_uring_register_ring_fd(&ring);
}

int main(int argc, char **argv)
{
    int listener = peer_listen(argc, argv, 0);
    allocate();
    open_ring();
    arm_accept(listener);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            dispatch(listener, cqe);
            seen++;
        }
        io_uring_cq_advance(&ring, seen);
    }
}

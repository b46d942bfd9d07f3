/* A stream socket that is no socket; see stream.h. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/time.h>

#include "engine/loop.h"

enum { SOCKET = 1001, EVENTFD = 1000 }; /* descriptors that are in no process */

static struct fuzz_stream *here; /* what the table stands for */
static int64_t now;
static struct weir__system table;
static weir_loop loop; /* of which the library asks nothing but whose it is */

int64_t fuzz_stream_now(void)
{
    return now;
}

/* --- what arrives --- */

/* As an edge: it is remembered by who is at home, once the descriptor is registered. */
static void event(bool hangup)
{
    struct weir__watch *watch = &here->conn->watch;
    if (!here->at_home || !(watch->armed & WEIR__READABLE))
        return;
    watch->ready |= WEIR__READABLE;
    watch->hangup |= hangup;
}

static void arrive(size_t length)
{
    size_t left = here->length - here->given - here->piece;
    here->piece += length < left ? length : left;
    event(false);
}

static void finish(void)
{
    here->piece = here->length - here->given;
    here->finished = true;
    event(true);
}

static void be_reset(void)
{
    here->length = here->given + here->piece;
    here->reset = here->finished = true;
    event(true);
}

static void be_aborted(void)
{
    weir_abort(here->conn);
    here->length = here->given;
    here->piece = 0;
    here->reset = false;
    here->finished = true;
}

/* Bytes of the script; from there on, how many bytes arrive. */
enum { DEADLINE, SIGNAL, RESET, CANCEL, MOVED_DEADLINE, SPURIOUS, ABORT, ALL, PIECES };

static size_t piece_length(unsigned code)
{
    return code < 200 ? code - PIECES + 1 : (code - 199) * 97;
}

bool fuzz_stream_happen(struct fuzz_stream *stream)
{
    unsigned code = fuzz_left(&stream->script) > 0 ? fuzz_byte(&stream->script) : ALL;
    now += WEIR_MS(1);
    if (stream->finished)
        code = code == CANCEL || code == ABORT ? code : SPURIOUS;
    if (code == SIGNAL)
        stream->signalled = true;
    else if (code == RESET)
        be_reset();
    else if (code == CANCEL)
        weir_cancel(stream->conn);
    else if (code == MOVED_DEADLINE)
        weir_set_deadline(stream->conn, WEIR_READ, now);
    else if (code == SPURIOUS)
        event(false);
    else if (code == ABORT)
        be_aborted();
    else if (code == ALL)
        finish();
    else if (code >= PIECES)
        arrive(piece_length(code));
    stream->told_cancel |= code == CANCEL;
    stream->told_deadline |= code == MOVED_DEADLINE;
    return fuzz_left(&stream->script) > 0 || !stream->finished;
}

/* --- receiving --- */

static bool readable(void)
{
    return here->piece > 0 || here->finished || here->reset;
}

static int refuse(int number)
{
    errno = number;
    return -1;
}

static ssize_t fuzz_recv(int fd, void *buffer, size_t size, int flags)
{
    fuzz_require(fd == SOCKET && (flags & MSG_DONTWAIT), "descriptor %d, flags %x", fd, (unsigned)flags);
    if (here->signalled) {
        here->signalled = false;
        return refuse(EINTR);
    }
    if (here->piece == 0 && here->reset) {
        here->reset = false;
        here->was_reset = true;
        return refuse(ECONNRESET);
    }
    if (size == 0)
        return 0;
    if (here->piece == 0 && !here->finished) {
        here->told_nothing = true;
        return refuse(EAGAIN);
    }
    size_t length = size < here->piece ? size : here->piece;
    memcpy(buffer, here->bytes + here->given, length);
    here->told_end |= length == 0 && !here->was_reset;
    if (flags & MSG_PEEK)
        return (ssize_t)length;
    here->before = here->given;
    here->given += length;
    here->piece -= length;
    return (ssize_t)length;
}

/* Fills one buffer after the other; a peek, which would not move on, only the first. */
static ssize_t fuzz_recvmsg(int fd, struct msghdr *message, int flags)
{
    size_t before = here->given;
    ssize_t total = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *vector = &message->msg_iov[i];
        if (vector->iov_len == 0 || (total > 0 && here->piece == 0))
            continue;
        ssize_t length = fuzz_recv(fd, vector->iov_base, vector->iov_len, flags);
        if (length <= 0)
            return total > 0 ? total : length;
        total += length;
        if (flags & MSG_PEEK)
            break;
    }
    here->before = before;
    message->msg_namelen = 0;
    return total;
}

/* --- waiting --- */

/* What a poll(2) of these finds, or home_wait of the engine; 0: nothing yet. */
static int found(struct pollfd *descriptors, nfds_t count)
{
    descriptors[0].revents = here->wakes > 0 ? POLLIN : 0;
    if (here->wakes > 0)
        return 1;
    fuzz_require(count == 2 && descriptors[1].fd == SOCKET, "%d descriptors", (int)count);
    bool ready = here->at_home ? here->conn->watch.ready & WEIR__READABLE : readable();
    descriptors[1].revents = ready ? POLLIN : 0;
    return ready;
}

/* At the first wait the descriptor is registered, and what is there is told. */
static void be_home(void)
{
    struct weir__watch *watch = &here->conn->watch;
    if (watch->armed & WEIR__READABLE)
        return;
    watch->home = &loop;
    watch->ready &= (uint8_t)~WEIR__READABLE;
    watch->armed |= WEIR__READABLE;
    if (readable())
        event(here->finished);
}

static int fuzz_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout)
{
    if (here->at_home)
        be_home();
    for (int result; !(result = found(descriptors, count));) {
        fuzz_require(!readable(), "waits while %zu bytes have arrived", here->piece);
        bool late = fuzz_left(&here->script) > 0 && *here->script.next == DEADLINE;
        if (timeout == 0 || (late && timeout > 0)) {
            now += timeout;
            here->told_deadline = true;
            if (late)
                fuzz_byte(&here->script);
            return 0;
        }
        fuzz_stream_happen(here);
    }
    return 1;
}

/* --- the rest of the table --- */

static int64_t fuzz_monotonic(void)
{
    return now;
}

static int fuzz_eventfd(unsigned initial, int flags)
{
    (void)initial, (void)flags;
    return EVENTFD;
}

static ssize_t fuzz_read(int fd, void *buffer, size_t size)
{
    fuzz_require(fd == EVENTFD && size == sizeof here->wakes && here->wakes > 0, "descriptor %d would block", fd);
    memcpy(buffer, &here->wakes, size);
    here->wakes = 0;
    return (ssize_t)size;
}

static ssize_t fuzz_write(int fd, const void *data, size_t size)
{
    uint64_t number;
    fuzz_require(fd == EVENTFD && size == sizeof number, "descriptor %d", fd);
    memcpy(&number, data, size);
    here->wakes += number;
    return (ssize_t)size;
}

static int fuzz_close(int fd)
{
    here->closed += fd == SOCKET;
    return 0;
}

static int fuzz_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    (void)fd, (void)address, (void)length;
    return 0;
}

static int fuzz_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    (void)fd, (void)address, (void)length;
    return refuse(ENOTCONN);
}

void fuzz_stream_open(struct fuzz_stream *stream)
{
    table = weir__kernel;
    table.monotonic = fuzz_monotonic;
    table.recv = fuzz_recv;
    table.recvmsg = fuzz_recvmsg;
    table.poll = fuzz_poll;
    table.eventfd = fuzz_eventfd;
    table.read = fuzz_read;
    table.write = fuzz_write;
    table.close = fuzz_close;
    table.connect = fuzz_connect;
    table.getpeername = fuzz_getpeername;
    weir__system_here = &table;
    loop.references = 1000;
    weir__loop_here = stream->at_home ? &loop : NULL;
    here = stream;
    now = WEIR_S(1000);
    stream->conn = weir__conn_new(SOCKET, WEIR_SCHEME_TCP, false);
    if (!stream->conn)
        abort();
}

void fuzz_stream_close(struct fuzz_stream *stream)
{
    fuzz_require(weir_close(stream->conn) == 0, "%s", weir_error()->sentence);
    fuzz_require(stream->closed == 1, "%u times", stream->closed);
    weir__loop_here = NULL;
    weir__system_here = &weir__kernel;
}

void fuzz_stream_call(struct fuzz_stream *stream)
{
    stream->told_end = stream->told_deadline = stream->told_cancel = stream->told_nothing = false;
    stream->before = stream->given;
}

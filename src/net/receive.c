/* Receiving: into the caller's buffer, and lent. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "net/address.h"
#include "net/conn.h"

/* A read of a stream that got less than it asked for has taken all there was: the next would only say so. */
static void received(weir_conn *conn, size_t length, size_t size, int flags)
{
    if (flags & MSG_PEEK)
        return;
    weir__conn_count(conn, WEIR__READABLE, length);
    if (conn->datagram)
        return;
    if (length == 0 && size != 0)
        conn->ended = true;
    else if (length < size)
        weir__conn_drained(conn);
}

/* What was received; or -1 and errno where it only looks like the stream's end. */
static ssize_t unless_broken(const weir_conn *conn, ssize_t length)
{
    int number = length == 0 && !conn->secure ? weir__conn_false_end(conn) : 0;
    if (number == 0)
        return length;
    errno = number;
    return -1;
}

static ssize_t receive_once(weir_conn *conn, void *buffer, size_t size, int flags, weir_address *from)
{
    if (!from || conn->secure) {
        if (from)
            from->length = 0;
        return unless_broken(conn, weir__conn_receive_now(conn, buffer, size, flags));
    }
    struct iovec vector = {buffer, size};
    struct msghdr message = {
        .msg_name = &from->any, .msg_namelen = sizeof(struct sockaddr_un), .msg_iov = &vector, .msg_iovlen = 1};
    ssize_t length = weir__system()->recvmsg(conn->watch.fd, &message, flags | MSG_DONTWAIT);
    from->length = length < 0 ? 0 : weir__told_length(message.msg_namelen);
    return unless_broken(conn, length);
}

/* Whether to try again, after waiting where that is called for; false: an error is set. */
static bool try_again(weir_conn *conn, int number, int flags, const char *step)
{
    if (number == EINTR)
        return true;
    if (number != EAGAIN) {
        weir__conn_fail(conn, number, step);
        return false;
    }
    weir__watch_clear(&conn->watch, WEIR__READABLE);
    if (!(flags & MSG_DONTWAIT))
        return weir__conn_wait(conn, WEIR__READABLE, step) == 0;
    weir_fail(WEIR_ERROR_SYSTEM, EAGAIN, step, "", "nothing has arrived");
    return false;
}

ssize_t weir__conn_receive(weir_conn *conn, void *buffer, size_t size, int flags, weir_address *from)
{
    bool wait_first = !weir__conn_maybe_readable(conn);
    if (wait_first && !try_again(conn, EAGAIN, flags, "recv"))
        return -1;
    for (;;) {
        ssize_t length = receive_once(conn, buffer, size, flags, from);
        if (length >= 0) {
            received(conn, (size_t)length, size, flags);
            return length;
        }
        if (!try_again(conn, errno, flags, "recv"))
            return -1;
    }
}

/* After bytes that are to be told first, the socket has failed: what it says only once, the next call tells. */
static void owe(weir_conn *conn, int number)
{
    if (number == EAGAIN || (conn->failure != WEIR__FAILURE_RESET && conn->failure != WEIR__FAILURE_OTHER))
        return;
    conn->owed = (uint8_t)number;
    conn->bound = true;
}

/* MSG_WAITALL of a stream: all of it, unless the stream ends or fails first; what came by then counts. */
static ssize_t receive_all(weir_conn *conn, char *buffer, size_t size, int flags)
{
    size_t done = conn->lines ? (size_t)weir__lines_take(conn, buffer, size, false) : 0;
    while (done < size) {
        ssize_t length = weir__conn_receive(conn, buffer + done, size - done, flags & ~MSG_WAITALL, NULL);
        if (length < 0 && done == 0)
            return -1;
        if (length < 0)
            owe(conn, errno);
        if (length <= 0)
            break;
        done += (size_t)length;
    }
    return (ssize_t)done;
}

static ssize_t receive_any(weir_conn *conn, void *buffer, size_t size, int flags, weir_address *from)
{
    if ((flags & MSG_WAITALL) && !(flags & MSG_PEEK) && !conn->datagram)
        return receive_all(conn, buffer, size, flags);
    if (conn->lines && weir__lines_left(conn))
        return weir__lines_take(conn, buffer, size, flags & MSG_PEEK);
    return weir__conn_receive(conn, buffer, size, flags, from);
}

ssize_t weir_recvfrom(weir_conn *conn, void *buffer, size_t size, int flags, weir_address *from)
{
    if (conn->secure && (flags & MSG_OOB))
        return weir__conn_refuse_urgent(conn, "recv");
    if (weir__conn_enter(conn, WEIR__READABLE, "recv") < 0)
        return -1;
    weir_release(conn);
    ssize_t length = receive_any(conn, buffer, size, flags, from);
    weir__conn_leave(conn, WEIR__READABLE);
    return length;
}

ssize_t weir_recv_flags(weir_conn *conn, void *buffer, size_t size, int flags)
{
    return weir_recvfrom(conn, buffer, size, flags, NULL);
}

ssize_t weir_recv(weir_conn *conn, void *buffer, size_t size)
{
    return weir_recvfrom(conn, buffer, size, 0, NULL);
}

/* --- vectors --- */

static ssize_t receive_vector(weir_conn *conn, const struct iovec *vector, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += vector[i].iov_len;
    for (;;) {
        ssize_t length = unless_broken(conn, weir__system()->recvmsg(conn->watch.fd, &message, MSG_DONTWAIT));
        if (length >= 0) {
            received(conn, (size_t)length, size, 0);
            return length;
        }
        if (!try_again(conn, errno, 0, "recv"))
            return -1;
    }
}

/* By TLS each buffer is a receive of its own, the first of which may wait. */
static ssize_t receive_vector_secure(weir_conn *conn, const struct iovec *vector, int count)
{
    ssize_t done = 0;
    for (int i = 0; i < count; i++) {
        if (vector[i].iov_len == 0)
            continue;
        if (done > 0 && !weir__tls_pending(conn))
            break;
        ssize_t length = done > 0 ? weir__conn_receive_now(conn, vector[i].iov_base, vector[i].iov_len, 0)
                                  : weir__conn_receive(conn, vector[i].iov_base, vector[i].iov_len, 0, NULL);
        if (length <= 0)
            return done > 0 ? done : length;
        if (done > 0)
            weir__conn_count(conn, WEIR__READABLE, (size_t)length);
        done += length;
        if ((size_t)length < vector[i].iov_len)
            break;
    }
    return done;
}

/* What was read ahead, into the first buffers. */
static ssize_t take_vector(weir_conn *conn, const struct iovec *vector, int count)
{
    ssize_t length = 0;
    for (int i = 0; i < count && weir__lines_left(conn); i++)
        length += weir__lines_take(conn, vector[i].iov_base, vector[i].iov_len, false);
    return length;
}

ssize_t weir_recv_vector(weir_conn *conn, const struct iovec *vector, int count)
{
    if (weir__conn_enter(conn, WEIR__READABLE, "recv") < 0)
        return -1;
    weir_release(conn);
    bool ahead = conn->lines && weir__lines_left(conn);
    ssize_t length = ahead          ? take_vector(conn, vector, count)
                     : conn->secure ? receive_vector_secure(conn, vector, count)
                                    : receive_vector(conn, vector, count);
    weir__conn_leave(conn, WEIR__READABLE);
    return length;
}

/* --- lent --- */

static ssize_t fill(weir_conn *conn, char *buffer, size_t size)
{
    if (conn->lines && weir__lines_left(conn))
        return weir__lines_take(conn, buffer, size, false);
    return receive_once(conn, buffer, size, 0, NULL);
}

/*
 * A buffer is taken when there is something to put into it, so that whoever waits holds none. The end of the stream and
 * errors give it back at once.
 */
static ssize_t receive_lent(weir_conn *conn, char **data)
{
    bool ahead = conn->lines && weir__lines_left(conn);
    if (!ahead && !weir__conn_maybe_readable(conn) && !try_again(conn, EAGAIN, 0, "recv"))
        return -1;
    for (;;) {
        size_t size;
        char *buffer = weir__lend(&size);
        if (!buffer)
            return weir__fail_memory("recv");
        ssize_t length = fill(conn, buffer, size);
        if (length >= 0 && !ahead)
            received(conn, (size_t)length, size, 0);
        if (length > 0) {
            conn->lent = *data = buffer;
            return length;
        }
        int number = errno;
        weir__lend_return(buffer);
        if (length == 0)
            return 0;
        if (!try_again(conn, number, 0, "recv"))
            return -1;
    }
}

ssize_t weir_receive(weir_conn *conn, char **data)
{
    if (weir__conn_enter(conn, WEIR__READABLE, "recv") < 0)
        return -1;
    weir_release(conn);
    ssize_t length = receive_lent(conn, data);
    weir__conn_leave(conn, WEIR__READABLE);
    return length;
}

void weir_release(weir_conn *conn)
{
    if (conn->lines)
        weir__lines_settle(conn);
    if (!conn->lent)
        return;
    weir__lend_return(conn->lent);
    conn->lent = NULL;
}

bool weir_at_end(const weir_conn *conn)
{
    return conn->ended && !weir__lines_left(conn);
}

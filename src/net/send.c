/* Sending: some, all, vectors. A send that would block waits: that is the back pressure. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "net/tls.h"

/*
 * POLLOUT tells of a Unix socket's own buffer, not of the queue of somebody that it is not connected to. There Linux, at
 * every try that fails, gives back what it had taken of that buffer, and tells so: who waits for it goes round in circles.
 */
int weir__conn_wait_room(weir_conn *conn, bool named)
{
    if (weir__tls_is_stuck(conn))
        return weir__conn_pause(conn, WEIR__WRITABLE, weir__tls_pause(conn), "send");
    if (named && conn->scheme == WEIR_SCHEME_UNIX)
        return weir__conn_pause(conn, WEIR__WRITABLE, WEIR_MS(1), "send");
    return weir__conn_wait(conn, WEIR__WRITABLE, "send");
}

/* Whether to try again, after waiting where that is called for; false: an error is set. */
static bool try_again(weir_conn *conn, int number, int flags, bool named)
{
    if (number == EINTR)
        return true;
    if (number != EAGAIN) {
        weir__conn_fail(conn, number, "send");
        return false;
    }
    if (!weir__tls_is_stuck(conn))
        weir__watch_clear(&conn->watch, WEIR__WRITABLE);
    if (!(flags & MSG_DONTWAIT))
        return weir__conn_wait_room(conn, named) == 0;
    weir_fail(WEIR_ERROR_SYSTEM, EAGAIN, "send", "", "the peer takes nothing at the moment");
    return false;
}

/* Waits until what was written is with the socket. 0, or -1 with the error. */
static int empty_outbox(weir_conn *conn)
{
    while (weir__tls_flush(conn) < 0)
        if (!try_again(conn, errno, 0, false))
            return -1;
    return 0;
}

/* What OpenSSL has taken counts as sent, whatever becomes of it: the next call tells, or the end of weir_send_all. */
ssize_t weir__conn_send(weir_conn *conn, const void *data, size_t size, int flags)
{
    for (;;) {
        ssize_t length = weir__conn_send_now(conn, data, size, flags);
        if (length >= 0) {
            weir__conn_count(conn, WEIR__WRITABLE, (size_t)length);
            if (conn->secure && !(flags & MSG_DONTWAIT))
                empty_outbox(conn);
            return length;
        }
        if (!try_again(conn, errno, flags, false))
            return -1;
    }
}

/* Many small pieces are one record: gathered in a lent buffer. */
static ssize_t send_gathered(weir_conn *conn, const struct iovec *vector, size_t count, int flags)
{
    size_t size, length = 0;
    char *buffer = weir__lend(&size);
    if (!buffer)
        return weir__fail_memory("send");
    for (size_t i = 0; i < count && length < size; i++) {
        size_t piece = vector[i].iov_len < size - length ? vector[i].iov_len : size - length;
        if (piece)
            memcpy(buffer + length, vector[i].iov_base, piece);
        length += piece;
    }
    ssize_t sent = weir__conn_send(conn, buffer, length, flags);
    int number = errno;
    weir__lend_return(buffer);
    errno = number;
    return sent;
}

ssize_t weir__conn_send_message(weir_conn *conn, const struct msghdr *message, int flags)
{
    if (conn->secure)
        return send_gathered(conn, message->msg_iov, message->msg_iovlen, flags);
    for (;;) {
        ssize_t length = weir__system()->sendmsg(conn->watch.fd, message, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
        if (length >= 0) {
            weir__conn_count(conn, WEIR__WRITABLE, (size_t)length);
            return length;
        }
        if (!try_again(conn, errno, flags, message->msg_namelen > 0))
            return -1;
    }
}

ssize_t weir_send_flags(weir_conn *conn, const void *data, size_t size, int flags)
{
    if (conn->secure && (flags & MSG_OOB))
        return weir__conn_refuse_urgent(conn, "send");
    if (weir__conn_enter(conn, WEIR__WRITABLE, "send") < 0)
        return -1;
    ssize_t length = weir__conn_send(conn, data, size, flags);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return length;
}

ssize_t weir_send(weir_conn *conn, const void *data, size_t size)
{
    return weir_send_flags(conn, data, size, 0);
}

int weir_send_all(weir_conn *conn, const void *data, size_t size)
{
    if (weir__conn_enter(conn, WEIR__WRITABLE, "send") < 0)
        return weir__error_transferred(0);
    size_t done = 0;
    int result = 0;
    do {
        ssize_t length = weir__conn_send(conn, (const char *)data + done, size - done, 0);
        if (length < 0)
            result = weir__error_transferred(done);
        else
            done += (size_t)length;
    } while (result == 0 && done < size);
    if (result == 0 && conn->secure && empty_outbox(conn) < 0)
        result = weir__error_transferred(done);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return result;
}

/* --- vectors --- */

static ssize_t send_vector(weir_conn *conn, const struct iovec *vector, int count, int flags)
{
    struct msghdr message = {.msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count};
    return weir__conn_send_message(conn, &message, flags);
}

ssize_t weir_send_vector_flags(weir_conn *conn, const struct iovec *vector, int count, int flags)
{
    if (conn->secure && (flags & MSG_OOB))
        return weir__conn_refuse_urgent(conn, "send");
    if (weir__conn_enter(conn, WEIR__WRITABLE, "send") < 0)
        return -1;
    ssize_t length = send_vector(conn, vector, count, flags);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return length;
}

ssize_t weir_send_vector(weir_conn *conn, const struct iovec *vector, int count)
{
    return weir_send_vector_flags(conn, vector, count, 0);
}

/* Passes over what went of the first buffers; what is left of the one in the middle is `part`. Returns the index of the first whole one. */
static int pass_over(const struct iovec *vector, int count, size_t done, struct iovec *part)
{
    int i = 0;
    while (i < count && done >= vector[i].iov_len)
        done -= vector[i++].iov_len;
    *part = (struct iovec){NULL, 0};
    if (i < count && done)
        *part = (struct iovec){(char *)vector[i].iov_base + done, vector[i].iov_len - done};
    return i;
}

/* Sends what is left: the rest of a buffer that went in part by itself, whole ones together. */
static ssize_t send_rest(weir_conn *conn, const struct iovec *vector, int count, size_t done)
{
    struct iovec part;
    int first = pass_over(vector, count, done, &part);
    if (part.iov_len)
        return weir__conn_send(conn, part.iov_base, part.iov_len, first + 1 < count ? MSG_MORE : 0);
    return send_vector(conn, vector + first, count - first, 0);
}

int weir_send_vector_all(weir_conn *conn, const struct iovec *vector, int count)
{
    if (weir__conn_enter(conn, WEIR__WRITABLE, "send") < 0)
        return weir__error_transferred(0);
    size_t total = 0, done = 0;
    for (int i = 0; i < count; i++)
        total += vector[i].iov_len;
    int result = 0;
    while (result == 0 && done < total) {
        ssize_t length = send_rest(conn, vector, count, done);
        if (length < 0)
            result = weir__error_transferred(done);
        else
            done += (size_t)length;
    }
    if (result == 0 && conn->secure && empty_outbox(conn) < 0)
        result = weir__error_transferred(done);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return result;
}

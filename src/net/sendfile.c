/* Sending an open file without copying it through the program, where the kernel can. */
#include <errno.h>
#include <weir/conn.h>

#include "base/error.h"
#include "net/conn.h"
#include "os/quiet.h"

/* At most this much a call: the page cache may have to be filled for it. */
enum { CHUNK = 1 << 20 };

/* sendfile(2) knows no MSG_NOSIGNAL. */
static ssize_t sendfile_quietly(int socket, int file, off_t *offset, size_t count)
{
    struct weir__quiet quiet;
    if (weir__quiet_begin(&quiet) < 0)
        return -1;
    ssize_t sent = weir__system()->sendfile(socket, file, offset, count);
    weir__quiet_end(&quiet, sent, count);
    return sent;
}

/* Returns what went, 0 at the end of the file, -1 with the connection's error or, for the copy to be tried, EINVAL alone. */
static ssize_t send_chunk(weir_conn *conn, int file, off_t offset, size_t count)
{
    for (;;) {
        off_t position = offset;
        ssize_t sent = sendfile_quietly(conn->watch.fd, file, &position, count);
        if (sent > 0)
            weir__conn_count(conn, WEIR__WRITABLE, (size_t)sent);
        if (sent >= 0 || errno == EINVAL || errno == ENOSYS)
            return sent;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return weir__conn_fail(conn, errno, "sendfile");
        weir__watch_clear(&conn->watch, WEIR__WRITABLE);
        if (weir__conn_wait(conn, WEIR__WRITABLE, "sendfile") < 0)
            return -1;
    }
}

/* The same through a buffer, for files that the kernel cannot send. */
static ssize_t copy_chunk(weir_conn *conn, int file, off_t offset, size_t count)
{
    size_t size;
    char *buffer = weir__lend(&size);
    if (buffer == NULL)
        return weir__fail_memory("sendfile");
    ssize_t sent = weir__system()->pread(file, buffer, count < size ? count : size, offset);
    if (sent < 0)
        weir__conn_fail(conn, errno, "sendfile");
    else if (sent > 0)
        sent = weir__conn_send(conn, buffer, (size_t)sent, 0);
    weir__lend_return(buffer);
    return sent;
}

static int64_t send_all(weir_conn *conn, int file, int64_t *offset, uint64_t count)
{
    bool copying = conn->secure;
    uint64_t done = 0;
    while (done < count) {
        size_t chunk = count - done < CHUNK ? (size_t)(count - done) : CHUNK;
        ssize_t sent = copying ? copy_chunk(conn, file, *offset, chunk) : send_chunk(conn, file, *offset, chunk);
        if (sent < 0 && !copying && (errno == EINVAL || errno == ENOSYS)) {
            copying = true;
            continue;
        }
        if (sent < 0)
            return weir__error_transferred(done);
        if (sent == 0)
            break;
        *offset += sent;
        done += (uint64_t)sent;
    }
    return (int64_t)done;
}

int64_t weir_sendfile(weir_conn *conn, int file, int64_t *offset, uint64_t count)
{
    if (weir__conn_enter(conn, WEIR__WRITABLE, "sendfile") < 0)
        return weir__error_transferred(0);
    int64_t sent = send_all(conn, file, offset, count);
    weir__conn_leave(conn, WEIR__WRITABLE);
    return sent;
}

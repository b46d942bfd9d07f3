/* System calls that move data, and those on descriptors and files; and what every call has in common. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "engine/sim/system.h"

/* A system call's own time; and a fault of events in so many interrupts a call. */
enum { DEAREST_CALL = 2000, INTERRUPTIONS = 40, OUTPUT_ON_TRACE = 400 };

/* --- what every call has in common --- */

int weir__sim_errno(int number)
{
    errno = number;
    return -1;
}

struct weir__sim_object *weir__sim_enter(int fd)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    weir__sim_here->now += (int64_t)weir__sim_below(DEAREST_CALL);
    if (object && weir__sim_strikes_rarely(WEIR_SIM_EVENTS, INTERRUPTIONS)) {
        errno = EINTR;
        return NULL;
    }
    return object;
}

int64_t weir__sim_leave(const struct weir__sim_object *object, const char *verb, int64_t result, const void *bytes,
                        size_t size)
{
    int saved = errno;
    weir__sim_trace(object, verb, result < 0 ? -saved : result, result > 0 ? bytes : NULL, size);
    errno = saved;
    return result;
}

bool weir__sim_is_down(void)
{
    const struct weir_sim_host *host = weir__sim_host();
    return host && host->down;
}

/* --- data --- */

static ssize_t receive(int fd, struct msghdr *message, int flags, const char *verb)
{
    struct weir__sim_object *object = weir__sim_enter(fd);
    if (!object)
        return -1;
    ssize_t length = object->kind->receive ? object->kind->receive(object, message, flags) : weir__sim_errno(EINVAL);
    size_t first = message->msg_iovlen ? message->msg_iov[0].iov_len : 0;
    return weir__sim_leave(object, verb, length, first ? message->msg_iov[0].iov_base : NULL,
                           length > 0 && (size_t)length < first ? (size_t)length : first);
}

static ssize_t send_to(int fd, const struct msghdr *message, int flags, const char *verb)
{
    struct weir__sim_object *object = weir__sim_enter(fd);
    if (!object)
        return -1;
    ssize_t length = object->kind->send ? object->kind->send(object, message, flags) : weir__sim_errno(EINVAL);
    size_t first = message->msg_iovlen ? message->msg_iov[0].iov_len : 0;
    return weir__sim_leave(object, verb, length, first ? message->msg_iov[0].iov_base : NULL,
                           length > 0 && (size_t)length < first ? (size_t)length : first);
}

static ssize_t receive_one(int fd, void *buffer, size_t size, int flags, const char *verb)
{
    struct iovec vector = {buffer, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return receive(fd, &message, flags, verb);
}

static ssize_t send_one(int fd, const void *data, size_t size, int flags, const char *verb)
{
    struct iovec vector = {(void *)data, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return send_to(fd, &message, flags, verb);
}

ssize_t weir__sim_recv(int fd, void *buffer, size_t size, int flags)
{
    return receive_one(fd, buffer, size, flags, "recv");
}

ssize_t weir__sim_send(int fd, const void *data, size_t size, int flags)
{
    return send_one(fd, data, size, flags, "send");
}

ssize_t weir__sim_recvmsg(int fd, struct msghdr *message, int flags)
{
    return receive(fd, message, flags, "recvmsg");
}

ssize_t weir__sim_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return send_to(fd, message, flags, "sendmsg");
}

int weir__sim_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++) {
        ssize_t length = receive(fd, &messages[i].msg_hdr, flags, "recvmmsg");
        if (length < 0)
            return i ? (int)i : -1;
        messages[i].msg_len = (unsigned)length;
    }
    return (int)count;
}

int weir__sim_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++) {
        ssize_t length = send_to(fd, &messages[i].msg_hdr, flags, "sendmmsg");
        if (length < 0)
            return i ? (int)i : -1;
        messages[i].msg_len = (unsigned)length;
    }
    return (int)count;
}

/* --- files to sockets --- */

ssize_t weir__sim_sendfile(int socket, int file, off_t *offset, size_t count)
{
    char piece[4096];
    struct weir__sim_object *object = weir__sim_get(file);
    if (!object)
        return -1;
    if (!object->kind->read_at || !offset)
        return weir__sim_errno(EINVAL);
    ssize_t there = object->kind->read_at(object, piece, count < sizeof piece ? count : sizeof piece, *offset);
    if (there <= 0)
        return there;
    ssize_t sent = send_one(socket, piece, (size_t)there, MSG_DONTWAIT, "sendfile");
    if (sent > 0)
        *offset += sent;
    return sent;
}

/* As where one of the two is of a kind that splice(2) does not know: the library copies then. */
ssize_t weir__sim_splice(int from, int to, size_t count, unsigned flags)
{
    (void)from;
    (void)to;
    (void)count;
    (void)flags;
    return weir__sim_errno(EINVAL);
}

/* --- descriptors --- */

/* Descriptor 2 is the host's log: it goes into the trace. */
static ssize_t write_output(int fd, const void *data, size_t size)
{
    char text[OUTPUT_ON_TRACE];
    size_t length = size < sizeof text ? size : sizeof text - 1;
    memcpy(text, data, length);
    while (length && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    weir__sim_trace_text(fd == 2 ? "log" : "output", text);
    return (ssize_t)size;
}

ssize_t weir__sim_read(int fd, void *buffer, size_t size)
{
    return fd == 0 ? 0 : receive_one(fd, buffer, size, 0, "read");
}

ssize_t weir__sim_write(int fd, const void *data, size_t size)
{
    return fd == 1 || fd == 2 ? write_output(fd, data, size) : send_one(fd, data, size, MSG_NOSIGNAL, "write");
}

ssize_t weir__sim_write_flags(int fd, const void *data, size_t size, int flags)
{
    (void)flags;
    return weir__sim_write(fd, data, size);
}

ssize_t weir__sim_pread(int fd, void *buffer, size_t size, off_t offset)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    ssize_t length =
        object->kind->read_at ? object->kind->read_at(object, buffer, size, offset) : weir__sim_errno(ESPIPE);
    return weir__sim_leave(object, "pread", length, buffer, length > 0 ? (size_t)length : 0);
}

ssize_t weir__sim_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    ssize_t length =
        object->kind->write_at ? object->kind->write_at(object, data, size, offset) : weir__sim_errno(ESPIPE);
    return weir__sim_leave(object, "pwrite", length, data, length > 0 ? (size_t)length : 0);
}

int weir__sim_fcntl_any(int fd, int command, int argument)
{
    if (weir__sim_is_virtual(fd))
        return weir__sim_fcntl(fd, command, argument);
    return fd >= 0 && fd <= 2 ? (command == F_GETFL ? O_RDWR : 0) : weir__sim_errno(EBADF);
}

int weir__sim_ioctl(int fd, unsigned long request, void *argument)
{
    struct weir__sim_object *object = weir__sim_is_virtual(fd) ? weir__sim_get(fd) : NULL;
    return object && object->kind->ioctl ? object->kind->ioctl(object, request, argument) : weir__sim_errno(ENOTTY);
}

int weir__sim_open_file(const char *path, int flags, mode_t mode)
{
    if (weir__sim_is_down())
        return weir__sim_errno(EIO);
    int fd = weir__sim_file_open(path, flags, mode);
    int saved = errno;
    weir__sim_trace_text("open", path);
    errno = saved;
    return fd;
}

int weir__sim_fstat(int fd, struct stat *status)
{
    if (fd >= 0 && fd <= 2) {
        *status = (struct stat){.st_mode = S_IFCHR | 0600};
        return 0;
    }
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    if (object->kind->stat)
        return object->kind->stat(object, status);
    *status = (struct stat){.st_mode = S_IFSOCK | 0600};
    return 0;
}

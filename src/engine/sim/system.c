/* The table of system calls in a world: the descriptor's object does them, and each is traced. What a world has not, it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "engine/loop.h"
#include "engine/sim/sim.h"

/* A system call's own time, and what offloaded work may take. */
#define DEAREST_CALL    2000
#define CHEAPEST_JOB    WEIR_US(10)
#define DEAREST_JOB     WEIR_MS(2)
#define SLOW_JOB        WEIR_MS(300)
#define INTERRUPTIONS   40 /* a fault of events in so many interrupts a call */
#define DESCRIPTORS     4096
#define OUTPUT_ON_TRACE 400

/* --- clocks and chance --- */

static int64_t monotonic(void)
{
    return weir__sim_here->now;
}

static int64_t wall(void)
{
    return weir__sim_here->now + weir__sim_here->wall;
}

static void random_bytes(void *bytes, size_t size)
{
    char *to = bytes;
    for (size_t done = 0; done < size; done += 8) {
        uint64_t number = htole64(weir__sim_random());
        memcpy(to + done, &number, size - done < 8 ? size - done : 8);
    }
}

/* --- what every call has in common --- */

static int fail(int number)
{
    errno = number;
    return -1;
}

/* The object behind a descriptor, for a call that takes its time; interrupted now and then. */
static struct weir__sim_object *enter(int fd)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    weir__sim_here->now += (int64_t)weir__sim_below(DEAREST_CALL);
    if (object && weir__sim_strikes_rarely(WEIR_SIM_EVENTS, INTERRUPTIONS)) {
        errno = EINTR;
        return NULL;
    }
    return object;
}

/* Notes what a call gave; keeps errno. */
static int64_t leave(const struct weir__sim_object *object, const char *verb, int64_t result, const void *bytes,
                     size_t size)
{
    int saved = errno;
    weir__sim_trace(object, verb, result < 0 ? -saved : result, result > 0 ? bytes : NULL, size);
    errno = saved;
    return result;
}

static bool host_is_down(void)
{
    const struct weir_sim_host *host = weir__sim_host();
    return host && host->down;
}

/* --- making sockets --- */

/* Opens a descriptor for a new object, which is freed where there is none. */
static int open_object(struct weir__sim_object *object, int flags, const char *verb)
{
    int fd = weir__sim_open(object, flags & SOCK_NONBLOCK);
    if (fd < 0) {
        int number = errno;
        object->kind->closed(object);
        return (int)leave(NULL, verb, fail(number), NULL, 0);
    }
    leave(object, verb, fd - WEIR__SIM_FIRST_DESCRIPTOR, NULL, 0);
    return fd;
}

static int sim_socket(int family, int type, int protocol)
{
    (void)protocol;
    if (host_is_down())
        return fail(EIO);
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return fail(EAFNOSUPPORT);
    bool datagram = (type & 0xf) == SOCK_DGRAM;
    struct weir__sim_object *object = datagram ? weir__sim_datagram_new(family) : weir__sim_stream_new(family);
    return object ? open_object(object, type, "socket") : -1;
}

static int sim_socketpair(int family, int type, int protocol, int pair[2])
{
    (void)family;
    (void)protocol;
    struct weir__sim_object *objects[2];
    bool datagram = (type & 0xf) == SOCK_DGRAM;
    if ((datagram ? weir__sim_datagram_pair(objects) : weir__sim_stream_pair(objects)) < 0)
        return -1;
    pair[0] = open_object(objects[0], type, "socketpair");
    if (pair[0] < 0) {
        int number = errno;
        objects[1]->kind->closed(objects[1]);
        return fail(number);
    }
    pair[1] = open_object(objects[1], type, "socketpair");
    if (pair[1] >= 0)
        return 0;
    int number = errno;
    weir__sim_close(pair[0]);
    return fail(number);
}

static int sim_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->bind ? object->kind->bind(object, address, length) : fail(ENOTSOCK);
    return (int)leave(object, "bind", result, NULL, 0);
}

static int sim_listen(int fd, int backlog)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->listen ? object->kind->listen(object, backlog) : fail(EOPNOTSUPP);
    return (int)leave(object, "listen", result, NULL, 0);
}

/* Whether there is a descriptor for it is known first: on Linux too, a client stays in the queue otherwise. */
static int sim_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct weir__sim_object *object = enter(fd);
    if (!object)
        return -1;
    if (!object->kind->accept)
        return fail(EINVAL);
    if ((object->kind->ready(object) & POLLIN) && weir__sim_no_descriptor() < 0)
        return (int)leave(object, "accept", -1, NULL, 0);
    struct weir__sim_object *accepted = object->kind->accept(object);
    if (!accepted)
        return errno == EAGAIN ? -1 : (int)leave(object, "accept", -1, NULL, 0);
    int accepted_fd = open_object(accepted, flags, "accept");
    if (accepted_fd >= 0 && address && accepted->kind->socket_name(accepted, true, address, length) < 0)
        *length = 0;
    return accepted_fd;
}

static int sim_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->connect ? object->kind->connect(object, address, length) : fail(ENOTSOCK);
    return (int)leave(object, "connect", result, NULL, 0);
}

static int name_of(int fd, bool peer, struct sockaddr *address, socklen_t *length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    return object->kind->socket_name ? object->kind->socket_name(object, peer, address, length) : fail(ENOTSOCK);
}

static int sim_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    return name_of(fd, false, address, length);
}

static int sim_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    return name_of(fd, true, address, length);
}

static int sim_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    return object->kind->get_option ? object->kind->get_option(object, level, name, value, length) : fail(ENOTSOCK);
}

static int sim_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    return object->kind->set_option ? object->kind->set_option(object, level, name, value, length) : fail(ENOTSOCK);
}

static int sim_shutdown(int fd, int how)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->shutdown ? object->kind->shutdown(object, how) : fail(ENOTSOCK);
    return (int)leave(object, "shutdown", result, NULL, 0);
}

/* --- data --- */

static ssize_t receive(int fd, struct msghdr *message, int flags, const char *verb)
{
    struct weir__sim_object *object = enter(fd);
    if (!object)
        return -1;
    ssize_t length = object->kind->receive ? object->kind->receive(object, message, flags) : fail(EINVAL);
    size_t first = message->msg_iovlen ? message->msg_iov[0].iov_len : 0;
    return leave(object, verb, length, first ? message->msg_iov[0].iov_base : NULL,
                 length > 0 && (size_t)length < first ? (size_t)length : first);
}

static ssize_t send_to(int fd, const struct msghdr *message, int flags, const char *verb)
{
    struct weir__sim_object *object = enter(fd);
    if (!object)
        return -1;
    ssize_t length = object->kind->send ? object->kind->send(object, message, flags) : fail(EINVAL);
    size_t first = message->msg_iovlen ? message->msg_iov[0].iov_len : 0;
    return leave(object, verb, length, first ? message->msg_iov[0].iov_base : NULL,
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

static ssize_t sim_recv(int fd, void *buffer, size_t size, int flags)
{
    return receive_one(fd, buffer, size, flags, "recv");
}

static ssize_t sim_send(int fd, const void *data, size_t size, int flags)
{
    return send_one(fd, data, size, flags, "send");
}

static ssize_t sim_recvmsg(int fd, struct msghdr *message, int flags)
{
    return receive(fd, message, flags, "recvmsg");
}

static ssize_t sim_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return send_to(fd, message, flags, "sendmsg");
}

static int sim_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++) {
        ssize_t length = receive(fd, &messages[i].msg_hdr, flags, "recvmmsg");
        if (length < 0)
            return i ? (int)i : -1;
        messages[i].msg_len = (unsigned)length;
    }
    return (int)count;
}

static int sim_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
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

static ssize_t sim_sendfile(int socket, int file, off_t *offset, size_t count)
{
    char piece[4096];
    struct weir__sim_object *object = weir__sim_get(file);
    if (!object)
        return -1;
    if (!object->kind->read_at || !offset)
        return fail(EINVAL);
    ssize_t there = object->kind->read_at(object, piece, count < sizeof piece ? count : sizeof piece, *offset);
    if (there <= 0)
        return there;
    ssize_t sent = send_one(socket, piece, (size_t)there, MSG_DONTWAIT, "sendfile");
    if (sent > 0)
        *offset += sent;
    return sent;
}

/* As where one of the two is of a kind that splice(2) does not know: the library copies then. */
static ssize_t sim_splice(int from, int to, size_t count, unsigned flags)
{
    (void)from;
    (void)to;
    (void)count;
    (void)flags;
    return fail(EINVAL);
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

static ssize_t sim_read(int fd, void *buffer, size_t size)
{
    return fd == 0 ? 0 : receive_one(fd, buffer, size, 0, "read");
}

static ssize_t sim_write(int fd, const void *data, size_t size)
{
    return fd == 1 || fd == 2 ? write_output(fd, data, size) : send_one(fd, data, size, MSG_NOSIGNAL, "write");
}

static ssize_t sim_write_flags(int fd, const void *data, size_t size, int flags)
{
    (void)flags;
    return sim_write(fd, data, size);
}

static ssize_t sim_pread(int fd, void *buffer, size_t size, off_t offset)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    ssize_t length = object->kind->read_at ? object->kind->read_at(object, buffer, size, offset) : fail(ESPIPE);
    return leave(object, "pread", length, buffer, length > 0 ? (size_t)length : 0);
}

static ssize_t sim_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    ssize_t length = object->kind->write_at ? object->kind->write_at(object, data, size, offset) : fail(ESPIPE);
    return leave(object, "pwrite", length, data, length > 0 ? (size_t)length : 0);
}

static int sim_fcntl(int fd, int command, int argument)
{
    if (weir__sim_is_virtual(fd))
        return weir__sim_fcntl(fd, command, argument);
    return fd >= 0 && fd <= 2 ? (command == F_GETFL ? O_RDWR : 0) : fail(EBADF);
}

static int sim_ioctl(int fd, unsigned long request, void *argument)
{
    struct weir__sim_object *object = weir__sim_is_virtual(fd) ? weir__sim_get(fd) : NULL;
    return object && object->kind->ioctl ? object->kind->ioctl(object, request, argument) : fail(ENOTTY);
}

static int sim_open_file(const char *path, int flags, mode_t mode)
{
    if (host_is_down())
        return fail(EIO);
    int fd = weir__sim_file_open(path, flags, mode);
    int saved = errno;
    weir__sim_trace_text("open", path);
    errno = saved;
    return fd;
}

static int sim_fstat(int fd, struct stat *status)
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

/* --- processes and signals: a world has hosts in their place --- */

static int sim_thread_mask(int how, const sigset_t *set, sigset_t *before)
{
    (void)how;
    (void)set;
    if (before)
        sigemptyset(before);
    return 0;
}

static int sim_sigpending(sigset_t *set)
{
    return sigemptyset(set);
}

static int sim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    (void)set;
    (void)info;
    (void)timeout;
    return fail(EAGAIN);
}

static int sim_pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid;
    (void)flags;
    return fail(ENOSYS);
}

static pid_t sim_clone(int (*function)(void *arg), void *stack, int flags, void *arg, int *pidfd)
{
    (void)function;
    (void)stack;
    (void)flags;
    (void)arg;
    (void)pidfd;
    return fail(ENOSYS);
}

static int sim_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    (void)type;
    (void)id;
    (void)info;
    (void)options;
    return fail(ECHILD);
}

static int sim_kill(pid_t pid, int number)
{
    struct weir_sim_host *host = weir__sim_host();
    if (!host || pid != (pid_t)(1000 + host->number))
        return fail(ESRCH);
    weir__sim_notify(host, number);
    return 0;
}

static pid_t sim_getpid(void)
{
    const struct weir_sim_host *host = weir__sim_host();
    return 1000 + (pid_t)(host ? host->number : 0);
}

static pid_t sim_getppid(void)
{
    return 1;
}

static int sim_getrlimit(int resource, struct rlimit *limit)
{
    *limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    if (resource == RLIMIT_NOFILE)
        *limit = (struct rlimit){DESCRIPTORS, DESCRIPTORS};
    return 0;
}

static int sim_setrlimit(int resource, const struct rlimit *limit)
{
    (void)resource;
    (void)limit;
    return 0;
}

static int sim_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    (void)number;
    (void)action;
    if (before)
        *before = (struct sigaction){.sa_handler = SIG_DFL};
    return 0;
}

static pid_t sim_fork(void)
{
    return fail(ENOSYS);
}

static int sim_die_with_parent(int number)
{
    (void)number;
    return 0;
}

/* --- work on the pool --- */

/* Waits as long as the work is said to take; in the fiber's own slot. Whether it was cut short, with errno. */
static int pass_time(int64_t until, bool cancellable)
{
    struct weir_fiber *fiber = weir__fiber_running();
    if (!fiber || !weir__wait_begin(&fiber->own))
        return 0;
    int result = cancellable ? weir__wait_park(&fiber->own, until) : weir__wait_park_uncancelled(&fiber->own, until);
    return result < 0 && errno == ECANCELED ? -1 : 0;
}

/* Does the work first and takes its time afterwards, in which the caller may be cancelled: then the result is thrown away. */
static int sim_offload(int (*function)(void *arg), void *arg, void (*abandon)(void *arg), int *result, int64_t deadline)
{
    errno = 0;
    int value = function(arg), number = errno;
    int64_t cost = weir__sim_strikes(WEIR_SIM_DELAY) ? weir__sim_between(CHEAPEST_JOB, SLOW_JOB)
                                                     : weir__sim_between(CHEAPEST_JOB, DEAREST_JOB);
    int64_t done = weir__sim_here->now + cost;
    bool late = abandon && deadline < done;
    int cancelled = pass_time(late ? deadline : done, abandon);
    if (late || cancelled < 0) {
        abandon(arg);
        return cancelled < 0 ? weir__fail_cancelled("offload", "") : weir__fail_deadline("offload", "");
    }
    if (result)
        *result = value;
    errno = number;
    return 0;
}

const struct weir__system weir__sim_system = {
    .backend = &weir__backend_sim,
    .offload = sim_offload,
    .monotonic = monotonic,
    .wall = wall,
    .random = random_bytes,
    .socket = sim_socket,
    .socketpair = sim_socketpair,
    .bind = sim_bind,
    .listen = sim_listen,
    .accept4 = sim_accept4,
    .connect = sim_connect,
    .getsockname = sim_getsockname,
    .getpeername = sim_getpeername,
    .getsockopt = sim_getsockopt,
    .setsockopt = sim_setsockopt,
    .shutdown = sim_shutdown,
    .recv = sim_recv,
    .send = sim_send,
    .recvmsg = sim_recvmsg,
    .sendmsg = sim_sendmsg,
    .recvmmsg = sim_recvmmsg,
    .sendmmsg = sim_sendmmsg,
    .sendfile = sim_sendfile,
    .splice = sim_splice,
    .resolve = weir__sim_resolve,
    .resolve_free = weir__sim_resolve_free,
    .close = weir__sim_close,
    .poll = weir__sim_poll,
    .read = sim_read,
    .write = sim_write,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .read_nowait = sim_read,
    .write_nowait = sim_write,
    .write_flags = sim_write_flags,
    .fcntl = sim_fcntl,
    .ioctl = sim_ioctl,
    .eventfd = weir__sim_eventfd,
    .pipe2 = weir__sim_pipe,
    .open = sim_open_file,
    .fstat = sim_fstat,
    .lstat = weir__sim_lstat,
    .unlink = weir__sim_unlink,
    .chmod = weir__sim_chmod,
    .fchmod = weir__sim_fchmod,
    .fdatasync = weir__sim_fdatasync,
    .signalfd = weir__sim_signalfd,
    .thread_mask = sim_thread_mask,
    .sigpending = sim_sigpending,
    .sigtimedwait = sim_sigtimedwait,
    .pidfd_open = sim_pidfd_open,
    .clone = sim_clone,
    .waitid = sim_waitid,
    .kill = sim_kill,
    .getpid = sim_getpid,
    .getppid = sim_getppid,
    .getrlimit = sim_getrlimit,
    .setrlimit = sim_setrlimit,
    .sigaction = sim_sigaction,
    .fork = sim_fork,
    .die_with_parent = sim_die_with_parent,
};

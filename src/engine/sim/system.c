/* The table of system calls in a world: the descriptor's object does them, and each is traced. What a world has not, it refuses. */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "engine/sim/system.h"

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

/* --- making sockets --- */

/* Opens a descriptor for a new object, which is freed where there is none. */
static int open_object(struct weir__sim_object *object, int flags, const char *verb)
{
    int fd = weir__sim_open(object, flags & SOCK_NONBLOCK);
    if (fd < 0) {
        int number = errno;
        object->kind->closed(object);
        return (int)weir__sim_leave(NULL, verb, weir__sim_errno(number), NULL, 0);
    }
    weir__sim_leave(object, verb, fd - WEIR__SIM_FIRST_DESCRIPTOR, NULL, 0);
    return fd;
}

static int sim_socket(int family, int type, int protocol)
{
    (void)protocol;
    if (weir__sim_is_down())
        return weir__sim_errno(EIO);
    if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
        return weir__sim_errno(EAFNOSUPPORT);
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
        return weir__sim_errno(number);
    }
    pair[1] = open_object(objects[1], type, "socketpair");
    if (pair[1] >= 0)
        return 0;
    int number = errno;
    weir__sim_close(pair[0]);
    return weir__sim_errno(number);
}

static int sim_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->bind ? object->kind->bind(object, address, length) : weir__sim_errno(ENOTSOCK);
    return (int)weir__sim_leave(object, "bind", result, NULL, 0);
}

static int sim_listen(int fd, int backlog)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->listen ? object->kind->listen(object, backlog) : weir__sim_errno(EOPNOTSUPP);
    return (int)weir__sim_leave(object, "listen", result, NULL, 0);
}

/* Whether there is a descriptor for it is known first: on Linux too, a client stays in the queue otherwise. */
static int sim_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    struct weir__sim_object *object = weir__sim_enter(fd);
    if (!object)
        return -1;
    if (!object->kind->accept)
        return weir__sim_errno(EINVAL);
    if ((object->kind->ready(object) & POLLIN) && weir__sim_no_descriptor() < 0)
        return (int)weir__sim_leave(object, "accept", -1, NULL, 0);
    struct weir__sim_object *accepted = object->kind->accept(object);
    if (!accepted)
        return errno == EAGAIN ? -1 : (int)weir__sim_leave(object, "accept", -1, NULL, 0);
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
    int result = object->kind->connect ? object->kind->connect(object, address, length) : weir__sim_errno(ENOTSOCK);
    return (int)weir__sim_leave(object, "connect", result, NULL, 0);
}

static int name_of(int fd, bool peer, struct sockaddr *address, socklen_t *length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    return object->kind->socket_name ? object->kind->socket_name(object, peer, address, length)
                                     : weir__sim_errno(ENOTSOCK);
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
    return object->kind->get_option ? object->kind->get_option(object, level, name, value, length)
                                    : weir__sim_errno(ENOTSOCK);
}

static int sim_setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    return object->kind->set_option ? object->kind->set_option(object, level, name, value, length)
                                    : weir__sim_errno(ENOTSOCK);
}

static int sim_shutdown(int fd, int how)
{
    struct weir__sim_object *object = weir__sim_get(fd);
    if (!object)
        return -1;
    int result = object->kind->shutdown ? object->kind->shutdown(object, how) : weir__sim_errno(ENOTSOCK);
    return (int)weir__sim_leave(object, "shutdown", result, NULL, 0);
}

const struct weir__system weir__sim_system = {
    .backend = &weir__backend_sim,
    .offload = weir__sim_offload,
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
    .recv = weir__sim_recv,
    .send = weir__sim_send,
    .recvmsg = weir__sim_recvmsg,
    .sendmsg = weir__sim_sendmsg,
    .recvmmsg = weir__sim_recvmmsg,
    .sendmmsg = weir__sim_sendmmsg,
    .sendfile = weir__sim_sendfile,
    .splice = weir__sim_splice,
    .resolve = weir__sim_resolve,
    .resolve_free = weir__sim_resolve_free,
    .close = weir__sim_close,
    .poll = weir__sim_poll,
    .read = weir__sim_read,
    .write = weir__sim_write,
    .pread = weir__sim_pread,
    .pwrite = weir__sim_pwrite,
    .read_nowait = weir__sim_read,
    .write_nowait = weir__sim_write,
    .write_flags = weir__sim_write_flags,
    .fcntl = weir__sim_fcntl_any,
    .ioctl = weir__sim_ioctl,
    .eventfd = weir__sim_eventfd,
    .pipe2 = weir__sim_pipe,
    .open = weir__sim_open_file,
    .fstat = weir__sim_fstat,
    .lstat = weir__sim_lstat,
    .unlink = weir__sim_unlink,
    .chmod = weir__sim_chmod,
    .fchmod = weir__sim_fchmod,
    .mkdir = weir__sim_mkdir,
    .rmdir = weir__sim_rmdir,
    .mkfifo = weir__sim_mkfifo,
    .fdatasync = weir__sim_fdatasync,
    .signalfd = weir__sim_signalfd,
    .thread_mask = weir__sim_thread_mask,
    .sigpending = weir__sim_sigpending,
    .sigtimedwait = weir__sim_sigtimedwait,
    .pidfd_open = weir__sim_pidfd_open,
    .clone = weir__sim_clone,
    .waitid = weir__sim_waitid,
    .kill = weir__sim_kill,
    .getpid = weir__sim_getpid,
    .getppid = weir__sim_getppid,
    .getrlimit = weir__sim_getrlimit,
    .setrlimit = weir__sim_setrlimit,
    .sigaction = weir__sim_sigaction,
    .fork = weir__sim_fork,
    .die_with_parent = weir__sim_die_with_parent,
};

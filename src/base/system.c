/* The kernel's own table: where libc has a function of the very type it stands in the table, else a wrapper does. */
#include "base/system.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { NANOSECONDS = 1000000000 };

_Thread_local const struct weir__system *weir__system_here __attribute__((tls_model("initial-exec"))) = &weir__kernel;

static int64_t kernel_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (int64_t)time.tv_sec * NANOSECONDS + time.tv_nsec;
}

static int64_t kernel_monotonic(void)
{
    return kernel_clock(CLOCK_MONOTONIC);
}

static int64_t kernel_wall(void)
{
    return kernel_clock(CLOCK_REALTIME);
}

/* Keys may be made of it, so there is no weaker source to fall back on where the kernel refuses. Keeps errno. */
static void kernel_random(void *bytes, size_t size)
{
    int before = errno;
    unsigned char *next = bytes;
    while (size > 0) {
        ssize_t got = getrandom(next, size, 0);
        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            next += got;
            size -= (size_t)got;
        }
    }
    errno = before;
}

/* glibc declares the calls that take an address with a transparent union, which no plain function pointer matches. */
static int kernel_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return bind(fd, address, length);
}

static int kernel_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept4(fd, address, length, flags);
}

static int kernel_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

static int kernel_getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
    return getsockname(fd, address, length);
}

static int kernel_getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
    return getpeername(fd, address, length);
}

/*
 * What moves data goes to the kernel directly: libc's functions are points of cancellation, which costs four atomic
 * operations and a hundred instructions a message once there are threads, and nobody cancels threads here. The sanitizers
 * know libc's functions alone.
 */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define WEIR__LIBC 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WEIR__LIBC 1
#endif
#endif

#ifdef WEIR__LIBC
#define kernel_recv     recv
#define kernel_send     send
#define kernel_recvmsg  recvmsg
#define kernel_sendmsg  sendmsg
#define kernel_sendmmsg sendmmsg

static int kernel_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return recvmmsg(fd, messages, count, flags, NULL);
}
#else
static ssize_t kernel_recv(int fd, void *buffer, size_t size, int flags)
{
    return syscall(SYS_recvfrom, fd, buffer, size, flags, NULL, NULL);
}

static ssize_t kernel_send(int fd, const void *data, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

static ssize_t kernel_recvmsg(int fd, struct msghdr *message, int flags)
{
    return syscall(SYS_recvmsg, fd, message, flags);
}

static ssize_t kernel_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* Without its own time-out, which is looked at between datagrams alone (recvmmsg(2), BUGS). */
static int kernel_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return (int)syscall(SYS_recvmmsg, fd, messages, count, flags, NULL);
}

static int kernel_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}
#endif

static ssize_t kernel_splice(int from, int to, size_t count, unsigned flags)
{
    return splice(from, NULL, to, NULL, count, flags);
}

static int kernel_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = timeout_ns / NANOSECONDS, .tv_nsec = timeout_ns % NANOSECONDS};
    return ppoll(descriptors, count, timeout_ns < 0 ? NULL : &timeout, NULL);
}

/* Offset -1 is the file's own position, and the only one that pipes take. */
static ssize_t kernel_read_nowait(int fd, void *buffer, size_t size)
{
    struct iovec piece = {.iov_base = buffer, .iov_len = size};
    return preadv2(fd, &piece, 1, -1, RWF_NOWAIT);
}

static ssize_t kernel_write_nowait(int fd, const void *data, size_t size)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    return pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
}

static ssize_t kernel_write_flags(int fd, const void *data, size_t size, int flags)
{
    struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    return pwritev2(fd, &piece, 1, -1, flags);
}

static int kernel_fcntl(int fd, int command, int argument)
{
    return fcntl(fd, command, argument);
}

static int kernel_ioctl(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

static int kernel_thread_mask(int how, const sigset_t *set, sigset_t *before)
{
    int number = pthread_sigmask(how, set, before);
    if (number == 0)
        return 0;
    errno = number;
    return -1;
}

static pid_t kernel_clone(int (*function)(void *arg), void *stack, int flags, void *arg, int *pidfd)
{
    return clone(function, stack, flags, arg, pidfd);
}

static int kernel_getrlimit(int resource, struct rlimit *limit)
{
    return getrlimit(resource, limit);
}

static int kernel_setrlimit(int resource, const struct rlimit *limit)
{
    return setrlimit(resource, limit);
}

static int kernel_die_with_parent(int signal)
{
    return prctl(PR_SET_PDEATHSIG, signal);
}

static int kernel_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

const struct weir__system weir__kernel = {
    .monotonic = kernel_monotonic,
    .wall = kernel_wall,
    .random = kernel_random,

    .socket = socket,
    .socketpair = socketpair,
    .bind = kernel_bind,
    .listen = listen,
    .accept4 = kernel_accept4,
    .connect = kernel_connect,
    .getsockname = kernel_getsockname,
    .getpeername = kernel_getpeername,
    .getsockopt = getsockopt,
    .setsockopt = setsockopt,
    .shutdown = shutdown,
    .recv = kernel_recv,
    .send = kernel_send,
    .recvmsg = kernel_recvmsg,
    .sendmsg = kernel_sendmsg,
    .recvmmsg = kernel_recvmmsg,
    .sendmmsg = kernel_sendmmsg,
    .sendfile = sendfile,
    .splice = kernel_splice,
    .resolve = getaddrinfo,
    .resolve_free = freeaddrinfo,

    .close = close,
    .poll = kernel_poll,
    .read = read,
    .write = write,
    .pread = pread,
    .pwrite = pwrite,
    .read_nowait = kernel_read_nowait,
    .write_nowait = kernel_write_nowait,
    .write_flags = kernel_write_flags,
    .fcntl = kernel_fcntl,
    .ioctl = kernel_ioctl,
    .eventfd = eventfd,
    .pipe2 = pipe2,

    .open = kernel_open,
    .fstat = fstat,
    .lstat = lstat,
    .unlink = unlink,
    .chmod = chmod,
    .fchmod = fchmod,
    .mkdir = mkdir,
    .rmdir = rmdir,
    .mkfifo = mkfifo,
    .fdatasync = fdatasync,

    .signalfd = signalfd,
    .thread_mask = kernel_thread_mask,
    .sigpending = sigpending,
    .sigtimedwait = sigtimedwait,
    .pidfd_open = pidfd_open,
    .clone = kernel_clone,
    .waitid = waitid,
    .kill = kill,
    .getpid = getpid,
    .getppid = getppid,
    .getrlimit = kernel_getrlimit,
    .setrlimit = kernel_setrlimit,
    .sigaction = sigaction,
    .fork = fork,
    .die_with_parent = kernel_die_with_parent,
};

/*
 * The one door to the kernel: a table of every system call, clock and random number that the library uses.
 *
 * The kernel's own table is the default. The simulator puts its own in place for the thread that runs it, and the
 * fault injector one that counts and fails calls; so nothing in src/ above this file calls the system directly.
 * The functions behave as those of the same name in libc: -1 and errno.
 */
#ifndef WEIR_BASE_SYSTEM_H
#define WEIR_BASE_SYSTEM_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <weir/endpoint.h>

struct addrinfo;

struct weir__backend;

struct weir__system {
    /*
     * Of a system without threads, which is the simulator: the backend of every loop, and what weir_offload does there. NULL of
     * a kernel.
     */
    const struct weir__backend *backend;
    int (*offload)(int (*function)(void *arg), void *arg, void (*abandon)(void *arg), int *result, int64_t deadline);

    /* clocks and chance */
    int64_t (*monotonic)(void);
    int64_t (*wall)(void);
    void (*random)(void *bytes, size_t size);

    /* sockets */
    int (*socket)(int family, int type, int protocol);
    int (*socketpair)(int family, int type, int protocol, int pair[2]);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(int fd, int backlog);
    int (*accept4)(int fd, struct sockaddr *address, socklen_t *length, int flags);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t length);
    int (*getsockname)(int fd, struct sockaddr *address, socklen_t *length);
    int (*getpeername)(int fd, struct sockaddr *address, socklen_t *length);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *length);
    int (*setsockopt)(int fd, int level, int name, const void *value, socklen_t length);
    int (*shutdown)(int fd, int how);
    ssize_t (*recv)(int fd, void *buffer, size_t size, int flags);
    ssize_t (*send)(int fd, const void *data, size_t size, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    int (*sendmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    ssize_t (*sendfile)(int socket, int file, off_t *offset, size_t count);
    ssize_t (*splice)(int from, int to, size_t count, unsigned flags);
    /* As getaddrinfo(3) and freeaddrinfo(3); blocks, so only ever called on the pool. */
    int (*resolve)(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **result);
    void (*resolve_free)(struct addrinfo *result);

    /* descriptors */
    int (*close)(int fd);
    /* As ppoll(2) without a mask; a negative time-out waits for ever. */
    int (*poll)(struct pollfd *descriptors, nfds_t count, int64_t timeout_ns);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *data, size_t size);
    ssize_t (*pread)(int fd, void *buffer, size_t size, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    /*
     * One read or write that does not wait, whatever the flags of the descriptor: EAGAIN, or EOPNOTSUPP where the
     * kernel cannot (RWF_NOWAIT).
     */
    ssize_t (*read_nowait)(int fd, void *buffer, size_t size);
    ssize_t (*write_nowait)(int fd, const void *data, size_t size);
    /* pwritev2(2) of one piece at the file's own position, with its RWF_ flags. */
    ssize_t (*write_flags)(int fd, const void *data, size_t size, int flags);
    int (*fcntl)(int fd, int command, int argument);
    int (*ioctl)(int fd, unsigned long request, void *argument);
    int (*eventfd)(unsigned initial, int flags);
    int (*pipe2)(int pair[2], int flags);

    /* files */
    int (*open)(const char *path, int flags, mode_t mode);
    int (*fstat)(int fd, struct stat *status);
    int (*lstat)(const char *path, struct stat *status);
    int (*unlink)(const char *path);
    int (*chmod)(const char *path, mode_t mode);
    int (*fchmod)(int fd, mode_t mode);
    int (*mkdir)(const char *path, mode_t mode);
    int (*rmdir)(const char *path);
    int (*mkfifo)(const char *path, mode_t mode);
    int (*fdatasync)(int fd);

    /* processes and signals */
    int (*signalfd)(int fd, const sigset_t *mask, int flags);
    int (*thread_mask)(int how, const sigset_t *set, sigset_t *before); /* pthread_sigmask */
    int (*sigpending)(sigset_t *set);
    int (*sigtimedwait)(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
    int (*pidfd_open)(pid_t pid, unsigned flags);
    /* As clone(2): the child runs function(arg) on a stack that ends at `stack`; *pidfd is set with CLONE_PIDFD. */
    pid_t (*clone)(int (*function)(void *arg), void *stack, int flags, void *arg, int *pidfd);
    int (*waitid)(idtype_t type, id_t id, siginfo_t *info, int options);
    int (*kill)(pid_t pid, int signal);
    pid_t (*getpid)(void);
    pid_t (*getppid)(void);
    int (*getrlimit)(int resource, struct rlimit *limit);
    int (*setrlimit)(int resource, const struct rlimit *limit);
    int (*sigaction)(int signal, const struct sigaction *action, struct sigaction *before);
    pid_t (*fork)(void);
    int (*die_with_parent)(int signal); /* prctl(2)'s PR_SET_PDEATHSIG */
};

extern const struct weir__system weir__kernel;

/* What the calling thread goes through: the kernel's table unless somebody put another in place. */
extern _Thread_local const struct weir__system *weir__system_here __attribute__((tls_model("initial-exec")));

static inline const struct weir__system *weir__system(void)
{
    return weir__system_here;
}

/* Whether what would be a thread must be a fiber of the calling loop. */
static inline bool weir__threadless(void)
{
    return weir__system_here->offload;
}

#endif

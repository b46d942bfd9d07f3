/* The system table of the injector: the kernel's, whose every entry first asks whether it is to fail. */
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "inject.h"

/* Which descriptors are eventfds: the kernel never refuses to write to one of those that wake somebody. */
enum { DESCRIPTORS = 1024 };
static bool is_eventfd[DESCRIPTORS];

static bool wakes(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS && is_eventfd[fd];
}

#define ASK(name)                                                                                                      \
    do {                                                                                                               \
        int struck_with = strike(POINT_##name);                                                                        \
        if (struck_with) {                                                                                             \
            errno = struck_with;                                                                                       \
            return -1;                                                                                                 \
        }                                                                                                              \
    } while (0)

/* An entry that fails, or does what the kernel's does. */
#define ENTRY(type, name, parameters, arguments)                                                                       \
    static type inject_##name parameters                                                                               \
    {                                                                                                                  \
        ASK(name);                                                                                                     \
        return weir__kernel.name arguments;                                                                            \
    }

ENTRY(int, socket, (int family, int type, int protocol), (family, type, protocol))
ENTRY(int, socketpair, (int family, int type, int protocol, int pair[2]), (family, type, protocol, pair))
ENTRY(int, bind, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
ENTRY(int, listen, (int fd, int backlog), (fd, backlog))
ENTRY(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags), (fd, address, length, flags))
ENTRY(int, connect, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
ENTRY(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
ENTRY(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
ENTRY(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
      (fd, level, name, value, length))
ENTRY(ssize_t, recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags))
ENTRY(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
ENTRY(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
ENTRY(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
ENTRY(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags), (fd, messages, count, flags))
ENTRY(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned count, int flags), (fd, messages, count, flags))
ENTRY(ssize_t, sendfile, (int socket, int file, off_t *offset, size_t count), (socket, file, offset, count))
ENTRY(ssize_t, splice, (int from, int to, size_t count, unsigned flags), (from, to, count, flags))
ENTRY(ssize_t, pread, (int fd, void *buffer, size_t size, off_t offset), (fd, buffer, size, offset))
ENTRY(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t offset), (fd, data, size, offset))
ENTRY(ssize_t, read_nowait, (int fd, void *buffer, size_t size), (fd, buffer, size))
ENTRY(ssize_t, write_nowait, (int fd, const void *data, size_t size), (fd, data, size))
ENTRY(int, ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument))
ENTRY(int, pipe2, (int pair[2], int flags), (pair, flags))
ENTRY(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode))
ENTRY(int, fstat, (int fd, struct stat *status), (fd, status))
ENTRY(int, lstat, (const char *path, struct stat *status), (path, status))
ENTRY(int, unlink, (const char *path), (path))
ENTRY(int, chmod, (const char *path, mode_t mode), (path, mode))
ENTRY(int, fchmod, (int fd, mode_t mode), (fd, mode))
ENTRY(int, mkdir, (const char *path, mode_t mode), (path, mode))
ENTRY(int, rmdir, (const char *path), (path))
ENTRY(int, mkfifo, (const char *path, mode_t mode), (path, mode))
ENTRY(int, fdatasync, (int fd), (fd))
ENTRY(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
ENTRY(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout), (set, info, timeout))
ENTRY(int, pidfd_open, (pid_t pid, unsigned flags), (pid, flags))
ENTRY(pid_t, clone, (int (*function)(void *arg), void *stack, int flags, void *arg, int *pidfd),
      (function, stack, flags, arg, pidfd))
ENTRY(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
ENTRY(int, kill, (pid_t pid, int signal), (pid, signal))
ENTRY(int, getrlimit, (int resource, struct rlimit *limit), (resource, limit))
ENTRY(int, setrlimit, (int resource, const struct rlimit *limit), (resource, limit))
ENTRY(int, sigaction, (int signal, const struct sigaction *action, struct sigaction *before), (signal, action, before))

static pid_t inject_fork(void)
{
    ASK(fork);
    return fork_in_run();
}

/* It does already, by a signal that leaves nothing behind. */
static int inject_die_with_parent(int signal)
{
    (void)signal;
    ASK(die_with_parent);
    return 0;
}

/* A connection that is none any more has ended both ways. */
static int inject_shutdown(int fd, int how)
{
    int number = strike(POINT_shutdown);
    if (!number)
        return weir__kernel.shutdown(fd, how);
    weir__kernel.shutdown(fd, SHUT_RDWR);
    errno = number;
    return -1;
}

/* An attempt to connect fails when it is asked for its end. */
static int inject_getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    int number = strike(POINT_getsockopt);
    if (!number)
        return weir__kernel.getsockopt(fd, level, name, value, length);
    if (level != SOL_SOCKET || name != SO_ERROR) {
        errno = number;
        return -1;
    }
    memcpy(value, &number, sizeof number);
    return 0;
}

/* "two.test" has two addresses, of which a test serves the second. */
static int inject_resolve(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **result)
{
    int number = strike(POINT_resolve);
    if (number) {
        errno = EMFILE; /* for EAI_SYSTEM */
        return number;
    }
    bool two = strcmp(host, "two.test") == 0;
    if (!two)
        return EAI_NONAME;
    struct addrinfo numeric = *hints;
    struct addrinfo *first, *second;
    numeric.ai_flags |= AI_NUMERICHOST;
    if ((number = weir__kernel.resolve("::1", port, &numeric, &first)) != 0)
        return number;
    if ((number = weir__kernel.resolve("127.0.0.1", port, &numeric, &second)) != 0) {
        weir__kernel.resolve_free(first);
        return number;
    }
    first->ai_next = second; /* glibc frees them one by one */
    *result = first;
    return 0;
}

/* The descriptor is gone whatever close(2) says. */
static int inject_close(int fd)
{
    if (weir__kernel.fcntl(fd, F_GETFD, 0) < 0)
        fault("descriptor %d is closed, which is not open", fd);
    bool known = wakes(fd);
    if (known)
        is_eventfd[fd] = false;
    int result = weir__kernel.close(fd);
    int number = strike(POINT_close);
    if (!number)
        return result;
    errno = number;
    return -1;
}

/* Flags are read and set whatever is wanting. */
static int inject_fcntl(int fd, int command, int argument)
{
    if (command == F_DUPFD_CLOEXEC)
        ASK(fcntl);
    return weir__kernel.fcntl(fd, command, argument);
}

/* No longer at once than it takes to see that the clock runs faster now. */
static int inject_poll(struct pollfd *descriptors, nfds_t count, int64_t timeout_ns)
{
    ASK(poll);
    int64_t end = timeout_ns < 0 ? WEIR_FOREVER : run_clock() + timeout_ns;
    for (;;) {
        int64_t left = end == WEIR_FOREVER ? WEIR_MS(10) : end - run_clock();
        int64_t slice = has_harmed() ? left / SPEED : left;
        slice = slice < 0 ? 0 : slice < WEIR_MS(5) ? slice : WEIR_MS(5);
        int ready = weir__kernel.poll(descriptors, count, slice);
        if (ready != 0 || run_clock() >= end)
            return ready;
    }
}

static ssize_t inject_read(int fd, void *buffer, size_t size)
{
    if (!wakes(fd))
        ASK(read);
    return weir__kernel.read(fd, buffer, size);
}

static ssize_t inject_write(int fd, const void *data, size_t size)
{
    if (!wakes(fd))
        ASK(write);
    return weir__kernel.write(fd, data, size);
}

/* Only what asks not to wait can be asked for too much. */
static ssize_t inject_write_flags(int fd, const void *data, size_t size, int flags)
{
    int number = strike(POINT_write_flags);
    if (!number || (number == EOPNOTSUPP && !flags))
        return weir__kernel.write_flags(fd, data, size, flags);
    errno = number;
    return -1;
}

static int inject_eventfd(unsigned initial, int flags)
{
    ASK(eventfd);
    int fd = weir__kernel.eventfd(initial, flags);
    if (fd >= 0 && fd < DESCRIPTORS)
        is_eventfd[fd] = true;
    return fd;
}

#define PUT_INTO_TABLE(name) table.name = inject_##name;

void install_system(void)
{
    static struct weir__system table;
    table = weir__kernel;
    POINTS_OF_CALLS(PUT_INTO_TABLE)
    table.monotonic = run_clock;
    weir__system_here = &table;
}

/* --- threads of a conversation --- */

struct start {
    void *(*function)(void *arg);
    void *arg;
    const struct weir__system *system;
};

static void *started(void *arg)
{
    struct start start = *(struct start *)arg;
    weir__system_here = start.system;
    free(arg);
    return start.function(start.arg);
}

bool start_with_system(pthread_t *thread, void *(*function)(void *arg), void *arg)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return false;
    *start = (struct start){function, arg, weir__system_here};
    if (pthread_create(thread, NULL, started, start) == 0)
        return true;
    free(start);
    return false;
}

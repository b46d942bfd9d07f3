/* The system calls of a world that are not told in sim.h, each as the one of its name; system.c puts them into the table. */
#ifndef WEIR_ENGINE_SIM_SYSTEM_H
#define WEIR_ENGINE_SIM_SYSTEM_H

#include <poll.h>

#include "engine/sim/sim.h"

/* --- what they have in common, transfer.c --- */

/* Sets errno; -1. */
int weir__sim_errno(int number);
/* The object behind a descriptor, for a call that takes its time; NULL: the call fails with errno, interrupted now and then. */
struct weir__sim_object *weir__sim_enter(int fd);
/* Notes what a call gave, and returns it; keeps errno. */
int64_t weir__sim_leave(const struct weir__sim_object *object, const char *verb, int64_t result, const void *bytes,
                        size_t size);
/* Whether the caller's host was killed. */
bool weir__sim_is_down(void);

/* --- transfer.c --- */

ssize_t weir__sim_recv(int fd, void *buffer, size_t size, int flags);
ssize_t weir__sim_send(int fd, const void *data, size_t size, int flags);
ssize_t weir__sim_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t weir__sim_sendmsg(int fd, const struct msghdr *message, int flags);
int weir__sim_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int weir__sim_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
ssize_t weir__sim_sendfile(int socket, int file, off_t *offset, size_t count);
ssize_t weir__sim_splice(int from, int to, size_t count, unsigned flags);
ssize_t weir__sim_read(int fd, void *buffer, size_t size);
ssize_t weir__sim_write(int fd, const void *data, size_t size);
ssize_t weir__sim_write_flags(int fd, const void *data, size_t size, int flags);
ssize_t weir__sim_pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t weir__sim_pwrite(int fd, const void *data, size_t size, off_t offset);
int weir__sim_fcntl_any(int fd, int command, int argument);
int weir__sim_ioctl(int fd, unsigned long request, void *argument);
int weir__sim_open_file(const char *path, int flags, mode_t mode);
int weir__sim_fstat(int fd, struct stat *status);

/* --- process.c --- */

int weir__sim_thread_mask(int how, const sigset_t *set, sigset_t *before);
int weir__sim_sigpending(sigset_t *set);
int weir__sim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int weir__sim_pidfd_open(pid_t pid, unsigned flags);
pid_t weir__sim_clone(int (*function)(void *arg), void *stack, int flags, void *arg, int *pidfd);
int weir__sim_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
int weir__sim_kill(pid_t pid, int number);
pid_t weir__sim_getpid(void);
pid_t weir__sim_getppid(void);
int weir__sim_getrlimit(int resource, struct rlimit *limit);
int weir__sim_setrlimit(int resource, const struct rlimit *limit);
int weir__sim_sigaction(int number, const struct sigaction *action, struct sigaction *before);
pid_t weir__sim_fork(void);
int weir__sim_die_with_parent(int number);
int weir__sim_offload(int (*function)(void *arg), void *arg, void (*abandon)(void *arg), int *result, int64_t deadline);

#endif

/*
 * How each call can fail. Only what the kernel may say at that point: an EAGAIN where there is something to read would be
 * waited for in vain, and rightly so.
 */
#include <netdb.h>

#include "inject.h"

#define CALL(name, ...)    [POINT_##name] = {#name, KIND_CALLS, {__VA_ARGS__}}
#define BACKEND(name, ...) [POINT_backend_##name] = {"backend_" #name, KIND_BACKEND, {__VA_ARGS__}}
#define MEMORY(name, ...)  [POINT_##name] = {#name, KIND_MEMORY, {__VA_ARGS__}}

/* A signal came: once, since one that comes for ever keeps every program from its work. */
#define INTERRUPTED                                                                                                    \
    {                                                                                                                  \
        EINTR, ONCE | HARMLESS                                                                                         \
    }
#define NO_DESCRIPTOR                                                                                                  \
    {EMFILE},                                                                                                          \
    {                                                                                                                  \
        ENFILE                                                                                                         \
    }

const struct point_row points[POINT_COUNT] = {
    CALL(socket, NO_DESCRIPTOR, {ENOBUFS}, {ENOMEM}, {EAFNOSUPPORT}, {EACCES}),
    CALL(socketpair, NO_DESCRIPTOR, {ENOMEM}),
    CALL(bind, {EADDRINUSE}, {EADDRNOTAVAIL}, {EACCES}, {ENOMEM}),
    CALL(listen, {EADDRINUSE}, {EINVAL}),
    CALL(accept4, NO_DESCRIPTOR, {ENOMEM}, {ENOBUFS}, INTERRUPTED, {ECONNABORTED, ONCE | HARMLESS},
         {EPROTO, ONCE | HARMLESS}, {EPERM, ONCE | HARMLESS}),
    CALL(connect, {ECONNREFUSED}, {ETIMEDOUT}, {ENETUNREACH}, {EHOSTUNREACH}, {EADDRNOTAVAIL}, {EACCES}, {ENOBUFS}),
    CALL(getsockname, {ENOBUFS}, {EINVAL}),
    CALL(getpeername, {ENOTCONN}, {ENOBUFS}),
    CALL(getsockopt, {ENOBUFS}, {ENOPROTOOPT}),
    CALL(setsockopt, {ENOBUFS}, {ENOMEM}, {ENOPROTOOPT}, {EPERM}),
    CALL(shutdown, {ENOTCONN}),
    CALL(recv, {ECONNRESET}, {ETIMEDOUT}, {ENOMEM}, {EHOSTUNREACH}, INTERRUPTED),
    CALL(send, {ECONNRESET}, {EPIPE}, {ENOBUFS}, {ENOMEM}, {EHOSTUNREACH}, INTERRUPTED),
    CALL(recvmsg, {ECONNRESET}, {ENOMEM}, {ECONNREFUSED}, INTERRUPTED),
    CALL(sendmsg, {ECONNRESET}, {EPIPE}, {ENOBUFS}, {ENOMEM}, {EPERM}, INTERRUPTED),
    CALL(recvmmsg, {ENOMEM}, {ECONNREFUSED}, INTERRUPTED),
    CALL(sendmmsg, {ENOBUFS}, {ENOMEM}, {EPERM}, {EHOSTUNREACH}, {ECONNREFUSED}, INTERRUPTED),
    CALL(sendfile, {EIO}, {ENOMEM}, {ECONNRESET}, {EPIPE}, INTERRUPTED),
    CALL(splice, {ENOMEM}, {ECONNRESET}, {EPIPE}, {EINVAL, HARMLESS}, {ENOSYS, HARMLESS}, INTERRUPTED),
    CALL(resolve, {EAI_NONAME, .translated = ENOENT}, {EAI_AGAIN, .translated = ENOENT},
         {EAI_FAIL, .translated = ENOENT}, {EAI_MEMORY, .translated = ENOMEM}, {EAI_SYSTEM, .translated = EMFILE}),
    CALL(close, {EIO}, {ENOSPC}, INTERRUPTED),
    CALL(poll, {ENOMEM}, INTERRUPTED),
    CALL(read, {EIO}, {ENOMEM}, INTERRUPTED),
    CALL(write, {EIO}, {ENOSPC}, {EDQUOT}, {EPIPE}, INTERRUPTED),
    CALL(pread, {EIO}, {ENOMEM}, INTERRUPTED),
    CALL(pwrite, {EIO}, {ENOSPC}, {EFBIG}, INTERRUPTED),
    CALL(read_nowait, {EIO}, {ENOMEM}, {EOPNOTSUPP, HARMLESS}, INTERRUPTED),
    CALL(write_nowait, {EIO}, {EPIPE}, {EOPNOTSUPP, HARMLESS}, INTERRUPTED),
    CALL(write_flags, {EIO}, {EPIPE}, {EOPNOTSUPP, HARMLESS}, INTERRUPTED),
    CALL(fcntl, {EMFILE}),
    CALL(ioctl, {ENOTTY}, {EINVAL}),
    CALL(eventfd, NO_DESCRIPTOR, {ENOMEM}),
    CALL(pipe2, NO_DESCRIPTOR),
    CALL(open, {ENOENT}, {EACCES}, NO_DESCRIPTOR, {EIO}, {ENOSPC}, {ENOMEM}, {EINTR, ONCE}),
    CALL(fstat, {EIO}, {ENOMEM}),
    CALL(lstat, {ENOENT}, {EACCES}, {ENOMEM}),
    CALL(unlink, {EACCES}, {EBUSY}, {EIO}, {EROFS}),
    CALL(chmod, {EPERM}, {EROFS}),
    CALL(fchmod, {EPERM}, {EROFS}),
    CALL(mkdir, {EACCES}, {ENOSPC}, {EROFS}),
    CALL(rmdir, {EACCES}, {EBUSY}),
    CALL(mkfifo, {EACCES}, {ENOSPC}),
    CALL(fdatasync, {EIO}, {ENOSPC}, {EDQUOT}, {EINTR, ONCE}),
    CALL(signalfd, NO_DESCRIPTOR, {ENOMEM}),
    CALL(sigtimedwait, {EAGAIN}, INTERRUPTED),
    CALL(pidfd_open, NO_DESCRIPTOR, {ENOMEM}),
    CALL(clone, {EAGAIN}, {ENOMEM}, {EMFILE}),
    CALL(waitid, {ECHILD}, INTERRUPTED),
    CALL(kill, {EPERM}),
    CALL(getrlimit, {EPERM}),
    CALL(setrlimit, {EPERM}),
    CALL(sigaction, {EINVAL}),
    CALL(fork, {EAGAIN}, {ENOMEM}),
    CALL(die_with_parent, {EINVAL}),

    BACKEND(open, {ENOSYS}, {EPERM}, NO_DESCRIPTOR, {ENOMEM}),
    BACKEND(descriptor, NO_DESCRIPTOR, {ENOMEM}),
    BACKEND(watch, {ENOMEM}, {ENOSPC}, {EAGAIN}),
    BACKEND(accept, {ENOMEM}, {ENOSPC}, {EAGAIN}),
    BACKEND(accepting, NO_DESCRIPTOR, {ENOMEM}, {ENOBUFS}, {ECANCELED}),
    BACKEND(wait, {ENOMEM, ONCE}, {FAULT_LATE, HARMLESS}, {FAULT_SPURIOUS, HARMLESS}, {FAULT_CLEARED, HARMLESS}),

    MEMORY(malloc, {ENOMEM}),
    MEMORY(calloc, {ENOMEM}),
    MEMORY(realloc, {ENOMEM}),
    MEMORY(aligned_alloc, {ENOMEM}),
    MEMORY(strdup, {ENOMEM}),
    MEMORY(iconv_open, NO_DESCRIPTOR, {ENOMEM}),
    MEMORY(mmap, {ENOMEM}, {EAGAIN, .translated = ENOMEM}),
    MEMORY(mprotect, {ENOMEM}),
    MEMORY(madvise, {ENOMEM}, {EINVAL, HARMLESS}),
    MEMORY(pthread_create, {EAGAIN}),
    MEMORY(pthread_setspecific, {ENOMEM}),
    MEMORY(epoll_create1, NO_DESCRIPTOR, {ENOMEM}),
    MEMORY(epoll_ctl, {ENOMEM}, {ENOSPC}),
    MEMORY(epoll_wait, INTERRUPTED),
    MEMORY(epoll_pwait2, INTERRUPTED, {ENOSYS, HARMLESS}),
    MEMORY(io_uring_queue_init_params, {ENOSYS}, {EPERM}, NO_DESCRIPTOR, {ENOMEM}),
    MEMORY(io_uring_register_ring_fd, {EINVAL, HARMLESS}, {ENOMEM, HARMLESS}),
    MEMORY(io_uring_register_eventfd, {ENOMEM}, {EBUSY}),
};

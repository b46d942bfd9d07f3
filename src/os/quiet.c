/*
 * Writing without SIGPIPE.
 *
 * Linux 6.18 can be asked not to raise it (RWF_NOSIGNAL). Older kernels raise it in the writing thread: there it is
 * blocked around the write and what was raised is taken back, which costs two system calls more and concerns nobody else.
 */
#include <errno.h>
#include <stdatomic.h>

#include "base/system.h"
#include "os/descriptor.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

static atomic_bool kernel_can = true; /* until it is known that it cannot */

static bool is_pending(void)
{
    sigset_t pending;
    return weir__system()->sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void take_back(const sigset_t *pipe_signal)
{
    static const struct timespec at_once;
    while (weir__system()->sigtimedwait(pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
        ;
}

static ssize_t write_masked(int fd, const void *data, size_t size, int flags)
{
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    if (weir__system()->thread_mask(SIG_BLOCK, &pipe_signal, &before) < 0)
        return -1;
    /* Only where it was blocked before can one be pending that is not of this write. */
    bool pending = sigismember(&before, SIGPIPE) == 1 && is_pending();

    ssize_t written = weir__system()->write_flags(fd, data, size, flags);
    int number = errno;
    /* A reader that left in the middle of a write makes it short and raises the signal all the same. */
    bool may_be_raised = written < 0 ? number == EPIPE : (size_t)written < size;
    if (may_be_raised && !pending)
        take_back(&pipe_signal);
    weir__system()->thread_mask(SIG_SETMASK, &before, NULL);
    errno = number;
    return written;
}

static bool not_offered(ssize_t written)
{
    return written < 0 && (errno == EOPNOTSUPP || errno == EINVAL);
}

ssize_t weir__write_quiet(int fd, const void *data, size_t size, int flags)
{
    if (!atomic_load_explicit(&kernel_can, memory_order_relaxed))
        return write_masked(fd, data, size, flags);
    ssize_t written = weir__system()->write_flags(fd, data, size, flags | RWF_NOSIGNAL);
    if (!not_offered(written))
        return written;
    written = write_masked(fd, data, size, flags);
    if (!not_offered(written)) /* so it was not the other flags, or the file, that it refused */
        atomic_store_explicit(&kernel_can, false, memory_order_relaxed);
    return written;
}

/*
 * Writing without SIGPIPE.
 *
 * Linux 6.18 can be asked not to raise it (RWF_NOSIGNAL). Older kernels raise it in the writing thread: there it is
 * blocked around the write and what was raised is taken back, which costs two system calls more and concerns nobody else.
 */
#include "os/quiet.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/system.h"

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x00000100
#endif

static atomic_bool kernel_can = true; /* until it is known that it cannot */

static void make_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGPIPE);
}

static bool is_pending(void)
{
    sigset_t pending;
    return weir__system()->sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

int weir__quiet_begin(struct weir__quiet *quiet)
{
    sigset_t pipe_signal;
    make_set(&pipe_signal);
    if (weir__system()->thread_mask(SIG_BLOCK, &pipe_signal, &quiet->before) < 0)
        return -1;
    /* Only where it was blocked before can one be pending that is not of this write. */
    quiet->pending = sigismember(&quiet->before, SIGPIPE) == 1 && is_pending();
    return 0;
}

static void take_back(void)
{
    static const struct timespec at_once;
    sigset_t pipe_signal;
    make_set(&pipe_signal);
    while (weir__system()->sigtimedwait(&pipe_signal, NULL, &at_once) < 0 && errno == EINTR)
        ;
}

void weir__quiet_end(const struct weir__quiet *quiet, ssize_t done, size_t wanted)
{
    int number = errno;
    /* A reader that left in the middle of a write makes it short and raises the signal all the same. */
    bool may_be_raised = done < 0 ? number == EPIPE : (size_t)done < wanted;
    if (may_be_raised && !quiet->pending)
        take_back();
    weir__system()->thread_mask(SIG_SETMASK, &quiet->before, NULL);
    errno = number;
}

static ssize_t write_masked(int fd, const void *data, size_t size, int flags)
{
    struct weir__quiet quiet;
    if (weir__quiet_begin(&quiet) < 0)
        return -1;
    ssize_t written = weir__system()->write_flags(fd, data, size, flags);
    weir__quiet_end(&quiet, written, size);
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

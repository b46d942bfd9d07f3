/* Writing without SIGPIPE, whatever the program has decided about it. */
#ifndef WEIR_OS_QUIET_H
#define WEIR_OS_QUIET_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What the calling thread goes back to. */
struct weir__quiet {
    sigset_t before;
    bool pending; /* one that is not of this write */
};

/*
 * Around one call that may raise SIGPIPE in the calling thread, without parking in between: it is blocked, and what the
 * call raised is taken back. `wanted` bytes were to go, and `done` is what the call returned. Begin returns 0, or -1 and errno; end
 * keeps the call's errno.
 */
int weir__quiet_begin(struct weir__quiet *quiet);
void weir__quiet_end(const struct weir__quiet *quiet, ssize_t done, size_t wanted);

/* One write with pwritev2's flags that raises no SIGPIPE, cheaper where the kernel helps. As pwritev2(2): -1 and errno. */
ssize_t weir__write_quiet(int fd, const void *data, size_t size, int flags);

#endif

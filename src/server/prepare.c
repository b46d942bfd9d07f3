/* What a server needs of its process. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <weir/log.h>

#include "base/error.h"
#include "os/original.h"
#include "server/process.h"

/*
 * A socket that got the number of a closed standard descriptor would be printed to. Read-only: what is read there ends at
 * once, and what is written fails as it would have.
 */
static int reserve_standard(void)
{
    for (int fd = 0; fd < 3; fd++) {
        if (weir__system()->fcntl(fd, F_GETFD, 0) >= 0)
            continue;
        if (weir__system()->open("/dev/null", O_RDONLY, 0) < 0)
            return weir__fail_system(errno, "open", "/dev/null");
    }
    return 0;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (weir__system()->getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (weir__system()->setrlimit(RLIMIT_NOFILE, &limit) < 0)
        weir_log(WEIR_LOG_WARNING, "the descriptor limit could not be raised: %m");
    else
        weir_log(WEIR_LOG_DEBUG, "%llu descriptors", (unsigned long long)limit.rlim_cur);
}

static void ignore_sigpipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    weir__system()->sigaction(SIGPIPE, &ignore, NULL);
}

int weir__prepare_process(void)
{
    weir__original_note();
    if (reserve_standard() < 0)
        return -1;
    raise_descriptor_limit();
    ignore_sigpipe();
    weir__catch_overflow();
    return 0;
}

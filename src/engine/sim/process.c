/* What a world has in place of processes: hosts, whose signals are pending; and work that would be done on a pool of threads. */
#include <errno.h>
#include <signal.h>

#include "base/error.h"
#include "engine/loop.h"
#include "engine/sim/system.h"

/* How long offloaded work may take; and when it is a fault. */
#define CHEAPEST_JOB WEIR_US(10)
#define DEAREST_JOB  WEIR_MS(2)
#define SLOW_JOB     WEIR_MS(300)

enum { DESCRIPTORS = 4096 };

/* --- processes and signals: a world has hosts in their place --- */

int weir__sim_thread_mask(int how, const sigset_t *set, sigset_t *before)
{
    (void)how;
    (void)set;
    if (before)
        sigemptyset(before);
    return 0;
}

int weir__sim_sigpending(sigset_t *set)
{
    return sigemptyset(set);
}

int weir__sim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    (void)set;
    (void)info;
    (void)timeout;
    return weir__sim_errno(EAGAIN);
}

int weir__sim_pidfd_open(pid_t pid, unsigned flags)
{
    (void)pid;
    (void)flags;
    return weir__sim_errno(ENOSYS);
}

pid_t weir__sim_clone(int (*function)(void *arg), void *stack, int flags, void *arg, int *pidfd)
{
    (void)function;
    (void)stack;
    (void)flags;
    (void)arg;
    (void)pidfd;
    return weir__sim_errno(ENOSYS);
}

int weir__sim_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    (void)type;
    (void)id;
    (void)info;
    (void)options;
    return weir__sim_errno(ECHILD);
}

int weir__sim_kill(pid_t pid, int number)
{
    struct weir_sim_host *host = weir__sim_host();
    if (!host || pid != (pid_t)(1000 + host->number))
        return weir__sim_errno(ESRCH);
    weir__sim_notify(host, number);
    return 0;
}

pid_t weir__sim_getpid(void)
{
    const struct weir_sim_host *host = weir__sim_host();
    return 1000 + (pid_t)(host ? host->number : 0);
}

pid_t weir__sim_getppid(void)
{
    return 1;
}

int weir__sim_getrlimit(int resource, struct rlimit *limit)
{
    *limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    if (resource == RLIMIT_NOFILE)
        *limit = (struct rlimit){DESCRIPTORS, DESCRIPTORS};
    return 0;
}

int weir__sim_setrlimit(int resource, const struct rlimit *limit)
{
    (void)resource;
    (void)limit;
    return 0;
}

int weir__sim_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
    (void)number;
    (void)action;
    if (before)
        *before = (struct sigaction){.sa_handler = SIG_DFL};
    return 0;
}

pid_t weir__sim_fork(void)
{
    return weir__sim_errno(ENOSYS);
}

int weir__sim_die_with_parent(int number)
{
    (void)number;
    return 0;
}

/* --- work on the pool --- */

/* Waits as long as the work is said to take; in the fiber's own slot. Whether it was cut short, with errno. */
static int pass_time(int64_t until, bool cancellable)
{
    struct weir_fiber *fiber = weir__fiber_running();
    if (!fiber || !weir__wait_begin(&fiber->own))
        return 0;
    int result = cancellable ? weir__wait_park(&fiber->own, until) : weir__wait_park_uncancelled(&fiber->own, until);
    return result < 0 && errno == ECANCELED ? -1 : 0;
}

/* Does the work first and takes its time afterwards, in which the caller may be cancelled: then the result is thrown away. */
int weir__sim_offload(int (*function)(void *arg), void *arg, void (*abandon)(void *arg), int *result, int64_t deadline)
{
    errno = 0;
    int value = function(arg), number = errno;
    int64_t cost = weir__sim_strikes(WEIR_SIM_DELAY) ? weir__sim_between(CHEAPEST_JOB, SLOW_JOB)
                                                     : weir__sim_between(CHEAPEST_JOB, DEAREST_JOB);
    int64_t done = weir__sim_here->now + cost;
    bool late = abandon && deadline < done;
    int cancelled = pass_time(late ? deadline : done, abandon);
    if (abandon && (late || cancelled < 0)) {
        abandon(arg);
        return cancelled < 0 ? weir__fail_cancelled("offload", "") : weir__fail_deadline("offload", "");
    }
    if (result)
        *result = value;
    errno = number;
    return 0;
}

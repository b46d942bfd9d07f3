/*
 * The child between its beginning and its program. It runs in the memory of its parent, whose thread stands still
 * meanwhile (CLONE_VM | CLONE_VFORK), so it may make system calls and nothing else. They are made directly: the child is no
 * part of the program any more that the system table stands for. Sanitizers are kept out for the same reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/process.h"

#define BARE __attribute__((no_sanitize("address", "thread", "undefined")))

enum { NOT_STARTED = 127, SIGNAL_WORDS = 8 };

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

/* exit_group itself: _exit is intercepted by sanitizers, whose bookkeeping is the parent's. */
BARE static void give_up(const struct weir__child *child, enum weir__child_step step)
{
    struct weir__child_report report = {.step = step, .number = errno};
    while (write(child->report, &report, sizeof report) < 0 && errno == EINTR)
        ;
    for (;;)
        syscall(SYS_exit_group, NOT_STARTED);
}

/*
 * Handlers become defaults: one that ran here would run in the parent's memory. The system call itself, since libc and
 * sanitizers keep a table of handlers, which is the parent's. The kernel's struct begins with the handler, and is all zeros
 * for SIG_DFL. What is ignored stays so, as with exec, but SIGPIPE, which the library ignores where others would not.
 */
BARE static void reset_signals(const sigset_t *mask)
{
    for (int number = 1; number < NSIG; number++) {
        unsigned long action[SIGNAL_WORDS] = {0};
        if (syscall(SYS_rt_sigaction, number, NULL, action, NSIG / 8) < 0)
            continue;
        if (action[0] == (unsigned long)SIG_DFL || (action[0] == (unsigned long)SIG_IGN && number != SIGPIPE))
            continue;
        for (int word = 0; word < SIGNAL_WORDS; word++)
            action[word] = 0;
        syscall(SYS_rt_sigaction, number, action, NULL, NSIG / 8);
    }
    sigprocmask(SIG_SETMASK, mask, NULL);
}

/* Moves sources out of the way of targets first: the caller may give 1 for 2 and 2 for 1. */
BARE static int set_descriptors(const struct weir__child *child)
{
    int source[3];
    for (int fd = 0; fd < 3; fd++) {
        source[fd] = child->descriptors[fd];
        if (source[fd] >= 0 && source[fd] < 3 && source[fd] != fd)
            source[fd] = fcntl(source[fd], F_DUPFD_CLOEXEC, 3);
        if (child->descriptors[fd] >= 0 && source[fd] < 0)
            return -1;
    }
    for (int fd = 0; fd < 3; fd++) {
        if (source[fd] < 0)
            continue;
        if ((source[fd] == fd ? fcntl(fd, F_SETFD, 0) : dup2(source[fd], fd)) < 0)
            return -1;
    }
    return 0;
}

/* Before Linux 5.11 one by one, as far as the parent's limit let numbers go. */
BARE static void close_others_on_exec(void)
{
    struct rlimit limit;
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    for (rlim_t fd = 3; fd < limit.rlim_cur; fd++)
        fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

/* The parent may have ended before the kernel was told to watch it. */
BARE static int tie_to_parent(const struct weir__child *child)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -1;
    if (getppid() != child->parent)
        syscall(SYS_exit_group, NOT_STARTED);
    return 0;
}

BARE static int set_up(const struct weir__child *child)
{
    if (child->new_group && setpgid(0, 0) < 0)
        return -1;
    if (child->die_with_parent && tie_to_parent(child) < 0)
        return -1;
    if (set_descriptors(child) < 0)
        return -1;
    close_others_on_exec();
    return setrlimit(RLIMIT_NOFILE, &child->files);
}

/* As execvp(3) goes on searching, but a file that is no program is not given to a shell. */
BARE static int execute(const struct weir__child *child)
{
    int number = ENOENT;
    for (char **program = child->programs; *program; program++) {
        execve(*program, child->arguments, child->environment);
        if (errno == EACCES)
            number = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            return -1;
    }
    errno = number;
    return -1;
}

BARE int weir__child_main(void *arg)
{
    const struct weir__child *child = arg;
    reset_signals(&child->mask);
    if (set_up(child) < 0)
        give_up(child, WEIR__CHILD_SETUP);
    if (child->directory && chdir(child->directory) < 0)
        give_up(child, WEIR__CHILD_DIRECTORY);
    if (execute(child) < 0)
        give_up(child, WEIR__CHILD_EXEC);
    return NOT_STARTED;
}

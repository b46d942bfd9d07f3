/*
 * Starting a child: cloned as by vfork(2), which costs the same however large the program is, on a stack of its own and
 * with every signal blocked until it has none of the program's handlers any more.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "base/error.h"
#include "engine/sanitizer.h"
#include "os/descriptor.h"
#include "os/process.h"

#if WEIR__TSAN
enum { SHARED = 0 }; /* its clone does what is right for fork(2) alone */
#else
enum { SHARED = CLONE_VM | CLONE_VFORK };
#endif
enum { STACK_SIZE = 65536, STACK_ALIGNMENT = 16 };

/* Returns once the child's program has begun or it has given up. 0, or -1 and errno. */
static int clone_child(struct weir__child *child)
{
    char *stack = aligned_alloc(STACK_ALIGNMENT, STACK_SIZE);
    if (!stack)
        return -1;
    sigset_t every, before;
    sigfillset(&every);
    weir__system()->thread_mask(SIG_SETMASK, &every, &before);
    child->id = weir__system()->clone(weir__child_main, stack + STACK_SIZE, SHARED | CLONE_PIDFD | SIGCHLD, child,
                                      &child->pidfd);
    int number = errno;
    weir__system()->thread_mask(SIG_SETMASK, &before, NULL);
    free(stack);
    errno = number;
    return child->id < 0 ? -1 : 0;
}

/* Whether the child reported a failure. The pipe ends at once where all went well: its program has not got the other end. */
static bool has_failed(int report_fd, struct weir__child_report *report)
{
    ssize_t got;
    do
        got = weir__system()->read(report_fd, report, sizeof *report);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *report;
}

static void reap(pid_t id)
{
    siginfo_t info;
    while (weir__system()->waitid(P_PID, (id_t)id, &info, WEXITED) < 0 && errno == EINTR)
        ;
}

static int failed(struct weir__child *child, enum weir__child_step step, int number)
{
    child->failure = (struct weir__child_report){.step = step, .number = number};
    return -1;
}

/* Clones it and hears how that went. 0, or -1 with child->failure. */
static int start_reporting(struct weir__child *child, int report_fd)
{
    int result = clone_child(child);
    int number = errno;
    weir__close_quietly(child->report);
    if (result < 0)
        return failed(child, WEIR__CHILD_CLONE, number);
    if (!has_failed(report_fd, &child->failure))
        return 0;
    reap(child->id);
    weir__close_quietly(child->pidfd);
    return -1;
}

static int start_child(void *arg)
{
    struct weir__child *child = arg;
    int report[2];
    if (weir__pipe(report) < 0)
        return failed(child, WEIR__CHILD_PIPE, errno);
    child->report = report[1];
    int result = start_reporting(child, report[0]);
    weir__close_quietly(report[0]);
    return result;
}

static int tell(const struct weir__child *child)
{
    static const char *const steps[] = {
        [WEIR__CHILD_PIPE] = "pipe",       [WEIR__CHILD_CLONE] = "start", [WEIR__CHILD_SETUP] = "start",
        [WEIR__CHILD_DIRECTORY] = "chdir", [WEIR__CHILD_EXEC] = "exec",
    };
    bool directory = child->failure.step == WEIR__CHILD_DIRECTORY;
    const char *subject = directory ? child->directory : child->arguments[0];
    return weir__fail_system(child->failure.number, steps[child->failure.step], subject);
}

/*
 * On the pool, since the disk may keep a program from beginning; but what is to die with its parent dies with the thread
 * that started it, which must be the caller's.
 */
int weir__child_start(struct weir__child *child)
{
    int result;
    if (weir_cancelled())
        return weir__fail_cancelled("start", child->arguments[0]);
    child->parent = weir__system()->getpid();
    if (child->die_with_parent)
        result = start_child(child);
    else if (weir_offload(start_child, child, NULL, &result, WEIR_FOREVER) < 0)
        return weir__fail_system(errno, "start", child->arguments[0]);
    return result < 0 ? tell(child) : 0;
}

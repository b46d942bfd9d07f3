/* The life of a child process: started, talked to, waited for, killed; never left behind. */
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "os/descriptor.h"
#include "os/file.h"
#include "os/original.h"

struct weir_process {
    struct weir__watch watch; /* of the pidfd */
    pid_t id;
    bool grouped;
    bool ends_group;     /* what it leaves behind in its group is killed */
    atomic_flag waiting; /* somebody is in weir_process_wait */
    weir_file *files[3];
    pthread_mutex_t lock; /* of what follows: only who knows that it is not reaped may use its id */
    bool reaped;
    int status;
    int lost; /* errno where somebody else reaped it, or SIGCHLD is ignored: there is no status */
};

static weir_process *new_process(void)
{
    weir_process *process = calloc(1, sizeof *process);
    if (!process) {
        weir__fail_memory("start");
        return NULL;
    }
    pthread_mutex_init(&process->lock, NULL);
    return process;
}

static void free_process(weir_process *process)
{
    pthread_mutex_destroy(&process->lock);
    free(process);
}

static void watch_released(struct weir__watch *watch)
{
    free_process(weir__list_entry(watch, weir_process, watch));
}

static void close_files(weir_process *process)
{
    for (int fd = 0; fd < 3; fd++)
        weir_process_close_file(process, fd);
}

/* Makes files of our ends of the pipes, which are then the process'. 0, or -1 with an error. */
static int adopt_files(weir_process *process, struct weir__child_stdio *stdio)
{
    static const char *const names[] = {"the child's input", "the child's output", "the child's errors"};
    for (int fd = 0; fd < 3; fd++) {
        if (stdio->ours[fd] < 0)
            continue;
        process->files[fd] = weir__file_new(stdio->ours[fd], true, names[fd], "start");
        if (!process->files[fd])
            return -1;
        stdio->ours[fd] = -1;
    }
    return 0;
}

/* What the program was started with; a hard limit that was lowered since cannot be raised again. */
static struct rlimit file_limit(void)
{
    struct rlimit limit = weir__original()->files;
    struct rlimit now;
    if (weir__system()->getrlimit(RLIMIT_NOFILE, &now) == 0 && limit.rlim_max > now.rlim_max)
        limit.rlim_max = now.rlim_max;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return limit;
}

static void free_child(struct weir__child *child)
{
    int before = errno;
    free(child->environment);
    free(child->programs);
    free(child);
    errno = before;
}

static struct weir__child *new_child(const char *const *argv, const weir_process_options *options)
{
    struct weir__child *child = calloc(1, sizeof *child);
    if (!child) {
        weir__fail_memory("start");
        return NULL;
    }
    const char *program = options->program ? options->program : argv[0];
    child->arguments = (char *const *)argv;
    child->directory = options->directory;
    child->new_group = options->new_group || options->end_group;
    child->die_with_parent = options->die_with_parent;
    child->mask = weir__original()->mask;
    child->files = file_limit();
    child->pidfd = -1;
    child->environment = weir__child_environment(options->environment);
    child->programs = child->environment ? weir__child_programs(program, child->environment) : NULL;
    if (child->programs)
        return child;
    free_child(child);
    return NULL;
}

/* With its pipes. 0, or -1 with an error. */
static int start_with(weir_process *process, struct weir__child *child, const weir_process_options *options)
{
    struct weir__child_stdio stdio;
    if (weir__child_stdio_open(&stdio, options) < 0)
        return -1;
    memcpy(child->descriptors, stdio.child, sizeof child->descriptors);
    int result = adopt_files(process, &stdio);
    if (result == 0)
        result = weir__child_start(child);
    weir__child_stdio_close(&stdio);
    return result;
}

static int start_process(weir_process *process, const char *const *argv, const weir_process_options *options)
{
    struct weir__child *child = new_child(argv, options);
    if (!child)
        return -1;
    int result = start_with(process, child, options);
    process->id = child->id;
    process->grouped = child->new_group;
    process->ends_group = options->end_group;
    weir__watch_init(&process->watch, child->pidfd);
    free_child(child);
    return result;
}

weir_process *weir_process_start(const char *const *argv, const weir_process_options *options)
{
    weir_process_options known = {0};
    if (options)
        memcpy(&known, options, options->size < sizeof known ? options->size : sizeof known);
    if (!argv || !argv[0]) {
        weir_fail(WEIR_ERROR_USAGE, EINVAL, "start", NULL, "no program is named");
        return NULL;
    }
    weir_process *process = new_process();
    if (!process)
        return NULL;
    if (start_process(process, argv, &known) == 0)
        return process;

    int before = errno;
    close_files(process);
    free_process(process);
    errno = before;
    return NULL;
}

pid_t weir_process_id(const weir_process *process)
{
    return process->id;
}

weir_file *weir_process_file(weir_process *process, int descriptor)
{
    return descriptor >= 0 && descriptor < 3 ? process->files[descriptor] : NULL;
}

void weir_process_close_file(weir_process *process, int descriptor)
{
    if (descriptor < 0 || descriptor > 2)
        return;
    weir_file_close(process->files[descriptor]);
    process->files[descriptor] = NULL;
}

/* waitpid(2)'s status of what waitid(2) tells. */
static int status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return W_EXITCODE(info->si_status & 0xff, 0);
    case CLD_DUMPED:
        return W_EXITCODE(0, info->si_status) | WCOREFLAG;
    default:
        return W_EXITCODE(0, info->si_status);
    }
}

/* waitid(2), whatever signals come. 0 or -1. */
static int wait_id(const weir_process *process, siginfo_t *info, int options)
{
    int result;
    do
        result = weir__system()->waitid(P_PIDFD, (id_t)process->watch.fd, info, WEXITED | options);
    while (result < 0 && errno == EINTR);
    return result;
}

/*
 * Kills what is left of its group once it has ended, before it is reaped: until then the group's number cannot have become
 * another's. Returns whether it has ended, as far as can be known.
 */
static bool end_group(const weir_process *process, int options)
{
    siginfo_t info = {0};
    if (wait_id(process, &info, options | WNOWAIT) == 0 && info.si_pid == 0)
        return false;
    if (info.si_pid)
        weir__system()->kill(-process->id, SIGKILL);
    return true;
}

/* waitid(2) with `options`; under the lock, or where nobody else knows the process any more. Returns whether it is reaped. */
static bool reap(weir_process *process, int options)
{
    siginfo_t info = {0};
    if (process->ends_group && !end_group(process, options))
        return false;
    int result = wait_id(process, &info, options);
    if (result == 0 && info.si_pid == 0)
        return false;
    process->status = result == 0 ? status_of(&info) : 0;
    process->lost = result == 0 ? 0 : errno;
    return process->reaped = true;
}

static bool has_ended(weir_process *process)
{
    pthread_mutex_lock(&process->lock);
    bool ended = process->reaped || reap(process, WNOHANG);
    pthread_mutex_unlock(&process->lock);
    return ended;
}

static int wait_for_end(weir_process *process, int64_t deadline)
{
    while (!has_ended(process)) {
        weir__watch_clear(&process->watch, WEIR__READABLE);
        if (weir__watch_wait(&process->watch, WEIR__READABLE, deadline, NULL, NULL) == 0)
            continue;
        if (errno == ETIMEDOUT)
            return weir__fail_deadline("wait", "child process");
        if (errno == ECANCELED)
            return weir__fail_cancelled("wait", "child process");
        return weir__fail_system(errno, "wait", "child process");
    }
    if (process->lost)
        return weir_fail(WEIR_ERROR_SYSTEM, process->lost, "wait", "child process", "somebody else has waited for it");
    return 0;
}

int weir_process_wait(weir_process *process, int *status, int64_t deadline)
{
    if (atomic_flag_test_and_set(&process->waiting))
        return weir__fail_busy("wait", "child process");
    int result = wait_for_end(process, deadline);
    if (result == 0 && status)
        *status = process->status;
    atomic_flag_clear(&process->waiting);
    return result;
}

int weir_process_kill(weir_process *process, int signal)
{
    int result = 0;
    pthread_mutex_lock(&process->lock);
    if (!process->reaped)
        result = weir__system()->kill(process->grouped ? -process->id : process->id, signal);
    int number = errno;
    pthread_mutex_unlock(&process->lock);
    return result < 0 && number != ESRCH ? weir__fail_system(number, "kill", "child process") : 0;
}

static int reap_on_pool(void *process)
{
    reap(process, 0);
    return 0;
}

/* Waits for the end of what was killed, even in a fiber that is cancelled; the thread itself if there is no other. */
static void await_end(weir_process *process)
{
    int result;
    if (weir_offload(reap_on_pool, process, NULL, &result, WEIR_FOREVER) < 0)
        reap(process, 0);
}

void weir_process_free(weir_process *process)
{
    if (!process)
        return;
    int before = errno;
    close_files(process);
    /* One that may not be killed, since it has become another user's, could run for ever. */
    if (!has_ended(process) && weir_process_kill(process, SIGKILL) == 0)
        await_end(process);
    process->watch.released = watch_released;
    weir__watch_close(&process->watch, true);
    errno = before;
}

/*
 * Several processes behind the same addresses, supervised by their parent.
 *
 * The parent opens the sockets of all of them and keeps them: what is queued for a process that died waits for the one that
 * takes its place. It accepts nothing itself. Counters lie in memory that all share. The parent has one thread and no loop:
 * a child returns from here as if it had been alone, and starts its own.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <weir/log.h>
#include <weir/signal.h>
#include <weir/time.h>

#include "base/error.h"
#include "engine/backend.h"
#include "os/descriptor.h"
#include "server/process.h"

#define SHORTEST_PAUSE WEIR_MS(100)
#define LONGEST_PAUSE  WEIR_S(10)
#define LONG_LIFE      WEIR_S(10)
#define GRACE          WEIR_S(5) /* how much longer than the drain's deadline a child may take to be gone */
#define KILL_AGAIN     WEIR_S(1) /* between two attempts to kill what ought to be gone */

struct child {
    pid_t pid; /* 0: it does not run */
    int64_t started;
    int64_t restart_at; /* while it does not run */
    int64_t pause;      /* before the next restart */
};

struct family {
    const struct weir__run *run;
    weir_signals *signals;
    struct child *children;
    size_t count;
    int ready[2];
    bool stopping;
    int64_t kill_at;
};

/* In a child, where its run is: which one it is, and what it is to do. */
enum where { IN_PARENT, IN_CHILD, FAILED };

/* --- what is shared --- */

static int map_counters(weir_server *server, size_t count)
{
    size_t size = count * sizeof *server->counters;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return weir__fail_memory("start");
    server->mapping = memory;
    server->mapping_size = size;
    server->counters = memory;
    server->counter_count = count;
    return 0;
}

static int share(const struct weir__run *run, size_t processes)
{
    for (size_t i = 0; i < run->count; i++) {
        weir_server *server = run->servers[i];
        server->workers_wanted = weir__server_workers(server, processes);
        size_t workers = server->workers_wanted * processes;
        if (weir__places_open(server, workers) < 0 || map_counters(server, workers) < 0)
            return -1;
    }
    return 0;
}

/* A child keeps its slice of everything; files of Unix sockets stay the parent's to remove. */
static void take_slice(weir_server *server, size_t index, bool successor)
{
    size_t first = index * server->workers_wanted;
    server->first_socket = first;
    server->successor = successor;
    server->counters += first;
    server->counter_count = server->workers_wanted;
    for (size_t i = 0; i < server->place_count; i++)
        server->places[i]->unlinks = false;
    weir__places_keep(server, first, server->workers_wanted);
}

static void forget_active(const struct weir__run *run, size_t index)
{
    for (size_t i = 0; i < run->count; i++) {
        weir_server *server = run->servers[i];
        for (size_t k = 0; k < server->workers_wanted; k++)
            weir__counters_died(&server->counters[index * server->workers_wanted + k]);
    }
}

/* --- starting --- */

static int run_child(struct family *family, size_t index, pid_t parent)
{
    struct weir__run run = *family->run;
    bool successor = family->ready[1] < 0; /* the parent no longer waits for the first of them */
    weir_signals_free(family->signals);
    weir__close_quietly(family->ready[0]);
    if (family->ready[1] >= 0 && run.options.ready_fd > 2)
        weir__close_quietly(run.options.ready_fd); /* the parent's to tell, and its end is news to somebody */
    if (index > 0 || successor)
        weir__backend_tell_no_fallback(); /* the first of them has told */
    run.supervised = true;
    run.ready_pipe = family->ready[1];
    free(family->children);
    weir__system()->die_with_parent(SIGTERM);
    if (weir__system()->getppid() != parent)
        return weir_fail(WEIR_ERROR_SYSTEM, ESRCH, "start", "", "the parent has ended");
    for (size_t i = 0; i < run.count; i++)
        take_slice(run.servers[i], index, successor);
    return weir__run_process(&run);
}

/* Forks a child. In it, *result is what its run returned. */
static enum where start_child(struct family *family, size_t index, int *result)
{
    struct child *child = &family->children[index];
    pid_t parent = weir__system()->getpid();
    fflush(NULL); /* or both would write what is buffered */
    pid_t pid = weir__system()->fork();
    if (pid < 0)
        return FAILED;
    if (pid == 0) {
        *result = run_child(family, index, parent);
        return IN_CHILD;
    }
    child->pid = pid;
    child->started = weir_now();
    return IN_PARENT;
}

static enum where start_children(struct family *family, int *result)
{
    for (size_t i = 0; i < family->count; i++) {
        enum where where = start_child(family, i, result);
        if (where == FAILED)
            weir__fail_system(errno, "fork", "");
        if (where != IN_PARENT)
            return where;
    }
    return IN_PARENT;
}

/* Waits until each child has said that it is ready, or has ended without. */
static int wait_until_ready(struct family *family)
{
    char newlines[16];
    size_t ready = 0;
    ssize_t got;
    weir__close_quietly(family->ready[1]);
    family->ready[1] = -1;
    while (ready < family->count && (got = weir__system()->read(family->ready[0], newlines, sizeof newlines)) != 0) {
        if (got > 0)
            ready += (size_t)got;
        else if (errno != EINTR)
            return weir__fail_system(errno, "read", "");
    }
    weir__close_quietly(family->ready[0]);
    family->ready[0] = -1;
    if (ready == family->count)
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, ECHILD, "start", "", "%zu of %zu processes could not start",
                     family->count - ready, family->count);
}

/* --- signals --- */

static void signal_children(const struct family *family, int signal)
{
    for (size_t i = 0; i < family->count; i++)
        if (family->children[i].pid)
            weir__system()->kill(family->children[i].pid, signal);
}

/* The parent lets go of the sockets, so that they close when the children close theirs. */
static void begin_to_stop(struct family *family)
{
    const struct weir__run *run = family->run;
    family->stopping = true;
    weir__notify("STOPPING=1");
    for (size_t i = 0; i < run->count; i++) {
        int64_t deadline = weir__drain_deadline(run, run->servers[i]);
        int64_t end = deadline > WEIR_FOREVER - GRACE ? WEIR_FOREVER : deadline + GRACE;
        if (end > family->kill_at)
            family->kill_at = end;
        weir__places_keep(run->servers[i], 0, 0);
    }
    signal_children(family, SIGTERM);
}

static void stop(struct family *family, int signal)
{
    if (family->stopping) {
        signal_children(family, SIGKILL);
        weir__end_at_once(signal);
    }
    weir_log(WEIR_LOG_DEBUG, "%s: clients may finish", weir_signal_name(signal));
    begin_to_stop(family);
}

/* --- children that end --- */

/* Whether a child has ended; *end is then how. Without WNOHANG it waits until it has. */
static bool reap(pid_t pid, siginfo_t *end, int options)
{
    *end = (siginfo_t){0};
    int result;
    do
        result = weir__system()->waitid(P_PID, (id_t)pid, end, WEXITED | options);
    while (result < 0 && errno == EINTR);
    return result < 0 || end->si_pid == pid;
}

static void log_end(const struct child *child, const siginfo_t *end, pid_t pid)
{
    double pause = (double)child->pause / (double)WEIR_S(1);
    if (end->si_code == CLD_EXITED)
        weir_log(WEIR_LOG_WARNING, "process %d ended with status %d: another starts in %.1f s", (int)pid,
                 end->si_status, pause);
    else
        weir_log(WEIR_LOG_WARNING, "process %d was ended by %s: another starts in %.1f s", (int)pid,
                 weir_signal_name(end->si_status), pause);
}

/* A child that ends well was told to by one of its handlers: that is meant for all. */
static void ended(struct family *family, size_t index, const siginfo_t *end)
{
    struct child *child = &family->children[index];
    pid_t pid = child->pid;
    child->pid = 0;
    forget_active(family->run, index);
    if (family->stopping)
        return;
    if (end->si_code == CLD_EXITED && end->si_status == 0) {
        begin_to_stop(family);
        return;
    }
    if (weir_now() - child->started >= LONG_LIFE || !child->pause)
        child->pause = SHORTEST_PAUSE;
    log_end(child, end, pid);
    child->restart_at = weir_now() + child->pause;
    child->pause = child->pause * 2 < LONGEST_PAUSE ? child->pause * 2 : LONGEST_PAUSE;
}

static void reap_children(struct family *family)
{
    siginfo_t end;
    for (size_t i = 0; i < family->count; i++)
        if (family->children[i].pid && reap(family->children[i].pid, &end, WNOHANG))
            ended(family, i, &end);
}

static enum where restart_due(struct family *family, int *result)
{
    for (size_t i = 0; i < family->count && !family->stopping; i++) {
        struct child *child = &family->children[i];
        if (child->pid || weir_now() < child->restart_at)
            continue;
        enum where where = start_child(family, i, result);
        if (where == IN_CHILD)
            return IN_CHILD;
        if (where == FAILED) {
            weir_log(WEIR_LOG_WARNING, "a process could not be started: %m");
            child->restart_at = weir_now() + child->pause;
        }
    }
    return IN_PARENT;
}

/* --- watching over them --- */

static bool any_left(const struct family *family)
{
    for (size_t i = 0; i < family->count; i++)
        if (family->children[i].pid)
            return true;
    return false;
}

static int64_t next_due(const struct family *family)
{
    int64_t due = family->stopping ? family->kill_at : WEIR_FOREVER;
    for (size_t i = 0; i < family->count && !family->stopping; i++)
        if (!family->children[i].pid && family->children[i].restart_at < due)
            due = family->children[i].restart_at;
    return due;
}

static void handle_signal(struct family *family, int signal)
{
    if (signal == SIGCHLD)
        reap_children(family);
    else if (signal == SIGUSR1)
        weir__log_counters(family->run);
    else if (signal == SIGHUP)
        signal_children(family, SIGHUP);
    else
        stop(family, signal);
}

/* No signal came, or none can be heard: those that have ended are looked for, and at its time the rest is killed. */
static void look_after(struct family *family)
{
    if (errno != ETIMEDOUT)
        weir__signals_failed();
    reap_children(family);
    if (!family->stopping || weir_now() < family->kill_at)
        return;
    signal_children(family, SIGKILL);
    family->kill_at = weir_deadline(KILL_AGAIN);
}

static enum where watch_over(struct family *family, int *result)
{
    while (!family->stopping || any_left(family)) {
        int signal = weir_signals_wait(family->signals, next_due(family));
        if (signal > 0)
            handle_signal(family, signal);
        else
            look_after(family);
        if (restart_due(family, result) == IN_CHILD)
            return IN_CHILD;
    }
    return IN_PARENT;
}

/* --- the whole --- */

/* Ends what was started, when the rest could not be; the error that led here stays. */
static void give_up(struct family *family)
{
    siginfo_t end;
    int number = errno;
    signal_children(family, SIGKILL);
    for (size_t i = 0; i < family->count; i++)
        if (family->children[i].pid)
            reap(family->children[i].pid, &end, 0);
    errno = number;
}

/* Who started the program may have had SIGCHLD ignored: none would come then, and no status. */
static void hear_of_ends(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL}, before;
    if (weir__system()->sigaction(SIGCHLD, NULL, &before) == 0 && before.sa_handler == SIG_IGN)
        weir__system()->sigaction(SIGCHLD, &action, NULL);
}

static int open_family(struct family *family, const struct weir__run *run)
{
    int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGCHLD, SIGHUP};
    *family =
        (struct family){.run = run, .count = (size_t)run->options.processes, .ready = {-1, -1}, .kill_at = WEIR_NOW};
    family->children = calloc(family->count, sizeof *family->children);
    if (!family->children)
        return weir__fail_memory("start");
    if (weir__pipe(family->ready) < 0)
        return weir__fail_system(errno, "start", "");
    hear_of_ends();
    family->signals = weir_signals_new(signals, run->options.reload ? 5 : 4);
    return family->signals ? 0 : -1;
}

static void close_family(struct family *family)
{
    weir_signals_free(family->signals);
    weir__close_quietly(family->ready[0]);
    weir__close_quietly(family->ready[1]);
    free(family->children);
}

int weir__supervise(const struct weir__run *run)
{
    struct family family;
    int result = -1;
    if (open_family(&family, run) < 0 || share(run, family.count) < 0) {
        close_family(&family);
        return -1;
    }
    enum where where = start_children(&family, &result);
    if (where == IN_PARENT && wait_until_ready(&family) == 0) {
        weir__tell_ready(run);
        where = watch_over(&family, &result);
        result = where == IN_PARENT ? 0 : result;
    } else if (where != IN_CHILD) {
        give_up(&family);
    }
    if (where != IN_CHILD)
        close_family(&family);
    return result;
}

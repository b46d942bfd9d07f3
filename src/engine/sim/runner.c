/*
 * Many seeds: as many processes as there are processors each take the next seed, until there is none. What a process is at stands
 * in memory that it shares with its parent, so that a crash, a hang or an exit counts as that seed's failure; another process
 * takes its place. Failures come back by a pipe each.
 */
#include "engine/sim/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/system.h"
#include "base/text.h"

enum { PROGRESS_MS = 200 };

/* What one worker process shares with its parent; of those that follow one another in a place, too. */
struct place {
    uint64_t seed; /* the last that was begun */
    bool running;  /* it has not ended */
    struct weir__sim_tally tally;
};

struct shared {
    _Atomic uint64_t next; /* the first seed that nobody has taken */
    _Atomic uint64_t end;  /* seeds from here on are not run */
    _Atomic uint64_t done;
    struct place places[];
};

struct worker {
    pid_t pid; /* 0: there is none */
    int failures;
};

struct run {
    const struct weir__sim_work *work;
    struct weir__sim_outcome *outcome;
    struct shared *shared;
    size_t shared_size;
    struct worker *workers;
    struct pollfd *polled;
};

/* --- one seed --- */

static bool run_once(const weir_sim_scenario *scenario, uint64_t seed, int trace, weir_sim_result *result,
                     struct weir__sim_failure *failure)
{
    if (weir_sim_run(scenario, seed, trace, result) == 0)
        return true;
    weir__copy_text(failure->reason, result->failed ? result->reason : weir_error()->sentence, sizeof failure->reason);
    return false;
}

bool weir__sim_run_seed(const weir_sim_scenario *scenario, uint64_t seed, int trace, bool twice,
                        weir_sim_result *result, struct weir__sim_failure *failure)
{
    weir_sim_result again = {0};
    memset(failure, 0, sizeof *failure);
    memset(result, 0, sizeof *result);
    failure->seed = seed;
    if (!run_once(scenario, seed, trace, result, failure))
        return false;
    if (!twice)
        return true;
    if (!run_once(scenario, seed, trace, &again, failure))
        return false;
    if (again.digest == result->digest)
        return true;
    weir__copy_text(failure->reason, "the same seed ran differently a second time", sizeof failure->reason);
    return false;
}

/* --- in a worker --- */

static int64_t processor_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return WEIR_S(time.tv_sec) + time.tv_nsec;
}

static void add_up(struct weir__sim_tally *tally, const weir_sim_result *result, int64_t processor)
{
    tally->seeds++;
    tally->steps += result->steps;
    tally->digest += result->digest;
    tally->processor += processor;
    tally->duration += result->duration;
    for (int i = 0; i < WEIR_SIM_FAULT_KINDS; i++)
        tally->faults[i] += result->faults[i];
}

/* Less than PIPE_BUF: it goes as a whole. */
static void send_failure(int to, const struct weir__sim_failure *failure)
{
    while (weir__kernel.write(to, failure, sizeof *failure) < 0 && errno == EINTR)
        ;
}

/* The patience in alarm(2)'s seconds; 0: for ever. */
static unsigned seconds_of(int64_t patience)
{
    return patience > WEIR_S(INT32_MAX) ? 0 : (unsigned)((patience + WEIR_S(1) - 1) / WEIR_S(1));
}

static void work_on(const struct weir__sim_work *work, uint64_t seed, struct place *place, int failures)
{
    weir_sim_result result;
    struct weir__sim_failure failure;
    bool twice = work->twice && seed % work->twice == 0;
    int64_t begun = processor_time();
    place->seed = seed;
    place->running = true;
    alarm(seconds_of(work->patience));
    if (!weir__sim_run_seed(&work->scenario, seed, -1, twice, &result, &failure))
        send_failure(failures, &failure);
    alarm(0);
    place->running = false;
    add_up(&place->tally, &result, processor_time() - begun);
}

/* SIGALRM ends the process, whatever whoever started it does with the signal. */
static void let_alarms_kill(void)
{
    struct sigaction ending = {.sa_handler = SIG_DFL};
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    weir__kernel.sigaction(SIGALRM, &ending, NULL);
    weir__kernel.thread_mask(SIG_UNBLOCK, &alarms, NULL);
}

/* Ends by exit(3), not at once: what a sanitizer or gcov has to say, it says then. */
static WEIR_NORETURN void be_worker(const struct run *run, size_t index, int failures)
{
    struct shared *shared = run->shared;
    uint64_t seed;
    weir__kernel.die_with_parent(SIGKILL);
    let_alarms_kill();
    while ((seed = atomic_fetch_add(&shared->next, 1)) < atomic_load(&shared->end)) {
        work_on(run->work, seed, &shared->places[index], failures);
        atomic_fetch_add(&shared->done, 1);
    }
    exit(0);
}

/* --- failures --- */

/* Keeps those with the lowest seeds. With enough of them nothing behind the last need be run. */
static void note_failure(struct run *run, const struct weir__sim_failure *failure)
{
    struct weir__sim_outcome *outcome = run->outcome;
    size_t enough = run->work->enough, at = outcome->failed;
    while (at > 0 && outcome->failures[at - 1].seed > failure->seed)
        at--;
    if (at == enough)
        return;
    size_t kept = outcome->failed < enough ? outcome->failed : enough - 1;
    memmove(&outcome->failures[at + 1], &outcome->failures[at], (kept - at) * sizeof *failure);
    outcome->failures[at] = *failure;
    outcome->failed = kept + 1;
    if (outcome->failed < enough)
        return;
    outcome->cut_short = true;
    atomic_store(&run->shared->end, outcome->failures[enough - 1].seed + 1);
}

static void note_end(struct run *run, uint64_t seed, const siginfo_t *end, bool running)
{
    struct weir__sim_failure failure = {.seed = seed, .ended = true};
    struct weir__text reason = weir__text(failure.reason, sizeof failure.reason);
    if (!running) /* a sanitizer that found a leak ends the process so */
        weir__text_put(&reason, "behind it, the last of its process: ");
    if (end->si_code == CLD_EXITED) {
        weir__text_put(&reason, "exit with status ");
        weir__text_put_number(&reason, (uint64_t)end->si_status);
    } else if (end->si_status == SIGALRM && running) {
        weir__text_put(&reason, "a hang: it took more than ");
        weir__text_put_number(&reason, seconds_of(run->work->patience));
        weir__text_put(&reason, " s of real time");
    } else {
        weir__text_put(&reason, "a crash: ");
        weir__text_put(&reason, strsignal(end->si_status));
    }
    note_failure(run, &failure);
}

/* --- workers --- */

static int start_worker(struct run *run, size_t index)
{
    int pair[2];
    if (weir__kernel.pipe2(pair, O_CLOEXEC) < 0)
        return weir__fail_system(errno, "pipe", "");
    fflush(NULL);
    pid_t pid = weir__kernel.fork();
    int number = errno;
    if (pid == 0)
        be_worker(run, index, pair[1]);
    weir__kernel.close(pair[1]);
    if (pid < 0) {
        weir__kernel.close(pair[0]);
        return weir__fail_system(number, "fork", "");
    }
    run->workers[index] = (struct worker){pid, pair[0]};
    run->polled[index] = (struct pollfd){pair[0], POLLIN, 0};
    return 0;
}

/* The worker has ended, for lack of seeds or at one. Whether another is to take its place. */
static bool bury(struct run *run, size_t index)
{
    struct worker *worker = &run->workers[index];
    struct place *place = &run->shared->places[index];
    siginfo_t end = {0};
    while (weir__kernel.waitid(P_PID, (id_t)worker->pid, &end, WEXITED) < 0 && errno == EINTR)
        ;
    weir__kernel.close(worker->failures);
    *worker = (struct worker){0, -1};
    run->polled[index].fd = -1;
    bool running = place->running;
    if (running || end.si_code != CLD_EXITED || end.si_status != 0)
        note_end(run, place->seed, &end, running);
    if (!running)
        return false;
    place->running = false;
    place->tally.seeds++;
    atomic_fetch_add(&run->shared->done, 1);
    return atomic_load(&run->shared->next) < atomic_load(&run->shared->end);
}

static int hear(struct run *run, size_t index)
{
    struct weir__sim_failure failure;
    ssize_t size = weir__kernel.read(run->workers[index].failures, &failure, sizeof failure);
    if (size == (ssize_t)sizeof failure)
        note_failure(run, &failure);
    else if ((size >= 0 || errno != EINTR) && bury(run, index))
        return start_worker(run, index);
    return 0;
}

static size_t count_workers(const struct run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->work->processes; i++)
        count += run->workers[i].pid > 0;
    return count;
}

/* One round of the parent's. 0, or -1 where a worker could not be replaced: the others go on. */
static int attend(struct run *run)
{
    int result = 0;
    int ready = weir__kernel.poll(run->polled, run->work->processes, WEIR_MS(PROGRESS_MS));
    for (size_t i = 0; ready > 0 && i < run->work->processes; i++)
        if (run->polled[i].fd >= 0 && run->polled[i].revents && hear(run, i) < 0)
            result = -1;
    return result;
}

/* --- the whole --- */

static int prepare(struct run *run)
{
    const struct weir__sim_work *work = run->work;
    run->shared_size = sizeof *run->shared + work->processes * sizeof *run->shared->places;
    run->shared = mmap(NULL, run->shared_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    run->workers = calloc(work->processes, sizeof *run->workers);
    run->polled = calloc(work->processes, sizeof *run->polled);
    run->outcome->failures = calloc(work->enough, sizeof *run->outcome->failures);
    if (run->shared == MAP_FAILED || !run->workers || !run->polled || !run->outcome->failures)
        return weir__fail_memory("simulate");
    atomic_init(&run->shared->next, work->first);
    atomic_init(&run->shared->end, work->first + work->count);
    for (size_t i = 0; i < work->processes; i++)
        run->polled[i].fd = -1;
    return 0;
}

static int start_workers(struct run *run)
{
    for (size_t i = 0; i < run->work->processes && i < run->work->count; i++)
        if (start_worker(run, i) < 0)
            return i > 0 ? 0 : -1; /* fewer do as well */
    return 0;
}

static void sum_up(struct run *run)
{
    struct weir__sim_tally *sum = &run->outcome->tally;
    for (size_t i = 0; i < run->work->processes; i++) {
        const struct weir__sim_tally *tally = &run->shared->places[i].tally;
        sum->seeds += tally->seeds;
        sum->steps += tally->steps;
        sum->digest += tally->digest;
        sum->processor += tally->processor;
        sum->duration += tally->duration;
        for (int fault = 0; fault < WEIR_SIM_FAULT_KINDS; fault++)
            sum->faults[fault] += tally->faults[fault];
    }
}

static void clean_up(struct run *run)
{
    if (run->shared != MAP_FAILED)
        munmap(run->shared, run->shared_size);
    free(run->workers);
    free(run->polled);
}

int weir__sim_run_many(const struct weir__sim_work *work, void (*watch)(void *arg, uint64_t done, size_t failed),
                       void *arg, struct weir__sim_outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    struct run run = {.work = work, .outcome = outcome};
    int result = prepare(&run) < 0 ? -1 : start_workers(&run);
    while (result == 0 && count_workers(&run) > 0) {
        if (attend(&run) < 0 && count_workers(&run) == 0)
            result = -1;
        watch(arg, atomic_load(&run.shared->done), outcome->failed);
    }
    if (run.shared != MAP_FAILED)
        sum_up(&run);
    clean_up(&run);
    return result;
}

/* --- again --- */

/* Whether a process that runs nothing but the seed fails. */
static bool fails_again(const struct weir__sim_work *work, uint64_t seed, bool twice)
{
    weir_sim_result result;
    struct weir__sim_failure failure;
    fflush(NULL);
    pid_t pid = weir__kernel.fork();
    if (pid == 0) {
        weir__kernel.die_with_parent(SIGKILL);
        let_alarms_kill();
        alarm(seconds_of(work->patience));
        exit(!weir__sim_run_seed(&work->scenario, seed, -1, twice, &result, &failure));
    }
    siginfo_t end = {0};
    while (pid > 0 && weir__kernel.waitid(P_PID, (id_t)pid, &end, WEXITED) < 0 && errno == EINTR)
        ;
    return pid > 0 && (end.si_code != CLD_EXITED || end.si_status != 0);
}

enum weir__sim_replay weir__sim_replay(const struct weir__sim_work *work, const struct weir__sim_failure *failure)
{
    if (failure->ended || fails_again(work, failure->seed, false))
        return WEIR__SIM_ALONE;
    return fails_again(work, failure->seed, true) ? WEIR__SIM_TWICE : WEIR__SIM_IN_COMPANY;
}

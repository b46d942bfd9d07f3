/*
 * The run that is under way: which call is to fail, which has, and the clock that goes faster from then on. All of it lies in
 * memory that the processes of a conversation share: a server's children count and fail as its threads do.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/system.h"
#include "inject.h"

/* Of one run, which is more than any supervisor needs in the time that a run has: what `ulimit -u` would do. */
enum { FORKS_MOST = 60 };

struct strikes {
    struct plan plan;
    atomic_uint counts[POINT_COUNT];
    atomic_bool struck, harmed, healed;
    _Atomic(void *) struck_by; /* the fiber or thread whose call it was, until it has told of it */
    _Atomic(pid_t) struck_in;
    atomic_llong struck_at, skipped; /* true time; what the clock has gone ahead of it */
    atomic_int forks;
    pthread_mutex_t lock;
};

static struct strikes *run;
static pid_t forked[FORKS_MOST];
static atomic_bool armed; /* this process's: one may stand aside */
static pid_t own;         /* the process of the conversation */
static _Thread_local char thread_mark;

void make_strikes(void)
{
    pthread_mutexattr_t attributes;
    run = mmap(NULL, sizeof *run, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run == MAP_FAILED)
        abort();
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST); /* a child may be killed at any time */
    pthread_mutex_init(&run->lock, &attributes);
    own = getpid();
}

/* --- the clock --- */

int64_t true_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return WEIR_S(now.tv_sec) + now.tv_nsec;
}

int64_t run_clock(void)
{
    int64_t now = true_clock(), ahead = atomic_load(&run->skipped);
    if (atomic_load(&run->harmed))
        ahead += (now - atomic_load(&run->struck_at)) * (SPEED - 1);
    return now + ahead;
}

void skip_time(int64_t time)
{
    atomic_fetch_add(&run->skipped, time);
}

/* --- striking --- */

static void *caller(void)
{
    weir_fiber *fiber = weir_self();
    return fiber ? (void *)fiber : (void *)&thread_mark;
}

/* Whoever is struck second, at the same time, finds all of this done. */
static void note_strike(void)
{
    if (pthread_mutex_lock(&run->lock) == EOWNERDEAD)
        pthread_mutex_consistent(&run->lock);
    if (!atomic_exchange(&run->struck, true)) {
        atomic_store(&run->struck_in, getpid());
        atomic_store(&run->struck_by, caller());
        atomic_store(&run->struck_at, true_clock());
        atomic_store(&run->harmed, !(run->plan.failure.flags & HARMLESS));
    }
    pthread_mutex_unlock(&run->lock);
}

int strike(enum point point)
{
    if (!atomic_load_explicit(&armed, memory_order_acquire))
        return 0;
    unsigned number = atomic_fetch_add(&run->counts[point], 1) + 1;
    const struct plan *plan = &run->plan;
    if (!plan->number || point != plan->point || number < plan->number || (number > plan->number && !plan->persistent))
        return 0;
    if (atomic_load(&run->healed))
        return 0;
    note_strike();
    return plan->failure.number;
}

bool struck_here(void)
{
    void *by = caller();
    return atomic_load(&run->struck_in) == getpid() && atomic_compare_exchange_strong(&run->struck_by, &by, NULL);
}

bool goes_on(void)
{
    return run->plan.persistent && !atomic_load(&run->healed);
}

bool has_struck(void)
{
    return atomic_load(&run->struck);
}

bool has_harmed(void)
{
    return atomic_load(&run->harmed);
}

const struct plan *plan_here(void)
{
    return &run->plan;
}

unsigned calls_at(enum point point)
{
    return atomic_load(&run->counts[point]);
}

void heal(void)
{
    atomic_store(&run->healed, true);
}

/* --- from one run to the next --- */

void arm(const struct plan *with)
{
    run->plan = *with;
    for (int i = 0; i < POINT_COUNT; i++)
        atomic_store(&run->counts[i], 0);
    atomic_store(&run->struck, false);
    atomic_store(&run->healed, false);
    atomic_store(&run->struck_by, NULL);
    atomic_store(&run->forks, 0);
    atomic_store(&armed, true);
}

void disarm(void)
{
    atomic_store(&armed, false);
    if (atomic_load(&run->harmed))
        atomic_fetch_add(&run->skipped, (true_clock() - atomic_load(&run->struck_at)) * (SPEED - 1));
    atomic_store(&run->harmed, false);
}

/* --- processes --- */

/* The child goes with its parent, however that ends. */
static pid_t fork_bound(void)
{
    pid_t maker = getpid(), child = weir__kernel.fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != maker)
        _exit(1);
    return 0;
}

pid_t fork_aside(void)
{
    pid_t child = fork_bound();
    if (child == 0)
        atomic_store(&armed, false);
    return child;
}

pid_t fork_in_run(void)
{
    if (getpid() != own) {
        fault("a process forks that was forked itself");
        _exit(1);
    }
    int number = atomic_load(&run->forks);
    if (number == FORKS_MOST) {
        errno = EAGAIN;
        return -1;
    }
    forked[number] = fork_bound();
    if (forked[number] > 0)
        atomic_fetch_add(&run->forks, 1);
    return forked[number];
}

int forks_of_run(void)
{
    return atomic_load(&run->forks);
}

int end_forks(void)
{
    int left = 0;
    for (int i = 0; i < atomic_load(&run->forks); i++)
        if (waitpid(forked[i], NULL, WNOHANG) == 0) {
            kill(forked[i], SIGKILL);
            waitpid(forked[i], NULL, 0);
            left++;
        }
    return left;
}

/*
 * The pool of threads for what would block a loop: started as needed, bounded, ended when idle.
 *
 * A job's slot is where its caller waits; the pool finishes the slot when the job has run, which is the pool's last touch
 * unless the caller has abandoned it: then the job is the pool's to clean up.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "engine/loop.h"

enum { IDLE_SECONDS = 10, THREADS_A_CPU = 4, FEWEST = 8, MOST = 64 };

/* DONE: it has run, and its slot will be finished at once. ABANDONED: its caller has gone while it ran. */
enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_ABANDONED };

struct job {
    struct weir__list link;
    weir__slot slot;
    int (*function)(void *);
    void *arg;
    void (*abandon)(void *);
    const struct weir__system *system; /* what its caller goes through */
    int result, number;
    enum job_state state; /* under the lock */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct weir__list queue = {&queue, &queue};
static int threads, idle_threads, most_threads;
static int waiting_jobs; /* in the queue */

static void make_condition(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&work, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* In a forked child: the threads, and those who waited for them, are the parent's. */
static void after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
    make_condition();
    weir__list_init(&queue);
    threads = idle_threads = waiting_jobs = 0;
}

static void prepare(void)
{
    make_condition();
    pthread_atfork(NULL, NULL, after_fork);
    cpu_set_t cpus;
    int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    most_threads = count * THREADS_A_CPU < FEWEST ? FEWEST
                   : count * THREADS_A_CPU > MOST ? MOST
                                                  : count * THREADS_A_CPU;
}

static void run(struct job *job)
{
    const struct weir__system *own = weir__system();
    weir__system_here = job->system;
    errno = 0;
    job->result = job->function(job->arg);
    job->number = errno;
    weir__system_here = own;
    pthread_mutex_lock(&lock);
    bool abandoned = job->state == JOB_ABANDONED;
    if (!abandoned)
        job->state = JOB_DONE;
    pthread_mutex_unlock(&lock);
    if (!abandoned) {
        weir__slot_finish(&job->slot);
        return;
    }
    job->abandon(job->arg);
    free(job);
}

/* Waits for a job as long as an idle thread may; with the lock held. NULL: it is time to end. */
static struct job *next_job(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    idle_threads++;
    int result = 0;
    while (weir__list_empty(&queue) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&work, &lock, &until);
    idle_threads--;
    struct weir__list *link = weir__list_pop_front(&queue);
    if (!link)
        return NULL;
    waiting_jobs--;
    struct job *job = weir__list_entry(link, struct job, link);
    job->state = JOB_RUNNING;
    return job;
}

static void *thread_main(void *arg)
{
    (void)arg;
    pthread_setname_np(pthread_self(), "weir-pool");
    pthread_mutex_lock(&lock);
    struct job *job;
    while ((job = next_job())) {
        pthread_mutex_unlock(&lock);
        run(job);
        pthread_mutex_lock(&lock);
    }
    threads--;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Signals are for the program's own threads. */
static int start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    int result = pthread_create(&thread, &attributes, thread_main, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

/*
 * Queues a job; a thread is started where the idle ones have each a job to take already. False with errno only if no
 * thread will ever come to it.
 */
static bool enqueue(struct job *job)
{
    pthread_once(&once, prepare);
    pthread_mutex_lock(&lock);
    int result = 0;
    if (waiting_jobs >= idle_threads && threads < most_threads && (result = start_thread()) == 0)
        threads++;
    bool taken = threads > 0;
    if (taken) {
        weir__list_push_back(&queue, &job->link);
        waiting_jobs++;
        pthread_cond_signal(&work);
    }
    pthread_mutex_unlock(&lock);
    errno = result;
    return taken;
}

/* The caller goes: takes the job out of the queue, or leaves it to the pool while it runs. Returns the state it was in. */
static enum job_state give_up(struct job *job)
{
    pthread_mutex_lock(&lock);
    enum job_state state = job->state;
    if (state == JOB_WAITING) {
        weir__list_remove(&job->link);
        waiting_jobs--;
    } else if (state == JOB_RUNNING)
        job->state = JOB_ABANDONED;
    pthread_mutex_unlock(&lock);
    return state;
}

/* False: it is too late to abandon it, it is done. */
static bool abandon(struct job *job)
{
    enum job_state state = give_up(job);
    if (state == JOB_WAITING) {
        job->abandon(job->arg);
        free(job);
    }
    return state != JOB_DONE;
}

static int wait_for(struct job *job, int64_t deadline)
{
    bool may_leave = job->abandon;
    while (!weir__slot_finished(&job->slot)) {
        if (!weir__wait_begin(&job->slot))
            continue;
        int result =
            may_leave ? weir__wait_park(&job->slot, deadline) : weir__wait_park_uncancelled(&job->slot, WEIR_FOREVER);
        if (result == 0)
            continue;
        int number = errno;
        if (abandon(job))
            return number == ETIMEDOUT ? weir__fail_deadline("offload", "") : weir__fail_cancelled("offload", "");
        may_leave = false;
    }
    return 0;
}

/* Whether a thread outside of fibers, which may as well do the work itself, must be able to go on without it. */
static bool must_leave(void (*abandon_function)(void *), int64_t deadline)
{
    return abandon_function && deadline != WEIR_FOREVER && weir__waiter_self();
}

int weir_offload(int (*function)(void *arg), void *arg, void (*abandon_function)(void *arg), int *result,
                 int64_t deadline)
{
    if (weir__system()->offload)
        return weir__system()->offload(function, arg, abandon_function, result, deadline);
    if (!weir__fiber_running() && !must_leave(abandon_function, deadline)) {
        int value = function(arg);
        if (result)
            *result = value;
        return 0;
    }
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return weir__fail_memory("offload");
    weir__list_init(&job->link);
    job->function = function;
    job->arg = arg;
    job->abandon = abandon_function;
    job->system = weir__system();
    if (!enqueue(job)) {
        free(job);
        return weir__fail_system(errno, "offload", "");
    }
    if (wait_for(job, deadline) < 0)
        return -1;
    if (result)
        *result = job->result;
    errno = job->number;
    free(job);
    return 0;
}

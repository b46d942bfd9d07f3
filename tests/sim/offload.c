/* Work on the pool, with deadlines and cancels: its argument is the caller's or the pool's, never both's, never nobody's. */
#include "common.h"
#include "scenarios.h"

enum { FIBERS = 6, JOBS = 12, SIZE = 256 };

#define SOON WEIR_US(200)

static struct {
    int made, freed, abandoned;
} jobs;

struct job {
    uint64_t seed;
    bool done;
    char data[SIZE];
};

static struct job *job_new(void)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->seed = weir_sim_below(UINT64_MAX);
    jobs.made++;
    return job;
}

static void job_free(struct job *job)
{
    jobs.freed++;
    free(job);
}

static int work(void *arg)
{
    struct job *job = arg;
    pattern(job->seed, 0, job->data, sizeof job->data);
    job->done = true;
    errno = EDOM;
    return (int)(job->seed % 1000);
}

static void abandon(void *arg)
{
    jobs.abandoned++;
    job_free(arg);
}

static void check_result(struct job *job, int result)
{
    WEIR_SIM_CHECK(errno == EDOM);
    WEIR_SIM_CHECK(job->done && result == (int)(job->seed % 1000));
    check_pattern(job->seed, 0, job->data, sizeof job->data);
    job_free(job);
}

/* Without an abandon the caller waits for the end, whatever happens to it. */
static int to_the_end(void)
{
    struct job *job = job_new();
    int result = -1;
    int offloaded = weir_offload(work, job, NULL, &result, WEIR_NOW);
    WEIR_SIM_CHECK(offloaded == 0);
    if (offloaded == 0)
        check_result(job, result);
    return offloaded;
}

/* With one, it goes on at its deadline. 0; -1 where it was cancelled. */
static int until_deadline(void)
{
    struct job *job = job_new();
    int64_t deadline = one_in(4) ? WEIR_FOREVER : weir_now() + between(0, WEIR_MS(2));
    int result = -1, before = jobs.abandoned;
    if (weir_offload(work, job, abandon, &result, deadline) == 0) {
        WEIR_SIM_CHECK(deadline == WEIR_FOREVER || weir_now() <= deadline + SOON);
        check_result(job, result);
        return 0;
    }
    int number = errno;
    WEIR_SIM_CHECK(jobs.abandoned > before);
    WEIR_SIM_CHECK(number == ETIMEDOUT || number == ECANCELED);
    if (number == ETIMEDOUT)
        check_due("an offload", deadline, SOON);
    return number == ETIMEDOUT ? 0 : -1;
}

static int worker(void *arg)
{
    (void)arg;
    for (int i = 0; i < JOBS; i++) {
        int result = one_in(3) ? to_the_end() : until_deadline();
        if (result < 0 || (one_in(4) && weir_sleep(between(0, WEIR_S(2))) < 0))
            return weir_cancelled() ? 0 : -1;
    }
    return 0;
}

static int program(void *arg)
{
    weir_fiber *fibers[FIBERS];
    int result = 0;
    for (int i = 0; i < FIBERS; i++)
        if (!(fibers[i] = weir_spawn(worker, arg, WEIR_OPTIONS(weir_fiber_options, .name = "worker"))))
            abort();
    for (int i = 0, one; i < FIBERS; i++) {
        if (one_in(3) && weir_sleep(between(0, WEIR_S(3))) == 0)
            weir_cancel_fiber(fibers[i]);
        if (weir_join(fibers[i], &one, WEIR_FOREVER) < 0 || one < 0)
            result = -1;
    }
    WEIR_SIM_CHECK(jobs.made == jobs.freed);
    return result;
}

void offload(void)
{
    memset(&jobs, 0, sizeof jobs);
    weir_sim_program(weir_sim_host_new(NULL), "offload", program, NULL);
}

/*
 * Every failure in turn: runs the conversations on both backends, each in a process of its own, and tells in TAP how it went.
 *
 *     test_inject                                         all of them
 *     test_inject CONVERSATION BACKEND                    one
 *     test_inject CONVERSATION BACKEND POINT NUMBER ERRNO once|persistent
 *                                                         one injection, as a fault is told: the conversation, "uring" or
 *                                                         "epoll", the call that fails, the how manieth of the run, and how
 */
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/sanitizer.h"
#include "inject.h"

#if WEIR__ASAN
#include <sanitizer/lsan_interface.h>
#endif

enum { CASES_MOST = 200, AT_ONCE = 3, FEWEST = 10000 };

/* A sanitizer makes everything several times slower: it is given the first calls. */
static struct extent extent = {.calls = WEIR__ASAN ? 2 : 8, .patience = WEIR__ASAN ? 4 : 1};

struct job {
    const struct conversation *conversation;
    weir_backend backend;
    struct plan only;
    struct outcome *outcome;
    pid_t process;
    int status;
};

static struct job jobs[CASES_MOST];
static size_t job_count;

static const struct conversation *const groups[] = {base_talks, engine_talks, os_talks,   stream_talks,
                                                    net_talks,  server_talks, copy_talks, family_talks,
                                                    text_talks, tls_talks,    via_talks};
static const char *const kind_names[KINDS] = {"system calls", "backend", "memory"};

static const char *backend_name(weir_backend backend)
{
    return backend == WEIR_BACKEND_URING ? "uring" : "epoll";
}

/* --- what is to be run --- */

static void add_job(const struct conversation *conversation, weir_backend backend)
{
    struct outcome *outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED || job_count == CASES_MOST) {
        fprintf(stderr, "%s: no room for one more case\n", conversation->name);
        abort();
    }
    jobs[job_count++] = (struct job){.conversation = conversation, .backend = backend, .outcome = outcome};
}

static bool uring_works(void)
{
    const char *name = getenv("WEIR_BACKEND");
    if (name && strcmp(name, "epoll") == 0)
        return false;
    weir_loop *loop = weir_loop_new(WEIR_OPTIONS(weir_loop_options, .backend = WEIR_BACKEND_URING));
    weir_loop_free(loop);
    return loop;
}

/* NULL is every one. */
static void add_jobs(const char *name, const char *backend)
{
    bool uring = uring_works();
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        for (const struct conversation *one = groups[i]; one->name; one++) {
            if (name ? strcmp(name, one->name) != 0 : WEIR__ASAN && one->forks)
                continue;
            if (uring && !one->once && (!backend || strcmp(backend, "uring") == 0))
                add_job(one, WEIR_BACKEND_URING);
            if (!backend || strcmp(backend, "epoll") == 0)
                add_job(one, WEIR_BACKEND_EPOLL);
        }
}

static bool read_plan(char **words, struct plan *plan)
{
    int point = 0;
    while (point < POINT_COUNT && strcmp(points[point].name, words[0]) != 0)
        point++;
    if (point == POINT_COUNT)
        return false;
    *plan = (struct plan){.point = (enum point)point, .number = (unsigned)atoi(words[1])};
    plan->persistent = strcmp(words[3], "persistent") == 0;
    for (const struct failure *failure = points[point].failures; failure->number; failure++)
        if (strcmp(failure_name(plan->point, failure->number), words[2]) == 0) {
            plan->failure = *failure;
            return plan->number > 0;
        }
    return false;
}

/* --- running, each in a directory of its own --- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static void make_directory(char *path, size_t size)
{
    const char *above = getenv("TMPDIR");
    snprintf(path, size, "%s/weir-inject-XXXXXX", above && *above ? above : "/tmp");
    if (!mkdtemp(path) || chdir(path) < 0)
        abort();
}

static void begin(struct job *job)
{
    fflush(NULL);
    job->process = fork();
    if (job->process < 0)
        abort();
    if (job->process > 0)
        return;
    char name[32];
    snprintf(name, sizeof name, "%zu", (size_t)(job - jobs));
    if (mkdir(name, 0700) < 0 || chdir(name) < 0)
        abort();
    talk_backend = job->backend;
    run_conversation(job->conversation, &extent, &job->only, job->outcome);
#if WEIR__ASAN
    if (__lsan_do_recoverable_leak_check())
        job->outcome->faults[KIND_MEMORY]++;
#endif
    fflush(NULL);
    _exit(0);
}

static void await_one(void)
{
    int status;
    pid_t process = wait(&status);
    for (size_t i = 0; i < job_count; i++)
        if (jobs[i].process == process) {
            jobs[i].status = status;
            jobs[i].process = 0;
        }
}

static void run_jobs(void)
{
    size_t running = 0;
    for (size_t i = 0; i < job_count; i++, running++) {
        if (running == AT_ONCE) {
            await_one();
            running--;
        }
        begin(&jobs[i]);
    }
    while (running--)
        await_one();
}

/* --- telling --- */

/* A case for each kind of failure. A process that died did so in the kind that it was at. Returns whether all is well. */
static bool tell_case(size_t number, const struct job *job, enum kind kind)
{
    const struct outcome *outcome = job->outcome;
    bool died = job->status != 0 && outcome->kind <= kind;
    bool well = !died && !outcome->faults[kind];
    if (died && outcome->kind == kind) {
        char text[100];
        plan_text(&outcome->plan, text, sizeof text);
        fprintf(stderr, "%s %s %s: the process died, %s %d\n", job->conversation->name, backend_name(job->backend),
                text, WIFSIGNALED(job->status) ? "signal" : "status",
                WIFSIGNALED(job->status) ? WTERMSIG(job->status) : WEXITSTATUS(job->status));
    }
    printf("%s %zu - %s on %s, %s: %u injections\n", well ? "ok" : "not ok", number, job->conversation->name,
           backend_name(job->backend), kind_names[kind], outcome->injections[kind]);
    return well;
}

static int tell(bool whole)
{
    size_t number = 0;
    unsigned injections = 0;
    bool well = true;
    for (size_t i = 0; i < job_count; i++)
        for (int kind = 0; kind < KINDS; kind++)
            if (jobs[i].outcome->calls[kind] || jobs[i].status != 0) {
                well &= tell_case(++number, &jobs[i], (enum kind)kind);
                injections += jobs[i].outcome->injections[kind];
            }
    bool enough = !whole || WEIR__ASAN || injections >= FEWEST || !uring_works();
    printf("%s %zu - in all %u injections\n", enough ? "ok" : "not ok", number + 1, injections);
    printf("1..%zu\n", number + 1);
    return well && enough ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct plan only = {.number = 0};
    if (argc == 7 ? !read_plan(argv + 3, &only) : argc > 3) {
        fprintf(stderr, "usage: %s [CONVERSATION [BACKEND [POINT NUMBER ERRNO once|persistent]]]\n", argv[0]);
        return 2;
    }
    add_jobs(argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL);
    for (size_t i = 0; i < job_count; i++)
        jobs[i].only = only;
    signal(SIGPIPE, SIG_DFL); /* as a program has it that knows nothing of it */
    char directory[256];
    make_directory(directory, sizeof directory);
    run_jobs();
    nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return tell(argc == 1);
}

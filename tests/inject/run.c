/* The runs of a conversation: one to number its calls, one for each failure; and what is looked at after each. */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inject.h"

enum {
    REPEATS = 6, /* of a run that left something: what a program keeps it keeps once, a leak grows each time */
    WATCHDOG_SECONDS = 20,
    SETTLE_MS = 20, /* for threads that are about to end, or to give back */
    SETTLE_LONG_MS = 2000,
};

static struct outcome *outcome;
static const struct conversation *talk_here;
weir_backend talk_backend;

static atomic_llong began; /* of the run that is under way, true time, for the watchdog; 0: none */

/* --- telling what is wrong --- */

const char *failure_name(enum point point, int number)
{
    static const char *const faults[] = {
        [-FAULT_LATE] = "LATE", [-FAULT_SPURIOUS] = "SPURIOUS", [-FAULT_CLEARED] = "CLEARED"};
    static const struct {
        int number;
        const char *name;
    } resolver[] = {{-2, "EAI_NONAME"}, {-3, "EAI_AGAIN"}, {-4, "EAI_FAIL"}, {-10, "EAI_MEMORY"}, {-11, "EAI_SYSTEM"}};
    for (size_t i = 0; point == POINT_resolve && i < sizeof resolver / sizeof resolver[0]; i++)
        if (resolver[i].number == number)
            return resolver[i].name;
    return number < 0 ? faults[-number] : strerrorname_np(number);
}

void plan_text(const struct plan *of, char *text, size_t size)
{
    if (of->number)
        snprintf(text, size, "%s %u %s %s", points[of->point].name, of->number,
                 failure_name(of->point, of->failure.number), of->persistent ? "persistent" : "once");
    else
        snprintf(text, size, "without a failure");
}

void fault(const char *format, ...)
{
    char text[400], which[100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    plan_text(plan_here(), which, sizeof which);
    fprintf(stderr, "%s %s %s: %s\n", talk_here->name, talk_backend == WEIR_BACKEND_URING ? "uring" : "epoll", which,
            text);
    outcome->faults[outcome->kind]++;
}

/* --- what a call says that has failed --- */

/* What others learn of a failure: the other end has gone, or did not answer in time. */
static bool is_consequence(int number)
{
    switch (number) {
    case ECONNRESET:
    case ECONNREFUSED:
    case ECONNABORTED:
    case ENOTCONN:
    case EPIPE:
    case ENODATA:
    case ETIMEDOUT:
    case ECANCELED:
    case ECHILD: /* a process of several could not start */
        return true;
    default:
        return false;
    }
}

/* Want of resources is told whatever the other addresses say. */
static bool is_want(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

static bool is_injected(int number)
{
    const struct failure *failure = &plan_here()->failure;
    if (talk_here->rather && number == talk_here->rather && !is_want(failure->number))
        return true;
    return number == failure->number || (failure->translated && number == failure->translated);
}

bool failed(const char *call)
{
    int number = errno;
    const weir_error_info *error = weir_error();
    if (!has_harmed())
        fault("%s fails: %s (%s)", call, error->sentence, strerrorname_np(number));
    else if (error->kind == WEIR_ERROR_NONE || error->number != number || !*error->sentence)
        fault("%s fails with %s, but its error is \"%s\" (%s, %s)", call, strerrorname_np(number), error->sentence,
              weir_error_kind_name(error->kind), strerrorname_np(error->number));
    bool mine = struck_here();
    bool late = error->kind == WEIR_ERROR_DEADLINE; /* the clock runs fast, and the machine may be busy */
    if (has_harmed() && !is_injected(number) && !late && (mine || !is_consequence(number)))
        fault("%s fails with %s, which was not injected (%s)", call, strerrorname_np(number), error->sentence);
    errno = number;
    return false;
}

/* --- what is left behind --- */

struct left {
    int descriptors;
    size_t blocks;
};

static int open_descriptors(bool tell)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(directory)); count++) {
        char path[300], target[300] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        if (tell && readlink(path, target, sizeof target - 1) > 0)
            fprintf(stderr, "    descriptor %s is %s\n", entry->d_name, target);
    }
    closedir(directory);
    return count;
}

static struct left look(void)
{
    return (struct left){open_descriptors(false), blocks_alive()};
}

static bool more(struct left now, struct left before)
{
    return now.descriptors > before.descriptors || now.blocks > before.blocks;
}

/* Waits for what other threads are about to give back. */
static struct left settle(struct left before, int most_ms)
{
    struct left now = look();
    for (int i = 0; i < most_ms && more(now, before); i++) {
        usleep(1000);
        now = look();
    }
    return now;
}

/* --- one run --- */

static int talk_in_fiber(void *arg)
{
    (void)arg;
    return talk_here->talk() ? 0 : 1;
}

static bool talk(void)
{
    if (!talk_here->in_fiber)
        return talk_here->talk();
    int result = weir_run(talk_in_fiber, NULL, WEIR_OPTIONS(weir_loop_options, .backend = talk_backend));
    return result < 0 ? failed("weir_run") : result == 0;
}

/* Returns whether the failure was injected. */
static bool run(const struct plan *with)
{
    weir_fail(WEIR_ERROR_NONE, 0, "", "", NULL); /* what is told later was set in this run */
    outcome->plan = *with;
    arm(with);
    atomic_store(&began, true_clock());
    pid_t own = getpid();
    bool whole = talk();
    if (getpid() != own)
        _exit(1); /* a child of a conversation must not go on to injections of its own */
    bool harm = has_harmed();
    disarm();
    atomic_store(&began, 0);
    if (!whole && !harm)
        fault("the conversation did not succeed");
    return has_struck();
}

/* Whether each repetition leaves more than the one before. */
static void check_growth(const struct plan *with, struct left before)
{
    for (int i = 0; i < REPEATS; i++) {
        struct left start = look();
        run(with);
        if (!more(settle(start, SETTLE_MS), start))
            return;
    }
    struct left now = settle(before, SETTLE_LONG_MS);
    bool descriptors = now.descriptors >= before.descriptors + REPEATS, memory = now.blocks >= before.blocks + REPEATS;
    if (!descriptors && !memory)
        return;
    fault("each run leaves something: in %d runs %d descriptors, %zu blocks of memory", REPEATS + 1,
          now.descriptors - before.descriptors, now.blocks - before.blocks);
    if (memory)
        tell_blocks(20);
    if (descriptors)
        open_descriptors(true);
}

static void inject(const struct plan *with)
{
    struct left before = look();
    if (!run(with))
        return; /* other threads were faster this time: there was no such call */
    outcome->injections[outcome->kind]++;
    if (more(settle(before, SETTLE_MS), before))
        check_growth(with, before);
}

/* --- all of them --- */

/* The number of the call that is failed after `number`: each of the first ones, then ever fewer. */
static unsigned next_number(unsigned number, unsigned count, unsigned calls)
{
    if (number < calls || count <= calls)
        return number + 1;
    return number + (count - calls + calls - 1) / calls;
}

static void inject_point(enum point point, unsigned count, unsigned calls)
{
    for (unsigned number = 1; number <= count; number = next_number(number, count, calls))
        for (const struct failure *failure = points[point].failures; failure->number; failure++)
            for (int persistent = 0; persistent < (failure->flags & ONCE ? 1 : 2); persistent++)
                inject(&(struct plan){point, number, *failure, persistent});
}

/* The calls of a run without a failure, the most of several: threads take turns as they like. */
static void number_calls(unsigned most[POINT_COUNT])
{
    for (int i = 0; i < 4; i++) {
        run(&(struct plan){.number = 0});
        for (int point = 0; i > 0 && point < POINT_COUNT; point++)
            if (calls_at((enum point)point) > most[point])
                most[point] = calls_at((enum point)point);
    }
    for (int point = 0; point < POINT_COUNT; point++)
        outcome->calls[points[point].kind] += most[point];
}

static void *watch(void *patience)
{
    for (;;) {
        usleep(200000);
        int64_t since = atomic_load(&began);
        if (!since || true_clock() - since < WEIR_S(WATCHDOG_SECONDS * *(const unsigned *)patience))
            continue;
        fault("it hangs");
        abort();
    }
}

static void start_watchdog(const struct extent *extent)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, watch, (void *)(uintptr_t)&extent->patience) != 0)
        abort();
    pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void quiet(weir_log_level level, const char *message, void *arg)
{
    (void)level, (void)message, (void)arg;
}

void run_conversation(const struct conversation *conversation, const struct extent *extent, const struct plan *only,
                      struct outcome *into)
{
    unsigned most[POINT_COUNT] = {0};
    outcome = into;
    talk_here = conversation;
    weir_log_sink(quiet, NULL);
    make_strikes();
    install_system();
    install_backend();
    start_watchdog(extent);
    number_calls(most);
    unsigned calls = conversation->calls && conversation->calls < extent->calls ? conversation->calls : extent->calls;
    for (int kind = 0; kind < KINDS; kind++) {
        outcome->kind = (enum kind)kind;
        for (int point = 0; point < POINT_COUNT && !only->number; point++)
            if (points[point].kind == (enum kind)kind)
                inject_point((enum point)point, most[point], calls);
    }
    outcome->kind = points[only->point].kind;
    if (only->number)
        inject(only);
}

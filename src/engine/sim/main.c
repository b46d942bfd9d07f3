/* weir_sim_main: what a program of scenarios is asked to do. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/option.h>

#include "base/error.h"
#include "engine/sim/runner.h"

enum { GOOD, FAILED, WRONG_USAGE }; /* exit statuses */

struct settings {
    int64_t seeds, from, seed, jobs, twice, enough, patience;
    weir_option_list without;
    bool trace, tap, list, help;
    unsigned faults_without;
};

#define AT(member) offsetof(struct settings, member)

static const weir_option options[] = {
    {WEIR_OPTION_INTEGER, "seeds", 'n', "N", AT(seeds), "how many seeds to run of each scenario", "2000", NULL, 1,
     INT64_MAX / 2},
    {WEIR_OPTION_INTEGER, "from", 0, "SEED", AT(from), "the first of them", "1", NULL, 0, INT64_MAX / 2},
    {WEIR_OPTION_INTEGER, "seed", 's', "SEED", AT(seed),
     "runs this seed alone, in this process, as a debugger wants it"},
    {WEIR_OPTION_FLAG, "trace", 't', NULL, AT(trace), "with --seed: who did what, when, with which bytes"},
    {WEIR_OPTION_INTEGER, "jobs", 'j', "N", AT(jobs), "processes at once; by default one a processor", NULL, NULL, 1,
     1024},
    {WEIR_OPTION_LIST, "without", 0, "FAULT", AT(without), "leaves out a kind of faults"},
    {WEIR_OPTION_INTEGER, "twice", 0, "N", AT(twice),
     "runs one seed in N a second time, which must be the same as the first; 0: none; by default 50, and with --seed "
     "0"},
    {WEIR_OPTION_INTEGER, "failures", 0, "N", AT(enough), "ends a scenario when so many seeds have failed", "20", NULL,
     1, 100000},
    {WEIR_OPTION_TIME, "patience", 0, NULL, AT(patience), "the real time after which a seed is given up as hanging",
     "60s"},
    {WEIR_OPTION_FLAG, "tap", 0, NULL, AT(tap), "tells results in TAP, a test a scenario"},
    {WEIR_OPTION_FLAG, "list", 'l', NULL, AT(list), "lists the scenarios"},
    {WEIR_OPTION_FLAG, "help", 'h', NULL, AT(help), "prints this"},
    {0},
};

/* --- what is asked for --- */

static const weir_sim_scenario *find(const weir_sim_scenario *scenarios, const char *name)
{
    for (; scenarios->name; scenarios++)
        if (strcmp(scenarios->name, name) == 0)
            return scenarios;
    return NULL;
}

static int fault_of(const char *name, unsigned *faults)
{
    for (int i = 0; i < WEIR_SIM_FAULT_KINDS; i++)
        if (strcmp(name, weir__sim_fault_names[i]) == 0) {
            *faults |= 1U << i;
            return 0;
        }
    if (strcmp(name, "all") != 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "--without", "%s is no kind of faults; see --help", name);
    *faults = WEIR_SIM_ALL_FAULTS;
    return 0;
}

/* What makes no sense. 0, or -1 with a usage error. */
static int check(struct settings *settings, const weir_sim_scenario *scenarios, const weir_arguments *arguments)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (!find(scenarios, arguments->items[i]))
            return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", arguments->items[i], "no such scenario; see --list");
    for (size_t i = 0; i < settings->without.count; i++)
        if (fault_of(settings->without.items[i], &settings->faults_without) < 0)
            return -1;
    if (settings->trace && settings->seed < 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "--trace", "is of one seed: name it with --seed");
    if (settings->tap && settings->seed >= 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "--tap", "is not for --seed");
    return 0;
}

/* --- help --- */

static void list(const weir_sim_scenario *scenarios)
{
    for (; scenarios->name; scenarios++)
        if (scenarios->summary)
            printf("  %-20s  %s\n", scenarios->name, scenarios->summary);
        else
            printf("  %s\n", scenarios->name);
}

static void print_faults(void)
{
    printf("\nFaults, for --without:");
    for (int i = 0; i < WEIR_SIM_FAULT_KINDS; i++)
        printf("%s%s", i % 8 ? " " : "\n  ", weir__sim_fault_names[i]);
    printf("; or all\n");
}

static int help(const char *program, const weir_sim_scenario *scenarios)
{
    char *lines = weir_options_help(options, 0);
    if (!lines)
        return FAILED;
    printf("Usage: %s [OPTION]... [SCENARIO]...\n\n", program);
    printf("Runs scenarios of the simulator, all where none is named, each with many seeds. A seed\n"
           "decides everything: the same one does the same again.\n\nOptions:\n%s\nScenarios:\n",
           lines);
    list(scenarios);
    print_faults();
    printf("\nExamples:\n");
    printf("  %s --seeds 100000             the same with more seeds\n", program);
    printf("  %s %s --seed 4711 --trace   what happens in one run\n", program, scenarios->name);
    printf("  gdb --args %s %s --seed 4711\n", program, scenarios->name);
    printf("\nExit status: 0, 1 where a run failed, 2 for wrong usage.\n");
    free(lines);
    return GOOD;
}

/* --- running --- */

static int processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count > 0 ? count : 1;
}

static int complain(const char *program)
{
    const char *slash = strrchr(program, '/');
    fprintf(stderr, "%s: error: %s\n", slash ? slash + 1 : program, weir_error()->sentence);
    return weir_error()->kind == WEIR_ERROR_USAGE ? WRONG_USAGE : FAILED;
}

static int run_alone(const weir_sim_scenario *scenario, const struct settings *settings)
{
    weir_sim_result result;
    struct weir__sim_failure failure;
    uint64_t seed = (uint64_t)settings->seed;
    bool twice = settings->twice > 0 && seed % (uint64_t)settings->twice == 0;
    bool good = weir__sim_run_seed(scenario, seed, settings->trace ? STDOUT_FILENO : -1, twice, &result, &failure);
    weir__sim_report_seed(scenario->name, seed, &result, good ? NULL : &failure);
    return good ? GOOD : FAILED;
}

static int run_seeds(const weir_sim_scenario *scenario, const struct settings *settings, const char *program,
                     int number)
{
    struct weir__sim_work work = {
        .scenario = *scenario,
        .first = (uint64_t)settings->from,
        .count = (uint64_t)settings->seeds,
        .processes = (unsigned)(settings->jobs ? settings->jobs : processors()),
        .twice = settings->twice < 0 ? 50 : (uint64_t)settings->twice,
        .enough = (size_t)settings->enough,
        .patience = settings->patience,
    };
    struct weir__sim_outcome outcome;
    struct weir__sim_report report;
    weir__sim_report_begin(&report, &work, program, settings->tap ? number : 0, settings->faults_without);
    int result = weir__sim_run_many(&work, weir__sim_report_progress, &report, &outcome);
    weir__sim_report_end(&report, &outcome);
    int status = result < 0 ? complain(program) : outcome.failed ? FAILED : GOOD;
    free(outcome.failures);
    return status;
}

/* The named ones in the order of their names' coming, or all. Returns the worst status. */
static int run_all(const weir_sim_scenario *scenarios, const weir_arguments *arguments, const struct settings *settings,
                   const char *program)
{
    size_t count = arguments->count;
    int status = GOOD;
    if (count == 0)
        while (scenarios[count].name)
            count++;
    if (settings->tap)
        printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        weir_sim_scenario scenario = arguments->count ? *find(scenarios, arguments->items[i]) : scenarios[i];
        scenario.without |= settings->faults_without;
        int one =
            settings->seed >= 0 ? run_alone(&scenario, settings) : run_seeds(&scenario, settings, program, (int)i + 1);
        status = one > status ? one : status;
    }
    return status;
}

/*
 * The C library's caches count as memory in use. It reads its tunables when a program begins, so this one begins again; where
 * that cannot be, memory is not looked at.
 */
static void begin_without_caches(char **argv)
{
    if (getenv("GLIBC_TUNABLES"))
        return;
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0", 1);
    execv("/proc/self/exe", argv);
    unsetenv("GLIBC_TUNABLES");
}

int weir_sim_main(int argc, char **argv, const weir_sim_scenario *scenarios)
{
    begin_without_caches(argv);
    struct settings settings = {.seed = -1, .twice = -1};
    weir_option_set set = {options, &settings};
    weir_arguments arguments;
    const char *program = argc > 0 ? argv[0] : "simulate";
    int status = GOOD;
    if (weir_options_parse(&set, 1, argc - 1, argv + 1, &arguments) < 0 || check(&settings, scenarios, &arguments) < 0)
        status = complain(program);
    else if (settings.help)
        status = help(program, scenarios);
    else if (settings.list)
        list(scenarios);
    else
        status = run_all(scenarios, &arguments, &settings, program);
    weir_options_free(&set, 1, &arguments);
    return status;
}

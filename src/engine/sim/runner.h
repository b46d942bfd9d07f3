/* Many runs of a scenario, on all processors, and what is told of them. */
#ifndef WEIR_ENGINE_SIM_RUNNER_H
#define WEIR_ENGINE_SIM_RUNNER_H

#include <weir/sim.h>

/* Faults as people name them, in the order of their bits. */
extern const char *const weir__sim_fault_names[WEIR_SIM_FAULT_KINDS];

/* --- runner.c: the runs --- */

struct weir__sim_work {
    weir_sim_scenario scenario;
    uint64_t first, count; /* the seeds */
    unsigned processes;
    uint64_t twice;   /* one seed in so many is run twice, to see that it does the same; 0: none */
    size_t enough;    /* after so many failures, the seeds behind them are left out */
    int64_t patience; /* how long one seed may take, of real time */
};

/* What it takes to see a failure again. */
enum weir__sim_replay { WEIR__SIM_ALONE, WEIR__SIM_TWICE, WEIR__SIM_IN_COMPANY };

struct weir__sim_failure {
    uint64_t seed;
    bool ended; /* its process, by a crash, a hang or an exit */
    char reason[WEIR_SIM_REASON];
};

/* What runs add up to. */
struct weir__sim_tally {
    uint64_t seeds, steps;
    uint64_t digest;             /* the sum of those of all runs, in whichever order they were made */
    int64_t processor, duration; /* of real processors, of virtual time; ns */
    uint64_t faults[WEIR_SIM_FAULT_KINDS];
};

struct weir__sim_outcome {
    struct weir__sim_tally tally;
    struct weir__sim_failure *failures; /* those with the lowest seeds, in order; at most work.enough. To be freed */
    size_t failed;
    bool cut_short; /* there were enough */
};

/*
 * Runs one seed in this process, and once more if `twice`: it must go well again, and be the same. Returns whether it was so;
 * else `failure` says what was not.
 */
bool weir__sim_run_seed(const weir_sim_scenario *scenario, uint64_t seed, int trace, bool twice,
                        weir_sim_result *result, struct weir__sim_failure *failure);

/*
 * Runs all seeds of the work in processes of its own. What crashes or hangs fails alone. Calls watch(arg, seeds done, failures) some
 * times a second. Returns 0, or -1 with an error where no process could be had; what was found until then is in `outcome`.
 */
int weir__sim_run_many(const struct weir__sim_work *work, void (*watch)(void *arg, uint64_t done, size_t failed),
                       void *arg, struct weir__sim_outcome *outcome);

/*
 * Whether a failure comes again where the seed is all that a process runs; or in a second run of it, as what was not given back
 * after the first; or only after what ran before it here.
 */
enum weir__sim_replay weir__sim_replay(const struct weir__sim_work *work, const struct weir__sim_failure *failure);

/* --- report.c: what is told --- */

struct weir__sim_report {
    const struct weir__sim_work *work;
    const char *program; /* as it was called */
    int number;          /* of the scenario, for TAP; 0: no TAP */
    unsigned without;    /* faults that the user left out */
    int64_t begun, told; /* real times */
    bool terminal;       /* there is one to show progress on */
};

void weir__sim_report_begin(struct weir__sim_report *report, const struct weir__sim_work *work, const char *program,
                            int number, unsigned without);

/* To be handed to weir__sim_run_many, with the report. */
void weir__sim_report_progress(void *arg, uint64_t done, size_t failed);

void weir__sim_report_end(struct weir__sim_report *report, const struct weir__sim_outcome *outcome);

/* Of one seed that was run alone; `failure` is NULL if it went well. */
void weir__sim_report_seed(const char *scenario, uint64_t seed, const weir_sim_result *result,
                           const struct weir__sim_failure *failure);

#endif

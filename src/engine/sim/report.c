/* What is told of many runs: progress to people on stderr, results on stdout, as text or TAP. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "engine/sim/runner.h"

enum { FAILURES_SHOWN = 5 };

/* How often progress is told where it cannot be shown in place. */
#define PLAIN_PROGRESS WEIR_S(60)

const char *const weir__sim_fault_names[WEIR_SIM_FAULT_KINDS] = {
    "short",    "reset",     "connect", "delay",  "stall", "loss",    "duplicate", "reorder",
    "truncate", "resources", "address", "events", "clock", "restart", "partition", "files",
};

/* --- progress --- */

void weir__sim_report_begin(struct weir__sim_report *report, const struct weir__sim_work *work, const char *program,
                            int number, unsigned without)
{
    int64_t now = weir__kernel.monotonic();
    *report = (struct weir__sim_report){
        .work = work,
        .program = program,
        .number = number,
        .without = without,
        .begun = now,
        .told = now,
        .terminal = isatty(STDERR_FILENO),
    };
}

void weir__sim_report_progress(void *arg, uint64_t done, size_t failed)
{
    struct weir__sim_report *report = arg;
    int64_t now = weir__kernel.monotonic();
    if (done == 0 || (!report->terminal && now - report->told < PLAIN_PROGRESS))
        return;
    report->told = now;
    double seconds = (double)(now - report->begun) / (double)WEIR_S(1), rate = (double)done / seconds;
    uint64_t left = report->work->count - done;
    fprintf(stderr, "%s%s: %" PRIu64 " of %" PRIu64 " seeds, %.0f a second, %zu failed, %.0f s left%s",
            report->terminal ? "\r" : "", report->work->scenario.name, done, report->work->count, rate, failed,
            (double)left / rate, report->terminal ? "\033[K" : "\n");
}

/* --- results --- */

static void print_faults(const uint64_t *faults)
{
    const char *before = ", faults: ";
    for (int i = 0; i < WEIR_SIM_FAULT_KINDS; i++)
        if (faults[i]) {
            printf("%s%s %" PRIu64, before, weir__sim_fault_names[i], faults[i]);
            before = ", ";
        }
}

static double seconds(int64_t nanoseconds)
{
    return (double)nanoseconds / (double)WEIR_S(1);
}

static void print_summary(const char *scenario, const struct weir__sim_outcome *outcome)
{
    const struct weir__sim_tally *tally = &outcome->tally;
    double seeds = tally->seeds ? (double)tally->seeds : 1;
    printf("%s: %" PRIu64 " seeds, %zu failed%s, %.2f ms a seed, %.1f s of virtual time a seed", scenario, tally->seeds,
           outcome->failed, outcome->cut_short ? " (which is enough)" : "", 1000 * seconds(tally->processor) / seeds,
           seconds(tally->duration) / seeds);
    print_faults(tally->faults);
    printf(", digest %016" PRIx64 "\n", tally->digest);
}

/* How to have the same again, with the same faults. */
static void print_replay(const struct weir__sim_report *report, const struct weir__sim_failure *failure)
{
    char command[1000];
    enum weir__sim_replay replay = weir__sim_replay(report->work, failure);
    int length = snprintf(command, sizeof command, "%s %s --seed %" PRIu64 "%s", report->program,
                          report->work->scenario.name, failure->seed, replay == WEIR__SIM_TWICE ? " --twice 1" : "");
    for (int i = 0; i < WEIR_SIM_FAULT_KINDS; i++)
        if (report->without & 1U << i && length > 0 && (size_t)length < sizeof command)
            length +=
                snprintf(command + length, sizeof command - (size_t)length, " --without %s", weir__sim_fault_names[i]);
    const char *before = report->number ? "# " : "";
    if (replay == WEIR__SIM_IN_COMPANY)
        printf("%s    it does not fail alone: something was left by the runs before it\n", before);
    printf("%s    replay: %s --trace   (gdb --args %s)\n", before, command, command);
}

static void print_failures(const struct weir__sim_report *report, const struct weir__sim_outcome *outcome)
{
    for (size_t i = 0; i < outcome->failed && i < FAILURES_SHOWN; i++) {
        const struct weir__sim_failure *failure = &outcome->failures[i];
        printf("%s%s: seed %" PRIu64 ": %s\n", report->number ? "# " : "", report->work->scenario.name, failure->seed,
               failure->reason);
        print_replay(report, failure);
    }
}

void weir__sim_report_end(struct weir__sim_report *report, const struct weir__sim_outcome *outcome)
{
    if (report->terminal)
        fprintf(stderr, "\r\033[K");
    if (report->number)
        printf("%s %d - ", outcome->failed ? "not ok" : "ok", report->number);
    print_summary(report->work->scenario.name, outcome);
    print_failures(report, outcome);
    fflush(stdout);
}

void weir__sim_report_seed(const char *scenario, uint64_t seed, const weir_sim_result *result,
                           const struct weir__sim_failure *failure)
{
    printf("%s: seed %" PRIu64 ": %s, digest %016" PRIx64 ", %" PRIu64 " steps, %.3f s of virtual time", scenario, seed,
           failure ? failure->reason : "good", result->digest, result->steps, seconds(result->duration));
    print_faults(result->faults);
    printf("\n");
    fflush(stdout);
}

/* What weir bench tells: a live line on a terminal, and the result as a table or as JSON. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "figures.h"

static const char *const fault_names[BENCH_FAULTS] = {
    [BENCH_UNCONNECTED] = "not connected", [BENCH_CUT] = "cut",   [BENCH_TIMED_OUT] = "timed out",
    [BENCH_WRONG] = "wrong bytes",         [BENCH_LOST] = "lost",
};
static const char *const fault_keys[BENCH_FAULTS] = {
    [BENCH_UNCONNECTED] = "not_connected", [BENCH_CUT] = "cut",   [BENCH_TIMED_OUT] = "timed_out",
    [BENCH_WRONG] = "wrong_bytes",         [BENCH_LOST] = "lost",
};

static const struct {
    const char *name;
    double part;
} percentiles[] = {
    {"50", 0.5}, {"75", 0.75}, {"90", 0.9}, {"95", 0.95}, {"99", 0.99}, {"99.9", 0.999}, {"99.99", 0.9999},
};
enum { PERCENTILES = sizeof percentiles / sizeof *percentiles };

/* --- sums --- */

static void add_worker(struct bench_total *total, const struct bench_worker *worker)
{
    const struct bench_counts *counts = &worker->counts;
    total->answered += atomic_load_explicit(&counts->answered, memory_order_relaxed);
    total->in_time += atomic_load_explicit(&counts->in_time, memory_order_relaxed);
    total->behind += atomic_load_explicit(&counts->behind, memory_order_relaxed);
    total->late += atomic_load_explicit(&counts->late, memory_order_relaxed);
    for (int i = 0; i < BENCH_FAULTS; i++)
        total->faults[i] += atomic_load_explicit(&counts->faults[i], memory_order_relaxed);
    histogram_merge(&total->latency, &worker->latency);
}

struct bench_total *bench_total(const struct bench *bench)
{
    struct bench_total *total = calloc(1, sizeof *total);
    if (!total) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "bench", bench->target, NULL);
        return NULL;
    }
    for (int64_t i = 0; i < bench->settings.workers; i++)
        add_worker(total, &bench->workers[i]);
    return total;
}

uint64_t bench_total_faults(const struct bench_total *total)
{
    uint64_t faults = 0;
    for (int i = 0; i < BENCH_FAULTS; i++)
        faults += total->faults[i];
    return faults;
}

/* --- rates --- */

static double per_second(uint64_t count, int64_t elapsed)
{
    return elapsed > 0 ? (double)count * 1e9 / (double)elapsed : 0;
}

/* --- the live line --- */

static struct {
    int64_t next;      /* when it is due; 0: at once */
    int64_t last;      /* when it was written */
    uint64_t answered; /* by then */
    bool written;
} live;

static void write_waiting(const struct bench *bench)
{
    char ready[32], wanted[32];
    fprintf(stderr, "\r\033[Kconnecting: %s of %s", figure_grouped(atomic_load(&bench->ready), ready),
            figure_grouped((uint64_t)bench->settings.connections, wanted));
}

static void write_running(const struct bench *bench, const struct bench_total *total, int64_t now)
{
    char rate[32], half[32], most[32], faults[32];
    double seconds = (double)(now - atomic_load(&bench->begin)) / 1e9;
    uint64_t since = total->answered - live.answered;
    fprintf(stderr, "\r\033[K%.1f s  %s messages/s  50 %%: %s  99 %%: %s  errors: %s", seconds,
            figure_grouped((uint64_t)per_second(since, now - live.last), rate),
            figure_duration((double)histogram_percentile(&total->latency, 0.5), half),
            figure_duration((double)histogram_percentile(&total->latency, 0.99), most),
            figure_grouped(bench_total_faults(total), faults));
    live.answered = total->answered;
}

void bench_live_line(const struct bench *bench, int64_t now)
{
    if (now < live.next || !weir_file_is_terminal(weir_stderr()))
        return;
    struct bench_total *total = bench_total(bench);
    if (!total)
        return;
    if (atomic_load(&bench->begin) == 0)
        write_waiting(bench);
    else
        write_running(bench, total, now);
    free(total);
    live.last = now;
    live.next = now + WEIR_MS(500);
    live.written = true;
}

void bench_live_line_end(void)
{
    if (live.written)
        fputs("\r\033[K", stderr);
    live.written = false;
}

void bench_tell_fault(void)
{
    if (weir_file_is_terminal(weir_stderr()))
        fputs("\r\033[K", stderr);
    tell_error();
}

/* --- the table --- */

static void print_head(const struct bench *bench, int64_t elapsed)
{
    const struct bench_settings *settings = &bench->settings;
    const char *backend = atomic_load(&bench->backend);
    char connections[32], size[32];
    printf("%s: %s connections, messages of %s, ", bench->target,
           figure_grouped((uint64_t)settings->connections, connections), figure_bytes((double)settings->size, size));
    if (settings->churn)
        printf("connect, one message, close, ");
    else if (settings->idle)
        printf("idle, ");
    else
        printf("depth %zu, ", bench_depth(bench));
    if (settings->rate > 0)
        printf("%s a second, ", figure_grouped((uint64_t)settings->rate, size));
    printf("%.1f s, %s, %d worker%s\n\n", (double)elapsed / 1e9, backend ? backend : "no backend",
           (int)settings->workers, settings->workers == 1 ? "" : "s");
}

static void print_rates(const struct bench *bench, const struct bench_total *total, int64_t elapsed)
{
    char count[32], rate[32], volume[32], speed[32];
    double size = (double)bench->settings.size;
    printf("  messages      %16s  %s a second\n", figure_grouped(total->answered, count),
           figure_grouped((uint64_t)per_second(total->in_time, elapsed), rate));
    printf("  each way      %16s  %s a second\n\n", figure_bytes((double)total->answered * size, volume),
           figure_bytes(per_second(total->in_time, elapsed) * size, speed));
}

static void print_latencies(const struct histogram *latency, bool since_due)
{
    char text[32];
    printf("  latency%s\n", since_due ? ", from when a message was due" : "");
    printf("    least      %12s\n", figure_duration((double)histogram_lowest(latency), text));
    printf("    mean       %12s\n", figure_duration(histogram_mean(latency), text));
    for (int i = 0; i < PERCENTILES; i++)
        printf("    %5s %%    %12s\n", percentiles[i].name,
               figure_duration((double)histogram_percentile(latency, percentiles[i].part), text));
    printf("    most       %12s\n\n", figure_duration((double)histogram_highest(latency), text));
}

static void print_faults(const struct bench_total *total)
{
    char text[32];
    printf("  errors        %16s\n", figure_grouped(bench_total_faults(total), text));
    for (int i = 0; i < BENCH_FAULTS; i++)
        if (total->faults[i])
            printf("    %-13s %14s\n", fault_names[i], figure_grouped(total->faults[i], text));
    if (total->late)
        printf("  late or twice %16s\n", figure_grouped(total->late, text));
    if (total->behind)
        printf("  due, not sent %16s\n", figure_grouped(total->behind, text));
}

/* --- JSON --- */

static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_json_latencies(const struct histogram *latency)
{
    printf(",\"latency_ns\":{\"least\":%" PRIu64 ",\"mean\":%.0f", histogram_lowest(latency), histogram_mean(latency));
    for (int i = 0; i < PERCENTILES; i++)
        printf(",\"p%s\":%" PRIu64, percentiles[i].name, histogram_percentile(latency, percentiles[i].part));
    printf(",\"most\":%" PRIu64 "}", histogram_highest(latency));
}

static void print_json(const struct bench *bench, const struct bench_total *total, int64_t elapsed)
{
    const struct bench_settings *settings = &bench->settings;
    const char *backend = atomic_load(&bench->backend);
    printf("{\"endpoint\":");
    print_string(bench->target);
    printf(",\"mode\":\"%s\",\"connections\":%" PRId64 ",\"size\":%" PRId64 ",\"depth\":%zu,\"rate\":%" PRId64
           ",\"workers\":%" PRId64 ",\"backend\":\"%s\",\"seconds\":%.6f",
           bench->mode->name, settings->connections, settings->size, bench_depth(bench), settings->rate,
           settings->workers, backend ? backend : "", (double)elapsed / 1e9);
    printf(",\"messages\":%" PRIu64 ",\"messages_per_second\":%.1f,\"bytes_per_second\":%.0f", total->answered,
           per_second(total->in_time, elapsed), per_second(total->in_time, elapsed) * (double)settings->size);
    print_json_latencies(&total->latency);
    printf(",\"errors\":%" PRIu64, bench_total_faults(total));
    for (int i = 0; i < BENCH_FAULTS; i++)
        printf(",\"%s\":%" PRIu64, fault_keys[i], total->faults[i]);
    printf(",\"late\":%" PRIu64 ",\"behind\":%" PRIu64 "}\n", total->late, total->behind);
}

void bench_report(const struct bench *bench, const struct bench_total *total, int64_t elapsed)
{
    if (bench->settings.json) {
        print_json(bench, total, elapsed);
        return;
    }
    print_head(bench, elapsed);
    print_rates(bench, total, elapsed);
    print_latencies(&total->latency, bench->settings.rate > 0);
    print_faults(total);
}

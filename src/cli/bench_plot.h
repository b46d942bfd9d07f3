/*
 * weir bench --plot: how the run went from moment to moment, kept while it runs (bench_series.c) and drawn when it is
 * over (bench_plot.c).
 */
#ifndef CLI_BENCH_PLOT_H
#define CLI_BENCH_PLOT_H

#include "bench.h"

enum { SERIES_MOMENTS = 200 };

/* What was answered since the moment before, or since the beginning. */
struct moment {
    int64_t end; /* when it was over */
    struct histogram latency;
};

/* When all moments are used, two become one: however long a run lasts, it has its place. */
struct series {
    int64_t begin, next; /* when the next moment is due */
    int64_t interval;
    size_t count;
    struct histogram seen; /* all that the moments hold, and what was before the beginning */
    struct moment moments[SERIES_MOMENTS];
};

struct bench_plot {
    FILE *file;
    const char *path;
    struct series series;
};

/* `before` is what does not count. */
void series_begin(struct series *series, int64_t begin, int64_t duration, const struct histogram *before);

/* Ends a moment: `latency` is all that there was until now. The last one may be shorter than the others. */
void series_add(struct series *series, int64_t now, const struct histogram *latency);
void series_end(struct series *series, int64_t now, const struct histogram *latency);

/* When a moment begins. */
int64_t series_start(const struct series *series, size_t moment);

#endif

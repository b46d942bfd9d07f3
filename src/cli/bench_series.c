/* How a run of weir bench went from moment to moment. Pages of buckets that nothing fell into cost no memory. */
#include <string.h>

#include "bench_plot.h"

enum { WANTED_MOMENTS = 100 };

void series_begin(struct series *series, int64_t begin, int64_t duration, const struct histogram *before)
{
    const int64_t shortest = WEIR_MS(50), longest = WEIR_S(1);
    int64_t interval = duration / WANTED_MOMENTS;
    series->begin = begin;
    series->interval = interval < shortest ? shortest : interval > longest ? longest : interval;
    series->next = begin + series->interval;
    histogram_merge(&series->seen, before);
}

int64_t series_start(const struct series *series, size_t moment)
{
    return moment > 0 ? series->moments[moment - 1].end : series->begin;
}

/* Makes one moment of every two. */
static void halve(struct series *series)
{
    struct moment *moments = series->moments;
    for (size_t i = 0; i < SERIES_MOMENTS / 2; i++) {
        struct moment *first = &moments[2 * i], *second = &moments[2 * i + 1];
        histogram_merge(&first->latency, &second->latency);
        first->end = second->end;
        if (i > 0)
            memcpy(&moments[i], first, sizeof *first);
    }
    memset(&moments[SERIES_MOMENTS / 2], 0, sizeof *moments * (SERIES_MOMENTS / 2));
    series->count = SERIES_MOMENTS / 2;
    series->interval *= 2;
}

/* Adds to the last moment, which is over now, what is new. */
static void note(struct series *series, int64_t now, const struct histogram *latency)
{
    struct moment *last = &series->moments[series->count - 1];
    last->end = now;
    histogram_add_since(&last->latency, latency, &series->seen);
    memcpy(&series->seen, latency, sizeof series->seen);
}

void series_add(struct series *series, int64_t now, const struct histogram *latency)
{
    if (series->count == SERIES_MOMENTS)
        halve(series);
    series->count++;
    note(series, now, latency);
    series->next = now + series->interval;
}

void series_end(struct series *series, int64_t now, const struct histogram *latency)
{
    bool is_short = now - series_start(series, series->count) < series->interval / 2;
    if (series->count > 0 && is_short)
        note(series, now, latency);
    else
        series_add(series, now, latency);
}

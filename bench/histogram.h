/*
 * A histogram of durations with a fixed size and a relative error below one in 64: linear within
 * each power of two.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BITS = 6, HISTOGRAM_BUCKETS = (65 - HISTOGRAM_BITS) << HISTOGRAM_BITS };

struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value that the given part (0 to 1) of all values does not exceed; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *h, double part);

#endif

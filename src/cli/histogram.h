/*
 * Durations counted by size, in fixed memory: up to 255 exactly, above that with an error below 1 %, up to 2^64 - 1.
 * The idea is HdrHistogram's: each power of two is cut into 128 equal parts.
 *
 * One thread adds; any other may read meanwhile and sees counts that are a little old.
 */
#ifndef CLI_HISTOGRAM_H
#define CLI_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_PARTS_BITS = 7, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_PARTS_BITS + 1) << HISTOGRAM_PARTS_BITS };

/* Empty when it is all zero. */
struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS];
    _Atomic uint64_t total; /* values */
    _Atomic uint64_t sum;   /* of them; wraps around past 2^64 */
    _Atomic uint64_t highest;
    _Atomic uint64_t lowest; /* its complement, so that zero is none yet */
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* Adds all that is in `from`. */
void histogram_merge(struct histogram *to, const struct histogram *from);

/*
 * Adds to `to` what came since `before` was taken of the same histogram as `now`. The highest and the lowest are those
 * of their buckets.
 */
void histogram_add_since(struct histogram *to, const struct histogram *now, const struct histogram *before);

/*
 * The least value that at least `part` (0 to 1) of all values do not exceed, rounded up within its bucket, at most the
 * highest; 0 when empty.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double part);

uint64_t histogram_total(const struct histogram *histogram);
uint64_t histogram_lowest(const struct histogram *histogram);
uint64_t histogram_highest(const struct histogram *histogram);
double histogram_mean(const struct histogram *histogram);

#endif

/* Durations counted by size; see histogram.h. */
#include "histogram.h"

enum { PARTS = 1 << HISTOGRAM_PARTS_BITS };

static uint64_t get(const _Atomic uint64_t *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* There is one writer a histogram, so that nothing need be locked. */
static void put(_Atomic uint64_t *cell, uint64_t value)
{
    atomic_store_explicit(cell, value, memory_order_relaxed);
}

/* The first PARTS values have a bucket each; every power of two from there on shares PARTS. */
static unsigned bucket_of(uint64_t value)
{
    if (value < PARTS)
        return (unsigned)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = power - HISTOGRAM_PARTS_BITS;
    return (shift + 1) * PARTS + (unsigned)(value >> shift) - PARTS;
}

static uint64_t last_of(unsigned bucket)
{
    if (bucket < PARTS)
        return bucket;
    unsigned shift = bucket / PARTS - 1;
    uint64_t first = (uint64_t)(PARTS + bucket % PARTS) << shift;
    return first + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    _Atomic uint64_t *bucket = &h->counts[bucket_of(value)];
    put(bucket, get(bucket) + 1);
    put(&h->total, get(&h->total) + 1);
    put(&h->sum, get(&h->sum) + value);
    if (value > get(&h->highest))
        put(&h->highest, value);
    if (~value > get(&h->lowest))
        put(&h->lowest, ~value);
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        put(&to->counts[i], get(&to->counts[i]) + get(&from->counts[i]));
    put(&to->total, get(&to->total) + get(&from->total));
    put(&to->sum, get(&to->sum) + get(&from->sum));
    if (get(&from->highest) > get(&to->highest))
        put(&to->highest, get(&from->highest));
    if (get(&from->lowest) > get(&to->lowest))
        put(&to->lowest, get(&from->lowest));
}

uint64_t histogram_percentile(const struct histogram *h, double part)
{
    double wanted = part * (double)get(&h->total);
    uint64_t seen = 0, highest = get(&h->highest);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += get(&h->counts[i]);
        if (seen > 0 && (double)seen >= wanted)
            return last_of(i) < highest ? last_of(i) : highest;
    }
    return highest;
}

uint64_t histogram_total(const struct histogram *h)
{
    return get(&h->total);
}

uint64_t histogram_lowest(const struct histogram *h)
{
    return get(&h->total) ? ~get(&h->lowest) : 0;
}

uint64_t histogram_highest(const struct histogram *h)
{
    return get(&h->highest);
}

double histogram_mean(const struct histogram *h)
{
    uint64_t total = get(&h->total);
    return total ? (double)get(&h->sum) / (double)total : 0;
}

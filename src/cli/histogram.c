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

static uint64_t first_of(unsigned bucket)
{
    if (bucket < PARTS)
        return bucket;
    return (uint64_t)(PARTS + bucket % PARTS) << (bucket / PARTS - 1);
}

static uint64_t last_of(unsigned bucket)
{
    if (bucket < PARTS)
        return bucket;
    return first_of(bucket) + ((UINT64_C(1) << (bucket / PARTS - 1)) - 1);
}

static void note_extremes(struct histogram *h, uint64_t lowest, uint64_t highest)
{
    if (highest > get(&h->highest))
        put(&h->highest, highest);
    if (~lowest > get(&h->lowest))
        put(&h->lowest, ~lowest);
}

void histogram_add(struct histogram *h, uint64_t value)
{
    _Atomic uint64_t *bucket = &h->counts[bucket_of(value)];
    put(bucket, get(bucket) + 1);
    put(&h->total, get(&h->total) + 1);
    put(&h->sum, get(&h->sum) + value);
    note_extremes(h, value, value);
}

/* Pages of buckets that hold nothing are not touched, in `to` either. */
void histogram_merge(struct histogram *to, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (get(&from->counts[i]))
            put(&to->counts[i], get(&to->counts[i]) + get(&from->counts[i]));
    put(&to->total, get(&to->total) + get(&from->total));
    put(&to->sum, get(&to->sum) + get(&from->sum));
    if (get(&from->total))
        note_extremes(to, ~get(&from->lowest), get(&from->highest));
}

void histogram_add_since(struct histogram *to, const struct histogram *now, const struct histogram *before)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = get(&now->counts[i]) - get(&before->counts[i]);
        if (count == 0)
            continue;
        put(&to->counts[i], get(&to->counts[i]) + count);
        put(&to->total, get(&to->total) + count);
        uint64_t first = first_of(i), last = last_of(i), lowest = histogram_lowest(now), highest = get(&now->highest);
        note_extremes(to, first > lowest ? first : lowest, last < highest ? last : highest);
    }
    put(&to->sum, get(&to->sum) + get(&now->sum) - get(&before->sum));
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

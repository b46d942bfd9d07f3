/* Durations counted by size; see histogram.h. */
#include "histogram.h"

enum { LINEAR = 1 << HISTOGRAM_BITS };

/* Below LINEAR a bucket is one value; above, LINEAR buckets share each power of two. */
static unsigned bucket_of(uint64_t value)
{
    if (value < LINEAR)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_BITS;
    return ((shift + 1) << HISTOGRAM_BITS) + (unsigned)(value >> shift) - LINEAR;
}

static uint64_t highest_in(unsigned bucket)
{
    if (bucket < LINEAR)
        return bucket;
    unsigned shift = (bucket >> HISTOGRAM_BITS) - 1;
    uint64_t first = LINEAR + bucket % LINEAR;
    return ((first + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->counts[bucket_of(value)]++;
    h->total++;
}

uint64_t histogram_percentile(const struct histogram *h, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)h->total), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->total > 0; i++) {
        seen += h->counts[i];
        if (seen > wanted || seen == h->total)
            return highest_in(i);
    }
    return 0;
}

/* Random bytes and numbers. */
#include <weir/random.h>

#include "base/system.h"

void weir_random(void *bytes, size_t size)
{
    weir__system()->random(bytes, size);
}

/*
 * The upper half of a 64-bit random number times the bound. Of the 2^64 products each result gets equally many once
 * those whose lower half is below 2^64 mod bound are drawn again (Lemire, "Fast random integer generation in an
 * interval", 2019).
 */
uint64_t weir_random_below(uint64_t bound)
{
    if (bound < 2)
        return 0;
    uint64_t surplus = (0 - bound) % bound;
    unsigned __int128 product;
    do {
        uint64_t number;
        weir_random(&number, sizeof number);
        product = (unsigned __int128)number * bound;
    } while ((uint64_t)product < surplus);
    return (uint64_t)(product >> 64);
}

/* Random bytes, from the system (getrandom(2)); in the simulator from its seed. */
#ifndef WEIR_RANDOM_H
#define WEIR_RANDOM_H

#include <weir/api.h>

WEIR_BEGIN

/* Fills `size` bytes, fit for keys. Never fails and never parks. */
WEIR_API void weir_random(void *bytes, size_t size);

/* A number from 0 to `bound` - 1, each equally likely; 0 for bound 0. Python's randrange. */
WEIR_API uint64_t weir_random_below(uint64_t bound);

WEIR_END

#endif

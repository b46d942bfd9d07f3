/* The clocks, and deadlines on them. */
#include <weir/time.h>

#include "base/system.h"

int64_t weir_now(void)
{
    return weir__system()->monotonic();
}

int64_t weir_wall_clock(void)
{
    return weir__system()->wall();
}

int64_t weir_deadline(int64_t timeout)
{
    if (timeout == WEIR_FOREVER)
        return WEIR_FOREVER;
    if (timeout <= 0)
        return WEIR_NOW;
    int64_t deadline;
    return __builtin_add_overflow(weir_now(), timeout, &deadline) ? WEIR_FOREVER : deadline;
}

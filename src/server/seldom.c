/* Log lines that come at most once in a while. */
#include "server/seldom.h"

bool weir__seldom(struct weir__seldom *line, int64_t now, int64_t interval, int64_t *times)
{
    int64_t next = atomic_load(&line->next);
    atomic_fetch_add(&line->withheld, 1);
    if ((next && now < next) || !atomic_compare_exchange_strong(&line->next, &next, now + interval))
        return false;
    *times = atomic_exchange(&line->withheld, 0);
    return true;
}

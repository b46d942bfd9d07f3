/* Log lines that come at most once in a while, whoever causes them, and say how often they would have come. */
#ifndef WEIR_SERVER_SELDOM_H
#define WEIR_SERVER_SELDOM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <weir/api.h>

struct weir__seldom {
    _Atomic int64_t next;     /* when the next line may come; 0 before the first */
    _Atomic int64_t withheld; /* since the last one */
};

/* Whether a line may be written now; if so, *times is how often it was due since the last one, this time included. Any thread. */
bool weir__seldom(struct weir__seldom *line, int64_t now, int64_t interval, int64_t *times);

#endif

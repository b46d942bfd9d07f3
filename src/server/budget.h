/* How many answers each source of datagrams has had this second, in a table of fixed size. */
#ifndef WEIR_SERVER_BUDGET_H
#define WEIR_SERVER_BUDGET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { WEIR__BUDGET_SETS = 1024, WEIR__BUDGET_WAYS = 4, WEIR__BUDGET_LOCKS = 16 };

struct weir__source {
    uint64_t key;   /* of weir__address_key; 0: free */
    int64_t second; /* the second that `answers` counts */
    int64_t answers;
    int64_t refused; /* since the last line about it */
    int64_t logged;  /* the second of the last line; meaningful where `told` */
    bool told;
};

struct weir__budget {
    pthread_mutex_t locks[WEIR__BUDGET_LOCKS];
    uint64_t seed;
    struct weir__source sources[WEIR__BUDGET_SETS][WEIR__BUDGET_WAYS];
};

/* Allocates an empty one. NULL without memory. */
struct weir__budget *weir__budget_new(void);
void weir__budget_free(struct weir__budget *budget);

/*
 * Takes one answer for a source (key 0 is never limited; a negative limit limits nobody). Where it returns false,
 * *to_log is how many answers were refused since the last line about the source if a line is due (the first at once, then
 * one a minute), else 0. Where the table is full of others, a newcomer inherits the count of whom it drives out, so that
 * nobody escapes his limit by making up further sources. Any thread.
 */
bool weir__budget_take(struct weir__budget *budget, uint64_t key, int64_t now, int64_t limit, int64_t *to_log);

#endif

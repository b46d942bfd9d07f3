/* Answers a source a second: a set-associative table, so that memory is bounded whoever sends. */
#include "server/budget.h"

#include <stdlib.h>
#include <weir/time.h>

#include "base/system.h"
#include "server/addresses.h"

enum { SECONDS_BETWEEN_LINES = 60 };

struct weir__budget *weir__budget_new(void)
{
    struct weir__budget *budget = calloc(1, sizeof *budget);
    if (!budget)
        return NULL;
    for (int i = 0; i < WEIR__BUDGET_LOCKS; i++)
        pthread_mutex_init(&budget->locks[i], NULL);
    weir__system()->random(&budget->seed, sizeof budget->seed);
    return budget;
}

void weir__budget_free(struct weir__budget *budget)
{
    if (!budget)
        return;
    for (int i = 0; i < WEIR__BUDGET_LOCKS; i++)
        pthread_mutex_destroy(&budget->locks[i]);
    free(budget);
}

/* Whether `a` is less of a loss than `b`: free, of an earlier second, or with fewer answers. */
static bool rather(const struct weir__source *a, const struct weir__source *b)
{
    if (!a->key || !b->key)
        return !a->key;
    return a->second != b->second ? a->second < b->second : a->answers < b->answers;
}

static struct weir__source *replace(struct weir__source *set, uint64_t key, int64_t second)
{
    struct weir__source *victim = &set[0];
    for (int i = 1; i < WEIR__BUDGET_WAYS; i++)
        if (rather(&set[i], victim))
            victim = &set[i];
    int64_t inherited = victim->key && victim->second == second ? victim->answers : 0;
    *victim = (struct weir__source){.key = key, .second = second, .answers = inherited};
    return victim;
}

static struct weir__source *find(struct weir__source *set, uint64_t key, int64_t second)
{
    for (int i = 0; i < WEIR__BUDGET_WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return replace(set, key, second);
}

/* Counts a refusal. Returns how many there were since the last line if another is due. */
static int64_t refuse(struct weir__source *source, int64_t second)
{
    source->refused++;
    if (source->told && second - source->logged < SECONDS_BETWEEN_LINES)
        return 0;
    int64_t refused = source->refused;
    source->told = true;
    source->logged = second;
    source->refused = 0;
    return refused;
}

static bool take(struct weir__source *source, int64_t second, int64_t limit, int64_t *to_log)
{
    if (source->second != second) {
        source->second = second;
        source->answers = 0;
    }
    if (source->answers < limit) {
        source->answers++;
        return true;
    }
    *to_log = refuse(source, second);
    return false;
}

bool weir__budget_take(struct weir__budget *budget, uint64_t key, int64_t now, int64_t limit, int64_t *to_log)
{
    *to_log = 0;
    if (!key || limit < 0)
        return true;
    uint64_t set = weir__address_hash(key, budget->seed) % WEIR__BUDGET_SETS;
    int64_t second = now / WEIR_S(1);
    pthread_mutex_t *lock = &budget->locks[set % WEIR__BUDGET_LOCKS];
    pthread_mutex_lock(lock);
    bool taken = take(find(budget->sources[set], key, second), second, limit, to_log);
    pthread_mutex_unlock(lock);
    return taken;
}

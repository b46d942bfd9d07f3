/*
 * Lent buffers: a bounded pool of 64 KiB for every loop, and one for threads outside of loops.
 *
 * A buffer is lent for as long as its receiver works with what came, so a few serve thousands of connections. When all
 * are lent (to handlers that park with a view, say behind slow readers), a small one is made and freed after use: never a wait.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "engine/loop.h"

enum { LARGE_IN_POOL = 64 };

/* In front of the bytes that are lent. */
struct lent {
    struct weir__lent_pool *pool; /* NULL: small, freed after use */
    struct lent *next;
    size_t size;
    char padding[40]; /* the bytes begin on a cache line of their own */
    char bytes[];
};

struct weir__lent_pool {
    struct lent *free;               /* the loop's thread uses it without a lock */
    _Atomic(struct lent *) returned; /* by other threads */
    size_t made;
    atomic_size_t references; /* the loop's, and one a buffer that was made: the last to go frees the pool */
};

/* In `returned` once the loop is gone: buffers that come back from other threads are freed by them. */
static struct lent orphaned;

static struct weir__lent_pool threads_pool = {.references = 1};
static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;

static struct lent *make(size_t size, struct weir__lent_pool *pool)
{
    struct lent *lent = aligned_alloc(64, sizeof *lent + size);
    if (!lent)
        return NULL;
    lent->pool = pool;
    lent->size = size;
    lent->next = NULL;
    return lent;
}

static struct weir__lent_pool *pool_of_loop(weir_loop *loop)
{
    if (!loop->lent && (loop->lent = calloc(1, sizeof *loop->lent)))
        loop->lent->references = 1;
    return loop->lent;
}

static struct lent *take_large(struct weir__lent_pool *pool)
{
    if (!pool->free && atomic_load_explicit(&pool->returned, memory_order_relaxed))
        pool->free = atomic_exchange(&pool->returned, NULL);
    struct lent *lent = pool->free;
    if (lent) {
        pool->free = lent->next;
        return lent;
    }
    if (pool->made == LARGE_IN_POOL || !(lent = make(WEIR__LENT_LARGE, pool)))
        return NULL;
    pool->made++;
    atomic_fetch_add(&pool->references, 1);
    return lent;
}

static struct lent *take(void)
{
    weir_loop *loop = weir__loop_here;
    if (loop) {
        struct weir__lent_pool *pool = pool_of_loop(loop);
        return pool ? take_large(pool) : NULL;
    }
    pthread_mutex_lock(&threads_lock);
    struct lent *lent = take_large(&threads_pool);
    pthread_mutex_unlock(&threads_lock);
    return lent;
}

void *weir__lend(size_t *size)
{
    struct lent *lent = take();
    if (!lent && !(lent = make(WEIR__LENT_SMALL, NULL)))
        return NULL;
    *size = lent->size;
    weir__sanitizer_unpoison(lent->bytes, lent->size);
    return lent->bytes;
}

static void release_pool(struct weir__lent_pool *pool, size_t count)
{
    if (atomic_fetch_sub(&pool->references, count) == count)
        free(pool);
}

static void free_lent(struct lent *lent)
{
    weir__sanitizer_unpoison(lent->bytes, lent->size);
    free(lent);
}

/* From a thread that is not the pool's. */
static void put_back_from_afar(struct weir__lent_pool *pool, struct lent *lent)
{
    struct lent *newest = atomic_load(&pool->returned);
    do {
        if (newest == &orphaned) {
            free_lent(lent);
            release_pool(pool, 1);
            return;
        }
        lent->next = newest;
    } while (!atomic_compare_exchange_weak(&pool->returned, &newest, lent));
}

void weir__lend_return(void *buffer)
{
    struct lent *lent = (struct lent *)((char *)buffer - offsetof(struct lent, bytes));
    struct weir__lent_pool *pool = lent->pool;
    weir_loop *loop = weir__loop_here;
    if (!pool) {
        free(lent);
        return;
    }
    if (weir__threadless()) /* who looks at it still shall see it */
        memset(lent->bytes, 0xdb, lent->size);
    weir__sanitizer_poison(lent->bytes, lent->size);
    if (loop && loop->lent == pool) {
        lent->next = pool->free;
        pool->free = lent;
    } else {
        put_back_from_afar(pool, lent);
    }
}

size_t weir__lent_out(const struct weir__lent_pool *pool)
{
    if (!pool)
        return 0;
    size_t out = atomic_load(&pool->references) - 1;
    for (const struct lent *lent = pool->free; lent; lent = lent->next)
        out--;
    return out;
}

/* Returns how many there were. */
static size_t free_list(struct lent *lent)
{
    size_t count = 0;
    for (; lent; count++) {
        struct lent *next = lent->next;
        free_lent(lent);
        lent = next;
    }
    return count;
}

void weir__lent_pool_free(struct weir__lent_pool *pool)
{
    if (!pool)
        return;
    size_t count = free_list(pool->free);
    count += free_list(atomic_exchange(&pool->returned, &orphaned));
    release_pool(pool, count + 1);
}

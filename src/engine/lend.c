/*
 * Lent buffers: a bounded pool of 64 KiB for every loop, and one for threads outside of loops.
 *
 * A buffer is lent for as long as its receiver works with what came, so a few serve thousands of connections. When all
 * are lent (to handlers that park with a view, say behind slow readers), a small one is made and freed after use: never a wait.
 */
#include <pthread.h>
#include <stdlib.h>

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
    weir_loop *loop;               /* whose thread uses it without a lock; NULL: the pool of threads */
    struct lent *free;
    _Atomic(struct lent *) returned; /* by other threads */
    size_t made;
    atomic_size_t out;             /* lent and not yet returned */
    bool orphaned;                 /* its loop is gone */
};

static struct weir__lent_pool threads_pool;
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
        loop->lent->loop = loop;
    return loop->lent;
}

static struct lent *take_large(struct weir__lent_pool *pool)
{
    if (!pool->free)
        pool->free = atomic_exchange(&pool->returned, NULL);
    struct lent *lent = pool->free;
    if (lent) {
        pool->free = lent->next;
        return lent;
    }
    if (pool->made == LARGE_IN_POOL || !(lent = make(WEIR__LENT_LARGE, pool)))
        return NULL;
    pool->made++;
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
    if (lent)
        atomic_fetch_add_explicit(&lent->pool->out, 1, memory_order_relaxed);
    else if (!(lent = make(WEIR__LENT_SMALL, NULL)))
        return NULL;
    *size = lent->size;
    weir__sanitizer_unpoison(lent->bytes, lent->size);
    return lent->bytes;
}

static void free_list(struct lent *lent)
{
    while (lent) {
        struct lent *next = lent->next;
        weir__sanitizer_unpoison(lent->bytes, lent->size);
        free(lent);
        lent = next;
    }
}

static void free_pool(struct weir__lent_pool *pool)
{
    free_list(pool->free);
    free_list(atomic_exchange(&pool->returned, NULL));
    free(pool);
}

static void put_back(struct weir__lent_pool *pool, struct lent *lent)
{
    if (pool->loop && pool->loop == weir__loop_here) {
        lent->next = pool->free;
        pool->free = lent;
        return;
    }
    lent->next = atomic_load(&pool->returned);
    while (!atomic_compare_exchange_weak(&pool->returned, &lent->next, lent))
        ;
}

void weir__lend_return(void *buffer)
{
    struct lent *lent = (struct lent *)((char *)buffer - offsetof(struct lent, bytes));
    struct weir__lent_pool *pool = lent->pool;
    if (!pool) {
        free(lent);
        return;
    }
    weir__sanitizer_poison(lent->bytes, lent->size);
    put_back(pool, lent);
    /* The last that comes home to a loop that is gone frees the pool. */
    if (atomic_fetch_sub(&pool->out, 1) == 1 && pool->orphaned)
        free_pool(pool);
}

void weir__lent_pool_free(struct weir__lent_pool *pool)
{
    if (!pool)
        return;
    pool->loop = NULL;
    /* Counts as one more that is out until here, so that exactly one side frees it. */
    atomic_fetch_add(&pool->out, 1);
    pool->orphaned = true;
    if (atomic_fetch_sub(&pool->out, 1) == 1)
        free_pool(pool);
}

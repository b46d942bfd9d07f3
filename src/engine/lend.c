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
    struct lent *free;               /* the loop's thread uses it without a lock */
    _Atomic(struct lent *) returned; /* by other threads */
    size_t made;
    atomic_size_t references; /* the loop's, and one a buffer that is lent: the last to go frees the pool */
};

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
        atomic_fetch_add_explicit(&lent->pool->references, 1, memory_order_relaxed);
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

static void release_pool(struct weir__lent_pool *pool)
{
    if (atomic_fetch_sub(&pool->references, 1) != 1)
        return;
    free_list(pool->free);
    free_list(atomic_exchange(&pool->returned, NULL));
    free(pool);
}

static void put_back(struct weir__lent_pool *pool, struct lent *lent)
{
    weir_loop *loop = weir__loop_here;
    if (loop && loop->lent == pool) {
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
    release_pool(pool);
}

void weir__lent_pool_free(struct weir__lent_pool *pool)
{
    if (pool)
        release_pool(pool);
}

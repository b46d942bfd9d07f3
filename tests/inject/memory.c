/*
 * What the library calls without the system table: the allocator, whose blocks are all remembered, threads, mappings, and what
 * the backends set up. The linker has the library's and the test's calls come here (--wrap), those of other libraries not.
 */
#include <iconv.h>
#include <liburing.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "inject.h"

/* --- the blocks that are alive: a hash table of places that are made beforehand --- */

enum { BLOCKS = 1 << 16, CHAINS = 1 << 14 };

struct block {
    void *memory;
    void *site; /* who asked for it */
    struct block *next;
};

static struct block blocks[BLOCKS], *free_blocks, *chains[CHAINS];
static size_t blocks_used, alive;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct block **chain_of(const void *memory)
{
    return &chains[((uintptr_t)memory >> 4) % CHAINS];
}

static void *note(void *memory, void *site)
{
    if (!memory)
        return NULL;
    pthread_mutex_lock(&lock);
    struct block *block = free_blocks ? free_blocks : blocks_used < BLOCKS ? &blocks[blocks_used++] : NULL;
    if (!block)
        abort();
    if (block == free_blocks)
        free_blocks = block->next;
    struct block **chain = chain_of(memory);
    *block = (struct block){memory, site, *chain};
    *chain = block;
    alive++;
    pthread_mutex_unlock(&lock);
    return memory;
}

/* What libc allocated and the library frees is not known. */
static void forget(const void *memory)
{
    pthread_mutex_lock(&lock);
    for (struct block **link = chain_of(memory); *link; link = &(*link)->next)
        if ((*link)->memory == memory) {
            struct block *block = *link;
            *link = block->next;
            block->next = free_blocks;
            free_blocks = block;
            alive--;
            break;
        }
    pthread_mutex_unlock(&lock);
}

size_t blocks_alive(void)
{
    pthread_mutex_lock(&lock);
    size_t count = alive;
    pthread_mutex_unlock(&lock);
    return count;
}

/* The blocks that are the newest of their chains, by who asked for them, for addr2line. */
void tell_blocks(size_t most)
{
    extern char __executable_start; /* the linker's: where the program begins in memory */
    for (size_t i = 0; i < CHAINS && most; i++)
        for (struct block *block = chains[i]; block && most; block = block->next, most--)
            fprintf(stderr, "    a block asked for at 0x%zx\n", (size_t)((char *)block->site - &__executable_start));
}

/* --- the allocator --- */

#define REAL(type, name, ...)                                                                                          \
    type __real_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__);                                                                                   \
    type __wrap_##name(__VA_ARGS__)

#define HERE __builtin_return_address(0)

#define ASK(point, otherwise)                                                                                          \
    do {                                                                                                               \
        int struck_with = strike(POINT_##point);                                                                       \
        if (struck_with) {                                                                                             \
            errno = struck_with;                                                                                       \
            return otherwise;                                                                                          \
        }                                                                                                              \
    } while (0)

REAL(void *, malloc, size_t size)
{
    ASK(malloc, NULL);
    return note(__real_malloc(size), HERE);
}

REAL(void *, calloc, size_t count, size_t size)
{
    ASK(calloc, NULL);
    return note(__real_calloc(count, size), HERE);
}

REAL(void *, realloc, void *memory, size_t size)
{
    ASK(realloc, NULL);
    forget(memory);
    void *larger = __real_realloc(memory, size);
    note(larger ? larger : memory, HERE);
    return larger;
}

REAL(void *, aligned_alloc, size_t alignment, size_t size)
{
    ASK(aligned_alloc, NULL);
    return note(__real_aligned_alloc(alignment, size), HERE);
}

REAL(char *, strdup, const char *text)
{
    ASK(strdup, NULL);
    return note(__real_strdup(text), HERE);
}

/* Takes memory of libc's, and files; a descriptor of it is looked after like a block. */
REAL(iconv_t, iconv_open, const char *to, const char *from)
{
    ASK(iconv_open, (iconv_t)-1);
    iconv_t converter = __real_iconv_open(to, from);
    if (converter != (iconv_t)-1)
        note(converter, HERE);
    return converter;
}

int __real_iconv_close(iconv_t converter);
int __wrap_iconv_close(iconv_t converter);

int __wrap_iconv_close(iconv_t converter)
{
    forget(converter);
    return __real_iconv_close(converter);
}

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
    if (memory)
        forget(memory);
    __real_free(memory);
}

/* --- threads and mappings --- */

REAL(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *arg)
{
    int number = strike(POINT_pthread_create);
    return number ? number : __real_pthread_create(thread, attributes, function, arg);
}

REAL(int, pthread_setspecific, pthread_key_t key, const void *value)
{
    int number = strike(POINT_pthread_setspecific);
    return number ? number : __real_pthread_setspecific(key, value);
}

REAL(void *, mmap, void *place, size_t size, int protection, int flags, int fd, off_t offset)
{
    ASK(mmap, MAP_FAILED);
    return __real_mmap(place, size, protection, flags, fd, offset);
}

REAL(int, mprotect, void *place, size_t size, int protection)
{
    ASK(mprotect, -1);
    return __real_mprotect(place, size, protection);
}

REAL(int, madvise, void *place, size_t size, int advice)
{
    ASK(madvise, -1);
    return __real_madvise(place, size, advice);
}

/* --- what the backends set up --- */

REAL(int, epoll_create1, int flags)
{
    ASK(epoll_create1, -1);
    return __real_epoll_create1(flags);
}

/* Taking out what was put in does not fail. */
REAL(int, epoll_ctl, int set, int operation, int fd, struct epoll_event *event)
{
    if (operation != EPOLL_CTL_DEL)
        ASK(epoll_ctl, -1);
    return __real_epoll_ctl(set, operation, fd, event);
}

REAL(int, epoll_wait, int set, struct epoll_event *events, int most, int timeout)
{
    ASK(epoll_wait, -1);
    return __real_epoll_wait(set, events, most, timeout);
}

REAL(int, epoll_pwait2, int set, struct epoll_event *events, int most, const struct timespec *timeout,
     const sigset_t *mask)
{
    ASK(epoll_pwait2, -1);
    return __real_epoll_pwait2(set, events, most, timeout, mask);
}

REAL(int, io_uring_queue_init_params, unsigned entries, struct io_uring *ring, struct io_uring_params *params)
{
    int number = strike(POINT_io_uring_queue_init_params);
    return number ? -number : __real_io_uring_queue_init_params(entries, ring, params);
}

REAL(int, io_uring_register_ring_fd, struct io_uring *ring)
{
    int number = strike(POINT_io_uring_register_ring_fd);
    return number ? -number : __real_io_uring_register_ring_fd(ring);
}

REAL(int, io_uring_register_eventfd, struct io_uring *ring, int fd)
{
    int number = strike(POINT_io_uring_register_eventfd);
    return number ? -number : __real_io_uring_register_eventfd(ring, fd);
}

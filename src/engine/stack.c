/* The arena of fiber stacks; see stack.h. */
#include "engine/stack.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/sanitizer.h"

/* Linux 6.13; the headers of Debian 12 do not have it. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    STACKS_IN_CHUNK = 1024,
    HOT_STACKS = 1024,       /* free stacks that keep their pages */
    HOT_PAGES = 16384,       /* and how much of each, from the top */
    MPROTECT_STACKS = 30000, /* where every guard is a mapping of its own, the kernel allows 65,530 mappings */
};

/* One size of stacks. Sizes are few: mostly one. */
struct arena {
    struct arena *next;
    size_t size;
    char *fresh; /* the newest chunk's stacks that were never used, and have no guard yet */
    size_t fresh_count, total;
    char **hot, **cold; /* returned stacks, newest last; cold has room for every stack there is */
    size_t hot_count, cold_count;
};

/* Written at the low end of a stack's top page: still there when the stack is returned, it never went deeper. */
static const uint64_t watermark = 0x7765697277617472;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct arena *arenas;
bool weir__stack_map_guards;
static size_t mapped_guards;

size_t weir__stack_size(size_t wish)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = wish ? wish : WEIR__STACK_DEFAULT;
    size = size < 32768 ? 32768 : size;
    size = WEIR__ASAN ? size * 2 : size;
    return (size + page - 1) / page * page + WEIR__STACK_GUARD;
}

static struct arena *find_arena(size_t size)
{
    struct arena *arena = arenas;
    while (arena && arena->size != size)
        arena = arena->next;
    if (arena || !(arena = calloc(1, sizeof *arena)))
        return arena;
    arena->size = size;
    arena->next = arenas;
    return arenas = arena;
}

/* Room on the free lists for every stack, so that returning one never allocates. */
static bool grow_lists(struct arena *arena)
{
    char **hot = arena->hot ? arena->hot : malloc(HOT_STACKS * sizeof(char *));
    if (!hot)
        return false;
    arena->hot = hot;
    char **cold = realloc(arena->cold, (arena->total + STACKS_IN_CHUNK) * sizeof(char *));
    if (!cold)
        return false;
    arena->cold = cold;
    return true;
}

static bool add_chunk(struct arena *arena)
{
    if (!grow_lists(arena))
        return false;
    size_t bytes = arena->size * STACKS_IN_CHUNK;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
    char *chunk = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (chunk == MAP_FAILED)
        return false;
    /* A huge page would make 2 MiB of eight idle fibers resident. */
    madvise(chunk, bytes, MADV_NOHUGEPAGE);
    arena->fresh = chunk;
    arena->fresh_count = STACKS_IN_CHUNK;
    arena->total += STACKS_IN_CHUNK;
    return true;
}

/* A guard lasts as long as the mapping. */
static bool install_guard(char *low)
{
    if (!weir__stack_map_guards) {
        if (madvise(low, WEIR__STACK_GUARD, MADV_GUARD_INSTALL) == 0)
            return true;
        if (errno != EINVAL)
            return false;
        weir__stack_map_guards = true;
    }
    if (mapped_guards >= MPROTECT_STACKS) {
        errno = ENOMEM;
        return false;
    }
    if (mprotect(low, WEIR__STACK_GUARD, PROT_NONE) < 0)
        return false;
    mapped_guards++;
    return true;
}

static char *take_fresh(struct arena *arena)
{
    if (!arena->fresh_count && !add_chunk(arena))
        return NULL;
    if (!install_guard(arena->fresh))
        return NULL;
    char *low = arena->fresh;
    arena->fresh += arena->size;
    arena->fresh_count--;
    return low;
}

static char *take(struct arena *arena)
{
    if (arena->hot_count)
        return arena->hot[--arena->hot_count];
    if (arena->cold_count)
        return arena->cold[--arena->cold_count];
    return take_fresh(arena);
}

static uint64_t *watermark_place(const struct weir__stack *stack)
{
    return (uint64_t *)(stack->low + stack->size - 4096);
}

bool weir__stack_take(struct weir__stack *stack, size_t size)
{
    pthread_mutex_lock(&lock);
    struct arena *arena = find_arena(size);
    char *low = arena ? take(arena) : NULL;
    pthread_mutex_unlock(&lock);
    if (!low) {
        errno = ENOMEM;
        return false;
    }
    *stack = (struct weir__stack){low, size};
    weir__sanitizer_unpoison(low + WEIR__STACK_GUARD, size - WEIR__STACK_GUARD);
    *watermark_place(stack) = watermark;
    return true;
}

/* Gives the pages back that lie deeper than `keep` bytes from the top. */
static void give_back(const struct weir__stack *stack, size_t keep)
{
    size_t deep = stack->size - WEIR__STACK_GUARD;
    if (deep > keep)
        madvise(stack->low + WEIR__STACK_GUARD, deep - keep, MADV_DONTNEED);
}

static bool put_hot(struct arena *arena, char *low)
{
    pthread_mutex_lock(&lock);
    bool room = arena->hot_count < HOT_STACKS;
    if (room)
        arena->hot[arena->hot_count++] = low; /* NOLINT: whoever made a stack made an arena with this room */
    pthread_mutex_unlock(&lock);
    return room;
}

void weir__stack_return(struct weir__stack stack)
{
    pthread_mutex_lock(&lock);
    struct arena *arena = find_arena(stack.size);
    pthread_mutex_unlock(&lock);
    weir__sanitizer_trust(watermark_place(&stack), sizeof watermark);
    if (*watermark_place(&stack) != watermark)
        give_back(&stack, HOT_PAGES);
    if (put_hot(arena, stack.low))
        return;
    give_back(&stack, 0);
    pthread_mutex_lock(&lock);
    arena->cold[arena->cold_count++] = stack.low;
    pthread_mutex_unlock(&lock);
}

/* What lies below the stack pointer is in use by the calls in here: 200 bytes, more where a sanitizer looks on. */
enum { OWN_CALLS = WEIR__ASAN || WEIR__TSAN ? 4096 : 1024 };

void weir__stack_forget(const struct weir__stack *stack, const void *here)
{
    size_t used = (size_t)(stack->low + stack->size - (const char *)here) + OWN_CALLS;
    give_back(stack, (used + 4095) / 4096 * 4096);
}

bool weir__stack_in_guard(const struct weir__stack *stack, const void *address)
{
    const char *at = address;
    return at >= stack->low && at < stack->low + WEIR__STACK_GUARD;
}

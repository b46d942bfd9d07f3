/*
 * Stacks for fibers, all from one arena: large mappings, each carved into stacks with a guard at its low end.
 *
 * A stack's pages cost memory once they are touched; a bounded number of free stacks keeps theirs, the rest give them back.
 */
#ifndef WEIR_ENGINE_STACK_H
#define WEIR_ENGINE_STACK_H

#include <stdbool.h>
#include <stddef.h>

enum { WEIR__STACK_GUARD = 16384, WEIR__STACK_DEFAULT = 262144 };

struct weir__stack {
    char *low;   /* the first byte, of the guard */
    size_t size; /* guard included */
};

/*
 * Whether guards are pages without access, each a mapping of its own, of which the kernel allows few: the way of kernels
 * before 6.13. Found out at the first guard; a test may set it before.
 */
extern bool weir__stack_map_guards;

/* The size of stack that will really be given for a wish: whole pages, at least 32 KiB, twice under AddressSanitizer. */
size_t weir__stack_size(size_t wish);

/* Takes a stack of a size of weir__stack_size. False with ENOMEM. Any thread. */
bool weir__stack_take(struct weir__stack *stack, size_t size);

/* Gives it back. Not while running on it. Any thread. */
void weir__stack_return(struct weir__stack stack);

/* Gives the pages back that lie deeper than `here`, which is on the stack of the caller. */
void weir__stack_forget(const struct weir__stack *stack, const void *here);

/* Whether an address lies in a stack's guard. Safe in a signal handler. */
bool weir__stack_in_guard(const struct weir__stack *stack, const void *address);

#endif

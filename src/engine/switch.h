/*
 * Switching stacks: the only part of the library that no compiler can see through.
 *
 * A context is a stopped flow of control: a stack with the registers that a function call must keep on top of it.
 * x86-64 and aarch64 have assembly of their own, a file each; elsewhere ucontext does it, slower.
 */
#ifndef WEIR_ENGINE_SWITCH_H
#define WEIR_ENGINE_SWITCH_H

#include <stddef.h>

/* WEIR__UCONTEXT may be defined from outside, to test on any machine what is used where there is no assembly. */
#if !defined WEIR__UCONTEXT && !defined __x86_64__ && !defined __aarch64__
#define WEIR__UCONTEXT 1
#endif

#ifndef WEIR__UCONTEXT
struct weir__context {
    void *stack_pointer; /* of the stopped flow; its registers lie there in the order of the assembly file */
};
#else
#include <ucontext.h>
struct weir__context {
    ucontext_t saved;
};
#endif

/* Stops here, as `from`, and goes on where `to` was stopped. Returns when somebody switches to `from` again. */
void weir__context_switch(struct weir__context *from, struct weir__context *to);

/* Makes a context that will call function(arg) on the stack of `size` bytes at `stack`. The function must never return. */
void weir__context_make(struct weir__context *context, void *stack, size_t size, void (*function)(void *), void *arg);

#endif

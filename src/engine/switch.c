/* Making the first frame of a new stack, in the layout that the assembly files switch to; and ucontext where there is none. */
#include "engine/switch.h"

#include <fenv.h>
#include <stdint.h>
#include <string.h>

#ifndef WEIR__UCONTEXT
void weir__context_boot(void);
#endif

#if defined __x86_64__ && !defined WEIR__UCONTEXT

/* As in switch_x86_64.S. */
struct frame {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t return_address;
};

void weir__context_make(struct weir__context *context, void *stack, size_t size, void (*function)(void *), void *arg)
{
    /* The ABI wants the stack pointer at a multiple of 16 when weir__context_boot calls: it is that after the return. */
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    struct frame *frame = (struct frame *)(top - 16 - sizeof *frame);
    memset(frame, 0, sizeof *frame + 16);
    frame->mxcsr = 0x1f80;
    frame->x87_control = 0x037f;
    frame->r12 = (uint64_t)(uintptr_t)function;
    frame->r13 = (uint64_t)(uintptr_t)arg;
    frame->return_address = (uint64_t)(uintptr_t)weir__context_boot;
    context->stack_pointer = frame;
}

#elif defined __aarch64__ && !defined WEIR__UCONTEXT

/* As in switch_aarch64.S. */
struct frame {
    uint64_t x19_to_x28[10];
    uint64_t x29, x30;
    uint64_t d8_to_d15[8];
    uint64_t fpcr;
    uint64_t unused;
};

void weir__context_make(struct weir__context *context, void *stack, size_t size, void (*function)(void *), void *arg)
{
    uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
    struct frame *frame = (struct frame *)(top - sizeof *frame);
    memset(frame, 0, sizeof *frame);
    frame->x19_to_x28[0] = (uint64_t)(uintptr_t)function;
    frame->x19_to_x28[1] = (uint64_t)(uintptr_t)arg;
    frame->x30 = (uint64_t)(uintptr_t)weir__context_boot;
    context->stack_pointer = frame;
}

#else

static void boot(unsigned function_high, unsigned function_low, unsigned arg_high, unsigned arg_low)
{
    void (*function)(void *) = (void (*)(void *))(uintptr_t)((uint64_t)function_high << 32 | function_low);
    fesetenv(FE_DFL_ENV); /* getcontext took that of whoever makes the flow */
    function((void *)(uintptr_t)((uint64_t)arg_high << 32 | arg_low));
}

void weir__context_make(struct weir__context *context, void *stack, size_t size, void (*function)(void *), void *arg)
{
    /* makecontext(3) passes ints: pointers go in halves. */
    uint64_t function_bits = (uintptr_t)function, arg_bits = (uintptr_t)arg;
    getcontext(&context->saved);
    context->saved.uc_stack.ss_sp = stack;
    context->saved.uc_stack.ss_size = size;
    context->saved.uc_link = NULL;
    makecontext(&context->saved, (void (*)(void))boot, 4, (unsigned)(function_bits >> 32), (unsigned)function_bits,
                (unsigned)(arg_bits >> 32), (unsigned)arg_bits);
}

void weir__context_switch(struct weir__context *from, struct weir__context *to)
{
    swapcontext(&from->saved, &to->saved);
}

#endif

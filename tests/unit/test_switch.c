/* Switching stacks: what must survive it, on x86-64, aarch64 (scripts/test-aarch64) and with ucontext. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/sanitizer.h"
#include "engine/switch.h"

enum { STACK = 65536 };

/* A flow of control with the stack it runs on; the test's own has none. */
struct flow {
    struct weir__context context;
    void *stack;
    void *tsan_fiber;
    unsigned valgrind_stack;
    struct flow *back;
    long count;
    bool over;
};

static struct flow here;

static void go(struct flow *from, struct flow *to)
{
#if WEIR__TSAN
    from->tsan_fiber = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    weir__context_switch(&from->context, &to->context);
}

static void begin(struct flow *flow, size_t size, void (*function)(void *))
{
    memset(flow, 0, sizeof *flow);
    flow->stack = aligned_alloc(4096, size);
    assert_non_null(flow->stack);
    memset(flow->stack, 0xa5, size);
    flow->back = &here;
#if WEIR__TSAN
    flow->tsan_fiber = __tsan_create_fiber(0);
#endif
#if WEIR__VALGRIND
    flow->valgrind_stack = VALGRIND_STACK_REGISTER(flow->stack, (char *)flow->stack + size);
#endif
    weir__context_make(&flow->context, flow->stack, size, function, flow);
}

static void end(struct flow *flow)
{
#if WEIR__TSAN
    __tsan_destroy_fiber(flow->tsan_fiber);
#endif
#if WEIR__VALGRIND
    VALGRIND_STACK_DEREGISTER(flow->valgrind_stack);
#endif
    free(flow->stack);
}

static _Noreturn void leave_for_ever(struct flow *self)
{
    self->over = true;
    for (;;)
        go(self, self->back);
}

/* --- there and back --- */

static void counter(void *arg)
{
    struct flow *self = arg;
    for (;;) {
        self->count++;
        go(self, self->back);
    }
}

static void it_goes_there_and_back(void **state)
{
    (void)state;
    struct flow flow;
    begin(&flow, STACK, counter);
    for (long i = 1; i <= 200000; i++) {
        go(&here, &flow);
        assert_int_equal(flow.count, i);
    }
    end(&flow);
}

static void the_argument_and_the_end_arrive(void *arg)
{
    struct flow *self = arg;
    self->count = 42;
    leave_for_ever(self);
}

static void one_that_has_ended_is_left_alone(void **state)
{
    (void)state;
    struct flow flow;
    begin(&flow, STACK, the_argument_and_the_end_arrive);
    go(&here, &flow);
    assert_true(flow.over);
    assert_int_equal(flow.count, 42);
    end(&flow);
}

/* Flows that hand on to each other in a ring, none of which goes back before the last round. */
enum { RING = 100, ROUNDS = 500 };

static struct flow ring[RING];

static void hand_on(void *arg)
{
    struct flow *self = arg;
    volatile long own = self - ring;
    for (long round = 0; round < ROUNDS; round++) {
        self->count += own;
        go(self, self + 1 < ring + RING ? self + 1 : round + 1 < ROUNDS ? ring : &here);
    }
    leave_for_ever(self);
}

static void flows_hand_on_to_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < RING; i++)
        begin(&ring[i], 16384 * (WEIR__ASAN ? 4 : 1), hand_on);
    go(&here, &ring[0]);
    for (long i = 0; i < RING; i++) {
        assert_int_equal(ring[i].count, i * ROUNDS);
        end(&ring[i]);
    }
}

/* --- registers --- */

#if defined __x86_64__
enum { REGISTERS = 6 }; /* rbx, rbp, r12 to r15 */
#define HAVE_PROBE 1
__asm__(".text\n"
        ".globl probe\n"
        ".type probe, @function\n"
        "probe:\n" /* (from: rdi, to: rsi, before: rdx, after: rcx) */
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    pushq %rcx\n"
        "    movq 0(%rdx), %rbx\n    movq 8(%rdx), %rbp\n    movq 16(%rdx), %r12\n"
        "    movq 24(%rdx), %r13\n    movq 32(%rdx), %r14\n    movq 40(%rdx), %r15\n"
        "    call weir__context_switch\n"
        "    popq %rcx\n"
        "    movq %rbx, 0(%rcx)\n    movq %rbp, 8(%rcx)\n    movq %r12, 16(%rcx)\n"
        "    movq %r13, 24(%rcx)\n    movq %r14, 32(%rcx)\n    movq %r15, 40(%rcx)\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    ret\n"
        ".size probe, . - probe\n");
#elif defined __aarch64__
enum { REGISTERS = 19 }; /* x19 to x29, d8 to d15 */
#define HAVE_PROBE 1
__asm__(".text\n"
        ".globl probe\n"
        ".type probe, %function\n"
        "probe:\n" /* (from: x0, to: x1, before: x2, after: x3) */
        "    hint #34\n"
        "    sub sp, sp, #176\n"
        "    stp x19, x20, [sp, #0]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n    str x3, [sp, #160]\n"
        "    ldp x19, x20, [x2, #0]\n    ldp x21, x22, [x2, #16]\n    ldp x23, x24, [x2, #32]\n"
        "    ldp x25, x26, [x2, #48]\n    ldp x27, x28, [x2, #64]\n    ldr x29, [x2, #80]\n"
        "    ldr d8, [x2, #88]\n    ldr d9, [x2, #96]\n    ldr d10, [x2, #104]\n    ldr d11, [x2, #112]\n"
        "    ldr d12, [x2, #120]\n    ldr d13, [x2, #128]\n    ldr d14, [x2, #136]\n    ldr d15, [x2, #144]\n"
        "    bl weir__context_switch\n"
        "    ldr x3, [sp, #160]\n"
        "    stp x19, x20, [x3, #0]\n    stp x21, x22, [x3, #16]\n    stp x23, x24, [x3, #32]\n"
        "    stp x25, x26, [x3, #48]\n    stp x27, x28, [x3, #64]\n    str x29, [x3, #80]\n"
        "    str d8, [x3, #88]\n    str d9, [x3, #96]\n    str d10, [x3, #104]\n    str d11, [x3, #112]\n"
        "    str d12, [x3, #120]\n    str d13, [x3, #128]\n    str d14, [x3, #136]\n    str d15, [x3, #144]\n"
        "    ldp x19, x20, [sp, #0]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #176\n"
        "    ret\n"
        ".size probe, . - probe\n");
#endif

#ifdef HAVE_PROBE
/* Loads the callee-saved registers, switches, and stores what they hold when it is back. */
void probe(struct weir__context *from, struct weir__context *to, const uint64_t *before, uint64_t *after);

static void fill(uint64_t *registers, uint64_t seed)
{
    for (size_t i = 0; i < REGISTERS; i++)
        registers[i] = seed + i * 0x0101010101010101;
}

static void probing(void *arg)
{
    struct flow *self = arg;
    uint64_t before[REGISTERS], after[REGISTERS];
    for (uint64_t round = 0;; round++) {
        fill(before, 0xf00d000000000000 + round);
        memset(after, 0, sizeof after);
#if WEIR__TSAN
        __tsan_switch_to_fiber(self->back->tsan_fiber, 0);
#endif
        probe(&self->context, &self->back->context, before, after);
        self->over |= memcmp(before, after, sizeof before) != 0;
    }
}

static void registers_survive(void **state)
{
    (void)state;
    struct flow flow;
    begin(&flow, STACK, probing);
    uint64_t before[REGISTERS], after[REGISTERS];
    for (uint64_t round = 0; round < 1000; round++) {
        fill(before, 0xbeef000000000000 + round);
        memset(after, 0, sizeof after);
#if WEIR__TSAN
        here.tsan_fiber = __tsan_get_current_fiber();
        __tsan_switch_to_fiber(flow.tsan_fiber, 0);
#endif
        probe(&here.context, &flow.context, before, after);
        assert_memory_equal(before, after, sizeof before);
        assert_false(flow.over);
    }
    end(&flow);
}
#endif

/* --- the control words of floating point --- */

#if defined __x86_64__
struct control {
    uint32_t mxcsr;
    uint16_t x87;
};

static struct control get_control(void)
{
    struct control control;
    __asm__ volatile("stmxcsr %0" : "=m"(control.mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(control.x87));
    control.mxcsr &= ~UINT32_C(0x3f); /* what has happened, not how it is to be done */
    return control;
}

static void set_control(unsigned rounding)
{
    uint32_t mxcsr = 0x1f80 | rounding << 13;
    uint16_t x87 = (uint16_t)(0x037f | rounding << 10);
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    __asm__ volatile("fldcw %0" : : "m"(x87));
}

static bool control_is(unsigned rounding)
{
    struct control control = get_control();
    return control.mxcsr == (0x1f80 | rounding << 13) && control.x87 == (0x037f | rounding << 10);
}
#elif defined __aarch64__
static void set_control(unsigned rounding)
{
    uint64_t fpcr = (uint64_t)rounding << 22;
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
}

static bool control_is(unsigned rounding)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr == (uint64_t)rounding << 22;
}
#else
#include <fenv.h>
static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};

static void set_control(unsigned rounding)
{
    fesetround(modes[rounding]);
}

static bool control_is(unsigned rounding)
{
    return fegetround() == modes[rounding];
}
#endif

static void rounds_upwards(void *arg)
{
    struct flow *self = arg;
    /* A new flow begins with the defaults, whatever its maker has set. */
    self->over = control_is(0);
    set_control(2);
    for (;;) {
        go(self, self->back);
        self->over &= control_is(2);
    }
}

static void rounding_belongs_to_its_flow(void **state)
{
    (void)state;
    struct flow flow;
    set_control(1);
    begin(&flow, STACK, rounds_upwards);
    bool kept = true;
    for (int i = 0; i < 100; i++) {
        go(&here, &flow);
        kept &= control_is(1);
    }
    set_control(0);
    assert_true(kept);
    assert_true(flow.over);
    end(&flow);
}

/* --- the stack --- */

static bool aligned(void)
{
    volatile _Alignas(16) char piece[32] = {0};
    char text[64];
    /* Variable arguments in vector registers are stored with instructions that fault on a crooked stack. */
    snprintf(text, sizeof text, "%.1f %.1f %d", 1.5, 2.5, 3);
    return (uintptr_t)piece % 16 == 0 && (uintptr_t)__builtin_frame_address(0) % 16 == 0 && !strcmp(text, "1.5 2.5 3");
}

static void check_alignment(void *arg)
{
    struct flow *self = arg;
    for (;;) {
        self->count += aligned();
        go(self, self->back);
    }
}

static void the_stack_is_aligned(void **state)
{
    (void)state;
    /* Sizes that are no multiple of 16 too. */
    for (size_t odd = 0; odd < 32; odd++) {
        struct flow flow;
        begin(&flow, STACK, check_alignment);
        weir__context_make(&flow.context, flow.stack, STACK - odd, check_alignment, &flow);
        go(&here, &flow);
        go(&here, &flow);
        assert_int_equal(flow.count, 2);
        end(&flow);
    }
}

enum { DEPTH = 2000 };

/* Switches away at every level, on the way down and on the way up. */
static long descend(struct flow *self, long depth)
{
    volatile long own[4] = {depth, depth * 3, depth * 5, depth * 7};
    go(self, self->back);
    long below = depth ? descend(self, depth - 1) : 0;
    go(self, self->back);
    return own[0] == depth && own[1] == depth * 3 && own[2] == depth * 5 && own[3] == depth * 7 ? below + 1 : -1000000;
}

static void goes_deep(void *arg)
{
    struct flow *self = arg;
    self->count = descend(self, DEPTH);
    leave_for_ever(self);
}

static void deep_recursion_is_found_again(void **state)
{
    (void)state;
    static struct flow flows[4];
    for (size_t i = 0; i < 4; i++)
        begin(&flows[i], 2 << 20, goes_deep);
    for (bool over = false; !over;) {
        over = true;
        for (size_t i = 0; i < 4; i++) {
            if (!flows[i].over)
                go(&here, &flows[i]);
            over &= flows[i].over;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(flows[i].count, DEPTH + 1);
        end(&flows[i]);
    }
}

/* The first bytes of a stack belong to nobody: what it was filled with is still there. */
static void a_new_flow_writes_at_the_top_alone(void **state)
{
    (void)state;
    struct flow flow;
    begin(&flow, STACK, counter);
    const unsigned char *bytes = flow.stack;
    for (size_t i = 0; i < STACK - 1024; i++)
        assert_int_equal(bytes[i], 0xa5);
    end(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_there_and_back),
        cmocka_unit_test(one_that_has_ended_is_left_alone),
        cmocka_unit_test(flows_hand_on_to_each_other),
#ifdef HAVE_PROBE
        cmocka_unit_test(registers_survive),
#endif
        cmocka_unit_test(rounding_belongs_to_its_flow),
        cmocka_unit_test(the_stack_is_aligned),
        cmocka_unit_test(deep_recursion_is_found_again),
        cmocka_unit_test(a_new_flow_writes_at_the_top_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

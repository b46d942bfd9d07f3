/*
 * Switching stacks on aarch64 (AAPCS64): x19 to x30, the lower halves of v8 to v15, the floating-point control register
 * and the stack pointer.
 *
 * The frame that both ends have, from the stack pointer up: x19 to x28, x29 (frame pointer), x30 (return address), d8 to d15,
 * FPCR, 8 bytes unused. weir__context_make in switch.c lays out the same.
 */
#if defined __aarch64__
    .text
    .globl weir__context_switch
    .hidden weir__context_switch
    .type weir__context_switch, %function
    .p2align 4
/* void weir__context_switch(struct weir__context *from: x0, struct weir__context *to: x1) */
weir__context_switch:
    .cfi_startproc
    hint #34 /* bti c */
    sub sp, sp, #176
    .cfi_def_cfa_offset 176
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mrs x9, fpcr
    str x9, [sp, #160]

    /* From here on it is the other flow, whose frame has the same shape: the rules above hold for both. */
    mov x9, sp
    str x9, [x0]
    ldr x9, [x1]
    mov sp, x9

    ldr x9, [sp, #160]
    msr fpcr, x9
    ldp d14, d15, [sp, #144]
    ldp d12, d13, [sp, #128]
    ldp d10, d11, [sp, #112]
    ldp d8, d9, [sp, #96]
    ldp x29, x30, [sp, #80]
    ldp x27, x28, [sp, #64]
    ldp x25, x26, [sp, #48]
    ldp x23, x24, [sp, #32]
    ldp x21, x22, [sp, #16]
    ldp x19, x20, [sp, #0]
    add sp, sp, #176
    .cfi_def_cfa_offset 0
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size weir__context_switch, . - weir__context_switch

    .globl weir__context_boot
    .hidden weir__context_boot
    .type weir__context_boot, %function
    .p2align 4
/* The first thing on a new stack: calls x19(x20). There is no caller: an undefined x30 ends every backtrace here. */
weir__context_boot:
    .cfi_startproc
    .cfi_undefined x30
    hint #36 /* bti j: reached by ret */
    mov x29, xzr
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
    .size weir__context_boot, . - weir__context_boot
#endif
    .section .note.GNU-stack, "", %progbits

/*
 * Switching stacks on x86-64 (System V ABI): rbx, rbp, r12 to r15, the control words of SSE and x87, and the stack pointer.
 *
 * The frame that both ends have, from the stack pointer up: MXCSR and x87 control word (8 bytes), r15, r14, r13, r12, rbx,
 * rbp, the return address. weir__context_make in switch.c lays out the same.
 */
#if defined __x86_64__
    .text
    .globl weir__context_switch
    .hidden weir__context_switch
    .type weir__context_switch, @function
    .p2align 4
/* void weir__context_switch(struct weir__context *from: rdi, struct weir__context *to: rsi) */
weir__context_switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)

    /* From here on it is the other flow, whose frame has the same shape: the rules above hold for both. */
    movq %rsp, (%rdi)
    movq (%rsi), %rsp

    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    ret
    .cfi_endproc
    .size weir__context_switch, . - weir__context_switch

    .globl weir__context_boot
    .hidden weir__context_boot
    .type weir__context_boot, @function
    .p2align 4
/* The first thing on a new stack: calls r12(r13). There is no caller: an undefined rip ends every backtrace here. */
weir__context_boot:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    xorl %ebp, %ebp
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
    .size weir__context_boot, . - weir__context_boot
#endif
    .section .note.GNU-stack, "", @progbits

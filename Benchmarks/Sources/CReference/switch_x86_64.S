// The smallest switch that keeps the x86-64 calling convention: six callee-saved registers, the
// stack pointer, and a jump at the end, since a return would be predicted to another stack's caller.

#if defined(__x86_64__)

    .text

    // rdi: where to store the stack pointer; rsi: the one to load.
    .globl reference_switch
    .type reference_switch, @function
    .p2align 4
reference_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    popq %rcx
    jmpq *%rcx
    .size reference_switch, .-reference_switch

#endif

#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif

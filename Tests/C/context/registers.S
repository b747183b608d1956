// int fill_registers_and_call(uint64_t seed, void (*between)(void))
//
// Puts seed + 1, seed + 2, ... into the callee-saved registers, calls `between`, and returns how
// many of them have another value afterwards.

    .text
    .globl fill_registers_and_call
#if defined(__x86_64__)
    .type fill_registers_and_call, @function
fill_registers_and_call:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    movq %rdi, (%rsp)
    leaq 1(%rdi), %rbp
    leaq 2(%rdi), %rbx
    leaq 3(%rdi), %r12
    leaq 4(%rdi), %r13
    leaq 5(%rdi), %r14
    leaq 6(%rdi), %r15
    callq *%rsi
    xorl %eax, %eax
    movq (%rsp), %rdi
    .irp register, rbp, rbx, r12, r13, r14, r15
    incq %rdi
    xorl %ecx, %ecx
    cmpq %rdi, %\register
    setne %cl
    addl %ecx, %eax
    .endr
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
#elif defined(__aarch64__)
    .type fill_registers_and_call, %function
fill_registers_and_call:
    stp x29, x30, [sp, #-176]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    str x0, [sp, #160]
    .irp register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29
    add x0, x0, #1
    mov \register, x0
    .endr
    .irp register, d8, d9, d10, d11, d12, d13, d14, d15
    add x0, x0, #1
    fmov \register, x0
    .endr
    blr x1
    mov w0, #0
    ldr x1, [sp, #160]
    .irp register, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29
    add x1, x1, #1
    cmp \register, x1
    cinc w0, w0, ne
    .endr
    .irp register, d8, d9, d10, d11, d12, d13, d14, d15
    add x1, x1, #1
    fmov x2, \register
    cmp x2, x1
    cinc w0, w0, ne
    .endr
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x30, [sp], #176
    ret
#endif
    .size fill_registers_and_call, .-fill_registers_and_call

    .section .note.GNU-stack, "", %progbits

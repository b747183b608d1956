// The switch for x86-64, System V. cctx_switch.h is the way in, and says why it is not a call.
//
// Saved: what a callee must preserve. The rounding and mask bits of MXCSR and of the x87 control
// word are callee-saved too by the letter of the ABI, but here they belong to the thread: hardly
// anybody changes them, and each switch would pay for saving and loading both.
//
// No .note.gnu.property: a shadow stack would have to be switched as well, so this file must not
// promise that it can run with one.
//
// The unwind tables hold at every instruction. Both sides have the same frame, so the change of
// the stack pointer in the middle needs no note of its own.

#if defined(__x86_64__)

    .text

    // rdi: where to store the stack pointer; rsi: the one to load; rcx: where to go on.
    .globl cctx_exchange_stacks
    .hidden cctx_exchange_stacks
    .type cctx_exchange_stacks, @function
    .p2align 4
cctx_exchange_stacks:
    .cfi_startproc
    .cfi_def_cfa %rsp, 0
    .cfi_register %rip, %rcx
    leaq -128(%rsp), %rsp               // the red zone: nobody made a call
    .cfi_adjust_cfa_offset 128
    pushq %rcx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rip, 0
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
    movq %rsp, (%rdi)
    movq %rsi, %rsp
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
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    leaq 128(%rsp), %rsp
    .cfi_adjust_cfa_offset -128
    jmpq *%rcx
    .cfi_endproc
    .size cctx_exchange_stacks, .-cctx_exchange_stacks

    // Where a context starts: the first switch to it jumps here with the context in r12 and zero
    // in rbp. The undefined return address tells unwinders that there is no caller. They look up a
    // return address minus one, and before the jump this address stands on the stack as one: the
    // nop makes that byte part of this function.
    .globl cctx_trampoline
    .hidden cctx_trampoline
    .hidden cctx_begin
    .type cctx_trampoline, @function
    .p2align 4
    .cfi_startproc
    .cfi_undefined %rip
    nop
cctx_trampoline:
    movq %r12, %rdi
    callq cctx_begin
    ud2
    .cfi_endproc
    .size cctx_trampoline, .-cctx_trampoline

#endif

#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif

// ringlet_coroutine_switch for x86-64: the way in and out.
//
// Whoever switched last is not who returns. Processors predict a return by a stack of the calls
// that were made, and on its top is the other side's caller. So the caller's return address is
// taken from the stack and jumped to, which is predicted like every other jump; and the return of
// the function below always comes back to this place, whoever called it, as the prediction says.
// (AArch64 would need a landing pad at the caller's for that, where branch targets are checked.)

#if defined(__x86_64__)

    .text
    .globl ringlet_coroutine_switch
    .type ringlet_coroutine_switch, @function
    .hidden ringletc_coroutine_switch
    .p2align 4
ringlet_coroutine_switch:
    .cfi_startproc
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    callq ringletc_coroutine_switch
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmpq *%rcx
    .cfi_endproc
    .size ringlet_coroutine_switch, .-ringlet_coroutine_switch

#endif

#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif

// The switch for AArch64, AAPCS64. cctx_switch.h is the way in, and says why it is not a call.
//
// Saved: x19 to x29 and the place to go on, x30. The vector registers are the business of whoever
// switches. FPCR is not saved: rounding and trapping belong to the thread, as MXCSR does on x86-64.
// Return addresses that the compiler signs live in the frames of the callers and are signed against
// their stack pointers, which come back with them.
//
// The unwind tables hold at every instruction. Both sides have the same frame, so the change of
// the stack pointer in the middle needs no note of its own, and the slots keep their values until
// the frame is popped.

#if defined(__aarch64__)

    .text

    // x0: where to store the stack pointer; x1: the one to load; x30: where to go on.
    .globl cctx_exchange_stacks
    .hidden cctx_exchange_stacks
    .type cctx_exchange_stacks, %function
    .p2align 4
cctx_exchange_stacks:
    .cfi_startproc
    hint #34                            // bti c, for a linker's veneer
    stp x29, x30, [sp, #-96]!
    .cfi_def_cfa_offset 96
    .cfi_offset x29, -96
    .cfi_offset x30, -88
    stp x19, x20, [sp, #16]
    .cfi_offset x19, -80
    .cfi_offset x20, -72
    stp x21, x22, [sp, #32]
    .cfi_offset x21, -64
    .cfi_offset x22, -56
    stp x23, x24, [sp, #48]
    .cfi_offset x23, -48
    .cfi_offset x24, -40
    stp x25, x26, [sp, #64]
    .cfi_offset x25, -32
    .cfi_offset x26, -24
    stp x27, x28, [sp, #80]
    .cfi_offset x27, -16
    .cfi_offset x28, -8
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    .cfi_def_cfa_offset 0
    .cfi_restore x29
    .cfi_restore x30
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
    br x30
    .cfi_endproc
    .size cctx_exchange_stacks, .-cctx_exchange_stacks

    // Where a context starts: the first switch to it jumps here with the context in x19 and zero
    // in x29. The undefined return address tells unwinders that there is no caller. They look up a
    // return address minus one, and before the jump this address stands on the stack as one: the
    // nop makes those bytes part of this function.
    .globl cctx_trampoline
    .hidden cctx_trampoline
    .hidden cctx_begin
    .type cctx_trampoline, %function
    .p2align 4
    .cfi_startproc
    .cfi_undefined x30
    nop
cctx_trampoline:
    hint #36                            // bti j
    mov x0, x19
    bl cctx_begin
    brk #1
    .cfi_endproc
    .size cctx_trampoline, .-cctx_trampoline

#if defined(__ARM_FEATURE_BTI_DEFAULT)
    // Says that this file keeps to branch target identification, as its neighbours do then.
    .section .note.gnu.property, "a"
    .p2align 3
    .word 4                             // length of the name
    .word 16                            // length of the description
    .word 5                             // NT_GNU_PROPERTY_TYPE_0
    .asciz "GNU"
    .word 0xc0000000                    // GNU_PROPERTY_AARCH64_FEATURE_1_AND
    .word 4
    .word 1                             // branch target identification
    .word 0
#endif

#endif

#if defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif

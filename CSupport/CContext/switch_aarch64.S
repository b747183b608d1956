// cctx_switch for AArch64, AAPCS64.
//
// Saved: x19 to x30 and the low halves of v8 to v15, which is what a callee must preserve. FPCR is
// not: rounding and trapping belong to the thread, as MXCSR does on x86-64.
//
// A ret would be predicted to return to the caller of this side, which is always wrong, so the
// switch leaves with br. Where branch target identification is on, br may only go to a landing pad
// and the place after a call has none; then it must be ret, and only then does this file carry the
// property that says so. Return addresses that the compiler signs live in the frames of the callers
// and are signed against their stack pointers, which come back with them.
//
// The unwind tables hold at every instruction. Both sides have the same frame, so the change of
// the stack pointer in the middle needs no note of its own.

#if defined(__aarch64__)

    .text

    // void cctx_switch(void **save, void *to)
    .globl cctx_switch
    .type cctx_switch, %function
    .p2align 4
cctx_switch:
    .cfi_startproc
    hint #34                            // bti c
    stp x29, x30, [sp, #-160]!
    .cfi_def_cfa_offset 160
    .cfi_offset x29, -160
    .cfi_offset x30, -152
    stp x19, x20, [sp, #16]
    .cfi_offset x19, -144
    .cfi_offset x20, -136
    stp x21, x22, [sp, #32]
    .cfi_offset x21, -128
    .cfi_offset x22, -120
    stp x23, x24, [sp, #48]
    .cfi_offset x23, -112
    .cfi_offset x24, -104
    stp x25, x26, [sp, #64]
    .cfi_offset x25, -96
    .cfi_offset x26, -88
    stp x27, x28, [sp, #80]
    .cfi_offset x27, -80
    .cfi_offset x28, -72
    stp d8, d9, [sp, #96]
    .cfi_offset d8, -64
    .cfi_offset d9, -56
    stp d10, d11, [sp, #112]
    .cfi_offset d10, -48
    .cfi_offset d11, -40
    stp d12, d13, [sp, #128]
    .cfi_offset d12, -32
    .cfi_offset d13, -24
    stp d14, d15, [sp, #144]
    .cfi_offset d14, -16
    .cfi_offset d15, -8
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    // The slots keep their values until the frame is popped, so the rules above still hold here.
    ldp x29, x30, [sp], #160
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
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
#if defined(__ARM_FEATURE_BTI_DEFAULT)
    ret
#else
    br x30
#endif
    .cfi_endproc
    .size cctx_switch, .-cctx_switch

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
    hint #38                            // bti jc
    mov x0, x19
    bl cctx_begin
    brk #1
    .cfi_endproc
    .size cctx_trampoline, .-cctx_trampoline

#if defined(__ARM_FEATURE_BTI_DEFAULT) && __ARM_FEATURE_BTI_DEFAULT
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

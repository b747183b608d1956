// The way into the switch.
//
// A switch is a jump, not a call, at both ends. Processors predict a return by a stack of the calls
// that were made; a call that is left by a jump leaves a stale entry there, and a return that goes
// to another stack's caller uses up a foreign one. Either way every return that follows, in the
// scheduler and in the fiber, is predicted wrongly. With jumps only, calls and returns stay paired
// in the order in which they happen, and fibers that run the same code even predict for each other.
// (Suspending under four nested calls, measured on x86-64: 3.3 ns a switch; 19 with a call that is
// left by a jump; 13 with a call and a return.)
//
// For the compiler the statement is an instruction that changes every register a callee may change.
// The routine behind it saves the others. It must not be assumed to be a call: it spares the red
// zone of x86-64.

#ifndef CCTX_SWITCH_H
#define CCTX_SWITCH_H

// Always inlined: a function that contains a switch and is left by a return afterwards costs one
// of those wrong predictions.
#define CCTX_INLINE static inline __attribute__((always_inline))

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#pragma clang assume_nonnull begin
#else
#define _Nullable
#define _Nonnull
#endif

#if defined(__x86_64__)

#if defined(__AVX512F__)
#define CCTX_MORE_REGISTERS                                                                       \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",   \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", "k4", "k5", \
        "k6", "k7"
#else
#define CCTX_MORE_REGISTERS
#endif

// Stores the stack pointer in *save when the callee-saved registers are on the stack, loads `to`,
// which was stored in the same way, and goes on there. `to` is read before *save is written.
CCTX_INLINE void cctx_switch(void *_Nullable *_Nonnull save, void *_Nullable to) {
    __asm__ volatile(
        "leaq 1f(%%rip), %%rcx\n\t"
        "jmp cctx_exchange_stacks\n"
        "1:"
        : "+D"(save), "+S"(to)
        :
        : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory", "st", "st(1)", "st(2)",
          "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
          "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
          "xmm15" CCTX_MORE_REGISTERS);
}

#elif defined(__aarch64__)

#if defined(__ARM_FEATURE_SVE)
#define CCTX_MORE_REGISTERS                                                                       \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13",     \
        "p14", "p15"
#else
#define CCTX_MORE_REGISTERS
#endif

// As above. v8 to v15 are in the list because only their low halves are callee-saved, which cannot
// be said here; so whoever inlines this saves them, once for all its switches. The hint is `bti j`:
// the place that an indirect jump may go to where branch targets are checked.
CCTX_INLINE void cctx_switch(void *_Nullable *_Nonnull save, void *_Nullable to) {
    register void **x0 __asm__("x0") = save;
    register void *x1 __asm__("x1") = to;
    __asm__ volatile(
        "adr x30, 1f\n\t"
        "b cctx_exchange_stacks\n"
        "1:\n\t"
        "hint #36"
        : "+r"(x0), "+r"(x1)
        :
        : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
          "x15", "x16", "x17", "x18", "x30", "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5",
          "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
          "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30",
          "v31" CCTX_MORE_REGISTERS);
}

#else
#error "no context switch for this architecture"
#endif

#undef CCTX_MORE_REGISTERS

#ifdef __clang__
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif

#endif

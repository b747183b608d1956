// The part of the io_uring ABI that Ringlet uses, as values of our own.
//
// Opcodes and flags are part of the kernel's user ABI and never change. They are spelled out here
// because the header of the build host may be older than the kernel the program meets (Debian 12
// ships liburing 2.3, whose opcodes end at Linux 6.1). Source: Linux include/uapi/linux/io_uring.h.

#ifndef CURING_ABI_H
#define CURING_ABI_H

#include <stdint.h>

enum {
    CURING_OP_NOP = 0,
    CURING_OP_FSYNC = 3,
    CURING_OP_POLL_ADD = 6,
    CURING_OP_ACCEPT = 13,
    CURING_OP_ASYNC_CANCEL = 14,
    CURING_OP_CONNECT = 16,
    CURING_OP_OPENAT = 18,
    CURING_OP_CLOSE = 19,
    CURING_OP_STATX = 21,
    CURING_OP_READ = 22,
    CURING_OP_WRITE = 23,
    CURING_OP_SEND = 26,
    CURING_OP_RECV = 27,
    CURING_OP_SHUTDOWN = 34,
};

// Flags of a submission.
enum {
    CURING_SQE_CQE_SKIP_SUCCESS = 1u << 6, // 5.17
};

// Setup flags, with the kernel that brought each.
enum {
    CURING_SETUP_CQSIZE = 1u << 3,
    CURING_SETUP_CLAMP = 1u << 4,
    CURING_SETUP_R_DISABLED = 1u << 6,     // 5.10
    CURING_SETUP_SUBMIT_ALL = 1u << 7,     // 5.18
    CURING_SETUP_COOP_TASKRUN = 1u << 8,   // 5.19
    CURING_SETUP_TASKRUN_FLAG = 1u << 9,   // 5.19
    CURING_SETUP_SINGLE_ISSUER = 1u << 12, // 6.0
    CURING_SETUP_DEFER_TASKRUN = 1u << 13, // 6.1
};

enum {
    CURING_FEAT_NODROP = 1u << 1,    // 5.5
    CURING_FEAT_FAST_POLL = 1u << 5, // 5.7
    CURING_FEAT_EXT_ARG = 1u << 8,   // 5.11
    CURING_FEAT_CQE_SKIP = 1u << 11,  // 5.17
    CURING_FEAT_NO_IOWAIT = 1u << 17, // 6.15
};

enum {
    CURING_ENTER_GETEVENTS = 1u << 0,
    CURING_ENTER_EXT_ARG = 1u << 3,
    CURING_ENTER_REGISTERED_RING = 1u << 4, // 5.18
    CURING_ENTER_NO_IOWAIT = 1u << 7,       // 6.15
};

enum {
    CURING_SQ_CQ_OVERFLOW = 1u << 1,
    CURING_SQ_TASKRUN = 1u << 2,
};

enum {
    CURING_CANCEL_ALL = 1u << 0, // 5.19
    CURING_CANCEL_FD = 1u << 1,  // 5.19
};

#endif

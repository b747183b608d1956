// Each opcode as system calls that do not wait, and as calls that may.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attempt.h"

uint16_t emulated_events(const curing_sqe *sqe) {
    switch (sqe->opcode) {
    case CURING_OP_READ:
    case CURING_OP_RECV:
    case CURING_OP_ACCEPT:
        return POLLIN;
    case CURING_OP_WRITE:
    case CURING_OP_SEND:
    case CURING_OP_CONNECT:
        return POLLOUT;
    case CURING_OP_POLL_ADD:
        // The last three are told whether asked for or not.
        return (uint16_t)(sqe->operation_flags | POLLERR | POLLHUP | POLLRDHUP);
    default:
        return 0;
    }
}

// MARK: Files, pipes and what else read and write are for

static bool is_socket(int32_t fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

// Streams have no position. For pipes and their like the kernel's ring ignores the offset; sockets refuse any
// but 0.
static bool refuses_offset(const operation *operation) {
    uint64_t offset = operation->sqe.offset;
    return offset != 0 && offset != UINT64_MAX && is_socket(operation->sqe.fd);
}

static int32_t transfer(const operation *operation, int flags) {
    const curing_sqe *sqe = &operation->sqe;
    struct iovec part = {.iov_base = memory(operation), .iov_len = length(operation)};
    off_t offset = (off_t)sqe->offset;
    if (offset != -1) offset += operation->progress;
    for (;;) {
        int32_t moved = result_of(sqe->opcode == CURING_OP_READ
                                      ? preadv2(sqe->fd, &part, 1, offset, flags)
                                      : pwritev2(sqe->fd, &part, 1, offset, flags));
        if (moved != -ESPIPE || offset == -1) return moved;
        if (refuses_offset(operation)) return moved;
        offset = -1;
    }
}

static outcome transferred(operation *operation, int32_t moved) {
    if (moved < 0) return done(operation, emulated_failure(operation, moved));
    operation->progress += (uint32_t)moved;
    return done(operation, (int32_t)operation->progress);
}

static outcome attempt_as_message(operation *operation) {
    operation->sqe.operation_flags = 0;
    bool is_read = operation->sqe.opcode == CURING_OP_READ;
    operation->sqe.opcode = is_read ? CURING_OP_RECV : CURING_OP_SEND;
    return emulated_attempt_message(operation);
}

// A transfer of no bytes: preadv2(2) ends without asking the file, the kernel's ring asks it, and so does
// read(2). Of writes it asks only sockets, where alone one may have to wait.
static outcome attempt_nothing(operation *operation) {
    const curing_sqe *sqe = &operation->sqe;
    if (refuses_offset(operation)) return done(operation, -ESPIPE);
    if (sqe->opcode == CURING_OP_READ) return done(operation, result_of(read(sqe->fd, memory(operation), 0)));
    if (is_socket(sqe->fd)) return attempt_as_message(operation);
    return done(operation, transfer(operation, 0));
}

// For files that know nothing of RWF_NOWAIT: before Linux 6.4 those were pipes and sockets.
static outcome attempt_by_kind(operation *operation) {
    struct stat status;
    if (fstat(operation->sqe.fd, &status) < 0) return done(operation, -errno);
    if (S_ISSOCK(status.st_mode)) return attempt_as_message(operation);
    bool has_position = S_ISREG(status.st_mode) || S_ISBLK(status.st_mode);
    if (has_position) return OUTCOME_BLOCKS;
    if (!is_ready(operation->sqe.fd, (short)operation->events)) return OUTCOME_WAIT;
    // A pipe that is ready has room for a page, and a write of no more does not wait.
    uint32_t whole = operation->sqe.length;
    if (S_ISFIFO(status.st_mode) && operation->sqe.opcode == CURING_OP_WRITE && whole > PIPE_BUF) {
        operation->sqe.length = PIPE_BUF;
    }
    // A terminal that is ready has room for some of it. It takes that, and is ready again when there is more. And what
    // was there to read another process may have taken.
    bool may_wait = S_ISCHR(status.st_mode) || S_ISFIFO(status.st_mode);
    int flags = may_wait ? emulated_begin_without_waiting(operation->sqe.fd) : 0;
    int32_t moved = transfer(operation, 0);
    if (may_wait) emulated_end_without_waiting(operation->sqe.fd, flags);
    operation->sqe.length = whole;
    if (may_wait && moved == -EAGAIN) return OUTCOME_WAIT;
    return transferred(operation, moved);
}

static outcome attempt_transfer(operation *operation) {
    if (length(operation) == 0) return attempt_nothing(operation);
    int32_t moved = transfer(operation, RWF_NOWAIT);
    if (moved == -EAGAIN) return OUTCOME_WAIT;
    if (moved == -EOPNOTSUPP) return attempt_by_kind(operation);
    if (moved > 0 && (size_t)moved < length(operation)) {
        // Of a file this may be the part that was in memory.
        struct stat status;
        if (fstat(operation->sqe.fd, &status) == 0 && S_ISREG(status.st_mode)) {
            operation->progress += (uint32_t)moved;
            return OUTCOME_BLOCKS;
        }
    }
    return transferred(operation, moved);
}

// MARK: All

static outcome attempt_poll(operation *operation) {
    if (operation->sqe.length != 0) return done(operation, -EINVAL);
    // poll(2) overlooks negative numbers.
    if (operation->sqe.fd < 0) return done(operation, -EBADF);
    struct pollfd entry = {
        .fd = operation->sqe.fd,
        .events = (short)operation->events,
    };
    if (poll(&entry, 1, 0) == 0) return OUTCOME_WAIT;
    return done(operation, entry.revents & POLLNVAL ? -EBADF : entry.revents);
}

outcome emulated_attempt(operation *operation) {
    const curing_sqe *sqe = &operation->sqe;
    switch (sqe->opcode) {
    case CURING_OP_NOP:
        return done(operation, 0);
    case CURING_OP_RECV:
    case CURING_OP_SEND:
        return emulated_attempt_message(operation);
    case CURING_OP_READ:
    case CURING_OP_WRITE:
        return attempt_transfer(operation);
    case CURING_OP_ACCEPT:
        return emulated_attempt_accept(operation);
    case CURING_OP_CONNECT:
        return emulated_attempt_connect(operation);
    case CURING_OP_POLL_ADD:
        return attempt_poll(operation);
    case CURING_OP_SHUTDOWN:
        return done(operation, result_of(shutdown(sqe->fd, (int)sqe->length)));
    case CURING_OP_CLOSE:
        return done(operation, result_of(close(sqe->fd)));
    case CURING_OP_FSYNC:
    case CURING_OP_OPENAT:
    case CURING_OP_STATX:
        return OUTCOME_BLOCKS;
    default:
        return done(operation, -EINVAL);
    }
}

// The kernel's ring opens with O_NONBLOCK first, unless that could make or empty a file, and takes the flag away again:
// a pipe with a name is opened without its other end, or refused with ENXIO.
static int32_t open_file(const curing_sqe *sqe, const char *path) {
    int flags = (int)sqe->operation_flags;
    mode_t mode = (mode_t)sqe->length;
    const int makes = O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    if (flags & (makes | O_NONBLOCK | O_PATH)) return result_of(openat(sqe->fd, path, flags, mode));
    int32_t fd = result_of(openat(sqe->fd, path, flags | O_NONBLOCK, mode));
    if (fd == -EAGAIN) return result_of(openat(sqe->fd, path, flags, mode));
    if (fd >= 0) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

int32_t emulated_run_blocking(operation *operation) {
    const curing_sqe *sqe = &operation->sqe;
    const char *path = (const char *)(uintptr_t)sqe->address;
    switch (sqe->opcode) {
    case CURING_OP_READ:
    case CURING_OP_WRITE: {
        int32_t moved = transfer(operation, 0);
        return moved < 0 ? emulated_failure(operation, moved)
                         : (int32_t)operation->progress + moved;
    }
    case CURING_OP_FSYNC:
        return result_of(sqe->operation_flags & 1 /* IORING_FSYNC_DATASYNC */ ? fdatasync(sqe->fd)
                                                                              : fsync(sqe->fd));
    case CURING_OP_OPENAT: {
        int32_t fd = open_file(sqe, path);
        if (fd >= 0) curing_descriptor_changed(fd);
        return fd;
    }
    case CURING_OP_STATX:
        return result_of(statx(sqe->fd, path, (int)sqe->operation_flags, sqe->length,
                               (struct statx *)(uintptr_t)sqe->offset));
    case CURING_OP_CLOSE:
        return result_of(close(sqe->fd));
    case CURING_OP_CONNECT:
        return emulated_connect(operation);
    default:
        return -EINVAL;
    }
}

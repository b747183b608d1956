// Each opcode as system calls that do not wait, and as calls that may.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "emulated.h"

static int32_t result_of(long returned) { return returned < 0 ? -errno : (int32_t)returned; }

static void *memory(const operation *operation) {
    return (void *)(uintptr_t)(operation->sqe.address + operation->progress);
}

static size_t length(const operation *operation) {
    return operation->sqe.length - operation->progress;
}

static outcome done(operation *operation, int32_t result) {
    operation->result = result;
    return OUTCOME_DONE;
}

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

static bool is_ready(int32_t fd, short events) {
    struct pollfd entry = {.fd = fd, .events = events};
    return poll(&entry, 1, 0) > 0;
}

// MARK: Sockets

// send and recv, which have a flag for it. With MSG_WAITALL they go on until everything has moved.
static outcome attempt_message(operation *operation) {
    int flags = (int)operation->sqe.operation_flags;
    bool is_send = operation->sqe.opcode == CURING_OP_SEND;
    bool wants_all = (flags & MSG_WAITALL) && !(flags & MSG_PEEK);
    for (;;) {
        int32_t moved = result_of(
            is_send ? send(operation->sqe.fd, memory(operation), length(operation), flags | MSG_DONTWAIT)
                    : recv(operation->sqe.fd, memory(operation), length(operation), flags | MSG_DONTWAIT));
        if (moved == -EINTR) continue;
        if (moved == -EAGAIN && !(flags & MSG_DONTWAIT)) return OUTCOME_WAIT;
        if (moved < 0) return done(operation, emulated_failure(operation, moved));
        operation->progress += (uint32_t)moved;
        bool is_end = moved == 0 || length(operation) == 0 || !wants_all;
        if (is_end) return done(operation, (int32_t)operation->progress);
    }
}

// accept(2) and connect(2) have no flag: a socket that its owner left blocking is made non-blocking for the
// length of the call. The lock keeps another ring from relying on that flag while it goes.
static pthread_mutex_t flags_lock = PTHREAD_MUTEX_INITIALIZER;

static int begin_without_waiting(int32_t fd) {
    pthread_mutex_lock(&flags_lock);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

static void end_without_waiting(int32_t fd, int flags) {
    if (flags >= 0 && !(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags);
    pthread_mutex_unlock(&flags_lock);
}

static int32_t accept_now(const operation *operation) {
    const curing_sqe *sqe = &operation->sqe;
    int32_t fd = result_of(accept4(sqe->fd, (struct sockaddr *)(uintptr_t)sqe->address,
                                   (socklen_t *)(uintptr_t)sqe->offset, (int)sqe->operation_flags));
    if (fd >= 0) curing_descriptor_changed(fd);
    return fd;
}

static outcome attempt_accept(operation *operation) {
    // Most attempts find nothing, and this is how they are told by one call.
    struct pollfd entry = {.fd = operation->sqe.fd, .events = POLLIN};
    if (poll(&entry, 1, 0) == 0) {
        // Nothing will ever come to what does not listen.
        int listens = 0;
        socklen_t size = sizeof listens;
        int error = getsockopt(operation->sqe.fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
        if (error < 0) return done(operation, -errno);
        return listens ? OUTCOME_WAIT : done(operation, -EINVAL);
    }
    int flags = begin_without_waiting(operation->sqe.fd);
    int32_t result = accept_now(operation);
    end_without_waiting(operation->sqe.fd, flags);
    return result == -EAGAIN ? OUTCOME_WAIT : done(operation, result);
}

static int32_t connect_now(const operation *operation) {
    const curing_sqe *sqe = &operation->sqe;
    return result_of(connect(sqe->fd, (const struct sockaddr *)(uintptr_t)sqe->address,
                             (socklen_t)sqe->offset));
}

static outcome attempt_connect(operation *operation) {
    int32_t fd = operation->sqe.fd;
    if (operation->progress == 0) {
        int flags = begin_without_waiting(fd);
        int32_t result = connect_now(operation);
        end_without_waiting(fd, flags);
        // A UNIX socket whose listener is busy: there is no event for that.
        if (result == -EAGAIN) return OUTCOME_BLOCKS;
        if (result != -EINPROGRESS) return done(operation, result);
        operation->progress = 1;
        return OUTCOME_WAIT;
    }
    if (!is_ready(fd, POLLOUT)) return OUTCOME_WAIT;
    // A second call gets the result and takes the socket out of its connecting state; it does not wait any more.
    int32_t result = connect_now(operation);
    return done(operation, result == -EISCONN ? 0 : result);
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
    return attempt_message(operation);
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
    int32_t moved = transfer(operation, 0);
    operation->sqe.length = whole;
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
        return attempt_message(operation);
    case CURING_OP_READ:
    case CURING_OP_WRITE:
        return attempt_transfer(operation);
    case CURING_OP_ACCEPT:
        return attempt_accept(operation);
    case CURING_OP_CONNECT:
        return attempt_connect(operation);
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
        int32_t fd = result_of(
            openat(sqe->fd, path, (int)sqe->operation_flags, (mode_t)sqe->length));
        if (fd >= 0) curing_descriptor_changed(fd);
        return fd;
    }
    case CURING_OP_STATX:
        return result_of(statx(sqe->fd, path, (int)sqe->operation_flags, sqe->length,
                               (struct statx *)(uintptr_t)sqe->offset));
    case CURING_OP_CLOSE:
        return result_of(close(sqe->fd));
    case CURING_OP_CONNECT:
        return connect_now(operation);
    default:
        return -EINVAL;
    }
}

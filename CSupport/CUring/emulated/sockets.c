// Opcodes of sockets as system calls that do not wait.

#define _GNU_SOURCE

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "attempt.h"

// send and recv, which have a flag for it. With MSG_WAITALL they go on until everything has moved.
outcome emulated_attempt_message(operation *operation) {
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

// Keeps another ring from relying on the flag while it goes.
static pthread_mutex_t flags_lock = PTHREAD_MUTEX_INITIALIZER;

int emulated_begin_without_waiting(int32_t fd) {
    pthread_mutex_lock(&flags_lock);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    return flags;
}

void emulated_end_without_waiting(int32_t fd, int flags) {
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

outcome emulated_attempt_accept(operation *operation) {
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
    int flags = emulated_begin_without_waiting(operation->sqe.fd);
    int32_t result = accept_now(operation);
    emulated_end_without_waiting(operation->sqe.fd, flags);
    return result == -EAGAIN ? OUTCOME_WAIT : done(operation, result);
}

int32_t emulated_connect(const operation *operation) {
    const curing_sqe *sqe = &operation->sqe;
    return result_of(connect(sqe->fd, (const struct sockaddr *)(uintptr_t)sqe->address,
                             (socklen_t)sqe->offset));
}

static bool is_local(const operation *operation) {
    return ((const struct sockaddr *)(uintptr_t)operation->sqe.address)->sa_family == AF_UNIX;
}

outcome emulated_attempt_connect(operation *operation) {
    int32_t fd = operation->sqe.fd;
    if (operation->progress == 0) {
        int flags = emulated_begin_without_waiting(fd);
        int32_t result = emulated_connect(operation);
        emulated_end_without_waiting(fd, flags);
        // A UNIX socket whose listener is busy: there is no event for that.
        if (result == -EAGAIN && is_local(operation)) return OUTCOME_LATER;
        if (result != -EINPROGRESS) return done(operation, result);
        operation->progress = 1;
        return OUTCOME_WAIT;
    }
    if (!is_ready(fd, POLLOUT)) return OUTCOME_WAIT;
    // A second call gets the result and takes the socket out of its connecting state; it does not wait any more.
    int32_t result = emulated_connect(operation);
    return done(operation, result == -EISCONN ? 0 : result);
}

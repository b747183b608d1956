// One submission at a time, on the kernel's ring, on the emulated one, and on the kernel's where it lacks opcodes: all
// give the same answer.
//
// Most of these are answers that the fuzzer found to differ (Tests/Fuzz). An operation that waits has no
// answer within a moment, and gives one when it is cancelled.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kinds.h"

enum { WAITS = 1000000 };

static char buffer[64];

// The result of the submission, or WAITS; then it has been cancelled.
static int32_t answer(curing_ring *ring, uint8_t opcode, int fd, uint32_t length, uint64_t offset,
                      uint32_t flags) {
    bool moves = opcode != CURING_OP_POLL_ADD && opcode != CURING_OP_ACCEPT;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, moves ? (uint64_t)(uintptr_t)buffer : 0, length, offset,
                flags, 1);
    bool is_waiting = false;
    for (;;) {
        // A moment suffices for what does not wait, and what waits is not helped by more of it.
        int error = curing_enter(ring, true, is_waiting ? -1 : 50000000);
        (void)error;
        for (; curing_available(ring); curing_consume(ring, 1)) {
            const curing_cqe *completion = curing_completion(ring, 0);
            if (completion->user_data != 1) continue;
            int32_t result = completion->result;
            curing_consume(ring, 1);
            return is_waiting && result == -ECANCELED ? WAITS : result;
        }
        if (is_waiting) continue;
        curing_fill(curing_next_sqe(ring, 0), CURING_OP_ASYNC_CANCEL, -1, 1, 0, 0, 0, 2);
        is_waiting = true;
    }
}

static int failures;

static void expect(const char *what, uint8_t opcode, int fd, uint32_t length, uint64_t offset,
                   uint32_t flags, int32_t expected) {
    for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        curing_ring ring = make(kind, opcode);
        int32_t result = answer(&ring, opcode, fd, length, offset, flags);
        if (result != expected) {
            fprintf(stderr, "%s: %s: %d, not %d\n", what, names[kind], result, expected);
            failures++;
        }
        curing_destroy(&ring);
    }
}

// A receive that took all there was is remembered: the next one waits without a try. That must not hold for
// what would not have waited.
static void expect_after_all_was_read(const char *what, uint8_t opcode, uint32_t length, uint64_t offset,
                                      uint32_t flags, int32_t expected) {
    for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        curing_ring ring = make(kind, opcode);
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) exit(1);
        int32_t waited = answer(&ring, CURING_OP_RECV, pair[0], 8, 0, 0);
        ssize_t written = write(pair[1], "abc", 3);
        int32_t received = answer(&ring, CURING_OP_RECV, pair[0], 8, 0, 0);
        int32_t result = answer(&ring, opcode, pair[0], length, offset, flags);
        if (waited != WAITS || written != 3 || received != 3 || result != expected) {
            fprintf(stderr, "%s: %s: %d, %d, %d, not %d\n", what, names[kind], waited, received, result,
                    expected);
            failures++;
        }
        curing_destroy(&ring);
        close(pair[0]);
        close(pair[1]);
    }
}

// The number becomes another file's, and the ring is not told.
static void expect_after_the_number_changed(void) {
    for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        curing_ring ring = make(kind, CURING_OP_RECV);
        int pair[2], event = eventfd(0, 0);
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) exit(1);
        int32_t waited = answer(&ring, CURING_OP_RECV, pair[0], 8, 0, 0);
        ssize_t written = write(pair[1], "abc", 3);
        int32_t received = answer(&ring, CURING_OP_RECV, pair[0], 8, 0, 0);
        dup2(event, pair[0]);
        int32_t result = answer(&ring, CURING_OP_RECV, pair[0], 8, 0, 0);
        if (waited != WAITS || written != 3 || received != 3 || result != -ENOTSOCK) {
            fprintf(stderr, "a number that changed: %s: %d, %d, %d\n", names[kind], waited, received,
                    result);
            failures++;
        }
        curing_destroy(&ring);
        close(pair[0]);
        close(pair[1]);
        close(event);
    }
}

// How a connect ends that is not refused, and that it leaves a socket which knows that it is connected.
static void expect_connections(void) {
    for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        curing_ring ring = make(kind, CURING_OP_CONNECT);
        struct sockaddr_in *address = (struct sockaddr_in *)buffer;
        socklen_t size = sizeof *address;
        *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
        if (bind(listener, (struct sockaddr *)address, size) < 0) exit(1);
        getsockname(listener, (struct sockaddr *)address, &size);
        if (listen(listener, 1) < 0) exit(1);
        int32_t connected = answer(&ring, CURING_OP_CONNECT, client, 0, size, 0);
        int32_t again = answer(&ring, CURING_OP_CONNECT, client, 0, size, 0);
        if (connected != 0 || again != -EISCONN) {
            fprintf(stderr, "connect: %s: %d, %d\n", names[kind], connected, again);
            failures++;
        }
        curing_destroy(&ring);
        close(client);
        close(listener);
    }
}

int main(void) {
    int ends[2], patient[2], pair[2];
    if (pipe(ends) < 0 || pipe2(patient, O_NONBLOCK) < 0) return 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return 1;
    int event = eventfd(0, 0);
    int idle = socket(AF_INET, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(listener, 1) < 0) return 1;
    const uint64_t own = UINT64_MAX;

    expect("accept at a pipe", CURING_OP_ACCEPT, ends[0], 0, 0, 0, -ENOTSOCK);
    expect("accept at a socket that is connected", CURING_OP_ACCEPT, pair[0], 0, 0, 0, -EINVAL);
    expect("accept at nothing", CURING_OP_ACCEPT, -1, 0, 0, 0, -EBADF);
    expect("poll of no number", CURING_OP_POLL_ADD, -1, 0, 0, POLLIN, -EBADF);
    expect("poll of a closed number", CURING_OP_POLL_ADD, 900, 0, 0, POLLIN, -EBADF);

    expect("read of nothing, from a socket", CURING_OP_READ, idle, 0, own, 0, 0);
    expect("read of nothing, from an eventfd", CURING_OP_READ, event, 0, own, 0, -EINVAL);
    expect("read of nothing, from an empty pipe", CURING_OP_READ, ends[0], 0, own, 0, 0);
    expect("read of nothing, from an end that writes", CURING_OP_READ, ends[1], 0, own, 0, -EBADF);
    expect("write of nothing, to an eventfd", CURING_OP_WRITE, event, 0, own, 0, 0);
    expect("write of nothing, to a pipe", CURING_OP_WRITE, ends[1], 0, own, 0, 0);

    expect("read with an offset, from a socket", CURING_OP_READ, pair[0], 8, 64, 0, -ESPIPE);
    expect("read of nothing with an offset, from a socket", CURING_OP_READ, pair[0], 0, 64, 0, -ESPIPE);
    expect("read with an offset, from a pipe", CURING_OP_READ, ends[0], 8, 64, 0, WAITS);
    expect("read with offset 0, from a socket", CURING_OP_READ, pair[0], 8, 0, 0, WAITS);

    // Up to some version the kernel answers EAGAIN; the emulated ring is like the one that it waits with.
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    expect("receive, O_NONBLOCK", CURING_OP_RECV, pair[0], 8, 0, 0, WAITS);
    expect("receive, MSG_DONTWAIT", CURING_OP_RECV, pair[0], 8, 0, MSG_DONTWAIT, -EAGAIN);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    expect("accept, O_NONBLOCK", CURING_OP_ACCEPT, listener, 0, 0, 0, WAITS);
    expect("read of a pipe, O_NONBLOCK", CURING_OP_READ, patient[0], 8, own, 0, WAITS);

    expect_after_all_was_read("receive", CURING_OP_RECV, 8, 0, 0, WAITS);
    expect_after_all_was_read("receive that must not wait", CURING_OP_RECV, 8, 0, MSG_DONTWAIT, -EAGAIN);
    expect_after_all_was_read("read of nothing", CURING_OP_READ, 0, own, 0, 0);
    expect_after_all_was_read("read with an offset", CURING_OP_READ, 8, 64, 0, -ESPIPE);
    expect_after_all_was_read("accept", CURING_OP_ACCEPT, 0, 0, 0, -EINVAL);

    expect_after_the_number_changed();
    expect_connections();

    shutdown(pair[1], SHUT_WR);
    expect("poll that did not ask for a hang-up", CURING_OP_POLL_ADD, pair[0], 0, 0, POLLPRI, POLLRDHUP);
    return failures != 0;
}

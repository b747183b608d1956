// A descriptor number comes to name another file, and the ring is not told: what is submitted then concerns the new
// file, on the kernel's ring, on the emulated one, and on the kernel's where it lacks opcodes. Nothing else happens
// meanwhile, and the enters have no timeout, so what is lost stays lost.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kinds.h"

enum { SIZE = 64, LONGEST = 60, PENDING = INT32_MAX };

static char memory[4][SIZE];
static int32_t results[4];
static int failures;

static void start(curing_ring *ring, uint8_t opcode, int fd, uint64_t offset, uint64_t user_data) {
    results[user_data] = PENDING;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, (uint64_t)(uintptr_t)memory[user_data], SIZE, offset, 0,
                user_data);
}

// The result of this operation, which ends by itself; keeps those of the others.
static int32_t await(curing_ring *ring, uint64_t user_data) {
    while (results[user_data] == PENDING) {
        for (; curing_available(ring); curing_consume(ring, 1)) {
            const curing_cqe *completion = curing_completion(ring, 0);
            results[completion->user_data] = completion->result;
        }
        if (results[user_data] == PENDING) (void)curing_enter(ring, true, -1);
    }
    return results[user_data];
}

static void fail(enum kind kind, const char *what, long value) {
    fprintf(stderr, "%s: %s: %ld\n", names[kind], what, value);
    failures++;
}

static void make_pair(int pair[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) exit(1);
}

static void provoke(int end, const char *text) {
    if (write(end, text, strlen(text)) != (ssize_t)strlen(text)) exit(1);
}

// Leaves a ring that knows the number, and that there was nothing left to read: `rounds` operations have waited there.
static curing_ring make_knowing(enum kind kind, uint8_t opcode, int pair[2], int rounds) {
    curing_ring ring = make(kind, opcode);
    make_pair(pair);
    for (int round = 0; round < rounds; round++) {
        start(&ring, opcode, pair[0], 0, 0);
        (void)curing_enter(&ring, true, 1000000);
        provoke(pair[1], "abc");
        int32_t received = await(&ring, 0);
        if (received != 3) fail(kind, "the first bytes", received);
    }
    return ring;
}

// After one round the assumption about the number is old, after two an event has confirmed it a moment ago.
static void another_socket(enum kind kind, uint8_t opcode, int rounds) {
    int pair[2], other[2];
    curing_ring ring = make_knowing(kind, opcode, pair, rounds);
    make_pair(other);
    provoke(other[1], "hello");
    dup2(other[0], pair[0]);
    start(&ring, opcode, pair[0], 0, 1);
    int32_t received = await(&ring, 1);
    if (received != 5 || memcmp(memory[1], "hello", 5) != 0) fail(kind, "from another socket", received);
    curing_destroy(&ring);
    for (int i = 0; i < 2; i++) close(pair[i]), close(other[i]);
}

int main(void) {
    // What hangs is ended by this.
    alarm(LONGEST);
    for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        for (int rounds = 1; rounds < 3; rounds++) {
            another_socket(kind, CURING_OP_RECV, rounds);
            another_socket(kind, CURING_OP_READ, rounds);
        }
    }
    return failures > 0;
}

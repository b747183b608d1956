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
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
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

// What waits is more than one read, and each reads from the file's beginning.
static void a_file(enum kind kind) {
    int pair[2], file = memfd_create("numbers", MFD_CLOEXEC);
    curing_ring ring = make_knowing(kind, CURING_OP_READ, pair, 1);
    provoke(file, "contents");
    dup2(file, pair[0]);
    for (uint64_t i = 1; i < 3; i++) start(&ring, CURING_OP_READ, pair[0], 0, i);
    start(&ring, CURING_OP_RECV, pair[0], 0, 3);
    for (uint64_t i = 1; i < 3; i++) {
        int32_t count = await(&ring, i);
        if (count != 8 || memcmp(memory[i], "contents", 8) != 0) fail(kind, "from a file", count);
    }
    if (await(&ring, 3) != -ENOTSOCK) fail(kind, "receive from a file", results[3]);
    // And what comes later need not wait any more.
    start(&ring, CURING_OP_READ, pair[0], 4, 1);
    int32_t later = await(&ring, 1);
    if (later != 4 || memcmp(memory[1], "ents", 4) != 0) fail(kind, "from a file, later", later);
    curing_destroy(&ring);
    close(pair[0]);
    close(pair[1]);
    close(file);
}

// The threads of the emulated ring report by an eventfd that gets the number. The file that had it before is open under
// another one, and has something to say.
static void the_eventfd_of_threads(enum kind kind) {
    int pair[2];
    curing_ring ring = make_knowing(kind, CURING_OP_RECV, pair, 1);
    int copy = fcntl(pair[0], F_DUPFD_CLOEXEC, pair[1] + 10);
    close(pair[0]);
    provoke(pair[1], "abc");
    strcpy(memory[1], "/dev/null");
    // In the first rounds the ring hears of the file, and then it has a new set of what it listens to.
    for (int round = 0; round < 200; round++) {
        start(&ring, CURING_OP_OPENAT, AT_FDCWD, 0, 1);
        int32_t opened = await(&ring, 1);
        if (opened < 0) fail(kind, "open", opened);
        close(opened);
        (void)curing_enter(&ring, false, 0);
    }
    // Waiting is no work then.
    clock_t before = clock();
    (void)curing_enter(&ring, true, 300000000);
    if (clock() - before > CLOCKS_PER_SEC / 20) fail(kind, "time of a wait", clock() - before);
    curing_destroy(&ring);
    close(copy);
    close(pair[1]);
}

// What is said of a number may be meant for another one, so many further on. Who waits is still told.
static void a_number_far_away(enum kind kind) {
    int pair[2];
    curing_ring ring = make(kind, CURING_OP_SEND);
    make_pair(pair);
    while (send(pair[0], memory[0], SIZE, MSG_DONTWAIT) > 0) continue;
    start(&ring, CURING_OP_SEND, pair[0], 0, 1);
    (void)curing_enter(&ring, true, 1000000);
    curing_descriptor_changed(pair[0] + (1 << 14));
    start(&ring, CURING_OP_RECV, pair[0], 0, 2);
    (void)curing_enter(&ring, true, 1000000);
    if (results[1] != PENDING || results[2] != PENDING) fail(kind, "no wait", results[1]);
    while (recv(pair[1], memory[0], SIZE, MSG_DONTWAIT) > 0) continue;
    int32_t sent = await(&ring, 1);
    if (sent != SIZE) fail(kind, "sent after others", sent);
    provoke(pair[1], "abc");
    if (await(&ring, 2) != 3) fail(kind, "received after others", results[2]);
    curing_destroy(&ring);
    for (int i = 0; i < 2; i++) close(pair[i]);
}

int main(void) {
    // What hangs is ended by this.
    alarm(LONGEST);
    for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        for (int rounds = 1; rounds < 3; rounds++) {
            another_socket(kind, CURING_OP_RECV, rounds);
            another_socket(kind, CURING_OP_READ, rounds);
        }
        a_file(kind);
        the_eventfd_of_threads(kind);
        a_number_far_away(kind);
    }
    return failures > 0;
}

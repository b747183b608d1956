// A buffer is the caller's again from the terminal completion on: what comes later for the descriptor, which the
// operation would have taken, does not go there. On the kernel's ring, on the emulated one, and on the kernel's where
// it lacks opcodes.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kinds.h"

enum { SIZE = 64, ROUNDS = 20 };

// What is read from.
enum source { SOCKET_RECV, SOCKET_READ, PIPE_READ, FILE_READ, SOURCES };
static const char *const sources[] = {"recv of a socket", "read of a socket", "read of a pipe", "read of a file"};

// When the other end writes, and when the cancel comes.
enum moment { ENDS_BY_ITSELF, CANCELLED, CANCELLED_AS_IT_ENDS, MOMENTS };
static const char *const moments[] = {"ends by itself", "cancelled", "cancelled as it ends"};

static int failures;

static void fail(enum kind kind, enum source source, enum moment moment, const char *what, long value) {
    fprintf(stderr, "%s, %s, %s: %s %ld\n", names[kind], sources[source], moments[moment], what, value);
    failures++;
}

static void open_pair(enum source source, int ends[2]) {
    int error = 0;
    if (source == PIPE_READ) {
        error = pipe2(ends, O_CLOEXEC);
    } else if (source == FILE_READ) {
        ends[0] = ends[1] = memfd_create("buffers", MFD_CLOEXEC);
        error = ends[0] < 0 || write(ends[1], "first", 5) != 5 ? -1 : 0;
    } else {
        error = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    }
    if (error < 0) exit(1);
}

// Something that a read which is still under way would take.
static void provoke(enum source source, int end, const char *text) {
    ssize_t count = source == FILE_READ ? pwrite(end, text, strlen(text), 0) : write(end, text, strlen(text));
    if (count != (ssize_t)strlen(text)) exit(1);
}

static void submit(curing_ring *ring, enum source source, int fd, char *bytes, uint64_t user_data) {
    uint8_t opcode = source == SOCKET_RECV ? CURING_OP_RECV : CURING_OP_READ;
    uint64_t offset = source == FILE_READ ? 0 : opcode == CURING_OP_READ ? UINT64_MAX : 0;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, (uint64_t)(uintptr_t)bytes, SIZE, offset, 0, user_data);
}

// Enters until the operation has ended; at most `patience` nanoseconds, unless that is negative. False when it has not.
static bool await(curing_ring *ring, uint64_t user_data, int64_t patience, int32_t *result) {
    for (int turn = 0; patience < 0 || turn < 2; turn++) {
        (void)curing_enter(ring, true, patience);
        bool is_there = false;
        for (; curing_available(ring); curing_consume(ring, 1)) {
            const curing_cqe *completion = curing_completion(ring, 0);
            if (completion->user_data != user_data) continue;
            *result = completion->result;
            is_there = true;
        }
        if (is_there) return true;
    }
    return false;
}

static void check(enum kind kind, enum source source, enum moment moment) {
    curing_ring ring = make(kind, source == SOCKET_RECV ? CURING_OP_RECV : CURING_OP_READ);
    char bytes[SIZE], then[SIZE], others[SIZE];
    int ends[2];
    int32_t result = 0, others_result = 0;
    memset(bytes, 0x5a, sizeof bytes);
    open_pair(source, ends);
    submit(&ring, source, ends[0], bytes, 1);
    bool has_ended = false;
    long sent = source == FILE_READ ? 5 : 0;
    if (moment != CANCELLED) {
        // The kernel may have it by now, or not.
        if (rand() % 2 && source != FILE_READ) (void)curing_enter(&ring, false, 0);
        if (source != FILE_READ) {
            provoke(source, ends[1], "first");
            sent = 5;
        }
    } else {
        has_ended = await(&ring, 1, 100000, &result);
    }
    if (moment != ENDS_BY_ITSELF) {
        curing_fill(curing_next_sqe(&ring, 0), CURING_OP_ASYNC_CANCEL, -1, 1, 0, 0, 0, 2);
    }
    if (!has_ended) await(&ring, 1, -1, &result);
    memcpy(then, bytes, SIZE);

    // What it would take, and time to take it.
    provoke(source, ends[1], "later!");
    sent += source == FILE_READ ? 1 : 6;
    for (int turn = 0; turn < 2; turn++) (void)curing_enter(&ring, true, 200000);
    if (memcmp(bytes, then, SIZE) != 0) fail(kind, source, moment, "touched after its end, which was", result);
    if (result >= 0 ? result == 0 || memcmp(bytes, "first", 5) != 0 : result != -ECANCELED) {
        fail(kind, source, moment, "ended with", result);
    }
    // Another one gets all that this one has not taken.
    long received = source == FILE_READ ? 0 : result > 0 ? result : 0;
    submit(&ring, source, ends[0], others, 3);
    await(&ring, 3, -1, &others_result);
    if (others_result > 0) received += others_result;
    if (received != sent) fail(kind, source, moment, "lost or doubled bytes, with", received - sent);
    if (memcmp(bytes, then, SIZE) != 0) fail(kind, source, moment, "touched by another, after", result);
    curing_destroy(&ring);
    if (memcmp(bytes, then, SIZE) != 0) fail(kind, source, moment, "touched by the end of the ring, after", result);
    if (ends[1] != ends[0]) close(ends[1]);
    close(ends[0]);
}

int main(void) {
    for (int round = 0; round < ROUNDS; round++) {
        for (enum kind kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
            for (enum source source = 0; source < SOURCES; source++) {
                for (enum moment moment = 0; moment < MOMENTS; moment++) check(kind, source, moment);
            }
        }
    }
    return failures > 0;
}

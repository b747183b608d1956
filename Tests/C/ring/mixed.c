// io_uring with single opcodes emulated: what concerns both rings behind it at once.
//
// In each test RECV is emulated and READ is not, or the other way round, so that one waits on either side.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "curing.h"
#include "curing_linux.h"

#define CHECK(condition)                                                         \
    do {                                                                         \
        if (condition) break;                                                    \
        fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);          \
        exit(1);                                                                 \
    } while (0)

enum { PATIENCE = 20 };

static char memory[4][64];

static uint64_t bit(int opcode) { return UINT64_C(1) << opcode; }

static curing_ring make(uint64_t lacking) {
    curing_ring ring;
    curing_refusal refusal;
    curing_ceiling ceiling = {.lacking = lacking};
    int error = curing_create(&ring, curing_io_uring(), 8, 16, ceiling, &refusal);
    if (error == 0) error = curing_enable(&ring);
    if (error != 0) {
        fprintf(stderr, "io_uring is refused here: %s\n", strerror(-error));
        exit(77);
    }
    CHECK((ring.emulated_opcodes & lacking) == lacking);
    return ring;
}

static void start(curing_ring *ring, uint8_t opcode, int fd, uint64_t user_data) {
    bool moves = opcode == CURING_OP_READ || opcode == CURING_OP_RECV;
    uint64_t address = moves ? (uint64_t)(uintptr_t)memory[user_data % 4] : 0;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, address, moves ? 8 : 0, moves ? UINT64_MAX : 0, 0, user_data);
    if (opcode == CURING_OP_RECV) ring->sqes[(ring->sq_local_tail - 1) & ring->sq_mask].offset = 0;
}

static void cancel(curing_ring *ring, uint64_t target, uint64_t user_data) {
    curing_fill(curing_next_sqe(ring, 0), CURING_OP_ASYNC_CANCEL, -1, target, 0, 0, 0, user_data);
}

// The next completion, which must come.
static curing_cqe next(curing_ring *ring) {
    for (int i = 0; i < PATIENCE && curing_available(ring) == 0; i++) curing_enter(ring, true, 1000000000);
    CHECK(curing_available(ring) > 0);
    curing_cqe completion = *curing_completion(ring, 0);
    curing_consume(ring, 1);
    return completion;
}

// The results of the next `count` completions, by user_data.
static void collect(curing_ring *ring, int count, int32_t *results) {
    for (int i = 0; i < count; i++) {
        curing_cqe completion = next(ring);
        CHECK(completion.user_data < 16);
        results[completion.user_data] = completion.result;
    }
}

static void expect_silence(curing_ring *ring) {
    curing_enter(ring, true, 2000000);
    CHECK(curing_available(ring) == 0);
}

static void make_pair(int *pair) { CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0); }

// MARK: Tests

static void one_enter_waits_for_both(void) {
    curing_ring ring = make(bit(CURING_OP_RECV));
    int one[2], other[2];
    make_pair(one);
    make_pair(other);
    start(&ring, CURING_OP_RECV, one[0], 1);
    start(&ring, CURING_OP_READ, other[0], 2);
    for (int round = 0; round < 100; round++) {
        bool is_emulated = round % 3 != 0;
        expect_silence(&ring);
        CHECK(write(is_emulated ? one[1] : other[1], "abc", 3) == 3);
        curing_cqe completion = next(&ring);
        CHECK(completion.user_data == (is_emulated ? 1 : 2) && completion.result == 3);
        start(&ring, is_emulated ? CURING_OP_RECV : CURING_OP_READ, is_emulated ? one[0] : other[0],
              completion.user_data);
    }
    uint64_t before = curing_now();
    CHECK(curing_enter(&ring, true, 30000000) >= 0 || curing_available(&ring) == 0);
    CHECK(curing_now() - before >= 29000000);
    curing_destroy(&ring);
    for (int i = 0; i < 2; i++) close(one[i]), close(other[i]);
}

static void a_cancel_finds_its_operation_on_either_side(void) {
    curing_ring ring = make(bit(CURING_OP_RECV));
    int pair[2], other[2];
    make_pair(pair);
    make_pair(other);
    start(&ring, CURING_OP_RECV, pair[0], 1);
    start(&ring, CURING_OP_READ, other[0], 2);
    expect_silence(&ring);
    int32_t results[16] = {0};
    cancel(&ring, 1, 3);
    cancel(&ring, 2, 4);
    cancel(&ring, 9, 5);
    collect(&ring, 5, results);
    CHECK(results[1] == -ECANCELED && results[2] == -ECANCELED);
    CHECK(results[3] == 0 && results[4] == 0 && results[5] == -ENOENT);
    // In the same batch as what it is for.
    start(&ring, CURING_OP_RECV, pair[0], 1);
    cancel(&ring, 1, 3);
    start(&ring, CURING_OP_READ, other[0], 2);
    cancel(&ring, 2, 4);
    collect(&ring, 4, results);
    CHECK(results[1] == -ECANCELED && results[2] == -ECANCELED && results[3] == 0 && results[4] == 0);
    curing_destroy(&ring);
    for (int i = 0; i < 2; i++) close(pair[i]), close(other[i]);
}

static void a_cancel_by_descriptor_reaches_both_sides(void) {
    curing_ring ring = make(bit(CURING_OP_RECV));
    if (!(ring.capabilities & CURING_CAN_CANCEL_BY_FD)) {
        curing_destroy(&ring);
        return;
    }
    int pair[2];
    make_pair(pair);
    start(&ring, CURING_OP_RECV, pair[0], 1);
    start(&ring, CURING_OP_READ, pair[0], 2);
    start(&ring, CURING_OP_POLL_ADD, pair[1], 3);
    expect_silence(&ring);
    int32_t results[16] = {0};
    curing_fill(curing_next_sqe(&ring, 0), CURING_OP_ASYNC_CANCEL, pair[0], 0, 0, 0,
                CURING_CANCEL_FD | CURING_CANCEL_ALL, 4);
    collect(&ring, 3, results);
    CHECK(results[1] == -ECANCELED && results[2] == -ECANCELED && results[4] == 2);
    expect_silence(&ring);
    curing_destroy(&ring);
    close(pair[0]);
    close(pair[1]);
}

// The close is the kernel's, what waits is emulated: it would wait on a number that is nobody's.
static void a_close_ends_what_waits_on_the_emulated_side(void) {
    curing_ring ring = make(bit(CURING_OP_RECV));
    int pair[2];
    make_pair(pair);
    start(&ring, CURING_OP_RECV, pair[0], 1);
    expect_silence(&ring);
    int32_t results[16] = {0};
    start(&ring, CURING_OP_CLOSE, pair[0], 2);
    collect(&ring, 2, results);
    CHECK(results[1] == -ECANCELED && results[2] == 0);
    curing_destroy(&ring);
    close(pair[1]);
}

// The close is emulated, and made at once; what was submitted before it is in the kernel's queue.
static void a_close_does_not_overtake(void) {
    curing_ring ring = make(bit(CURING_OP_CLOSE));
    for (int round = 0; round < 20; round++) {
        int pair[2];
        make_pair(pair);
        int32_t results[16] = {0};
        curing_fill(curing_next_sqe(&ring, 0), CURING_OP_SEND, pair[0], (uint64_t)(uintptr_t) "abc", 3, 0,
                    MSG_NOSIGNAL, 1);
        start(&ring, CURING_OP_CLOSE, pair[0], 2);
        collect(&ring, 2, results);
        CHECK(results[1] == 3 && results[2] == 0);
        CHECK(read(pair[1], memory[0], 8) == 3 && read(pair[1], memory[0], 8) == 0);
        close(pair[1]);
    }
    curing_destroy(&ring);
}

static void a_thread_ends_the_wait_too(void) {
    curing_ring ring = make(bit(CURING_OP_OPENAT) | bit(CURING_OP_FSYNC));
    int pair[2];
    make_pair(pair);
    start(&ring, CURING_OP_READ, pair[0], 1);
    for (int round = 0; round < 50; round++) {
        curing_fill(curing_next_sqe(&ring, 0), CURING_OP_OPENAT, AT_FDCWD, (uint64_t)(uintptr_t) "/dev/null", 0, 0,
                    O_RDWR | O_CLOEXEC, 2);
        curing_cqe opened = next(&ring);
        CHECK(opened.user_data == 2 && opened.result >= 0);
        start(&ring, CURING_OP_CLOSE, opened.result, 3);
        CHECK(next(&ring).user_data == 3);
    }
    curing_destroy(&ring);
    close(pair[0]);
    close(pair[1]);
}

// More than fit into any queue: nothing is lost, and each comes once.
static void nothing_is_lost_in_full_queues(void) {
    enum { MANY = 400 };
    curing_ring ring = make(bit(CURING_OP_NOP));
    int events[MANY];
    int seen[MANY] = {0};
    for (int i = 0; i < MANY; i++) {
        events[i] = -1;
        if (i % 2 == 0) {
            curing_fill(curing_next_sqe(&ring, 0), CURING_OP_NOP, -1, 0, 0, 0, 0, (uint64_t)i);
        } else {
            events[i] = eventfd(1, EFD_CLOEXEC);
            curing_fill(curing_next_sqe(&ring, 0), CURING_OP_POLL_ADD, events[i], 0, 0, 0, POLLIN, (uint64_t)i);
        }
    }
    for (int i = 0; i < MANY; i++) {
        if (ring.backlog_count > 0) curing_submit_backlog(&ring);
        curing_cqe completion = next(&ring);
        CHECK(completion.user_data < MANY && seen[completion.user_data]++ == 0);
        CHECK(completion.result == (completion.user_data % 2 == 0 ? 0 : POLLIN));
    }
    expect_silence(&ring);
    CHECK(!curing_has_overflow(&ring));
    curing_destroy(&ring);
    for (int i = 1; i < MANY; i += 2) close(events[i]);
}

// A file that stays open under another number keeps its registration, and only a new epoll set ends its
// reports: the bridge moves there.
static void the_bridge_follows_a_new_epoll_set(void) {
    curing_ring ring = make(bit(CURING_OP_RECV));
    int noisy[2], quiet[2];
    make_pair(noisy);
    make_pair(quiet);
    start(&ring, CURING_OP_RECV, quiet[0], 1);
    start(&ring, CURING_OP_RECV, noisy[0], 2);
    expect_silence(&ring);
    int copy = dup(noisy[0]);
    cancel(&ring, 2, 3);
    int32_t results[16] = {0};
    collect(&ring, 2, results);
    close(noisy[0]);
    CHECK(write(noisy[1], "abc", 3) == 3);
    // Each of these sees the event that is nobody's; the set is renewed within a hundred.
    for (int i = 0; i < 200; i++) expect_silence(&ring);
    CHECK(write(quiet[1], "abc", 3) == 3);
    curing_cqe completion = next(&ring);
    CHECK(completion.user_data == 1 && completion.result == 3);
    // It is quiet now, so a wait is one wait.
    start(&ring, CURING_OP_RECV, quiet[0], 1);
    uint64_t before = curing_now();
    curing_enter(&ring, true, 30000000);
    CHECK(curing_available(&ring) == 0 && curing_now() - before >= 29000000);
    curing_destroy(&ring);
    close(copy);
    close(noisy[1]);
    close(quiet[0]);
    close(quiet[1]);
}

static uint64_t processor_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// A registration that was relied on is looked at again after a while, but not when nothing waits any more.
static void a_wait_for_nothing_sleeps(void) {
    curing_ring ring = make(bit(CURING_OP_RECV));
    int pair[2];
    make_pair(pair);
    for (int round = 0; round < 2; round++) {
        start(&ring, CURING_OP_RECV, pair[0], 1);
        expect_silence(&ring);
        CHECK(write(pair[1], "abc", 3) == 3 && next(&ring).result == 3);
    }
    uint64_t before = curing_now(), worked = processor_time();
    curing_enter(&ring, true, 300000000);
    CHECK(curing_now() - before >= 290000000);
    CHECK(processor_time() - worked < 20000000);
    curing_destroy(&ring);
    close(pair[0]);
    close(pair[1]);
}

static void some_opcodes_cannot_be_emulated(void) {
    const uint8_t opcodes[] = {CURING_OP_ASYNC_CANCEL, CURING_OP_POLL_ADD};
    for (int i = 0; i < 2; i++) {
        curing_ring ring;
        curing_refusal refusal;
        curing_ceiling ceiling = {.lacking = bit(opcodes[i]) | bit(CURING_OP_RECV)};
        CHECK(curing_create(&ring, curing_io_uring(), 8, 16, ceiling, &refusal) == -EOPNOTSUPP);
        CHECK(refusal.missing_opcode == opcodes[i]);
        // To the emulated ring it is no ceiling.
        CHECK(curing_create(&ring, curing_emulated(), 8, 16, ceiling, &refusal) == 0);
        CHECK(ring.emulated_opcodes == 0);
        curing_destroy(&ring);
    }
}

int main(void) {
    one_enter_waits_for_both();
    a_cancel_finds_its_operation_on_either_side();
    a_cancel_by_descriptor_reaches_both_sides();
    a_close_ends_what_waits_on_the_emulated_side();
    a_close_does_not_overtake();
    a_thread_ends_the_wait_too();
    nothing_is_lost_in_full_queues();
    the_bridge_follows_a_new_epoll_set();
    a_wait_for_nothing_sleeps();
    some_opcodes_cannot_be_emulated();
    return 0;
}

// What a ring hands to threads: the emulated ring's, which its process shares, and the kernel's.

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "outcomes.h"

enum { MOST = MOST_OPERATIONS, SLOW = 12 };

// MARK: A kernel that refuses

static int refusals;

static bool is_eventfd(int fd) {
    char link[64], name[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, name, sizeof name - 1) > 0 && strcmp(name, "anon_inode:[eventfd]") == 0;
}

// The library's calls come here: so many times the kernel has no more room for the eventfd by which threads report.
int epoll_ctl(int set, int operation, int fd, struct epoll_event *event) {
    if (refusals > 0 && operation == EPOLL_CTL_ADD && is_eventfd(fd)) {
        refusals--;
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
}

static int refused_threads;

// The library says how large a thread's stack is, and the next threads get none.
int pthread_attr_setstacksize(pthread_attr_t *attributes, size_t size) {
    int (*set)(pthread_attr_t *, size_t) = (int (*)(pthread_attr_t *, size_t))dlsym(RTLD_NEXT, __func__);
    if (refused_threads == 0) return set(attributes, size);
    refused_threads--;
    return set(attributes, (size_t)1 << 46);
}

// MARK: Submissions

static void start(curing_ring *ring, uint8_t opcode, int fd, const void *address, uint64_t offset, uint32_t flags,
                  uint64_t user_data) {
    results[user_data] = PENDING;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, (uint64_t)(uintptr_t)address, 0, offset, flags, user_data);
}

static void start_open(curing_ring *ring, const char *path, uint32_t flags, uint64_t user_data) {
    start(ring, CURING_OP_OPENAT, AT_FDCWD, path, 0, flags | O_CLOEXEC, user_data);
}

// An open that waits for the other end. With O_CREAT, because without it io_uring tries O_NONBLOCK first.
static void start_slow(curing_ring *ring, const char *fifo, uint64_t user_data) {
    start_open(ring, fifo, O_RDONLY | O_CREAT, user_data);
}

static void expect_open(curing_ring *ring, uint64_t user_data) {
    int32_t fd = await(ring, user_data);
    CHECK(fd >= 0);
    close(fd);
}

// MARK: Pipes with a name, which are opened by both ends or not at all

static char folder[] = "/tmp/ringlet-threads-XXXXXX";
static char fifos[MOST][64];

static void make_fifos(void) {
    CHECK(mkdtemp(folder));
    for (int i = 0; i < MOST; i++) {
        snprintf(fifos[i], sizeof fifos[i], "%s/%d", folder, i);
        CHECK(mkfifo(fifos[i], 0600) == 0);
    }
}

static void remove_fifos(void) {
    for (int i = 0; i < MOST; i++) unlink(fifos[i]);
    rmdir(folder);
}

// Opens the other end, once somebody is there; then the open is as good as done.
static void open_other_end(const char *path) {
    int fd;
    while ((fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) {
        CHECK(errno == ENXIO);
        usleep(100);
    }
    close(fd);
}

// MARK: Tests

// A thread is idle when the two come, and one of them takes it for as long as it likes.
static void two_of_one_turn_have_a_thread_each(void) {
    for (int round = 0; round < 20; round++) {
        curing_ring ring = make(kind, CURING_OP_OPENAT);
        start_open(&ring, "/dev/null", O_RDONLY, 0);
        expect_open(&ring, 0);
        // Until it is idle.
        collect(&ring, 100000);
        start_slow(&ring, fifos[0], 1);
        start_open(&ring, "/dev/null", O_RDONLY, 2);
        expect_open(&ring, 2);
        CHECK(results[1] == PENDING);
        open_other_end(fifos[0]);
        expect_open(&ring, 1);
        curing_destroy(&ring);
    }
}

// Each of them is in a call that does not end, and there are more than the usual number of threads.
static void what_may_never_end_keeps_nothing_else_waiting(void) {
    curing_ring ring = make(kind, CURING_OP_OPENAT);
    for (int i = 0; i < SLOW; i++) start_slow(&ring, fifos[i], (uint64_t)i);
    for (int round = 0; round < 3; round++) {
        start_open(&ring, "/dev/null", O_RDONLY, SLOW);
        expect_open(&ring, SLOW);
    }
    for (int i = 0; i < SLOW; i++) CHECK(results[i] == PENDING);
    for (int i = 0; i < SLOW; i++) {
        open_other_end(fifos[i]);
        expect_open(&ring, (uint64_t)i);
    }
    curing_destroy(&ring);
}

static void an_open_does_not_wait_for_the_other_end(void) {
    curing_ring ring = make(kind, CURING_OP_OPENAT);
    start_open(&ring, fifos[0], O_WRONLY, 0);
    CHECK(await(&ring, 0) == -ENXIO);
    start_open(&ring, fifos[0], O_RDONLY, 1);
    CHECK(await(&ring, 1) >= 0 && !(fcntl(results[1], F_GETFL) & O_NONBLOCK));
    start_open(&ring, fifos[0], O_WRONLY, 0);
    expect_open(&ring, 0);
    close(results[1]);
    start_open(&ring, fifos[0], O_RDONLY | O_NONBLOCK, 1);
    CHECK(await(&ring, 1) >= 0 && (fcntl(results[1], F_GETFL) & O_NONBLOCK));
    close(results[1]);
    curing_destroy(&ring);
}

// Threads report by an eventfd in the epoll set. Without it a completion would be there and nobody would look.
static void a_ring_that_threads_cannot_report_to_says_so(void) {
    curing_ring ring = make(EMULATED, CURING_OP_OPENAT);
    refusals = 1;
    start_open(&ring, "/dev/null", O_RDONLY, 0);
    CHECK(await(&ring, 0) == -ENOSPC && refusals == 0);
    start_open(&ring, "/dev/null", O_RDONLY, 1);
    expect_open(&ring, 1);
    curing_destroy(&ring);
}

// Nobody could close it later.
static void a_file_is_closed_also_where_there_is_no_thread_for_it(void) {
    int memory_file = memfd_create("threads", MFD_CLOEXEC);
    curing_ring ring = make(EMULATED, CURING_OP_CLOSE);
    refusals = 1;
    start(&ring, CURING_OP_CLOSE, memory_file, NULL, 0, 0, 0);
    CHECK(await(&ring, 0) == 0 && refusals == 0);
    CHECK(fcntl(memory_file, F_GETFD) < 0 && errno == EBADF);
    curing_destroy(&ring);
}

// The one thread there is is in a call that does not end. Before there are others.
static void what_got_no_thread_gets_one_when_there_are_some(void) {
    curing_ring ring = make(EMULATED, CURING_OP_OPENAT);
    start_slow(&ring, fifos[0], 0);
    collect(&ring, 0);
    refused_threads = 1;
    start_open(&ring, "/dev/null", O_RDONLY, 1);
    expect_open(&ring, 1);
    CHECK(refused_threads == 0 && results[0] == PENDING);
    open_other_end(fifos[0]);
    expect_open(&ring, 0);
    curing_destroy(&ring);
}

// A file that is open under another number keeps its registration, and its events are nobody's: the set is made anew.
// One in which threads cannot report is none.
static void a_new_epoll_set_is_one_that_threads_report_to(void) {
    curing_ring ring = make(EMULATED, CURING_OP_OPENAT);
    int pair[2];
    char byte = 0;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    start_open(&ring, "/dev/null", O_RDONLY, 0);
    expect_open(&ring, 0);
    start(&ring, CURING_OP_RECV, pair[0], &byte, 0, 0, 1);
    ring.sqes[(ring.sq_local_tail - 1) & ring.sq_mask].length = 1;
    collect(&ring, 1000000);
    start(&ring, CURING_OP_ASYNC_CANCEL, -1, NULL, 0, 0, 2);
    ring.sqes[(ring.sq_local_tail - 1) & ring.sq_mask].address = 1;
    CHECK(await(&ring, 1) == -ECANCELED);
    int copy = dup(pair[0]);
    close(pair[0]);
    CHECK(write(pair[1], "a", 1) == 1);
    refusals = 1;
    while (refusals > 0) collect(&ring, 100000);
    start_open(&ring, "/dev/null", O_RDONLY, 3);
    expect_open(&ring, 3);
    curing_destroy(&ring);
    close(copy);
    close(pair[1]);
}

int main(void) {
    // What hangs is ended by this.
    alarm(LONGEST);
    make_fifos();
    kind = EMULATED;
    what_got_no_thread_gets_one_when_there_are_some();
    a_file_is_closed_also_where_there_is_no_thread_for_it();
    for (kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        two_of_one_turn_have_a_thread_each();
        what_may_never_end_keeps_nothing_else_waiting();
        an_open_does_not_wait_for_the_other_end();
    }
    kind = EMULATED;
    a_ring_that_threads_cannot_report_to_says_so();
    a_new_epoll_set_is_one_that_threads_report_to();
    remove_fifos();
    return 0;
}

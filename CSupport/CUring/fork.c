// What becomes of the library in the child of a fork(2).
//
// The child has copies of the descriptors and of the memory. Through the first it would take its
// parent's events away: what it read from an eventfd would be missing there, and what it changed in an
// epoll set would be changed there. So before anything else runs in the child, its copies are cut
// off: each descriptor is replaced by one that leads nowhere, so that its number stays taken, and each
// ring is pointed at words of its own and at a kernel that refuses. (io_uring's queues are not in
// the child's memory at all: MADV_DONTFORK.) What still runs here then finds nothing, and is told so at
// the next enter.
//
// A child made without the handlers of pthread_atfork(3), by clone(2) or vfork(2), may only exec.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "curing_linux.h"
#include "setup.h"

// Written in the child, before it has a second thread.
bool curing_forked;
uint32_t curing_forks;

// The lock is held over a fork, so that the child finds both whole.
static struct {
    pthread_mutex_t lock;
    curing_ring *rings;
    // One bit per descriptor that must not be shared.
    uint64_t *descriptors;
    size_t words;
} owned = {.lock = PTHREAD_MUTEX_INITIALIZER};

// MARK: In the child

static int refuse_enter(curing_ring *ring, uint32_t to_submit, uint32_t min_complete, uint32_t flags,
                        int64_t timeout) {
    (void)ring, (void)to_submit, (void)min_complete, (void)flags, (void)timeout;
    return -EOWNERDEAD;
}

static int refuse_register(curing_ring *ring, uint32_t opcode, void *argument, uint32_t count) {
    (void)ring, (void)opcode, (void)argument, (void)count;
    return -EOWNERDEAD;
}

// The kernel's state stays allocated: where its mappings were there may be others by now.
static void close_only(curing_ring *ring) {
    ring->kernel_state = NULL;
    // A simulated ring has none.
    if (ring->fd >= 0) curing_close(ring->fd);
}

static const curing_kernel no_kernel = {
    .name = "none",
    .enter = refuse_enter,
    .do_register = refuse_register,
    .teardown = close_only,
};

static void cut_off(curing_ring *ring) {
    static uint32_t nothing, ignored_tail;
    static curing_sqe ignored;
    ring->kernel = &no_kernel;
    ring->enter_flags = 0;
    // Nothing is ever pending: what is filled in counts as consumed.
    ring->sq_head = &ring->sq_local_tail;
    ring->sq_tail = &ignored_tail;
    ring->sq_flags = &nothing;
    ring->sqes = &ignored;
    ring->sq_mask = 0;
    ring->sq_limit = ring->sq_entries;
    ring->backlog_count = 0;
    ring->cq_head = ring->cq_tail = &nothing;
}

static void replace_descriptors(void) {
    int replacement = -1;
    for (size_t word = 0; word < owned.words; word++) {
        for (uint64_t bits = owned.descriptors[word]; bits; bits &= bits - 1) {
            int fd = (int)(word * 64) + __builtin_ctzll(bits);
            if (replacement < 0) {
                // Closed first, so that there is room also when all numbers are taken.
                close(fd);
                replacement = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
                if (replacement < 0) return;
                if (replacement == fd) continue;
            }
            dup3(replacement, fd, O_CLOEXEC);
        }
    }
    bool is_extra = replacement >= 0 && ((size_t)replacement / 64 >= owned.words ||
                                         !(owned.descriptors[replacement / 64] >> replacement % 64 & 1));
    if (is_extra) close(replacement);
}

static void in_child(void) {
    curing_forked = true;
    curing_forks++;
    for (curing_ring *ring = owned.rings; ring; ring = ring->next) cut_off(ring);
    replace_descriptors();
    pthread_mutex_unlock(&owned.lock);
}

// MARK: In the parent

static void before(void) { pthread_mutex_lock(&owned.lock); }

static void in_parent(void) { pthread_mutex_unlock(&owned.lock); }

static void watch_forks(void) { pthread_atfork(before, in_parent, in_child); }

void curing_watch_forks(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
}

int curing_own(int fd) {
    curing_watch_forks();
    pthread_mutex_lock(&owned.lock);
    size_t word = (size_t)fd / 64;
    if (word >= owned.words) {
        size_t words = word + 16;
        uint64_t *larger = realloc(owned.descriptors, words * sizeof *larger);
        if (!larger) {
            pthread_mutex_unlock(&owned.lock);
            return -ENOMEM;
        }
        for (size_t i = owned.words; i < words; i++) larger[i] = 0;
        owned.descriptors = larger;
        owned.words = words;
    }
    owned.descriptors[word] |= UINT64_C(1) << fd % 64;
    pthread_mutex_unlock(&owned.lock);
    return 0;
}

void curing_disown(int fd) {
    pthread_mutex_lock(&owned.lock);
    owned.descriptors[fd / 64] &= ~(UINT64_C(1) << fd % 64);
    pthread_mutex_unlock(&owned.lock);
}

void curing_close(int fd) {
    curing_disown(fd);
    close(fd);
}

void curing_remember(curing_ring *ring) {
    pthread_mutex_lock(&owned.lock);
    ring->next = owned.rings;
    if (ring->next) ring->next->previous = ring;
    owned.rings = ring;
    pthread_mutex_unlock(&owned.lock);
}

void curing_forget(curing_ring *ring) {
    pthread_mutex_lock(&owned.lock);
    if (ring->next) ring->next->previous = ring->previous;
    if (ring->previous) ring->previous->next = ring->next;
    else if (owned.rings == ring) owned.rings = ring->next;
    pthread_mutex_unlock(&owned.lock);
}

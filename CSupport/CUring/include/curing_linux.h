// Linux calls that Swift's Glibc module does not show: clock, futex, eventfd, thread names, and
// the main queue of libdispatch.

#ifndef CURING_LINUX_H
#define CURING_LINUX_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#pragma clang assume_nonnull begin

// What a thread reads instead of CLOCK_MONOTONIC; null outside simulations. Written by the thread.
extern _Thread_local const uint64_t *_Nullable curing_clock __attribute__((tls_model("initial-exec")));

static inline void curing_use_clock(const uint64_t *_Nullable clock) { curing_clock = clock; }

// CLOCK_MONOTONIC in nanoseconds, in a simulation too.
static inline uint64_t curing_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// What everything here goes by: CLOCK_MONOTONIC, or the clock of the simulation that the thread runs.
static inline uint64_t curing_now(void) {
    if (__builtin_expect(curing_clock != NULL, 0)) return __atomic_load_n(curing_clock, __ATOMIC_RELAXED);
    return curing_monotonic();
}

// True in the child of a fork(2), and in its children, if the process used the library before.
// Written in the child while it has one thread.
extern bool curing_forked;
static inline bool curing_is_forked(void) { return curing_forked; }

// How many forks lie between this process and the one that used the library first. Written as above.
extern uint32_t curing_forks;
static inline uint32_t curing_fork_count(void) { return curing_forks; }

// Makes forks count from here on, as a descriptor of the library's own does. Any thread.
void curing_watch_forks(void);

// Takes an open descriptor into the library's own: those that the child of a fork must not share, and
// finds replaced by ones that lead nowhere. Returns 0 or -ENOMEM. Any thread.
int curing_own(int fd);

// Gives such a descriptor up, before it is closed. Any thread.
void curing_disown(int fd);

// The two in one. Any thread.
void curing_close(int fd);

// A close-on-exec eventfd(2) of the library's own, or a negative errno. For curing_close.
int curing_eventfd(void);

// A descriptor for a loop that hosts a ring: readable while the ring's descriptor is, and once an instant has come.
typedef struct curing_host {
    // An epoll(7) set, which is what the loop waits for.
    int fd;
    int timer;
    // The ring's descriptor, when it is in the set.
    int watched;
    // What the timer is set to.
    uint64_t due;
} curing_host;

// Returns 0 or a negative errno. For curing_host_destroy.
int curing_host_create(curing_host *host);

// Sets what it waits for: the descriptor of a ring, always the same ring's, and an instant of CLOCK_MONOTONIC in
// nanoseconds, 0 for at once and UINT64_MAX for never. Returns 0 or a negative errno. Two instants that are equal cost
// no system call.
int curing_host_arm(curing_host *host, int ring_fd, uint64_t due);

void curing_host_destroy(curing_host *host);

// A close-on-exec signalfd(2) for `signals`, or a negative errno.
int curing_signalfd(const sigset_t *signals);

// Takes SIGINT, if its default action is in force and nobody else has it: the first one adds to the eventfd that this returns,
// which stays the process's, and brings the default action back. -EBUSY when it cannot be taken, or another negative
// errno. Any thread.
int curing_take_interrupt(void);

// Gives SIGINT back, once after each success of the former. A handler that was installed meanwhile stays. Any thread.
void curing_give_interrupt(void);

// Takes what was added to that eventfd. Any thread.
void curing_acknowledge_interrupt(void);

// Adds one to an eventfd. Any thread, async-signal-safe.
void curing_eventfd_signal(int fd);

// What a signal writes to that was given to the second: an eventfd of the process, or a negative errno. Not
// thread-safe. The second installs a handler, which calls the one that was there before; 0 or a negative errno.
// In the child of a fork the handler does no more than that.
int curing_dump_descriptor(void);
int curing_install_dump_signal(int number);

// Sleeps while *word == expected, at most until `deadline` (nanoseconds of CLOCK_MONOTONIC;
// UINT64_MAX: no limit). Returns 0 when woken or on a spurious wake, -ETIMEDOUT, or -EAGAIN.
int curing_futex_wait(const uint32_t *word, uint32_t expected, uint64_t deadline);
void curing_futex_wake(const uint32_t *word);

static inline uint32_t curing_load_acquire(const uint32_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}
static inline void curing_store_release(uint32_t *word, uint32_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static inline uint64_t curing_load_relaxed(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}
static inline void curing_store_relaxed(uint64_t *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

// Names the calling thread (15 bytes at most are kept).
void curing_name_thread(const char *name);

// True on the thread that started the process.
bool curing_is_main_thread(void);

// A descriptor that is readable while libdispatch's main queue, and with it the MainActor, has work
// to do; -1 where libdispatch is absent.
int curing_main_queue_fd(void);

// Runs what the main queue holds. Main thread only.
void curing_main_queue_run(void);

#pragma clang assume_nonnull end

#endif

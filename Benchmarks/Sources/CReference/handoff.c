// Two threads that wake each other in turn, by what the kernel has for it and nothing else.

#include "reference.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef struct side {
    uint64_t count;
    int own, other;
    _Atomic uint32_t *own_word, *other_word;
} side;

static void signal_descriptor(int descriptor) {
    uint64_t one = 1;
    while (write(descriptor, &one, sizeof one) < 0 && errno == EINTR) {}
}

static void await_descriptor(int descriptor) {
    uint64_t value;
    while (read(descriptor, &value, sizeof value) < 0 && errno == EINTR) {}
}

static void *answer_descriptor(void *argument) {
    side *side = argument;
    for (uint64_t i = 0; i < side->count; i++) {
        await_descriptor(side->own);
        signal_descriptor(side->other);
    }
    return NULL;
}

int64_t reference_eventfd_handoff(uint64_t count) {
    int there = eventfd(0, EFD_CLOEXEC), back = eventfd(0, EFD_CLOEXEC);
    if (there < 0 || back < 0) return -errno;
    side side = {.count = count, .own = there, .other = back};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, answer_descriptor, &side);
    if (error) return -error;
    uint64_t start = reference_now();
    for (uint64_t i = 0; i < count; i++) {
        signal_descriptor(there);
        await_descriptor(back);
    }
    uint64_t elapsed = reference_now() - start;
    pthread_join(thread, NULL);
    close(there);
    close(back);
    return (int64_t)elapsed;
}

static void signal_word(_Atomic uint32_t *word) {
    atomic_store(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void await_word(_Atomic uint32_t *word) {
    while (atomic_exchange(word, 0) == 0) syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void *answer_word(void *argument) {
    side *side = argument;
    for (uint64_t i = 0; i < side->count; i++) {
        await_word(side->own_word);
        signal_word(side->other_word);
    }
    return NULL;
}

int64_t reference_futex_handoff(uint64_t count) {
    // On lines of their own.
    static _Alignas(64) _Atomic uint32_t there;
    static _Alignas(64) _Atomic uint32_t back;
    side side = {.count = count, .own_word = &there, .other_word = &back};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, answer_word, &side);
    if (error) return -error;
    uint64_t start = reference_now();
    for (uint64_t i = 0; i < count; i++) {
        signal_word(&there);
        await_word(&back);
    }
    uint64_t elapsed = reference_now() - start;
    pthread_join(thread, NULL);
    return (int64_t)elapsed;
}

// Two threads that wake each other in turn, by what the kernel has for it and nothing else.

#include "reference.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

// What one thread sleeps at. On a line of its own.
typedef struct bell {
    _Alignas(64) _Atomic uint32_t word;
    int descriptor;
} bell;

typedef struct means {
    void (*ring)(bell *bell);
    void (*await)(bell *bell);
} means;

static void write_descriptor(bell *bell) {
    uint64_t one = 1;
    while (write(bell->descriptor, &one, sizeof one) < 0 && errno == EINTR) {}
}

static void read_descriptor(bell *bell) {
    uint64_t value;
    while (read(bell->descriptor, &value, sizeof value) < 0 && errno == EINTR) {}
}

static void wake_word(bell *bell) {
    atomic_store(&bell->word, 1);
    syscall(SYS_futex, &bell->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void wait_for_word(bell *bell) {
    while (atomic_exchange(&bell->word, 0) == 0) {
        syscall(SYS_futex, &bell->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    }
}

typedef struct pair {
    const means *means;
    uint64_t count;
    bell there, back;
} pair;

static void *answer(void *argument) {
    pair *pair = argument;
    for (uint64_t i = 0; i < pair->count; i++) {
        pair->means->await(&pair->there);
        pair->means->ring(&pair->back);
    }
    return NULL;
}

static int64_t hand_over(pair *pair) {
    pthread_t thread;
    int error = pthread_create(&thread, NULL, answer, pair);
    if (error) return -error;
    uint64_t start = reference_now();
    for (uint64_t i = 0; i < pair->count; i++) {
        pair->means->ring(&pair->there);
        pair->means->await(&pair->back);
    }
    uint64_t elapsed = reference_now() - start;
    pthread_join(thread, NULL);
    return (int64_t)elapsed;
}

int64_t reference_eventfd_handoff(uint64_t count) {
    static const means by_descriptor = {write_descriptor, read_descriptor};
    pair pair = {.means = &by_descriptor, .count = count};
    pair.there.descriptor = eventfd(0, EFD_CLOEXEC);
    pair.back.descriptor = eventfd(0, EFD_CLOEXEC);
    int64_t elapsed = pair.there.descriptor < 0 || pair.back.descriptor < 0 ? -errno : hand_over(&pair);
    close(pair.there.descriptor);
    close(pair.back.descriptor);
    return elapsed;
}

int64_t reference_futex_handoff(uint64_t count) {
    static const means by_word = {wake_word, wait_for_word};
    pair pair = {.means = &by_word, .count = count};
    return hand_over(&pair);
}

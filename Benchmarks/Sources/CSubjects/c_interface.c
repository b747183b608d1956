// The library as a C program sees it, measured inside coroutines of a scheduler of their own.

#define _GNU_SOURCE

#include "subjects.h"

#include "../../../CSupport/CRinglet/include/ringlet.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

uint64_t reference_cpu(void);

enum { message_size = 64 };

// What one measurement works on. Its function runs in a coroutine and returns nanoseconds.
struct measurement {
    uint64_t count;
    int64_t (*body)(struct measurement *);
    int there[2], back[2];
    size_t capacity;
};

static int64_t call(void *argument) {
    struct measurement *measurement = argument;
    return measurement->body(measurement);
}

static int64_t measure(struct measurement measurement) {
    ringlet_scheduler *scheduler;
    int64_t result = 0;
    int32_t status = ringlet_scheduler_create(NULL, &scheduler);
    if (status) return status;
    uint64_t task;
    status = ringlet_scheduler_spawn(scheduler, call, &measurement, NULL, &task);
    if (!status) status = ringlet_task_join(task, &result, INT64_MAX);
    ringlet_scheduler_destroy(scheduler);
    return status ? status : result;
}

static int64_t join_and_release(uint64_t task) {
    int64_t result;
    int32_t status = ringlet_task_join(task, &result, INT64_MAX);
    ringlet_task_release(task);
    return status ? status : result;
}

// Yielding

static int64_t yield(void *argument) {
    uint64_t count = *(const uint64_t *)argument;
    for (uint64_t i = 0; i < count; i++) ringlet_yield();
    return 0;
}

static int64_t yield_in_pair(struct measurement *measurement) {
    uint64_t first, second;
    int32_t status = ringlet_spawn(yield, &measurement->count, NULL, &first);
    if (!status) status = ringlet_spawn(yield, &measurement->count, NULL, &second);
    if (status) return status;
    uint64_t start = reference_cpu();
    int64_t result = join_and_release(first);
    if (!result) result = join_and_release(second);
    return result ? result : (int64_t)(reference_cpu() - start);
}

int64_t subject_c_yield(uint64_t count) {
    return measure((struct measurement){.count = count, .body = yield_in_pair});
}

// Spawning

static int64_t do_nothing(void *argument) {
    (void)argument;
    return 0;
}

static int64_t spawn_and_join(struct measurement *measurement) {
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < measurement->count; i++) {
        uint64_t task;
        int32_t status = ringlet_spawn(do_nothing, NULL, NULL, &task);
        if (status) return status;
        int64_t result = join_and_release(task);
        if (result) return result;
    }
    return (int64_t)(reference_cpu() - start);
}

int64_t subject_c_spawn_join(uint64_t count) {
    return measure((struct measurement){.count = count, .body = spawn_and_join});
}

// Pipes

static int64_t answer(void *argument) {
    struct measurement *measurement = argument;
    char buffer[message_size];
    for (uint64_t i = 0; i < measurement->count; i++) {
        int64_t count = ringlet_read(measurement->there[0], buffer, sizeof buffer, -1, INT64_MAX);
        if (count < 0) return count;
        count = ringlet_write(measurement->back[1], buffer, (size_t)count, -1, INT64_MAX);
        if (count < 0) return count;
    }
    return 0;
}

static int64_t ask(struct measurement *measurement) {
    char buffer[message_size] = {0};
    uint64_t other;
    int32_t status = ringlet_spawn(answer, measurement, NULL, &other);
    if (status) return status;
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < measurement->count; i++) {
        int64_t count = ringlet_write(measurement->there[1], buffer, sizeof buffer, -1, INT64_MAX);
        if (count < 0) return count;
        count = ringlet_read(measurement->back[0], buffer, sizeof buffer, -1, INT64_MAX);
        if (count < 0) return count;
    }
    uint64_t elapsed = reference_cpu() - start;
    int64_t result = join_and_release(other);
    return result ? result : (int64_t)elapsed;
}

int64_t subject_c_pipe(uint64_t count) {
    struct measurement measurement = {.count = count, .body = ask};
    if (pipe2(measurement.there, O_CLOEXEC) || pipe2(measurement.back, O_CLOEXEC)) return -errno;
    int64_t result = measure(measurement);
    for (int i = 0; i < 2; i++) close(measurement.there[i]), close(measurement.back[i]);
    return result;
}

// The cheapest operation

static int64_t write_nothing(struct measurement *measurement) {
    static const char byte = 1;
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < measurement->count; i++) {
        int64_t count = ringlet_write(measurement->there[1], &byte, 1, 0, INT64_MAX);
        if (count < 0) return count;
    }
    return (int64_t)(reference_cpu() - start);
}

int64_t subject_c_null_write(uint64_t count) {
    int descriptor = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    int64_t result = measure(
        (struct measurement){.count = count, .body = write_nothing, .there = {-1, descriptor}});
    close(descriptor);
    return result;
}

// Meeting

static int64_t lock_and_unlock(struct measurement *measurement) {
    ringlet_mutex *mutex;
    int32_t status = ringlet_mutex_create(&mutex);
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; !status && i < measurement->count; i++) {
        status = ringlet_mutex_lock(mutex, INT64_MAX);
        if (!status) status = ringlet_mutex_unlock(mutex);
    }
    uint64_t elapsed = reference_cpu() - start;
    if (!status) status = ringlet_mutex_destroy(mutex);
    return status ? status : (int64_t)elapsed;
}

int64_t subject_c_mutex(uint64_t count) {
    return measure((struct measurement){.count = count, .body = lock_and_unlock});
}

static int64_t send_and_receive(struct measurement *measurement) {
    ringlet_channel *channel;
    void *item;
    int32_t status = ringlet_channel_create(8, NULL, &channel);
    if (status) return status;
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; !status && i < measurement->count; i++) {
        status = ringlet_channel_send(channel, measurement, INT64_MAX);
        if (!status) status = ringlet_channel_receive(channel, &item, INT64_MAX);
    }
    uint64_t elapsed = reference_cpu() - start;
    ringlet_channel_release(channel);
    return status ? status : (int64_t)elapsed;
}

int64_t subject_c_channel(uint64_t count) {
    return measure((struct measurement){.count = count, .body = send_and_receive});
}

static int64_t receive_all(void *channel) {
    void *item;
    int32_t status;
    do status = ringlet_channel_receive(channel, &item, INT64_MAX);
    while (!status);
    return status == -EPIPE ? 0 : status;
}

static int64_t stream(struct measurement *measurement) {
    ringlet_channel *channel;
    uint64_t receiver;
    int32_t status = ringlet_channel_create(measurement->capacity, NULL, &channel);
    if (!status) status = ringlet_spawn(receive_all, channel, NULL, &receiver);
    if (status) return status;
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; !status && i < measurement->count; i++) {
        status = ringlet_channel_send(channel, measurement, INT64_MAX);
    }
    ringlet_channel_close(channel);
    int64_t result = join_and_release(receiver);
    uint64_t elapsed = reference_cpu() - start;
    ringlet_channel_release(channel);
    return status ? status : result ? result : (int64_t)elapsed;
}

int64_t subject_c_stream_buffered(uint64_t count) {
    return measure((struct measurement){.count = count, .body = stream, .capacity = 128});
}

int64_t subject_c_stream_rendezvous(uint64_t count) {
    return measure((struct measurement){.count = count, .body = stream, .capacity = 0});
}

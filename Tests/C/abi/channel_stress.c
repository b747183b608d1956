/* 100,000 items through one channel, from four threads and four tasks on two workers, half of which send
   and half of which receive. Each arrives once, and those of one sender in order. */

#include "check.h"

#include <pthread.h>

enum { items = 100000, senders = 4, receivers = 4, share = items / senders };

static ringlet_channel *channel;
static uint8_t seen[items];
static int64_t received;
/* How long a wait lasts, in nanoseconds; 0 is for ever. */
static int64_t patience;

static int64_t limit(void) { return patience ? ringlet_now() + patience : soon(); }

/* Item i of sender s is s * share + i. */
static int64_t send_share(void *user_data)
{
    int64_t first = (intptr_t)user_data * share;
    for (int64_t i = first; i < first + share; i++) {
        int32_t status;
        while ((status = ringlet_channel_send(channel, as_pointer(i), limit())) == -ETIMEDOUT) {
            REQUIRE(patience);
        }
        REQUIRE_EQUAL(status, 0);
    }
    return 0;
}

static int64_t receive_all(void *user_data)
{
    int64_t last[senders] = {-1, -1, -1, -1};
    void *item = NULL;
    int32_t status;
    (void)user_data;
    while ((status = ringlet_channel_receive(channel, &item, limit())) != -EPIPE) {
        if (patience && status == -ETIMEDOUT) continue;
        REQUIRE_EQUAL(status, 0);
        int64_t number = (intptr_t)item, sender = number / share;
        REQUIRE(number >= 0 && number < items);
        REQUIRE(__atomic_fetch_add(&seen[number], 1, __ATOMIC_RELAXED) == 0);
        /* One that is refused at the last moment goes to another receiver, which may be further. */
        REQUIRE(patience || last[sender] < number);
        last[sender] = number;
        __atomic_fetch_add(&received, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static void *send_outside(void *number) { return as_pointer(send_share(number)); }
static void *receive_outside(void *number) { return as_pointer(receive_all(number)); }

static void exchange(ringlet_scheduler *scheduler, size_t capacity)
{
    pthread_t threads[4];
    uint64_t tasks[4];
    REQUIRE_EQUAL(ringlet_channel_create(capacity, NULL, &channel), 0);
    memset(seen, 0, sizeof seen);
    received = 0;
    for (int i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, send_outside, as_pointer(i)) == 0);
        REQUIRE(pthread_create(&threads[2 + i], NULL, receive_outside, NULL) == 0);
        tasks[i] = spawn(scheduler, send_share, as_pointer(2 + i));
        tasks[2 + i] = spawn(scheduler, receive_all, NULL);
    }
    for (int i = 0; i < 2; i++) REQUIRE_EQUAL(ringlet_task_join(tasks[i], NULL, INT64_MAX), 0);
    for (int i = 0; i < 2; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    REQUIRE_EQUAL(ringlet_channel_close(channel), 0);
    for (int i = 2; i < 4; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 4; i++) REQUIRE_EQUAL(join_and_release(tasks[i]), 0);
    REQUIRE_EQUAL(received, items);
    for (int i = 0; i < items; i++) REQUIRE_EQUAL(seen[i], 1);
    ringlet_channel_release(channel);
}

int main(void)
{
    ringlet_scheduler *scheduler = make_scheduler(2);
    exchange(scheduler, 16);
    exchange(scheduler, 0);
    /* Deadlines that pass while items are handed over. */
    patience = 20000;
    exchange(scheduler, 2);
    end_scheduler(scheduler);
    return 0;
}

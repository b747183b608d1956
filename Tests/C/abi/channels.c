/* Pointers between tasks and threads: what is sent is received once, and what is not is the sender's. */

#include "check.h"

#include <pthread.h>

static ringlet_channel *make_channel(size_t capacity, void (*drop)(void *item))
{
    ringlet_channel *channel = NULL;
    REQUIRE_EQUAL(ringlet_channel_create(capacity, drop, &channel), 0);
    return channel;
}

static intptr_t receive(ringlet_channel *channel)
{
    void *item = NULL;
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, soon()), 0);
    return (intptr_t)item;
}

static intptr_t dropped;

static void add_up(void *item) { dropped = dropped * 10 + (intptr_t)item; }

/* Without a scheduler. */
static void buffer(void)
{
    ringlet_channel *channel = make_channel(2, add_up);
    void *item = as_pointer(99);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, &item), -EAGAIN);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL((intptr_t)item, 99);
    REQUIRE_EQUAL(ringlet_channel_send(channel, as_pointer(1), 0), 0);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, NULL), 0);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, as_pointer(3)), -EAGAIN);
    REQUIRE_EQUAL(ringlet_channel_send(channel, as_pointer(3), 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_channel_send(channel, as_pointer(3), after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL(receive(channel), 1);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, 0), 0);
    REQUIRE(item == NULL);

    /* What is there can be received after the end. */
    REQUIRE_EQUAL(ringlet_channel_send(channel, as_pointer(4), INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_channel_send(channel, as_pointer(5), INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_channel_close(channel), 0);
    REQUIRE_EQUAL(ringlet_channel_close(channel), 0);
    REQUIRE_EQUAL(ringlet_channel_send(channel, as_pointer(6), INT64_MAX), -EPIPE);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, as_pointer(6)), -EPIPE);
    REQUIRE_EQUAL(receive(channel), 4);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, &item), 0);
    REQUIRE_EQUAL((intptr_t)item, 5);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, INT64_MAX), -EPIPE);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, &item), -EPIPE);
    ringlet_channel_release(channel);
    REQUIRE_EQUAL(dropped, 0);
}

/* The last reference drops what is left, oldest first. */
static void leave(void)
{
    ringlet_channel *channel = make_channel(SIZE_MAX, add_up);
    for (int i = 1; i <= 4; i++) REQUIRE_EQUAL(ringlet_channel_try_send(channel, as_pointer(i)), 0);
    REQUIRE_EQUAL(receive(channel), 1);
    REQUIRE_EQUAL(ringlet_channel_retain(channel), 0);
    ringlet_channel_release(channel);
    REQUIRE_EQUAL(dropped, 0);
    ringlet_channel_release(channel);
    REQUIRE_EQUAL(dropped, 234);
    channel = make_channel(1, NULL);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, channel), 0);
    ringlet_channel_release(channel);
    ringlet_channel_release(NULL);
}

static void refuse_null(void)
{
    ringlet_channel *channel = make_channel(1, NULL);
    void *item = NULL;
    REQUIRE_EQUAL(ringlet_channel_create(1, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_send(NULL, &item, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_try_send(NULL, &item), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_receive(NULL, &item, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_try_receive(NULL, &item), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_close(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_retain(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, &item), 0);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, &item), 0);
    ringlet_channel_release(channel);
}

static ringlet_channel *shared;
static int64_t limit;

static int64_t send_inside(void *item) { return ringlet_channel_send(shared, item, limit); }

static int64_t receive_inside(void *user_data)
{
    void *item = as_pointer(-1);
    int32_t status = ringlet_channel_receive(shared, &item, limit);
    (void)user_data;
    if (status < 0) REQUIRE_EQUAL((intptr_t)item, -1);
    return status < 0 ? status : (intptr_t)item;
}

static void *send_outside(void *item) { return as_pointer(send_inside(item)); }
static void *receive_outside(void *user_data) { return as_pointer(receive_inside(user_data)); }

static intptr_t end_of(pthread_t thread)
{
    void *result;
    REQUIRE(pthread_join(thread, &result) == 0);
    return (intptr_t)result;
}

/* A rendezvous of each kind of sender with each kind of receiver. */
static void meet(ringlet_scheduler *scheduler)
{
    shared = make_channel(0, NULL);
    limit = soon();
    for (int i = 0; i < 50; i++) {
        pthread_t sender, receiver;
        uint64_t task = spawn(scheduler, send_inside, as_pointer(i));
        REQUIRE_EQUAL(receive(shared), i);
        REQUIRE_EQUAL(join_and_release(task), 0);

        task = spawn(scheduler, receive_inside, NULL);
        REQUIRE_EQUAL(ringlet_channel_send(shared, as_pointer(i), limit), 0);
        REQUIRE_EQUAL(join_and_release(task), i);

        uint64_t other = spawn(scheduler, receive_inside, NULL);
        task = spawn(scheduler, send_inside, as_pointer(i));
        REQUIRE_EQUAL(join_and_release(task), 0);
        REQUIRE_EQUAL(join_and_release(other), i);

        REQUIRE(pthread_create(&receiver, NULL, receive_outside, NULL) == 0);
        REQUIRE(pthread_create(&sender, NULL, send_outside, as_pointer(i)) == 0);
        REQUIRE_EQUAL(end_of(sender), 0);
        REQUIRE_EQUAL(end_of(receiver), i);
    }
    ringlet_channel_release(shared);
}

/* Until as many wait as were spawned: whoever waits to send has made the channel look full. */
static void settle(uint64_t task)
{
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, after_milliseconds(20)), -ETIMEDOUT);
}

/* Waits that end early have sent nothing, and have taken nothing. */
static void end_early(ringlet_scheduler *scheduler)
{
    void *item = NULL;
    pthread_t thread;
    shared = make_channel(1, NULL);

    limit = after_milliseconds(5);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, receive_inside, NULL)), -ETIMEDOUT);
    limit = 0;
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, receive_inside, NULL)), -ETIMEDOUT);
    limit = INT64_MAX;
    uint64_t task = spawn(scheduler, receive_inside, NULL);
    settle(task);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);

    REQUIRE_EQUAL(ringlet_channel_try_send(shared, as_pointer(1)), 0);
    limit = after_milliseconds(5);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, send_inside, as_pointer(2))), -ETIMEDOUT);
    limit = INT64_MAX;
    task = spawn(scheduler, send_inside, as_pointer(3));
    settle(task);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);

    /* The close ends waits of both kinds, in tasks and threads. */
    task = spawn(scheduler, send_inside, as_pointer(4));
    REQUIRE(pthread_create(&thread, NULL, send_outside, as_pointer(5)) == 0);
    settle(task);
    REQUIRE_EQUAL(ringlet_channel_close(shared), 0);
    REQUIRE_EQUAL(join_and_release(task), -EPIPE);
    REQUIRE_EQUAL(end_of(thread), -EPIPE);
    REQUIRE_EQUAL(receive(shared), 1);
    REQUIRE_EQUAL(ringlet_channel_try_receive(shared, &item), -EPIPE);
    ringlet_channel_release(shared);

    shared = make_channel(0, NULL);
    task = spawn(scheduler, receive_inside, NULL);
    REQUIRE(pthread_create(&thread, NULL, receive_outside, NULL) == 0);
    settle(task);
    REQUIRE_EQUAL(ringlet_channel_close(shared), 0);
    REQUIRE_EQUAL(join_and_release(task), -EPIPE);
    REQUIRE_EQUAL(end_of(thread), -EPIPE);
    ringlet_channel_release(shared);
}

static int64_t use_when_cancelled(void *user_data)
{
    void *item = NULL;
    (void)user_data;
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -ECANCELED);
    /* Only what would wait is refused. */
    REQUIRE_EQUAL(ringlet_channel_receive(shared, &item, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_channel_receive(shared, &item, 0), -ECANCELED);
    REQUIRE_EQUAL(ringlet_channel_send(shared, as_pointer(7), INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_channel_send(shared, as_pointer(8), INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_channel_receive(shared, &item, INT64_MAX), 0);
    return (intptr_t)item;
}

static void go_on_cancelled(ringlet_scheduler *scheduler)
{
    shared = make_channel(1, NULL);
    uint64_t task = spawn(scheduler, use_when_cancelled, NULL);
    settle(task);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), 7);
    ringlet_channel_release(shared);
}

int main(void)
{
    buffer();
    leave();
    refuse_null();
    ringlet_scheduler *scheduler = make_scheduler(2);
    meet(scheduler);
    end_early(scheduler);
    go_on_cancelled(scheduler);
    end_scheduler(scheduler);
    return 0;
}

/* In the child of a fork what tasks and threads meet at says RINGLET_E_FORK, and the parent's goes on. */

#include "check.h"

static ringlet_scheduler *scheduler;
static ringlet_channel *channel;
static ringlet_semaphore *semaphore;
static ringlet_mutex *mutex;
static ringlet_event *event;
static ringlet_group *group;

/* What needs no scheduler is refused as well: a thread that is not here may have been in the middle of it. */
static void refuse_shared(void)
{
    void *item = NULL;
    ringlet_channel *other = NULL;
    REQUIRE_EQUAL(ringlet_channel_create(1, NULL, &other), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_channel_send(channel, NULL, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, NULL), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, &item), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_channel_close(channel), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_channel_retain(channel), RINGLET_E_FORK);
    ringlet_channel_release(channel);
    ringlet_channel_release(channel);
    REQUIRE_EQUAL(ringlet_semaphore_create(1, &semaphore), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_semaphore_acquire(semaphore, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_semaphore_release(semaphore), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_semaphore_destroy(semaphore), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_mutex_create(&mutex), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_mutex_lock(mutex, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_mutex_try_lock(mutex), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_mutex_destroy(mutex), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_event_create(&event), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_event_wait(event, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_event_set(event), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_event_clear(event), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_event_is_set(event), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_event_destroy(event), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_group_create(&group), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_group_wait(group, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_group_cancel(group), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_group_destroy(group), RINGLET_E_FORK);
}

static int64_t wait_for_event(void *user_data)
{
    (void)user_data;
    return ringlet_event_wait(event, INT64_MAX);
}

static void make_shared(void)
{
    REQUIRE_EQUAL(ringlet_channel_create(1, NULL, &channel), 0);
    REQUIRE_EQUAL(ringlet_semaphore_create(1, &semaphore), 0);
    REQUIRE_EQUAL(ringlet_mutex_create(&mutex), 0);
    REQUIRE_EQUAL(ringlet_event_create(&event), 0);
    REQUIRE_EQUAL(ringlet_group_create(&group), 0);
}

/* The parent's are as before the fork. */
static void end_shared(void)
{
    void *item = NULL;
    uint64_t waiter = spawn(scheduler, wait_for_event, NULL);
    REQUIRE_EQUAL(status_in_child(refuse_shared), 0);
    REQUIRE_EQUAL(ringlet_channel_try_receive(channel, &item), -EAGAIN);
    REQUIRE_EQUAL(ringlet_channel_try_send(channel, NULL), 0);
    ringlet_channel_release(channel);
    REQUIRE_EQUAL(ringlet_semaphore_acquire(semaphore, 0), 0);
    REQUIRE_EQUAL(ringlet_semaphore_destroy(semaphore), 0);
    REQUIRE_EQUAL(ringlet_mutex_lock(mutex, 0), 0);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), 0);
    REQUIRE_EQUAL(ringlet_mutex_destroy(mutex), 0);
    REQUIRE_EQUAL(ringlet_event_set(event), 0);
    REQUIRE_EQUAL(join_and_release(waiter), 0);
    REQUIRE_EQUAL(ringlet_event_destroy(event), 0);
    REQUIRE_EQUAL(ringlet_group_wait(group, 0), 0);
    REQUIRE_EQUAL(ringlet_group_destroy(group), 0);
}

int main(void)
{
    /* Before there was a scheduler. */
    make_shared();
    REQUIRE_EQUAL(status_in_child(refuse_shared), 0);
    scheduler = make_scheduler(2);
    end_shared();
    end_scheduler(scheduler);
    return 0;
}

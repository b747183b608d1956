/* Semaphores, mutexes and events, between tasks and threads. */

#include "check.h"

#include <pthread.h>

enum { rounds = 20000, strands = 4 };

static ringlet_semaphore *semaphore;
static ringlet_mutex *mutex;
static ringlet_event *event;
static int64_t limit;

static int64_t acquire(void *user_data)
{
    (void)user_data;
    return ringlet_semaphore_acquire(semaphore, limit);
}

static int64_t lock(void *user_data)
{
    (void)user_data;
    return ringlet_mutex_lock(mutex, limit);
}

static int64_t wait_for_event(void *user_data)
{
    (void)user_data;
    return ringlet_event_wait(event, limit);
}

static void refuse_null(void)
{
    REQUIRE_EQUAL(ringlet_semaphore_create(1, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_semaphore_acquire(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_semaphore_release(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_semaphore_destroy(NULL), 0);
    REQUIRE_EQUAL(ringlet_mutex_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_mutex_lock(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_mutex_try_lock(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_mutex_unlock(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_mutex_destroy(NULL), 0);
    REQUIRE_EQUAL(ringlet_event_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_event_set(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_event_clear(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_event_is_set(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_event_wait(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_event_destroy(NULL), 0);
}

/* On a plain thread, without a scheduler. */
static void use_alone(void)
{
    REQUIRE_EQUAL(ringlet_semaphore_create(2, &semaphore), 0);
    REQUIRE_EQUAL(ringlet_semaphore_acquire(semaphore, 0), 0);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), 0);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), -EAGAIN);
    REQUIRE_EQUAL(ringlet_semaphore_acquire(semaphore, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_semaphore_acquire(semaphore, after_milliseconds(5)), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) REQUIRE_EQUAL(ringlet_semaphore_release(semaphore), 0);
    for (int i = 0; i < 3; i++) REQUIRE_EQUAL(ringlet_semaphore_acquire(semaphore, 0), 0);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), -EAGAIN);
    REQUIRE_EQUAL(ringlet_semaphore_destroy(semaphore), 0);

    REQUIRE_EQUAL(ringlet_mutex_create(&mutex), 0);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), -EPERM);
    REQUIRE_EQUAL(ringlet_mutex_lock(mutex, INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_mutex_try_lock(mutex), -EAGAIN);
    REQUIRE_EQUAL(ringlet_mutex_lock(mutex, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_mutex_lock(mutex, after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_mutex_destroy(mutex), -EBUSY);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), 0);
    REQUIRE_EQUAL(ringlet_mutex_try_lock(mutex), 0);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), 0);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), -EPERM);
    REQUIRE_EQUAL(ringlet_mutex_destroy(mutex), 0);

    REQUIRE_EQUAL(ringlet_event_create(&event), 0);
    REQUIRE_EQUAL(ringlet_event_is_set(event), 0);
    REQUIRE_EQUAL(ringlet_event_wait(event, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_event_wait(event, after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_event_set(event), 0);
    REQUIRE_EQUAL(ringlet_event_set(event), 0);
    REQUIRE_EQUAL(ringlet_event_is_set(event), 1);
    REQUIRE_EQUAL(ringlet_event_wait(event, 0), 0);
    REQUIRE_EQUAL(ringlet_event_clear(event), 0);
    REQUIRE_EQUAL(ringlet_event_wait(event, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_event_destroy(event), 0);
}

/* Joins in vain for a while, after which the task waits, with few exceptions that change nothing. */
static void settle(uint64_t task)
{
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, after_milliseconds(20)), -ETIMEDOUT);
}

/* A wait in a task ends by its deadline, by cancellation, or with what it waits for. */
static void wait_each_way(ringlet_scheduler *scheduler, ringlet_function body, int32_t (*destroy)(void),
                          int32_t (*give)(void))
{
    limit = 0;
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, body, NULL)), -ETIMEDOUT);
    limit = after_milliseconds(5);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, body, NULL)), -ETIMEDOUT);
    limit = INT64_MAX;
    uint64_t task = spawn(scheduler, body, NULL);
    settle(task);
    REQUIRE_EQUAL(destroy(), -EBUSY);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    task = spawn(scheduler, body, NULL);
    settle(task);
    REQUIRE_EQUAL(give(), 0);
    REQUIRE_EQUAL(join_and_release(task), 0);
}

static int32_t destroy_semaphore(void) { return ringlet_semaphore_destroy(semaphore); }
static int32_t destroy_mutex(void) { return ringlet_mutex_destroy(mutex); }
static int32_t destroy_event(void) { return ringlet_event_destroy(event); }
static int32_t give_permit(void) { return ringlet_semaphore_release(semaphore); }
static int32_t give_mutex(void) { return ringlet_mutex_unlock(mutex); }
static int32_t give_event(void) { return ringlet_event_set(event); }

static void wait_inside(ringlet_scheduler *scheduler)
{
    REQUIRE_EQUAL(ringlet_semaphore_create(0, &semaphore), 0);
    wait_each_way(scheduler, acquire, destroy_semaphore, give_permit);
    REQUIRE_EQUAL(destroy_semaphore(), 0);
    REQUIRE_EQUAL(ringlet_mutex_create(&mutex), 0);
    REQUIRE_EQUAL(ringlet_mutex_lock(mutex, 0), 0);
    wait_each_way(scheduler, lock, destroy_mutex, give_mutex);
    /* The task has it, and has ended. */
    REQUIRE_EQUAL(ringlet_mutex_try_lock(mutex), -EAGAIN);
    REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), 0);
    REQUIRE_EQUAL(destroy_mutex(), 0);
    REQUIRE_EQUAL(ringlet_event_create(&event), 0);
    wait_each_way(scheduler, wait_for_event, destroy_event, give_event);
    REQUIRE_EQUAL(destroy_event(), 0);
}

/* A count that is wrong unless one strand at a time adds to it, also over a wait. */
static int counter, holders;

static int64_t add_under_mutex(void *user_data)
{
    int is_task = user_data != NULL;
    for (int i = 0; i < rounds; i++) {
        REQUIRE_EQUAL(ringlet_mutex_lock(mutex, soon()), 0);
        REQUIRE_EQUAL(holders++, 0);
        int seen = counter;
        if (is_task && i % 64 == 0) REQUIRE_EQUAL(ringlet_yield(), 0);
        counter = seen + 1;
        REQUIRE_EQUAL(--holders, 0);
        REQUIRE_EQUAL(ringlet_mutex_unlock(mutex), 0);
    }
    return 0;
}

static int64_t pass_permits(void *user_data)
{
    int64_t patience = user_data ? 20000 : 50000;
    for (int i = 0; i < rounds; i++) {
        int32_t status;
        while ((status = ringlet_semaphore_acquire(semaphore, ringlet_now() + patience)) == -ETIMEDOUT) {}
        REQUIRE_EQUAL(status, 0);
        int inside = __atomic_add_fetch(&holders, 1, __ATOMIC_RELAXED);
        REQUIRE(inside >= 1 && inside <= 2);
        if (user_data && i % 16 == 0) REQUIRE_EQUAL(ringlet_yield(), 0);
        __atomic_sub_fetch(&holders, 1, __ATOMIC_RELAXED);
        REQUIRE_EQUAL(ringlet_semaphore_release(semaphore), 0);
    }
    return 0;
}

static void *add_outside(void *user_data) { return as_pointer(add_under_mutex(user_data)); }
static void *pass_outside(void *user_data) { return as_pointer(pass_permits(user_data)); }

static void compete(ringlet_scheduler *scheduler, ringlet_function inside, void *(*outside)(void *))
{
    pthread_t threads[strands];
    uint64_t tasks[strands];
    for (int i = 0; i < strands; i++) {
        tasks[i] = spawn(scheduler, inside, as_pointer(1));
        REQUIRE(pthread_create(&threads[i], NULL, outside, NULL) == 0);
    }
    for (int i = 0; i < strands; i++) {
        REQUIRE(pthread_join(threads[i], NULL) == 0);
        REQUIRE_EQUAL(ringlet_task_join(tasks[i], NULL, INT64_MAX), 0);
        REQUIRE_EQUAL(join_and_release(tasks[i]), 0);
    }
}

static void exclude(ringlet_scheduler *scheduler)
{
    REQUIRE_EQUAL(ringlet_mutex_create(&mutex), 0);
    compete(scheduler, add_under_mutex, add_outside);
    REQUIRE_EQUAL(counter, 2 * strands * rounds);
    REQUIRE_EQUAL(destroy_mutex(), 0);

    /* Deadlines that pass while permits are handed over lose none. */
    REQUIRE_EQUAL(ringlet_semaphore_create(2, &semaphore), 0);
    compete(scheduler, pass_permits, pass_outside);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), 0);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), 0);
    REQUIRE_EQUAL(ringlet_semaphore_try_acquire(semaphore), -EAGAIN);
    REQUIRE_EQUAL(destroy_semaphore(), 0);
}

/* Who was woken destroys what it waited for, while the call that woke it may not have returned. */
static ringlet_channel *events;

static int64_t set_all(void *user_data)
{
    void *item = NULL;
    (void)user_data;
    while (ringlet_channel_receive(events, &item, INT64_MAX) == 0) {
        REQUIRE_EQUAL(ringlet_event_set(item), 0);
    }
    return 0;
}

static int64_t wait_and_destroy(void *user_data)
{
    (void)user_data;
    for (int i = 0; i < rounds; i++) {
        ringlet_event *own = NULL;
        REQUIRE_EQUAL(ringlet_event_create(&own), 0);
        REQUIRE_EQUAL(ringlet_channel_send(events, own, soon()), 0);
        REQUIRE_EQUAL(ringlet_event_wait(own, soon()), 0);
        REQUIRE_EQUAL(ringlet_event_destroy(own), 0);
    }
    return 0;
}

static void *wait_and_destroy_outside(void *user_data)
{
    return as_pointer(wait_and_destroy(user_data));
}

static void destroy_at_once(ringlet_scheduler *scheduler)
{
    pthread_t thread;
    REQUIRE_EQUAL(ringlet_channel_create(1, NULL, &events), 0);
    uint64_t setter = spawn(scheduler, set_all, NULL);
    uint64_t waiter = spawn(scheduler, wait_and_destroy, NULL);
    REQUIRE(pthread_create(&thread, NULL, wait_and_destroy_outside, NULL) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    REQUIRE_EQUAL(ringlet_task_join(waiter, NULL, INT64_MAX), 0);
    REQUIRE_EQUAL(join_and_release(waiter), 0);
    REQUIRE_EQUAL(ringlet_channel_close(events), 0);
    REQUIRE_EQUAL(join_and_release(setter), 0);
    ringlet_channel_release(events);
}

/* Setting wakes everybody, also when it is cleared at once. */
static void wake_all(ringlet_scheduler *scheduler)
{
    uint64_t tasks[8];
    REQUIRE_EQUAL(ringlet_event_create(&event), 0);
    limit = soon();
    for (int i = 0; i < 8; i++) tasks[i] = spawn(scheduler, wait_for_event, NULL);
    for (int i = 0; i < 8; i++) settle(tasks[i]);
    REQUIRE_EQUAL(ringlet_event_set(event), 0);
    REQUIRE_EQUAL(ringlet_event_clear(event), 0);
    for (int i = 0; i < 8; i++) REQUIRE_EQUAL(join_and_release(tasks[i]), 0);
    REQUIRE_EQUAL(ringlet_event_is_set(event), 0);
    REQUIRE_EQUAL(destroy_event(), 0);
}

int main(void)
{
    refuse_null();
    use_alone();
    ringlet_scheduler *scheduler = make_scheduler(2);
    wait_inside(scheduler);
    wake_all(scheduler);
    exclude(scheduler);
    destroy_at_once(scheduler);
    end_scheduler(scheduler);
    return 0;
}

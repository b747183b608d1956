/* Ends that code outside the library brings about, under the ids of tasks. */

#include "check.h"

#include <pthread.h>

enum { count = 1000, resolvers = 4 };

static uint64_t make_promise(void)
{
    uint64_t promise = 0;
    REQUIRE_EQUAL(ringlet_promise_create(&promise), 0);
    REQUIRE(promise != 0);
    return promise;
}

static int64_t join_inside(void *user_data)
{
    int64_t result = 0;
    int32_t status = ringlet_task_join(*(uint64_t *)user_data, &result, soon());
    return status < 0 ? status : result;
}

static void *join_outside(void *user_data) { return as_pointer(join_inside(user_data)); }

static uint64_t promises[count];
static int data[count], resolved[count];

/* All of them try each promise, and one of them succeeds. */
static void *resolve_all(void *user_data)
{
    (void)user_data;
    for (int i = 0; i < count; i++) {
        __atomic_store_n(&data[i], i + 1, __ATOMIC_RELAXED);
        int32_t status = ringlet_promise_resolve(promises[i], i);
        REQUIRE(status == 0 || status == -EALREADY);
        if (status == 0) __atomic_fetch_add(&resolved[i], 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static int64_t join_all(void *user_data)
{
    (void)user_data;
    for (int i = 0; i < count; i++) {
        REQUIRE_EQUAL(join(promises[i]), i);
        REQUIRE_EQUAL(__atomic_load_n(&data[i], __ATOMIC_RELAXED), i + 1);
    }
    return 0;
}

/* Threads resolve, tasks and a thread join, and a queue is told each once. */
static void exchange(ringlet_scheduler *scheduler)
{
    pthread_t threads[resolvers];
    uint64_t tasks[3];
    ringlet_queue *queue = NULL;
    ringlet_completion record;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    for (int i = 0; i < count; i++) {
        promises[i] = make_promise();
        REQUIRE_EQUAL(ringlet_task_notify(promises[i], queue, (uint64_t)i), 0);
    }
    for (int i = 0; i < 3; i++) tasks[i] = spawn(scheduler, join_all, NULL);
    for (int i = 0; i < resolvers; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, resolve_all, NULL) == 0);
    }
    REQUIRE_EQUAL(join_all(NULL), 0);
    for (int i = 0; i < resolvers; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 3; i++) REQUIRE_EQUAL(join_and_release(tasks[i]), 0);
    for (int i = 0; i < count; i++) {
        REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, soon()), 1);
        REQUIRE_EQUAL(record.result, (int64_t)record.user_data);
        REQUIRE(record.task == promises[record.user_data]);
        REQUIRE_EQUAL(resolved[record.user_data]++, 1);
    }
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 0);
    for (int i = 0; i < count; i++) REQUIRE_EQUAL(ringlet_task_release(promises[i]), 0);
    ringlet_queue_destroy(queue);
}

static int64_t wait_in_vain(void *user_data)
{
    uint64_t promise = *(uint64_t *)user_data;
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, after_milliseconds(5)), -ETIMEDOUT);
    return ringlet_task_join(promise, NULL, INT64_MAX);
}

/* Cancelling and releasing end a promise, whoever waits; the end of who waits does not. */
static void end_early(ringlet_scheduler *scheduler)
{
    uint64_t promise = make_promise();
    uint64_t task = spawn(scheduler, wait_in_vain, &promise);
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    int64_t result = join_and_release(task);
    REQUIRE(result == -ECANCELED);

    task = spawn(scheduler, join_inside, &promise);
    REQUIRE_EQUAL(ringlet_task_cancel(promise), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    REQUIRE_EQUAL(join(promise), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_cancel(promise), 0);
    REQUIRE_EQUAL(ringlet_promise_resolve(promise, 1), -EALREADY);
    REQUIRE_EQUAL(join(promise), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_release(promise), 0);

    pthread_t thread;
    void *seen = NULL;
    ringlet_queue *queue = NULL;
    ringlet_completion record;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    uint64_t released = make_promise();
    REQUIRE_EQUAL(ringlet_task_notify(released, queue, 7), 0);
    REQUIRE(pthread_create(&thread, NULL, join_outside, &released) == 0);
    uint64_t copy = released;
    REQUIRE_EQUAL(ringlet_task_join(copy, NULL, after_milliseconds(20)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_release(copy), 0);
    REQUIRE(pthread_join(thread, &seen) == 0);
    /* The thread was there before the release, or came too late. */
    REQUIRE((intptr_t)seen == -ECANCELED || (intptr_t)seen == -ESRCH);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 1);
    REQUIRE_EQUAL(record.result, -ECANCELED);
    REQUIRE_EQUAL(record.user_data, 7);
    REQUIRE_EQUAL(ringlet_promise_resolve(copy, 1), -ESRCH);
    REQUIRE_EQUAL(ringlet_task_release(copy), -ESRCH);
    ringlet_queue_destroy(queue);
}

int main(void)
{
    /* Without a scheduler. */
    uint64_t promise = make_promise();
    REQUIRE_EQUAL(ringlet_promise_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_promise_resolve(0, 1), -ESRCH);
    REQUIRE_EQUAL(ringlet_promise_resolve(promise, INT64_MIN), 0);
    REQUIRE_EQUAL(ringlet_promise_resolve(promise, 1), -EALREADY);
    REQUIRE_EQUAL(join(promise), INT64_MIN);
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, 0), 0);
    REQUIRE_EQUAL(ringlet_task_release(promise), 0);

    ringlet_scheduler *scheduler = make_scheduler(2);
    uint64_t task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_promise_resolve(task, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    exchange(scheduler);
    end_early(scheduler);
    end_scheduler(scheduler);
    return 0;
}

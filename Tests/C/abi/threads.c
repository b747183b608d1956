/* Eight plain threads spawn, join, cancel and release at the same time. */

#include "check.h"

#include <pthread.h>

enum { thread_count = 8, rounds = 300 };

static ringlet_scheduler *scheduler;
static uint64_t shared_task;

static int64_t sleep_a_little(void *user_data)
{
    REQUIRE_EQUAL(ringlet_sleep_until(ringlet_now() + 50000), 0);
    return (int64_t)(intptr_t)user_data;
}

static void *work(void *argument)
{
    int64_t number = (int64_t)(intptr_t)argument;
    /* All join the same task, which ends once all may be waiting. */
    REQUIRE_EQUAL(join(shared_task), 99);
    for (int i = 0; i < rounds; i++) {
        uint64_t task = spawn(scheduler, sleep_a_little, as_pointer(number + i));
        if (i % 3 == 0) {
            uint64_t sleeper = spawn(scheduler, sleep_for_ever, NULL);
            REQUIRE_EQUAL(ringlet_task_join(sleeper, NULL, ringlet_now() + 10000), -ETIMEDOUT);
            REQUIRE_EQUAL(ringlet_task_cancel(sleeper), 0);
            REQUIRE_EQUAL(join_and_release(sleeper), -ECANCELED);
        }
        REQUIRE_EQUAL(join_and_release(task), number + i);
    }
    return NULL;
}

static int64_t end_later(void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(30)), 0);
    return 99;
}

int main(void)
{
    pthread_t threads[thread_count];
    scheduler = make_scheduler(2);
    shared_task = spawn(scheduler, end_later, NULL);
    for (int i = 0; i < thread_count; i++) {
        REQUIRE(pthread_create(&threads[i], NULL, work, as_pointer(i * 1000)) == 0);
    }
    for (int i = 0; i < thread_count; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    REQUIRE_EQUAL(ringlet_task_release(shared_task), 0);
    end_scheduler(scheduler);
    return 0;
}

#include "check.h"

static int64_t own_id(void *user_data)
{
    *(uint64_t *)user_data = ringlet_task_current();
    return 0;
}

static int64_t sleep_briefly(void *user_data)
{
    int *done = user_data;
    REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(20)), 0);
    /* Released meanwhile: there is no id any more. */
    REQUIRE_EQUAL(ringlet_task_current(), 0);
    __atomic_store_n(done, 1, __ATOMIC_RELEASE);
    return 0;
}

static void require_stale(uint64_t task)
{
    int64_t result = 77;
    REQUIRE_EQUAL(ringlet_task_join(task, &result, 0), -ESRCH);
    REQUIRE_EQUAL(result, 77);
    REQUIRE_EQUAL(ringlet_task_cancel(task), -ESRCH);
    REQUIRE_EQUAL(ringlet_task_release(task), -ESRCH);
    ringlet_queue *queue;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 1), -ESRCH);
    ringlet_queue_destroy(queue);
}

int main(void)
{
    ringlet_scheduler *scheduler = make_scheduler(1);

    /* Numbers that never were ids. */
    require_stale(0);
    require_stale(1);
    require_stale(UINT64_MAX);

    /* Inside, a task knows its id; outside there is none. */
    uint64_t seen = 0;
    uint64_t task = spawn(scheduler, own_id, &seen);
    REQUIRE_EQUAL(join(task), 0);
    REQUIRE(seen == task);
    REQUIRE_EQUAL(ringlet_task_current(), 0);

    /* Joined twice, and without a place for the result. */
    REQUIRE_EQUAL(join(task), 0);
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, 0), 0);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    require_stale(task);

    /* The slot is used again, the id is not. */
    uint64_t next = spawn(scheduler, return_number, as_pointer(9));
    REQUIRE(next != task);
    require_stale(task);
    REQUIRE_EQUAL(join_and_release(next), 9);

    /* Released before the end: it runs on. */
    int done = 0;
    task = spawn(scheduler, sleep_briefly, &done);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    require_stale(task);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) usleep(1000);

    /* Spawned without an id. */
    done = 0;
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, sleep_briefly, &done, NULL, NULL), 0);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) usleep(1000);

    end_scheduler(scheduler);
    return 0;
}

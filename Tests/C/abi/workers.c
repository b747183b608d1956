/* Several workers: tasks stay where they begin, and wait for each other across threads. */

#include "check.h"

enum { worker_count = 4 };

static int64_t thread_of_two_waits(void *user_data)
{
    (void)user_data;
    pid_t before = gettid();
    REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(1)), 0);
    REQUIRE_EQUAL(gettid(), before);
    return before;
}

static uint64_t spawn_on(uint32_t worker, ringlet_function function)
{
    uint64_t task = 0;
    ringlet_task_options *options;
    REQUIRE_EQUAL(ringlet_task_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_worker(options, worker), 0);
    REQUIRE_EQUAL(ringlet_spawn(function, NULL, options, &task), 0);
    ringlet_task_options_destroy(options);
    return task;
}

static int64_t spawn_across(void *user_data)
{
    (void)user_data;
    int64_t threads[worker_count];
    for (uint32_t i = 0; i < worker_count; i++) {
        threads[i] = join_and_release(spawn_on(i, thread_of_two_waits));
        for (uint32_t j = 0; j < i; j++) REQUIRE(threads[i] != threads[j]);
        REQUIRE_EQUAL(join_and_release(spawn_on(i, thread_of_two_waits)), threads[i]);
    }
    /* Without an option, a task begins where it was spawned. */
    uint64_t task = 0;
    REQUIRE_EQUAL(ringlet_spawn(thread_of_two_waits, NULL, NULL, &task), 0);
    REQUIRE_EQUAL(join_and_release(task), gettid());
    for (int i = 0; i < 2000; i++) {
        task = spawn_on((uint32_t)i % worker_count, return_number);
        REQUIRE_EQUAL(join_and_release(task), 0);
    }
    return 1;
}

int main(void)
{
    ringlet_scheduler *scheduler = make_scheduler(worker_count);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, spawn_across, NULL)), 1);

    /* From a plain thread, workers take turns. */
    int64_t first = join_and_release(spawn(scheduler, thread_of_two_waits, NULL));
    int64_t second = join_and_release(spawn(scheduler, thread_of_two_waits, NULL));
    REQUIRE(first != second);
    end_scheduler(scheduler);
    return 0;
}

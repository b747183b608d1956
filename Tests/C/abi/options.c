#include "check.h"

/* Touches nearly all of a stack of 64 KiB. */
static int64_t use_stack(void *user_data)
{
    (void)user_data;
    volatile char room[48 * 1024];
    for (size_t i = 0; i < sizeof room; i += 1024) room[i] = 1;
    REQUIRE_EQUAL(ringlet_yield(), 0);
    return room[1024];
}

int main(void)
{
    ringlet_options *options = NULL;
    REQUIRE_EQUAL(ringlet_options_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_options_set_workers(NULL, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, 1025), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, 2), 0);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(NULL, 65536), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, SIZE_MAX), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, 65536), 0);

    ringlet_scheduler *scheduler = NULL;
    REQUIRE_EQUAL(ringlet_scheduler_create(options, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_create(options, &scheduler), 0);
    ringlet_options_destroy(options);
    ringlet_options_destroy(NULL);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, use_stack, NULL)), 1);

    ringlet_task_options *task_options = NULL;
    REQUIRE_EQUAL(ringlet_task_options_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_task_options_create(&task_options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_name(NULL, "x"), -EINVAL);
    REQUIRE_EQUAL(ringlet_task_options_set_name(task_options, "r\xc3\xa9gl\xff"), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_name(task_options, NULL), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_name(task_options, "named"), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(task_options, NULL), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_worker(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_task_options_set_worker(task_options, 2), 0);

    /* Workers are counted from 0, and there are two. */
    uint64_t task = 0;
    REQUIRE_EQUAL(
        ringlet_scheduler_spawn(scheduler, return_number, as_pointer(5), task_options, &task),
        -EINVAL);
    REQUIRE_EQUAL(task, 0);
    REQUIRE_EQUAL(ringlet_task_options_set_worker(task_options, 1), 0);
    REQUIRE_EQUAL(
        ringlet_scheduler_spawn(scheduler, return_number, as_pointer(5), task_options, &task), 0);
    ringlet_task_options_destroy(task_options);
    ringlet_task_options_destroy(NULL);
    REQUIRE_EQUAL(join_and_release(task), 5);
    end_scheduler(scheduler);
    return 0;
}

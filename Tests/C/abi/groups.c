/* Tasks that are waited for and cancelled together. */

#include "check.h"

#include <pthread.h>

enum { count = 2000 };

static ringlet_scheduler *scheduler;
static ringlet_group *group;
static ringlet_task_options *options;
static int begun;
static uint64_t tasks[count];

static int64_t begin(void *user_data)
{
    __atomic_fetch_add(&begun, 1, __ATOMIC_RELAXED);
    return (intptr_t)user_data;
}

static int64_t begin_and_yield(void *user_data)
{
    for (int i = 0; i < 3; i++) REQUIRE_EQUAL(ringlet_yield(), 0);
    return begin(user_data);
}

/* A child that starts others in its group. */
static int64_t branch(void *depth)
{
    intptr_t left = (intptr_t)depth;
    for (int i = 0; i < 2 && left > 0; i++) {
        REQUIRE_EQUAL(ringlet_spawn(branch, as_pointer(left - 1), options, NULL), 0);
    }
    REQUIRE_EQUAL(ringlet_yield(), 0);
    return begin(depth);
}

static uint64_t spawn_in_group(ringlet_function function, void *user_data)
{
    uint64_t task = 0;
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, function, user_data, options, &task), 0);
    return task;
}

static void wait_for_all(void)
{
    for (int i = 0; i < count; i++) tasks[i] = spawn_in_group(begin_and_yield, as_pointer(i));
    REQUIRE_EQUAL(ringlet_group_wait(group, soon()), 0);
    REQUIRE_EQUAL(begun, count);
    /* All can be joined without a wait. */
    for (int i = 0; i < count; i++) {
        int64_t result = -1;
        REQUIRE_EQUAL(ringlet_task_join(tasks[i], &result, 0), 0);
        REQUIRE_EQUAL(result, i);
        REQUIRE_EQUAL(ringlet_task_release(tasks[i]), 0);
    }
    /* An empty group waits for nothing, and can be filled again. */
    REQUIRE_EQUAL(ringlet_group_wait(group, 0), 0);
    begun = 0;
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, branch, as_pointer(7), options, NULL), 0);
    REQUIRE_EQUAL(ringlet_group_wait(group, soon()), 0);
    REQUIRE_EQUAL(begun, 255);
}

static int64_t limit;

static int64_t wait_inside(void *user_data)
{
    (void)user_data;
    return ringlet_group_wait(group, limit);
}

static void *wait_outside(void *user_data) { return as_pointer(wait_inside(user_data)); }

static void end_waits(void)
{
    pthread_t thread;
    void *seen = NULL;
    uint64_t sleeper = spawn_in_group(sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_group_wait(group, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_group_wait(group, after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_group_destroy(group), -EBUSY);
    limit = after_milliseconds(5);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, wait_inside, NULL)), -ETIMEDOUT);
    limit = INT64_MAX;
    uint64_t waiter = spawn(scheduler, wait_inside, NULL);
    REQUIRE_EQUAL(ringlet_task_join(waiter, NULL, after_milliseconds(20)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_cancel(waiter), 0);
    REQUIRE_EQUAL(join_and_release(waiter), -ECANCELED);
    /* One of them would wait for itself. */
    REQUIRE_EQUAL(join_and_release(spawn_in_group(wait_inside, NULL)), -EDEADLK);

    waiter = spawn(scheduler, wait_inside, NULL);
    REQUIRE(pthread_create(&thread, NULL, wait_outside, NULL) == 0);
    REQUIRE_EQUAL(ringlet_task_join(waiter, NULL, after_milliseconds(20)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_cancel(sleeper), 0);
    REQUIRE_EQUAL(join_and_release(waiter), 0);
    REQUIRE(pthread_join(thread, &seen) == 0);
    REQUIRE_EQUAL((intptr_t)seen, 0);
    REQUIRE_EQUAL(join_and_release(sleeper), -ECANCELED);
}

static void wait_in_call(void *result) { *(int32_t *)result = ringlet_group_wait(group, INT64_MAX); }

static int cleanups;

static void clean_up(void *user_data)
{
    (void)user_data;
    __atomic_fetch_add(&cleanups, 1, __ATOMIC_RELAXED);
}

/* Those that are there end, and those to come never begin. */
static void cancel_all(void)
{
    int32_t status = 0;
    uint64_t call = 0;
    begun = 0;
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(options, clean_up), 0);
    for (int i = 0; i < count; i++) tasks[i] = spawn_in_group(sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, 0, wait_in_call, &status, NULL, &call), 0);
    REQUIRE_EQUAL(join_and_release(call), 0);
    REQUIRE_EQUAL(status, -EDEADLK);
    REQUIRE_EQUAL(ringlet_group_cancel(group), 0);
    REQUIRE_EQUAL(ringlet_group_wait(group, soon()), 0);
    for (int i = 0; i < count; i++) REQUIRE_EQUAL(join_and_release(tasks[i]), -ECANCELED);
    REQUIRE_EQUAL(ringlet_group_cancel(group), 0);
    uint64_t late = spawn_in_group(begin, NULL);
    REQUIRE_EQUAL(ringlet_group_wait(group, soon()), 0);
    REQUIRE_EQUAL(join_and_release(late), -ECANCELED);
    REQUIRE_EQUAL(begun, 0);
    REQUIRE_EQUAL(cleanups, count + 1);
}

/* Who was woken destroys the group at once; the options hold no group by then. */
static void destroy_at_once(void)
{
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(options, NULL), 0);
    for (int i = 0; i < count; i++) {
        ringlet_group *own = NULL;
        REQUIRE_EQUAL(ringlet_group_create(&own), 0);
        REQUIRE_EQUAL(ringlet_task_options_set_group(options, own), 0);
        REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, begin, NULL, options, NULL), 0);
        REQUIRE_EQUAL(ringlet_task_options_set_group(options, NULL), 0);
        REQUIRE_EQUAL(ringlet_group_wait(own, soon()), 0);
        REQUIRE_EQUAL(ringlet_group_destroy(own), 0);
    }
}

int main(void)
{
    scheduler = make_scheduler(2);
    REQUIRE_EQUAL(ringlet_group_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_group_wait(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_group_cancel(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_group_destroy(NULL), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_group(NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_group_create(&group), 0);
    REQUIRE_EQUAL(ringlet_task_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_group(options, group), 0);
    wait_for_all();
    end_waits();
    cancel_all();
    /* Not begun, and so in no group. */
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, NULL, NULL, options, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_group_wait(group, 0), 0);
    REQUIRE_EQUAL(ringlet_group_destroy(group), 0);
    destroy_at_once();
    ringlet_task_options_destroy(options);
    end_scheduler(scheduler);
    return 0;
}

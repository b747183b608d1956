/* Parts of a task: what a deadline ends apart from the rest, and what no cancellation cuts short. */

#include "check.h"

#include <sys/socket.h>

static int64_t sleep_until(void *deadline) { return ringlet_sleep_until(*(int64_t *)deadline); }

static int64_t with_deadline(int64_t deadline, ringlet_function function, void *user_data)
{
    int64_t result = 12345;
    int32_t status = ringlet_with_deadline(deadline, function, user_data, &result);
    if (status < 0) REQUIRE_EQUAL(result, 12345);
    return status < 0 ? status : result;
}

static int sockets[2];

/* Every wait in it ends, and each later one at once. */
static int64_t wait_each_way(void *user_data)
{
    char byte;
    void *item;
    ringlet_channel *channel = NULL;
    ringlet_event *event = NULL;
    uint64_t promise;
    (void)user_data;
    REQUIRE_EQUAL(ringlet_is_cancelled(), 0);
    REQUIRE_EQUAL(ringlet_recv(sockets[0], &byte, 1, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_is_cancelled(), 1);
    REQUIRE_EQUAL(ringlet_recv(sockets[0], &byte, 1, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_yield(), -ECANCELED);
    REQUIRE_EQUAL(ringlet_channel_create(0, NULL, &channel), 0);
    REQUIRE_EQUAL(ringlet_channel_receive(channel, &item, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_channel_send(channel, NULL, INT64_MAX), -ECANCELED);
    ringlet_channel_release(channel);
    REQUIRE_EQUAL(ringlet_event_create(&event), 0);
    REQUIRE_EQUAL(ringlet_event_wait(event, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_event_destroy(event), 0);
    REQUIRE_EQUAL(ringlet_promise_create(&promise), 0);
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_release(promise), 0);
    return -ECANCELED;
}

static int64_t go_on(void *user_data)
{
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -ECANCELED);
    return (intptr_t)user_data;
}

/* Computes past its deadline: nothing gives its worker a turn meanwhile. */
static int64_t compute(void *user_data)
{
    int64_t begin = ringlet_now();
    (void)user_data;
    while (ringlet_is_cancelled() == 0) REQUIRE(ringlet_now() < begin + 20000000000);
    return -ECANCELED;
}

static int64_t fail(void *user_data)
{
    (void)user_data;
    return -ECANCELED;
}

static int64_t end_in_time(void *user_data)
{
    int64_t for_ever = INT64_MAX, moment = after_milliseconds(1);
    char byte = 1;
    (void)user_data;
    REQUIRE_EQUAL(ringlet_with_deadline(soon(), NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(with_deadline(after_milliseconds(5), wait_each_way, NULL), -ETIMEDOUT);
    /* The task goes on as before. */
    REQUIRE_EQUAL(ringlet_is_cancelled(), 0);
    REQUIRE_EQUAL(ringlet_send(sockets[1], &byte, 1, soon()), 1);
    REQUIRE_EQUAL(ringlet_recv(sockets[0], &byte, 1, soon()), 1);
    REQUIRE_EQUAL(ringlet_yield(), 0);

    REQUIRE_EQUAL(with_deadline(soon(), sleep_until, &moment), 0);
    REQUIRE_EQUAL(with_deadline(soon(), return_number, as_pointer(7)), 7);
    REQUIRE_EQUAL(ringlet_with_deadline(soon(), return_number, as_pointer(7), NULL), 0);
    REQUIRE_EQUAL(with_deadline(INT64_MAX, return_number, as_pointer(8)), 8);
    /* One that has passed ends the first wait. */
    REQUIRE_EQUAL(with_deadline(0, sleep_until, &for_ever), -ETIMEDOUT);
    REQUIRE_EQUAL(with_deadline(INT64_MIN, sleep_until, &moment), -ETIMEDOUT);
    REQUIRE_EQUAL(with_deadline(0, return_number, as_pointer(9)), 9);
    /* What the function says counts, and only the deadline is an excuse for -ECANCELED. */
    REQUIRE_EQUAL(with_deadline(after_milliseconds(1), go_on, as_pointer(10)), 10);
    REQUIRE_EQUAL(with_deadline(after_milliseconds(1), go_on, as_pointer(-EIO)), -EIO);
    REQUIRE_EQUAL(with_deadline(soon(), fail, NULL), -ECANCELED);
    REQUIRE_EQUAL(with_deadline(after_milliseconds(5), compute, NULL), -ETIMEDOUT);
    return 0;
}

/* Nesting: the earliest ends the wait, and the outermost of those that have passed is told. */
static int64_t inner, outer;

static int64_t sleep_in_inner(void *deadline)
{
    int64_t result = 0;
    int32_t status = ringlet_with_deadline(*(int64_t *)deadline, sleep_for_ever, NULL, &result);
    if (status == -ETIMEDOUT) {
        REQUIRE_EQUAL(ringlet_yield(), 0);
        return 1;
    }
    REQUIRE_EQUAL(status, 0);
    REQUIRE_EQUAL(result, -ECANCELED);
    REQUIRE_EQUAL(ringlet_yield(), -ECANCELED);
    return result;
}

static int64_t nest(void *user_data)
{
    (void)user_data;
    inner = after_milliseconds(5), outer = soon();
    REQUIRE_EQUAL(with_deadline(outer, sleep_in_inner, &inner), 1);
    inner = soon(), outer = after_milliseconds(5);
    REQUIRE_EQUAL(with_deadline(outer, sleep_in_inner, &inner), -ETIMEDOUT);
    inner = outer = after_milliseconds(5);
    REQUIRE_EQUAL(with_deadline(outer, sleep_in_inner, &inner), -ETIMEDOUT);
    inner = INT64_MAX, outer = 0;
    REQUIRE_EQUAL(with_deadline(outer, sleep_in_inner, &inner), -ETIMEDOUT);
    return 0;
}

/* The cancellation of the task goes before any deadline. */
static int64_t be_cancelled(void *user_data)
{
    (void)user_data;
    inner = INT64_MAX;
    REQUIRE_EQUAL(with_deadline(soon(), sleep_in_inner, &inner), -ECANCELED);
    return ringlet_is_cancelled();
}

/* Shields */

static int64_t clean_up(void *result)
{
    int64_t moment = after_milliseconds(2);
    char byte = 1;
    REQUIRE_EQUAL(ringlet_sleep_until(moment), 0);
    REQUIRE_EQUAL(ringlet_yield(), 0);
    REQUIRE_EQUAL(ringlet_send(sockets[1], &byte, 1, soon()), 1);
    REQUIRE_EQUAL(ringlet_recv(sockets[0], &byte, 1, soon()), 1);
    /* A deadline in it works. */
    REQUIRE_EQUAL(with_deadline(after_milliseconds(1), sleep_for_ever, NULL), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_yield(), 0);
    return (intptr_t)result;
}

static int64_t clean_up_twice_shielded(void *result)
{
    int64_t value = 0;
    REQUIRE_EQUAL(ringlet_with_shield(clean_up, result, &value), 0);
    REQUIRE_EQUAL(ringlet_yield(), 0);
    return value;
}

static int64_t shielded_in_deadline(void *user_data)
{
    int64_t value = 0;
    (void)user_data;
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_with_shield(clean_up, as_pointer(5), &value), 0);
    REQUIRE_EQUAL(value, 5);
    REQUIRE_EQUAL(ringlet_yield(), -ECANCELED);
    return -ECANCELED;
}

static int depth;

static int64_t shield_again(void *user_data)
{
    int64_t deepest = 0;
    (void)user_data;
    depth++;
    int32_t status = ringlet_with_shield(shield_again, NULL, &deepest);
    depth--;
    if (status == 0) return deepest;
    REQUIRE_EQUAL(status, -EOVERFLOW);
    return depth + 1;
}

static int64_t shield(void *user_data)
{
    int64_t value = 0;
    uint64_t self = ringlet_task_current();
    (void)user_data;
    REQUIRE_EQUAL(ringlet_with_shield(NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(with_deadline(after_milliseconds(2), shielded_in_deadline, NULL), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_yield(), 0);
    REQUIRE_EQUAL(shield_again(NULL), 256);
    REQUIRE_EQUAL(ringlet_yield(), 0);

    REQUIRE_EQUAL(ringlet_task_cancel(self), 0);
    REQUIRE_EQUAL(ringlet_yield(), -ECANCELED);
    REQUIRE_EQUAL(ringlet_with_shield(clean_up, as_pointer(3), &value), 0);
    REQUIRE_EQUAL(value, 3);
    REQUIRE_EQUAL(ringlet_yield(), -ECANCELED);
    REQUIRE_EQUAL(ringlet_with_shield(clean_up_twice_shielded, as_pointer(4), &value), 0);
    REQUIRE_EQUAL(value, 4);
    return ringlet_yield();
}

/* A part is its stack's: what suspends itself must have left it. */
static int64_t switch_away(void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, NULL, NULL), -EBUSY);
    return 0;
}

static int32_t enter_parts(void *user_data, void *value, void **result)
{
    (void)user_data;
    (void)value;
    (void)result;
    REQUIRE_EQUAL(ringlet_with_deadline(soon(), switch_away, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_with_shield(switch_away, NULL, NULL), 0);
    return ringlet_coroutine_switch(NULL, NULL, NULL);
}

static int64_t yield_inside(void *generator)
{
    REQUIRE_EQUAL(ringlet_generator_yield(generator, NULL, NULL), -EBUSY);
    return 0;
}

static int64_t generate(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_with_deadline(soon(), yield_inside, generator, NULL), 0);
    return ringlet_generator_yield(generator, as_pointer(1), NULL);
}

static int64_t resume_inside(void *user_data)
{
    ringlet_coroutine *coroutine = NULL;
    ringlet_generator *generator = NULL;
    (void)user_data;
    REQUIRE_EQUAL(ringlet_coroutine_create(enter_parts, NULL, NULL, 0, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, NULL), 0);
    ringlet_coroutine_release(coroutine);
    REQUIRE_EQUAL(ringlet_generator_create(generate, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), 1);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    return 0;
}

/* Ended by the scheduler: what is shielded is waited for. */
static int finished;

static int64_t finish_shielded(void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -ECANCELED);
    REQUIRE_EQUAL(ringlet_with_shield(clean_up, NULL, NULL), 0);
    finished = 1;
    return 0;
}

/* Shields are nested as deep as they go, which takes more stack in debug builds. */
static ringlet_scheduler *make_roomy_scheduler(void)
{
    ringlet_options *options = NULL;
    ringlet_scheduler *scheduler = NULL;
    REQUIRE_EQUAL(ringlet_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, 2), 0);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, 4 << 20), 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(options, &scheduler), 0);
    ringlet_options_destroy(options);
    return scheduler;
}

int main(void)
{
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    REQUIRE_EQUAL(ringlet_with_deadline(INT64_MAX, return_number, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_with_shield(return_number, NULL, NULL), -EPERM);
    ringlet_scheduler *scheduler = make_roomy_scheduler();
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, end_in_time, NULL)), 0);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, nest, NULL)), 0);
    uint64_t task = spawn(scheduler, be_cancelled, NULL);
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, after_milliseconds(20)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), 1);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, shield, NULL)), -ECANCELED);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, resume_inside, NULL)), 0);
    task = spawn(scheduler, finish_shielded, NULL);
    REQUIRE_EQUAL(ringlet_task_join(task, NULL, after_milliseconds(20)), -ETIMEDOUT);
    end_scheduler(scheduler);
    REQUIRE_EQUAL(finished, 1);
    REQUIRE_EQUAL(join_and_release(task), 0);
    return 0;
}

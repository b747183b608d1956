#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

enum { count = 2000, batch = 64 };

static int is_readable(ringlet_queue *queue, int milliseconds)
{
    struct pollfd watched = {.fd = ringlet_queue_descriptor(queue), .events = POLLIN};
    return poll(&watched, 1, milliseconds) == 1;
}

/* Every notification arrives once, with its own number, when drained as an event loop would. */
static void drain_as_event_loop(ringlet_scheduler *scheduler, ringlet_queue *queue)
{
    static uint64_t tasks[count];
    static int seen[count];
    ringlet_completion records[batch];
    for (int i = 0; i < count; i++) {
        tasks[i] = spawn(scheduler, i % 2 ? return_number : sleep_for_ever, as_pointer(i));
        REQUIRE_EQUAL(ringlet_task_notify(tasks[i], queue, (uint64_t)i), 0);
        if (i % 2 == 0) REQUIRE_EQUAL(ringlet_task_cancel(tasks[i]), 0);
    }
    for (int total = 0; total < count;) {
        REQUIRE(is_readable(queue, 20000));
        int32_t taken = ringlet_queue_poll(queue, records, batch);
        REQUIRE(taken > 0 && taken <= batch);
        for (int32_t i = 0; i < taken; i++) {
            uint64_t number = records[i].user_data;
            REQUIRE(number < count && seen[number]++ == 0);
            REQUIRE(records[i].task == tasks[number]);
            REQUIRE_EQUAL(records[i].result, number % 2 ? (int64_t)number : -ECANCELED);
            REQUIRE_EQUAL(records[i].flags, 0);
        }
        total += taken;
    }
    REQUIRE(!is_readable(queue, 20));
    REQUIRE_EQUAL(ringlet_queue_poll(queue, records, batch), 0);
    for (int i = 0; i < count; i++) REQUIRE_EQUAL(ringlet_task_release(tasks[i]), 0);
}

static ringlet_queue *inner_queue;
static int inner_waits_for_ever;

static int64_t wait_inside(void *user_data)
{
    (void)user_data;
    ringlet_completion record;
    uint64_t task = 0;
    REQUIRE_EQUAL(ringlet_queue_wait(inner_queue, &record, 1, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_queue_wait(inner_queue, &record, 1, after_milliseconds(5)), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_spawn(return_number, as_pointer(8), NULL, &task), 0);
    REQUIRE_EQUAL(ringlet_task_notify(task, inner_queue, 3), 0);
    REQUIRE_EQUAL(ringlet_queue_wait(inner_queue, &record, 1, soon()), 1);
    REQUIRE_EQUAL(record.result, 8);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    set_flag(&inner_waits_for_ever);
    return ringlet_queue_wait(inner_queue, &record, 1, INT64_MAX);
}

/* A queue that always holds something keeps no more than it holds. */
static void never_empty(ringlet_scheduler *scheduler, ringlet_queue *queue)
{
    enum { rounds = 200000 };
    ringlet_completion record;
    uint64_t task = spawn(scheduler, return_number, as_pointer(1));
    REQUIRE_EQUAL(join(task), 1);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 0), 0);
    size_t before = mallinfo2().uordblks;
    for (uint64_t i = 0; i < rounds; i++) {
        REQUIRE_EQUAL(ringlet_task_notify(task, queue, i + 1), 0);
        REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 1);
        REQUIRE(record.user_data == i);
    }
    REQUIRE(mallinfo2().uordblks < before + rounds);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 1);
    REQUIRE(record.user_data == rounds && !is_readable(queue, 0));
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
}

/* A notification that is still to come keeps neither the queue nor its descriptor. */
static void destroyed_early(ringlet_scheduler *scheduler)
{
    ringlet_queue *queue = NULL;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    int descriptor = ringlet_queue_descriptor(queue);
    uint64_t task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 1), 0);
    ringlet_queue_destroy(queue);
    REQUIRE(fcntl(descriptor, F_GETFD) == -1 && errno == EBADF);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
}

static void ignore(int number) { (void)number; }

static int has_returned;

/* Until the wait has noticed: the first may come before it. */
static void *interrupt(void *thread)
{
    while (!__atomic_load_n(&has_returned, __ATOMIC_ACQUIRE)) {
        pthread_kill(*(pthread_t *)thread, SIGUSR1);
        usleep(1000);
    }
    return NULL;
}

int main(void)
{
    ringlet_scheduler *scheduler = make_scheduler(2);
    ringlet_queue *queue = NULL;
    ringlet_completion record;
    ringlet_completion records[4];

    REQUIRE_EQUAL(sizeof record, 32);
    REQUIRE_EQUAL(ringlet_queue_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE_EQUAL(ringlet_queue_descriptor(NULL), -EINVAL);
    REQUIRE(ringlet_queue_descriptor(queue) >= 0);
    REQUIRE_EQUAL(ringlet_queue_poll(NULL, &record, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, NULL, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 0);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, NULL, 1, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(NULL, &record, 1, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 0, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, 0), -ETIMEDOUT);
    int64_t deadline = after_milliseconds(20);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, deadline), -ETIMEDOUT);
    REQUIRE(ringlet_now() >= deadline);

    drain_as_event_loop(scheduler, queue);
    never_empty(scheduler, queue);
    destroyed_early(scheduler);

    /* A task that has ended already, asked for three times; taken in parts. */
    uint64_t task = spawn(scheduler, return_number, as_pointer(6));
    REQUIRE_EQUAL(join(task), 6);
    REQUIRE_EQUAL(ringlet_task_notify(task, NULL, 0), -EINVAL);
    for (uint64_t i = 0; i < 3; i++) REQUIRE_EQUAL(ringlet_task_notify(task, queue, i), 0);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, records, 2, 0), 2);
    REQUIRE(records[0].user_data == 0 && records[1].user_data == 1);
    REQUIRE(is_readable(queue, 0));
    REQUIRE_EQUAL(ringlet_queue_wait(queue, records, 4, INT64_MAX), 1);
    REQUIRE(records[0].user_data == 2 && !is_readable(queue, 0));

    /* The release does not take the notification back. */
    task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 4), 0);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, soon()), 1);
    REQUIRE(record.task == task && record.result == -ECANCELED);

    /* From a coroutine. */
    REQUIRE_EQUAL(ringlet_queue_create(&inner_queue), 0);
    task = spawn(scheduler, wait_inside, NULL);
    await_flag(&inner_waits_for_ever);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    ringlet_queue_destroy(inner_queue);

    /* A signal handler of the program gets its turn. */
    struct sigaction action = {.sa_handler = ignore};
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0);
    pthread_t self = pthread_self(), other;
    REQUIRE(pthread_create(&other, NULL, interrupt, &self) == 0);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, soon()), -EINTR);
    set_flag(&has_returned);
    REQUIRE(pthread_join(other, NULL) == 0);

    /* A shutdown delivers what was asked for. */
    task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 5), 0);
    end_scheduler(scheduler);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 1);
    REQUIRE(record.user_data == 5 && record.result == -ECANCELED);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);

    /* Destroyed with a completion inside and one to come. */
    scheduler = make_scheduler(1);
    uint64_t ended = spawn(scheduler, return_number, NULL);
    task = spawn(scheduler, sleep_for_ever, NULL);
    REQUIRE_EQUAL(ringlet_task_notify(ended, queue, 6), 0);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 7), 0);
    REQUIRE_EQUAL(join_and_release(ended), 0);
    ringlet_queue_destroy(queue);
    ringlet_queue_destroy(NULL);
    REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
    REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    end_scheduler(scheduler);
    return 0;
}

/*
 * Three coroutines that sleep and work, awaited from the main thread, and a fourth that is
 * cancelled.
 *
 *     cc tasks.c $(pkg-config --cflags --libs ringlet) -o tasks && ./tasks
 */

#include <inttypes.h>
#include <ringlet.h>
#include <stdio.h>
#include <stdlib.h>

static const int64_t millisecond = 1000000;

typedef struct job {
    const char *name;
    int64_t pause;
    int64_t limit;
} job;

/* Ends the program when a call that must not fail has failed. */
static void check(int32_t status, const char *call)
{
    if (status >= 0) return;
    fprintf(stderr, "%s: %s (%s)\n", call, ringlet_status_message(status),
            ringlet_status_name(status));
    exit(1);
}

/* Sleeps, then adds numbers up, letting others run in between. */
static int64_t add_up(void *user_data)
{
    const job *mine = user_data;
    int64_t sum = 0;
    int64_t number;

    check(ringlet_sleep_until(ringlet_now() + mine->pause), "ringlet_sleep_until");
    for (number = 1; number <= mine->limit; number++) {
        sum += number;
        if (number % 1000 == 0) check(ringlet_yield(), "ringlet_yield");
    }
    printf("%s: done\n", mine->name);
    return sum;
}

/* Sleeps until it is cancelled, and says so in its result. */
static int64_t sleep_for_ever(void *user_data)
{
    (void)user_data;
    return ringlet_sleep_until(INT64_MAX);
}

int main(void)
{
    static job jobs[] = {
        {"first", 30 * 1000000, 1000},
        {"second", 10 * 1000000, 10000},
        {"third", 20 * 1000000, 100000},
    };
    enum { count = sizeof jobs / sizeof jobs[0] };
    ringlet_scheduler *scheduler;
    uint64_t tasks[count];
    uint64_t sleeper;
    int64_t deadline;
    int64_t result;
    int i;

    printf("Ringlet %s\n", ringlet_version_string());
    check(ringlet_scheduler_create(NULL, &scheduler), "ringlet_scheduler_create");

    for (i = 0; i < count; i++) {
        check(ringlet_scheduler_spawn(scheduler, add_up, &jobs[i], NULL, &tasks[i]),
              "ringlet_scheduler_spawn");
    }
    check(ringlet_scheduler_spawn(scheduler, sleep_for_ever, NULL, NULL, &sleeper),
          "ringlet_scheduler_spawn");

    /* One deadline for all of them together. */
    deadline = ringlet_now() + 5000 * millisecond;
    for (i = 0; i < count; i++) {
        check(ringlet_task_join(tasks[i], &result, deadline), "ringlet_task_join");
        check(ringlet_task_release(tasks[i]), "ringlet_task_release");
        printf("%s: 1 + ... + %" PRId64 " = %" PRId64 "\n", jobs[i].name, jobs[i].limit, result);
    }

    check(ringlet_task_cancel(sleeper), "ringlet_task_cancel");
    check(ringlet_task_join(sleeper, &result, deadline), "ringlet_task_join");
    check(ringlet_task_release(sleeper), "ringlet_task_release");
    printf("sleeper: %s\n", ringlet_status_message((int32_t)result));

    check(ringlet_scheduler_shutdown(scheduler, ringlet_now() + 1000 * millisecond),
          "ringlet_scheduler_shutdown");
    check(ringlet_scheduler_destroy(scheduler), "ringlet_scheduler_destroy");
    return 0;
}

/* Random switches among coroutines, with statuses, ends and waits in between, against a model: who
 * runs, what arrives, and the errno that each finds again. On a plain thread, and in two tasks at
 * once on one worker. */

#include "check.h"

enum { count = 6, outside = -1, steps = 20000 };

typedef struct set {
    ringlet_coroutine *coroutines[count];
    struct member {
        struct set *set;
        int index;
    } members[count];
    uint32_t seed;
    int done, ends, throws;
    int may_wait;
    /* What whoever runs next is to find. */
    int running;
    void *value;
    int32_t status;
} set;

static uint32_t chance(set *set, uint32_t below)
{
    set->seed = set->seed * 1664525 + 1013904223;
    return (set->seed >> 8) % below;
}

static void arrive(set *set, int own, int32_t status, void *got)
{
    REQUIRE_EQUAL(set->running, own);
    REQUIRE_EQUAL(status, set->status);
    if (status == 0) REQUIRE(got == set->value);
    set->done++;
    if (set->may_wait && chance(set, 16) == 0) REQUIRE_EQUAL(ringlet_yield(), 0);
}

static void leave(set *set, int target)
{
    set->running = target;
    set->value = (void *)(uintptr_t)chance(set, 1 << 20);
    set->status = 0;
}

/* Switches from one to another, itself included, and comes back some time. */
static void switch_from(set *set, int own)
{
    int target = (int)chance(set, count + 1) - 1;
    void *got = NULL;
    int32_t status;
    ringlet_coroutine *to = target == outside ? NULL : set->coroutines[target];
    /* What is sent to one that has ended goes to its parent. */
    if (to && ringlet_coroutine_state(to) == RINGLET_COROUTINE_ENDED) target = outside;
    leave(set, target);
    int begins = to && ringlet_coroutine_state(to) == RINGLET_COROUTINE_PENDING;
    if (chance(set, 10) == 0 && target != outside && !begins && target != own) {
        set->status = -(int32_t)(1 + chance(set, 100));
        set->throws++;
        status = ringlet_coroutine_throw(to, set->status, &got);
    } else {
        errno = 1000 + own;
        status = ringlet_coroutine_switch(to, set->value, &got);
        /* Whoever begins needs a stack, and system calls for it. */
        if (!begins) REQUIRE_EQUAL(errno, 1000 + own);
    }
    arrive(set, own, status, got);
}

static int32_t body(void *user_data, void *first, void **result)
{
    struct member *member = user_data;
    set *set = member->set;
    arrive(set, member->index, 0, first);
    while (chance(set, 50) != 0) switch_from(set, member->index);
    /* The end gives control to the parent, which is outside. */
    set->ends++;
    leave(set, outside);
    *result = set->value;
    return 0;
}

static void renew(set *set)
{
    for (int i = 0; i < count; i++) {
        ringlet_coroutine *old = set->coroutines[i];
        if (old && ringlet_coroutine_state(old) != RINGLET_COROUTINE_ENDED) continue;
        ringlet_coroutine_release(old);
        set->members[i] = (struct member){set, i};
        REQUIRE_EQUAL(ringlet_coroutine_create(body, &set->members[i], NULL, 0, &set->coroutines[i]), 0);
    }
}

static void play(uint32_t seed, int may_wait)
{
    set set = {.seed = seed, .may_wait = may_wait, .running = outside};
    while (set.done < steps) {
        renew(&set);
        switch_from(&set, outside);
    }
    REQUIRE(set.ends > 100 && set.throws > 100);
    /* To unwind one that is suspended, it would be told to exit, which these take for a status like others. */
    for (int i = 0; i < count; i++) {
        while (ringlet_coroutine_state(set.coroutines[i]) == RINGLET_COROUTINE_SUSPENDED) {
            leave(&set, i);
            void *got = NULL;
            int32_t status = ringlet_coroutine_switch(set.coroutines[i], set.value, &got);
            arrive(&set, outside, status, got);
        }
    }
    for (int i = 0; i < count; i++) ringlet_coroutine_release(set.coroutines[i]);
}

static int64_t in_task(void *user_data)
{
    play((uint32_t)(uintptr_t)user_data, 1);
    return 0;
}

int main(void)
{
    for (uint32_t seed = 1; seed <= 5; seed++) play(seed, 0);
    ringlet_scheduler *scheduler = make_scheduler(1);
    uint64_t tasks[2];
    for (uintptr_t i = 0; i < 2; i++)
        REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, in_task, (void *)(10 + i), NULL, &tasks[i]), 0);
    for (int i = 0; i < 2; i++) {
        int64_t result = -1;
        REQUIRE_EQUAL(ringlet_task_join(tasks[i], &result, soon()), 0);
        REQUIRE_EQUAL(result, 0);
        REQUIRE_EQUAL(ringlet_task_release(tasks[i]), 0);
    }
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
    /* The thread's coroutines work again after a scheduler has been on it. */
    play(20, 0);
    return 0;
}

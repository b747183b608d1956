/* Coroutines and generators inside tasks: what they call may wait, which suspends the task with all
   that is on it; and what others get that use the same coroutine meanwhile. All tasks are on one
   worker, and so on one thread. */

#include "check.h"

typedef struct stage {
    ringlet_coroutine *coroutine;
    /* What the coroutine reads from, which ends its wait. */
    int ends[2];
    int32_t seen_state, switched, thrown;
    int steps, released;
} stage;

static void tell(stage *stage, char letter) { REQUIRE(write(stage->ends[1], &letter, 1) == 1); }

/* Waits in each way there is, and hands over what it has read. */
static int32_t wait_in_all_ways(void *user_data, void *value, void **result)
{
    stage *stage = user_data;
    (void)value;
    for (int i = 0; i < 3; i++) {
        char letter = 0;
        stage->steps++;
        REQUIRE_EQUAL(ringlet_yield(), 0);
        REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(1)), 0);
        REQUIRE_EQUAL(ringlet_coroutine_state(ringlet_coroutine_current()), RINGLET_COROUTINE_RUNNING);
        REQUIRE_EQUAL(ringlet_read(stage->ends[0], &letter, 1, -1, soon()), 1);
        int32_t status = ringlet_coroutine_switch(NULL, as_pointer(letter), NULL);
        if (status < 0) return status;
    }
    *result = as_pointer(99);
    return 0;
}

/* Meets the coroutine while its task waits. */
static int64_t meddle(void *user_data)
{
    stage *stage = user_data;
    REQUIRE(ringlet_coroutine_current() == NULL);
    stage->seen_state = ringlet_coroutine_state(stage->coroutine);
    stage->switched = ringlet_coroutine_switch(stage->coroutine, NULL, NULL);
    stage->thrown = ringlet_coroutine_throw(stage->coroutine, -EIO, NULL);
    tell(stage, 'a');
    return 0;
}

static int64_t drive(void *user_data)
{
    stage *stage = user_data;
    void *value = NULL;
    uint64_t other;
    REQUIRE_EQUAL(ringlet_coroutine_create(wait_in_all_ways, stage, "waits", 0, &stage->coroutine), 0);
    REQUIRE_EQUAL(ringlet_spawn(meddle, stage, NULL, &other), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    REQUIRE_EQUAL((intptr_t)value, 'a');
    REQUIRE_EQUAL(join_and_release(other), 0);

    tell(stage, 'b');
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    REQUIRE_EQUAL((intptr_t)value, 'b');
    tell(stage, 'c');
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    REQUIRE_EQUAL((intptr_t)value, 'c');
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    REQUIRE_EQUAL((intptr_t)value, 99);
    REQUIRE_EQUAL(ringlet_coroutine_state(stage->coroutine), RINGLET_COROUTINE_ENDED);
    ringlet_coroutine_release(stage->coroutine);
    return 0;
}

/* Between two waits, a coroutine may be taken over by another task of the thread. */
static int64_t take_over(void *user_data)
{
    stage *stage = user_data;
    void *value = NULL;
    tell(stage, 'd');
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    return (intptr_t)value;
}

static int64_t hand_over(void *user_data)
{
    stage *stage = user_data;
    void *value = NULL;
    uint64_t other;
    REQUIRE_EQUAL(ringlet_coroutine_create(wait_in_all_ways, stage, "is shared", 0, &stage->coroutine), 0);
    tell(stage, 'a');
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    REQUIRE_EQUAL((intptr_t)value, 'a');
    REQUIRE_EQUAL(ringlet_coroutine_state(stage->coroutine), RINGLET_COROUTINE_SUSPENDED);
    REQUIRE_EQUAL(ringlet_spawn(take_over, stage, NULL, &other), 0);
    REQUIRE_EQUAL(join_and_release(other), 'd');
    ringlet_coroutine_release(stage->coroutine);
    return 0;
}

/* Released by another task while it waits: it goes on to its next switch, which is its last. */
static int32_t be_released(void *user_data, void *value, void **result)
{
    stage *stage = user_data;
    char letter = 0;
    (void)value;
    (void)result;
    REQUIRE_EQUAL(ringlet_read(stage->ends[0], &letter, 1, -1, soon()), 1);
    stage->steps++;
    int32_t status = ringlet_coroutine_switch(NULL, as_pointer(letter), NULL);
    REQUIRE_EQUAL(status, -ECANCELED);
    REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, NULL, NULL), -ECANCELED);
    stage->released++;
    return status;
}

static int64_t release(void *user_data)
{
    stage *stage = user_data;
    ringlet_coroutine_release(stage->coroutine);
    REQUIRE(stage->steps == 0);
    tell(stage, 'z');
    return 0;
}

static int64_t drive_released(void *user_data)
{
    stage *stage = user_data;
    void *value = NULL;
    uint64_t other;
    REQUIRE_EQUAL(ringlet_coroutine_create(be_released, stage, NULL, 0, &stage->coroutine), 0);
    REQUIRE_EQUAL(ringlet_spawn(release, stage, NULL, &other), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(stage->coroutine, NULL, &value), 0);
    REQUIRE_EQUAL((intptr_t)value, 'z');
    REQUIRE(stage->steps == 1 && stage->released == 1);
    REQUIRE_EQUAL(join_and_release(other), 0);
    return 0;
}

/* Cancelling the task ends the wait of the coroutine in it, and nothing more. */
static int32_t sleep_inside(void *user_data, void *value, void **result)
{
    (void)user_data;
    (void)value;
    *result = as_pointer(ringlet_sleep_until(INT64_MAX));
    return 0;
}

static int64_t drive_sleeper(void *user_data)
{
    void *value = NULL;
    ringlet_coroutine *coroutine;
    (void)user_data;
    REQUIRE_EQUAL(ringlet_coroutine_create(sleep_inside, NULL, NULL, 0, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, &value), 0);
    ringlet_coroutine_release(coroutine);
    return (intptr_t)value;
}

static int64_t cancel_it(void *user_data)
{
    uint64_t other;
    REQUIRE_EQUAL(ringlet_spawn(drive_sleeper, user_data, NULL, &other), 0);
    REQUIRE_EQUAL(ringlet_yield(), 0);
    REQUIRE_EQUAL(ringlet_task_cancel(other), 0);
    return join_and_release(other);
}

/* A generator whose steps read from a pipe, with a coroutine below them. */
static int64_t letters(ringlet_generator *generator, void *user_data)
{
    stage *stage = user_data;
    for (;;) {
        char letter = 0;
        REQUIRE_EQUAL(ringlet_read(stage->ends[0], &letter, 1, -1, soon()), 1);
        if (letter == '.') return stage->steps;
        stage->steps++;
        int32_t status = ringlet_generator_yield(generator, as_pointer(letter), NULL);
        if (status < 0) return status;
    }
}

static int64_t write_slowly(void *user_data)
{
    stage *stage = user_data;
    for (const char *letter = "abc."; *letter; letter++) {
        REQUIRE_EQUAL(ringlet_yield(), 0);
        REQUIRE_EQUAL(ringlet_write(stage->ends[1], letter, 1, -1, soon()), 1);
    }
    return 0;
}

static int32_t read_all(void *generator, void *value, void **result)
{
    char text[8] = "";
    int length = 0;
    (void)value;
    while (ringlet_generator_next(generator, &value) == 1) text[length++] = (char)(intptr_t)value;
    REQUIRE(strcmp(text, "abc") == 0);
    *result = as_pointer(length);
    return 0;
}

static int64_t drive_generator(void *user_data)
{
    ringlet_generator *generator;
    ringlet_coroutine *coroutine;
    void *length = NULL;
    uint64_t writer;
    int64_t result = 0;
    REQUIRE_EQUAL(ringlet_generator_create(letters, user_data, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_coroutine_create(read_all, generator, NULL, 0, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_spawn(write_slowly, user_data, NULL, &writer), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, &length), 0);
    REQUIRE_EQUAL((intptr_t)length, 3);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 1);
    REQUIRE_EQUAL(result, 3);
    REQUIRE_EQUAL(join_and_release(writer), 0);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    ringlet_coroutine_release(coroutine);
    return 0;
}

/* Outside a task there is nothing that could wait. */
static int32_t cannot_wait(void *user_data, void *value, void **result)
{
    (void)user_data;
    (void)value;
    (void)result;
    REQUIRE_EQUAL(ringlet_yield(), -EPERM);
    REQUIRE_EQUAL(ringlet_sleep_until(soon()), -EPERM);
    return 0;
}

static void play(ringlet_function function, stage *stage, int64_t expected)
{
    memset(stage, 0, sizeof *stage);
    REQUIRE(pipe(stage->ends) == 0);
    REQUIRE_EQUAL(run(function, stage), expected);
    close(stage->ends[0]);
    close(stage->ends[1]);
}

int main(void)
{
    stage stage;
    play(drive, &stage, 0);
    REQUIRE_EQUAL(stage.seen_state, RINGLET_COROUTINE_WAITING);
    REQUIRE_EQUAL(stage.switched, -EBUSY);
    REQUIRE_EQUAL(stage.thrown, -EBUSY);
    REQUIRE_EQUAL(stage.steps, 3);
    play(hand_over, &stage, 0);
    play(drive_released, &stage, 0);
    play(cancel_it, &stage, -ECANCELED);
    play(drive_generator, &stage, 0);

    ringlet_coroutine *coroutine;
    REQUIRE_EQUAL(ringlet_coroutine_create(cannot_wait, NULL, NULL, 0, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, NULL), 0);
    ringlet_coroutine_release(coroutine);
    return 0;
}

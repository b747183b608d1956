/* How coroutines and generators are brought to their end where that is not simply done. */

#include "check.h"

static char said[4096];

/* Calls `body` with stderr in a file, which is read back. */
static void overhear(void (*body)(void))
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    REQUIRE(file && before >= 0);
    REQUIRE(dup2(fileno(file), STDERR_FILENO) == STDERR_FILENO);
    body();
    REQUIRE(dup2(before, STDERR_FILENO) == STDERR_FILENO);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = 0;
    fclose(file);
    close(before);
}

static int refusals;

/* Never returns: -ECANCELED is a status like others to it. */
static int32_t go_on_for_ever(void *user_data, void *value, void **result)
{
    (void)user_data;
    (void)value;
    (void)result;
    for (;;) {
        if (ringlet_coroutine_switch(NULL, NULL, NULL) == -ECANCELED) refusals++;
    }
    return 0;
}

static int64_t yield_for_ever(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    for (;;) {
        if (ringlet_generator_yield(generator, NULL, NULL) == -ECANCELED) refusals++;
    }
    return 0;
}

static void release_stubborn_coroutine(void)
{
    ringlet_coroutine *coroutine;
    REQUIRE_EQUAL(ringlet_coroutine_create(go_on_for_ever, NULL, "mule", 0, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, NULL), 0);
    ringlet_coroutine_release(coroutine);
}

static void release_stubborn_generator(void)
{
    ringlet_generator *generator;
    REQUIRE_EQUAL(ringlet_generator_create(yield_for_ever, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), 1);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
}

/* Does what ringlet_coroutine_release() does, for one that others refer to, and says how it ended. */
static int32_t close_coroutine(ringlet_coroutine *coroutine)
{
    int32_t status = ringlet_coroutine_set_parent(coroutine, ringlet_coroutine_current());
    return status < 0 ? status : ringlet_coroutine_throw(coroutine, -ECANCELED, NULL);
}

static int32_t clean_up(void *user_data, void *value, void **result)
{
    (void)value;
    (void)result;
    int32_t status = ringlet_coroutine_switch(NULL, NULL, NULL);
    if (status == -ECANCELED) refusals++;
    return user_data ? (int32_t)(intptr_t)user_data : status;
}

static int32_t close_others(void *user_data, void *value, void **result)
{
    ringlet_coroutine **others = user_data;
    (void)value;
    (void)result;
    REQUIRE_EQUAL(close_coroutine(others[0]), -ECANCELED);
    REQUIRE_EQUAL(close_coroutine(others[1]), -EIO);
    REQUIRE_EQUAL(ringlet_coroutine_state(others[0]), RINGLET_COROUTINE_ENDED);
    REQUIRE_EQUAL(ringlet_coroutine_state(others[1]), RINGLET_COROUTINE_ENDED);
    return 0;
}

/* Is asked for its state by the function that it unwinds. */
static int32_t look_at_releaser(void *user_data, void *value, void **result)
{
    (void)value;
    (void)result;
    REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, NULL, NULL), -ECANCELED);
    REQUIRE_EQUAL(ringlet_coroutine_state(user_data), RINGLET_COROUTINE_WAITING);
    REQUIRE_EQUAL(ringlet_coroutine_switch(user_data, NULL, NULL), -ECANCELED);
    refusals++;
    return -ECANCELED;
}

static int32_t release_it(void *user_data, void *value, void **result)
{
    ringlet_coroutine **it = user_data;
    (void)value;
    (void)result;
    REQUIRE_EQUAL(ringlet_coroutine_create(look_at_releaser, ringlet_coroutine_current(), NULL, 0, it), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(*it, NULL, NULL), 0);
    ringlet_coroutine_release(*it);
    return 0;
}

/* Nobody can switch to it again: its next switch arrives, and is where it ends. */
static int32_t release_itself(void *user_data, void *value, void **result)
{
    (void)result;
    if (user_data) REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, NULL, &value), 0);
    ringlet_coroutine_release(ringlet_coroutine_current());
    REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, value, NULL), -ECANCELED);
    refusals++;
    return -ECANCELED;
}

static void closing(void)
{
    ringlet_coroutine *others[2], *closer, *it = NULL;
    void *got = NULL;
    for (intptr_t i = 0; i < 2; i++) {
        REQUIRE_EQUAL(ringlet_coroutine_create(clean_up, as_pointer(i * -EIO), NULL, 0, &others[i]), 0);
        REQUIRE_EQUAL(ringlet_coroutine_switch(others[i], NULL, NULL), 0);
    }
    refusals = 0;
    REQUIRE_EQUAL(ringlet_coroutine_create(close_others, others, NULL, 0, &closer), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(closer, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_state(closer), RINGLET_COROUTINE_ENDED);
    REQUIRE_EQUAL(refusals, 2);
    ringlet_coroutine_release(closer);
    for (int i = 0; i < 2; i++) ringlet_coroutine_release(others[i]);

    REQUIRE_EQUAL(ringlet_coroutine_create(release_it, &it, NULL, 0, &closer), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(closer, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(closer, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_state(closer), RINGLET_COROUTINE_ENDED);
    REQUIRE_EQUAL(refusals, 3);
    ringlet_coroutine_release(closer);

    /* In its first switch, and in a later one. */
    REQUIRE_EQUAL(ringlet_coroutine_create(release_itself, NULL, NULL, 0, &it), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(it, as_pointer(8), &got), 0);
    REQUIRE_EQUAL((intptr_t)got, 8);
    REQUIRE_EQUAL(refusals, 4);
    REQUIRE_EQUAL(ringlet_coroutine_create(release_itself, as_pointer(1), NULL, 0, &it), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(it, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(it, as_pointer(9), &got), 0);
    REQUIRE_EQUAL((intptr_t)got, 9);
    REQUIRE_EQUAL(refusals, 5);
}

/* Returns 7 when it is told -ECANCELED, and yields once more before that if user_data says so. */
static int64_t end_at_cancel(ringlet_generator *generator, void *user_data)
{
    int32_t status = 0;
    while (status != -ECANCELED) status = ringlet_generator_yield(generator, as_pointer(1), NULL);
    if (user_data) ringlet_generator_yield(generator, as_pointer(2), NULL);
    return 7;
}

static int64_t delegate(ringlet_generator *generator, void *inner)
{
    int64_t result = -1;
    int32_t status = ringlet_generator_delegate(generator, inner, &result);
    return status < 0 ? status : result;
}

/* Thrown into a generator, -ECANCELED is a status like others, where ringlet_generator_close() is the end. */
static void throwing_cancellation(void)
{
    ringlet_generator *inner, *outer;
    void *value = NULL;
    int64_t result = 0;

    /* What the function yields then is a value, not a refusal. */
    REQUIRE_EQUAL(ringlet_generator_create(end_at_cancel, as_pointer(1), 0, &inner), 0);
    REQUIRE_EQUAL(ringlet_generator_next(inner, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_throw(inner, -ECANCELED, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 2);
    REQUIRE_EQUAL(ringlet_generator_close(inner, &result), 1);
    REQUIRE_EQUAL(ringlet_generator_release(inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(end_at_cancel, as_pointer(1), 0, &inner), 0);
    REQUIRE_EQUAL(ringlet_generator_next(inner, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_close(inner, &result), -EAGAIN);
    REQUIRE_EQUAL(ringlet_generator_close(inner, &result), 1);
    REQUIRE_EQUAL(ringlet_generator_release(inner), 0);

    /* Of a delegation it ends the inner function, and the outer goes on with the result. */
    REQUIRE_EQUAL(ringlet_generator_create(end_at_cancel, NULL, 0, &inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(delegate, inner, 0, &outer), 0);
    REQUIRE_EQUAL(ringlet_generator_next(outer, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_throw(outer, -ECANCELED, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_result(outer, &result), 1);
    REQUIRE_EQUAL(result, 7);
    REQUIRE_EQUAL(ringlet_generator_release(outer), 0);
    REQUIRE_EQUAL(ringlet_generator_release(inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(end_at_cancel, NULL, 0, &inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(delegate, inner, 0, &outer), 0);
    REQUIRE_EQUAL(ringlet_generator_next(outer, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_close(outer, &result), 1);
    REQUIRE_EQUAL(result, -ECANCELED);
    REQUIRE_EQUAL(ringlet_generator_release(outer), 0);
    REQUIRE_EQUAL(ringlet_generator_release(inner), 0);
}

int main(void)
{
    overhear(release_stubborn_coroutine);
    REQUIRE_EQUAL(refusals, 100);
    REQUIRE(strstr(said, "coroutine 'mule'") && strstr(said, "leaked"));
    refusals = 0;
    overhear(release_stubborn_generator);
    REQUIRE_EQUAL(refusals, 1001);
    REQUIRE(strstr(said, "a generator"));

    closing();
    throwing_cancellation();
    return 0;
}

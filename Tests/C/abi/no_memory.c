/* Without memory for a stack a coroutine or generator does not begin; it does when there is memory again. */

#include "check.h"

#include <sys/resource.h>

/* Each its own size: a stack that was used waits for the next one of its size. */
enum { much = 1 << 30, still_much = 1 << 29, also_much = 1 << 28 };
static struct rlimit before;

static void take_memory(void)
{
    struct rlimit little = {.rlim_cur = much, .rlim_max = before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_AS, &little) == 0);
}

static void give_memory(void) { REQUIRE(setrlimit(RLIMIT_AS, &before) == 0); }

static int32_t return_value(void *user_data, void *value, void **result)
{
    int *calls = user_data;
    (*calls)++;
    *result = value;
    return 0;
}

static int32_t return_later(void *user_data, void *value, void **result)
{
    REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, NULL, &value), 0);
    return return_value(user_data, value, result);
}

static int64_t yield_once(ringlet_generator *generator, void *user_data)
{
    int *calls = user_data;
    (*calls)++;
    return ringlet_generator_yield(generator, as_pointer(5), NULL);
}

static int64_t delegate(ringlet_generator *generator, void *inner)
{
    return ringlet_generator_delegate(generator, inner, NULL);
}

static ringlet_coroutine *make(ringlet_coroutine_function function, int *calls, size_t stack_size)
{
    ringlet_coroutine *coroutine = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_create(function, calls, NULL, stack_size, &coroutine), 0);
    return coroutine;
}

static void coroutines(void)
{
    int calls = 0;
    void *got = NULL;
    ringlet_coroutine *big = make(return_value, &calls, much);
    take_memory();
    REQUIRE_EQUAL(ringlet_coroutine_switch(big, as_pointer(1), &got), -ENOMEM);
    REQUIRE_EQUAL(ringlet_coroutine_switch(big, as_pointer(1), &got), -ENOMEM);
    REQUIRE_EQUAL(ringlet_coroutine_state(big), RINGLET_COROUTINE_PENDING);
    give_memory();
    REQUIRE_EQUAL(ringlet_coroutine_switch(big, as_pointer(2), &got), 0);
    REQUIRE(got == as_pointer(2) && calls == 1);
    REQUIRE_EQUAL(ringlet_coroutine_state(big), RINGLET_COROUTINE_ENDED);
    ringlet_coroutine_release(big);

    /* One that would be begun by the end of its child ends instead, and its own parent is told. */
    big = make(return_value, &calls, still_much);
    ringlet_coroutine *child = make(return_later, &calls, 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(child, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(child, big), 0);
    take_memory();
    REQUIRE_EQUAL(ringlet_coroutine_switch(child, as_pointer(3), &got), -ENOMEM);
    give_memory();
    REQUIRE_EQUAL(ringlet_coroutine_state(child), RINGLET_COROUTINE_ENDED);
    REQUIRE_EQUAL(ringlet_coroutine_state(big), RINGLET_COROUTINE_ENDED);
    REQUIRE_EQUAL(calls, 2);
    ringlet_coroutine_release(child);
    ringlet_coroutine_release(big);
}

static void generators(void)
{
    int calls = 0;
    void *got = NULL;
    int64_t result = 0;
    ringlet_generator *big = NULL, *outer = NULL;
    REQUIRE_EQUAL(ringlet_generator_create(yield_once, &calls, also_much, &big), 0);
    take_memory();
    REQUIRE_EQUAL(ringlet_generator_next(big, &got), -ENOMEM);
    REQUIRE_EQUAL(ringlet_generator_result(big, &result), 0);
    /* To one that delegates it is a status like others. */
    REQUIRE_EQUAL(ringlet_generator_create(delegate, big, 0, &outer), 0);
    REQUIRE_EQUAL(ringlet_generator_next(outer, &got), 0);
    REQUIRE_EQUAL(ringlet_generator_result(outer, &result), 1);
    REQUIRE_EQUAL(result, -ENOMEM);
    give_memory();
    REQUIRE_EQUAL(calls, 0);
    REQUIRE_EQUAL(ringlet_generator_next(big, &got), 1);
    REQUIRE_EQUAL((intptr_t)got, 5);
    REQUIRE_EQUAL(ringlet_generator_release(outer), 0);
    REQUIRE_EQUAL(ringlet_generator_release(big), 0);
}

int main(void)
{
    REQUIRE(getrlimit(RLIMIT_AS, &before) == 0);
    coroutines();
    generators();
    return 0;
}

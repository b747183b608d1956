#include "check.h"

#include <pthread.h>

static int cleaned;

/* Yields what it is sent, and a status that is thrown, until it is sent 0 or closed. */
static int64_t echo(ringlet_generator *generator, void *user_data)
{
    void *value = user_data;
    for (;;) {
        void *sent = as_pointer(-1);
        int32_t status = ringlet_generator_yield(generator, value, &sent);
        if (status == -ECANCELED) {
            cleaned++;
            return 77;
        }
        if (status < 0) {
            value = as_pointer(status);
        } else if (!sent) {
            return 5;
        } else {
            value = sent;
        }
    }
}

static int32_t walk(ringlet_generator *generator, intptr_t low, intptr_t high)
{
    if (low > high) return 0;
    intptr_t middle = (low + high) / 2;
    int32_t status = walk(generator, low, middle - 1);
    if (status == 0) status = ringlet_generator_yield(generator, as_pointer(middle), NULL);
    if (status == 0) status = walk(generator, middle + 1, high);
    return status;
}

static int64_t tree(ringlet_generator *generator, void *user_data)
{
    return walk(generator, 1, (intptr_t)user_data);
}

/* The same with a generator for each subtree: user_data is low and high, 16 bits each. */
static int64_t delegated_tree(ringlet_generator *generator, void *user_data)
{
    intptr_t low = (intptr_t)user_data >> 16, high = (intptr_t)user_data & 0xffff;
    if (low > high) return 0;
    intptr_t middle = (low + high) / 2;
    ringlet_generator *left = NULL, *right = NULL;
    int64_t below = 0, above = 0;
    REQUIRE_EQUAL(ringlet_generator_create(delegated_tree, as_pointer(low << 16 | (middle - 1)),
                                           32768, &left), 0);
    REQUIRE_EQUAL(ringlet_generator_create(delegated_tree, as_pointer((middle + 1) << 16 | high),
                                           32768, &right), 0);
    int32_t status = ringlet_generator_delegate(generator, left, &below);
    if (status == 0) status = ringlet_generator_yield(generator, as_pointer(middle), NULL);
    if (status == 0) status = ringlet_generator_delegate(generator, right, &above);
    REQUIRE_EQUAL(ringlet_generator_release(left), 0);
    REQUIRE_EQUAL(ringlet_generator_release(right), 0);
    return status < 0 ? status : below + 1 + above;
}

static int64_t outer(ringlet_generator *generator, void *inner)
{
    int64_t result = 0;
    int32_t status = ringlet_generator_delegate(generator, inner, &result);
    return status < 0 ? status : result * 2;
}

static int64_t reenter(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), -EBUSY);
    REQUIRE_EQUAL(ringlet_generator_close(generator, NULL), -EBUSY);
    REQUIRE_EQUAL(ringlet_generator_release(generator), -EBUSY);
    REQUIRE_EQUAL(ringlet_generator_delegate(generator, generator, NULL), -EBUSY);
    return ringlet_generator_yield(generator, as_pointer(1), NULL);
}

static int64_t stubborn(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    for (intptr_t number = 0; number < 4; number++) {
        ringlet_generator_yield(generator, as_pointer(number), NULL);
    }
    return 9;
}

static void *use_elsewhere(void *generator)
{
    void *value = NULL;
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_throw(generator, -EIO, &value), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_close(generator, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_result(generator, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_release(generator), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_yield(generator, value, NULL), -EPERM);
    return NULL;
}

static void require_count(ringlet_generator *generator, intptr_t count)
{
    void *value = NULL;
    for (intptr_t number = 1; number <= count; number++) {
        REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
        REQUIRE_EQUAL((intptr_t)value, number);
    }
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
}

/* A function that waits suspends the coroutine that makes the step. */
static int64_t ticks(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    for (intptr_t number = 1; number <= 3; number++) {
        int32_t status = ringlet_sleep_until(after_milliseconds(1));
        if (status == 0) status = ringlet_generator_yield(generator, as_pointer(number), NULL);
        if (status < 0) return status;
    }
    return 0;
}

static int64_t inside_coroutine(void *user_data)
{
    (void)user_data;
    ringlet_generator *generator = NULL;
    REQUIRE_EQUAL(ringlet_generator_create(ticks, NULL, 0, &generator), 0);
    require_count(generator, 3);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    return 1;
}

int main(void)
{
    ringlet_generator *generator = NULL, *inner = NULL;
    void *value = NULL;
    int64_t result = 0;

    /* Refusals. */
    REQUIRE_EQUAL(ringlet_generator_create(NULL, NULL, 0, &generator), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_create(echo, NULL, 0, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_create(echo, NULL, 1000, &generator), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_next(NULL, &value), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_send(NULL, NULL, &value), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_throw(NULL, -EIO, &value), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_close(NULL, &result), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_result(NULL, &result), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_yield(NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_delegate(NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_release(NULL), 0);

    /* Values in and out. */
    REQUIRE_EQUAL(ringlet_generator_create(echo, as_pointer(3), 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_send(generator, as_pointer(1), &value), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_yield(generator, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 3);
    REQUIRE_EQUAL(ringlet_generator_send(generator, as_pointer(4), &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 4);
    REQUIRE_EQUAL(ringlet_generator_throw(generator, 1, &value), -EINVAL);
    REQUIRE_EQUAL(ringlet_generator_throw(generator, -EIO, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, -EIO);
    REQUIRE_EQUAL(ringlet_generator_yield(generator, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 1);
    REQUIRE_EQUAL(result, 5);
    REQUIRE_EQUAL(ringlet_generator_throw(generator, -EIO, &value), -EIO);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), 0);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);

    /* The end, by close and by release, begun and not. */
    REQUIRE_EQUAL(ringlet_generator_create(echo, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), 1);
    REQUIRE(result == 77 && cleaned == 1);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(echo, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE(cleaned == 2);
    REQUIRE_EQUAL(ringlet_generator_create(echo, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_throw(generator, -EIO, &value), -EIO);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), -EIO);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(echo, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), 0);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), -ECANCELED);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE(cleaned == 2);

    REQUIRE_EQUAL(ringlet_generator_create(stubborn, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), -EAGAIN);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 2);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), -EAGAIN);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), 1);
    REQUIRE_EQUAL(result, 9);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);

    /* Any depth of calls, and of delegations. */
    REQUIRE_EQUAL(ringlet_generator_create(tree, as_pointer(1000), 0, &generator), 0);
    require_count(generator, 1000);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(delegated_tree, as_pointer(1 << 16 | 1000), 0, &generator),
                  0);
    require_count(generator, 1000);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 1);
    REQUIRE_EQUAL(result, 1000);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(delegated_tree, as_pointer(1 << 16 | 1000), 0, &generator),
                  0);
    for (int i = 0; i < 300; i++) REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);

    /* What is sent and thrown goes to the inner function, and so does the end. */
    REQUIRE_EQUAL(ringlet_generator_create(echo, as_pointer(3), 0, &inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(outer, inner, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_release(inner), -EBUSY);
    REQUIRE_EQUAL(ringlet_generator_send(generator, as_pointer(6), &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 6);
    REQUIRE_EQUAL(ringlet_generator_throw(generator, -EIO, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, -EIO);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 1);
    REQUIRE_EQUAL(result, 10);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_release(inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(echo, as_pointer(3), 0, &inner), 0);
    REQUIRE_EQUAL(ringlet_generator_create(outer, inner, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), 1);
    REQUIRE(result == -ECANCELED && cleaned == 3);
    REQUIRE_EQUAL(ringlet_generator_result(inner, &result), 1);
    REQUIRE_EQUAL(result, 77);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_release(inner), 0);

    /* Not from inside, and not on another thread. */
    pthread_t thread;
    REQUIRE_EQUAL(ringlet_generator_create(reenter, NULL, 0, &generator), 0);
    require_count(generator, 1);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(reenter, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL(pthread_create(&thread, NULL, use_elsewhere, generator), 0);
    REQUIRE_EQUAL(pthread_join(thread, NULL), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);

    REQUIRE_EQUAL(run(inside_coroutine, NULL), 1);
    return 0;
}

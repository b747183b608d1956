/* Coroutines without a scheduler: pointers both ways, statuses, parents, threads, release. */

#include "check.h"

#include <pthread.h>

static ringlet_coroutine *make(ringlet_coroutine_function function, void *user_data,
                               const char *name)
{
    ringlet_coroutine *coroutine = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_create(function, user_data, name, 0, &coroutine), 0);
    REQUIRE(coroutine);
    REQUIRE_EQUAL(ringlet_coroutine_state(coroutine), RINGLET_COROUTINE_PENDING);
    return coroutine;
}

static void *number(intptr_t value) { return (void *)value; }

/* Adds what it is given until it is told to exit. */
static int32_t add(void *user_data, void *value, void **result)
{
    int *cleaned = user_data;
    intptr_t sum = (intptr_t)value;
    REQUIRE_EQUAL(ringlet_coroutine_state(ringlet_coroutine_current()),
                  RINGLET_COROUTINE_RUNNING);
    for (;;) {
        void *next = NULL;
        int32_t status = ringlet_coroutine_switch(NULL, number(sum), &next);
        if (status == -ECANCELED) {
            if (cleaned) (*cleaned)++;
            *result = number(-1);
            return status;
        }
        if (status < 0) {
            sum = status;
        } else if (next == NULL) {
            *result = number(sum);
            return 0;
        } else {
            sum += (intptr_t)next;
        }
    }
}

static int32_t return_first(void *user_data, void *value, void **result)
{
    (void)user_data;
    *result = value;
    return 0;
}

static int32_t fail(void *user_data, void *value, void **result)
{
    (void)value;
    (void)result;
    return (int32_t)(intptr_t)user_data;
}

/* Its user data is the coroutine that it switches to. */
static int32_t switch_on(void *user_data, void *value, void **result)
{
    return ringlet_coroutine_switch(user_data, value, result);
}

static void values_and_statuses(void)
{
    void *got = NULL;
    ringlet_coroutine *adder = make(add, NULL, "adder");
    REQUIRE_EQUAL(ringlet_coroutine_switch(adder, number(1), &got), 0);
    REQUIRE(got == number(1));
    REQUIRE_EQUAL(ringlet_coroutine_switch(adder, number(10), &got), 0);
    REQUIRE(got == number(11));
    REQUIRE_EQUAL(ringlet_coroutine_state(adder), RINGLET_COROUTINE_SUSPENDED);
    REQUIRE(ringlet_coroutine_current() == NULL);
    REQUIRE_EQUAL(ringlet_coroutine_throw(adder, 1, &got), -EINVAL);
    /* It catches the status and goes on. */
    REQUIRE_EQUAL(ringlet_coroutine_throw(adder, -EIO, &got), 0);
    REQUIRE(got == number(-EIO));
    REQUIRE_EQUAL(ringlet_coroutine_switch(adder, NULL, &got), 0);
    REQUIRE(got == number(-EIO));
    REQUIRE_EQUAL(ringlet_coroutine_state(adder), RINGLET_COROUTINE_ENDED);
    /* What is sent to one that has ended goes to its ancestors: to here. */
    REQUIRE_EQUAL(ringlet_coroutine_switch(adder, number(25), &got), 0);
    REQUIRE(got == number(25));
    REQUIRE_EQUAL(ringlet_coroutine_throw(adder, -EIO, &got), -EIO);
    ringlet_coroutine_release(adder);

    ringlet_coroutine *failing = make(fail, number(-ENOSPC), NULL);
    REQUIRE_EQUAL(ringlet_coroutine_switch(failing, NULL, NULL), -ENOSPC);
    ringlet_coroutine_release(failing);

    /* The exit signal: it cleans up and exits, and so does one that has not begun. */
    int cleaned = 0;
    adder = make(add, &cleaned, NULL);
    REQUIRE_EQUAL(ringlet_coroutine_switch(adder, number(1), NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_throw(adder, -ECANCELED, NULL), -ECANCELED);
    REQUIRE(cleaned == 1);
    ringlet_coroutine_release(adder);
    adder = make(add, &cleaned, NULL);
    REQUIRE_EQUAL(ringlet_coroutine_throw(adder, -EIO, NULL), -EIO);
    REQUIRE_EQUAL(ringlet_coroutine_state(adder), RINGLET_COROUTINE_ENDED);
    ringlet_coroutine_release(adder);

    /* Outside, NULL is here. */
    REQUIRE_EQUAL(ringlet_coroutine_switch(NULL, number(7), &got), 0);
    REQUIRE(got == number(7));
    REQUIRE_EQUAL(ringlet_coroutine_throw(NULL, -EIO, NULL), -EIO);
}

static void parents(void)
{
    ringlet_coroutine *child = make(return_first, NULL, "child");
    ringlet_coroutine *parent = make(return_first, NULL, "parent");
    ringlet_coroutine *found = child;
    REQUIRE_EQUAL(ringlet_coroutine_parent(child, &found), 0);
    REQUIRE(found == NULL);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(child, parent), 0);
    REQUIRE_EQUAL(ringlet_coroutine_parent(child, &found), 0);
    REQUIRE(found == parent);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(parent, parent), -EINVAL);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(parent, child), -ELOOP);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(NULL, child), -EINVAL);
    REQUIRE_EQUAL(ringlet_coroutine_parent(child, NULL), -EINVAL);

    /* The return of the child starts the parent. */
    void *got = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_switch(child, number(42), &got), 0);
    REQUIRE(got == number(42));
    REQUIRE_EQUAL(ringlet_coroutine_state(parent), RINGLET_COROUTINE_ENDED);
    ringlet_coroutine_release(parent);
    ringlet_coroutine_release(child);

    /* Control returns to the parent, not to who switched. */
    ringlet_coroutine *ends = make(return_first, NULL, "ends");
    ringlet_coroutine *stays = make(switch_on, ends, "stays");
    REQUIRE_EQUAL(ringlet_coroutine_switch(stays, number(3), &got), 0);
    REQUIRE(got == number(3));
    REQUIRE_EQUAL(ringlet_coroutine_state(stays), RINGLET_COROUTINE_SUSPENDED);
    ringlet_coroutine_release(stays);
    ringlet_coroutine_release(ends);
}

static void wrong_arguments(void)
{
    ringlet_coroutine *coroutine = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_create(NULL, NULL, NULL, 0, &coroutine), -EINVAL);
    REQUIRE_EQUAL(ringlet_coroutine_create(add, NULL, NULL, 0, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_coroutine_create(add, NULL, NULL, 1000, &coroutine), -EINVAL);
    REQUIRE_EQUAL(ringlet_coroutine_create(add, NULL, NULL, ((size_t)1 << 30) + 1, &coroutine), -EINVAL);
    REQUIRE_EQUAL(ringlet_coroutine_state(NULL), -EINVAL);
    REQUIRE(coroutine == NULL);
    ringlet_coroutine_release(NULL);
}

static int cleaned_elsewhere;

static void *use_elsewhere(void *coroutine)
{
    ringlet_coroutine *parent = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_coroutine_throw(coroutine, -EIO, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(coroutine, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_coroutine_parent(coroutine, &parent), -EPERM);
    REQUIRE_EQUAL(ringlet_coroutine_state(coroutine), RINGLET_COROUTINE_ELSEWHERE);
    ringlet_coroutine *own = make(return_first, NULL, NULL);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(own, coroutine), -EXDEV);
    ringlet_coroutine_release(own);
    ringlet_coroutine_release(coroutine);
    REQUIRE(cleaned_elsewhere == 0);
    return NULL;
}

static void *leave_one(void *place)
{
    *(ringlet_coroutine **)place = make(return_first, NULL, NULL);
    return NULL;
}

/* Another thread is refused, and what it releases is cleaned up here. */
static void threads(void)
{
    ringlet_coroutine *coroutine = make(add, &cleaned_elsewhere, "mine");
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, number(1), NULL), 0);
    pthread_t other;
    REQUIRE(pthread_create(&other, NULL, use_elsewhere, coroutine) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    REQUIRE(cleaned_elsewhere == 0);
    ringlet_coroutine *next = make(return_first, NULL, NULL);
    REQUIRE_EQUAL(ringlet_coroutine_switch(next, NULL, NULL), 0);
    REQUIRE(cleaned_elsewhere == 1);
    ringlet_coroutine_release(next);

    REQUIRE(pthread_create(&other, NULL, leave_one, &coroutine) == 0);
    REQUIRE(pthread_join(other, NULL) == 0);
    REQUIRE_EQUAL(ringlet_coroutine_state(coroutine), RINGLET_COROUTINE_LOST);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, NULL), -EPERM);
    ringlet_coroutine_release(coroutine);
}

static void release_unwinds(void)
{
    int cleaned = 0;
    for (int i = 1; i <= 1000; i++) {
        ringlet_coroutine *coroutine = make(add, &cleaned, NULL);
        REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, number(1), NULL), 0);
        ringlet_coroutine_release(coroutine);
        REQUIRE_EQUAL(cleaned, i);
    }
}

int main(void)
{
    values_and_statuses();
    parents();
    wrong_arguments();
    threads();
    release_unwinds();
    return 0;
}

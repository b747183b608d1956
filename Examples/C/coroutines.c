/*
 * A coroutine that control is switched to and from, and a generator, on the main thread: neither
 * needs a scheduler.
 *
 *     cc coroutines.c $(pkg-config --cflags --libs ringlet) -o coroutines && ./coroutines
 */

#include <errno.h>
#include <ringlet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Each switch brings a number, and takes the mean of all so far away. */
static int32_t average(void *user_data, void *value, void **result)
{
    intptr_t sum = 0, count = 0;

    (void)user_data;
    (void)result;
    for (;;) {
        int32_t status;

        sum += (intptr_t)value;
        count++;
        status = ringlet_coroutine_switch(NULL, (void *)(sum / count), &value);
        if (status < 0) return status; /* -ECANCELED: it is being ended, and cleans up here */
    }
}

/* A plain function may yield as well: the generator's stack holds all of them. */
static int32_t move(ringlet_generator *moves, int discs, int from, int to)
{
    int32_t status;

    if (discs == 0) return 0;
    if ((status = move(moves, discs - 1, from, 6 - from - to)) < 0) return status;
    if ((status = ringlet_generator_yield(moves, (void *)(intptr_t)(10 * from + to), NULL)) < 0) {
        return status;
    }
    return move(moves, discs - 1, 6 - from - to, to);
}

static int64_t hanoi(ringlet_generator *moves, void *discs)
{
    return move(moves, (int)(intptr_t)discs, 1, 3);
}

/* Ends the program when a call that must not fail has failed. */
static int32_t check(int32_t status)
{
    if (status >= 0) return status;
    fprintf(stderr, "%s\n", ringlet_status_message(status));
    exit(1);
}

int main(void)
{
    ringlet_coroutine *coroutine;
    ringlet_generator *moves;
    void *mean, *step;
    int count = 0;

    check(ringlet_coroutine_create(average, NULL, "average", 0, &coroutine));
    check(ringlet_coroutine_switch(coroutine, (void *)10, &mean)); /* 10 */
    check(ringlet_coroutine_switch(coroutine, (void *)20, &mean)); /* 15 */
    if (mean != (void *)15) return 1;

    /* The exit signal. A release would do the same, with nobody to tell. */
    if (ringlet_coroutine_throw(coroutine, -ECANCELED, NULL) != -ECANCELED) return 1;
    if (ringlet_coroutine_state(coroutine) != RINGLET_COROUTINE_ENDED) return 1;
    ringlet_coroutine_release(coroutine);

    check(ringlet_generator_create(hanoi, (void *)3, 0, &moves));
    while (check(ringlet_generator_next(moves, &step)) == 1) {
        printf("from %d to %d\n", (int)(intptr_t)step / 10, (int)(intptr_t)step % 10);
        count++;
    }
    check(ringlet_generator_release(moves));
    return count == 7 ? 0 : 1;
}

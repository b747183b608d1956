/* The end of the process: with coroutines and generators that are suspended, nested and on several
   threads, from inside their functions, and in a handler that uses them once more. */

#include "check.h"

#include <pthread.h>
#include <sys/wait.h>

/* What the child has reached is told by a pipe, since nothing else of it is left. */
static int said[2];

static void say(char letter) { REQUIRE(write(said[1], &letter, 1) == 1); }

static int32_t wait_for_ever(void *user_data, void *value, void **result)
{
    (void)user_data;
    (void)value;
    (void)result;
    /* Not to the code outside: a handler may run in a coroutine, too. */
    ringlet_coroutine *parent = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_parent(ringlet_coroutine_current(), &parent), 0);
    int32_t status = ringlet_coroutine_switch(parent, NULL, NULL);
    say('u');
    return status;
}

/* Each of so many is made and begun by the one before, which stays in that switch. */
static int32_t nest(void *left, void *value, void **result)
{
    ringlet_coroutine *child = NULL;
    if (!left) return ringlet_coroutine_switch(NULL, value, result);
    REQUIRE_EQUAL(ringlet_coroutine_create(nest, as_pointer((intptr_t)left - 1), NULL, 32768, &child), 0);
    return ringlet_coroutine_switch(child, NULL, NULL);
}

static int64_t yield_for_ever(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    int32_t status = 0;
    while (status == 0) status = ringlet_generator_yield(generator, NULL, NULL);
    say('u');
    return status;
}

static ringlet_coroutine *begun(void)
{
    ringlet_coroutine *coroutine = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_create(wait_for_ever, NULL, NULL, 32768, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_state(coroutine), RINGLET_COROUTINE_SUSPENDED);
    return coroutine;
}

static pthread_barrier_t ready;

static void *leave_many(void *user_data)
{
    (void)user_data;
    for (int i = 0; i < 100; i++) {
        ringlet_generator *generator = NULL;
        begun();
        REQUIRE_EQUAL(ringlet_generator_create(yield_for_ever, NULL, 32768, &generator), 0);
        REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), 1);
    }
    pthread_barrier_wait(&ready);
    for (;;) pause();
    return NULL;
}

static ringlet_coroutine *old;

static void use_again(void)
{
    ringlet_coroutine_state(ringlet_coroutine_current());
    ringlet_coroutine *coroutine = begun();
    ringlet_coroutine_release(coroutine);
    if (old) ringlet_coroutine_release(old);
    say('h');
}

static void exit_in_main(void)
{
    pthread_t threads[4];
    REQUIRE(pthread_barrier_init(&ready, NULL, 5) == 0);
    for (int i = 0; i < 4; i++) REQUIRE(pthread_create(&threads[i], NULL, leave_many, NULL) == 0);
    pthread_barrier_wait(&ready);
    REQUIRE_EQUAL(nest((void *)100, NULL, NULL), 0);
    exit(0);
}

static int32_t exit_inside(void *user_data, void *value, void **result)
{
    (void)user_data;
    (void)value;
    (void)result;
    exit(0);
}

static void exit_in_coroutine(void)
{
    ringlet_coroutine *coroutine = NULL;
    old = begun();
    REQUIRE_EQUAL(ringlet_coroutine_create(exit_inside, NULL, "leaves", 0, &coroutine), 0);
    ringlet_coroutine_switch(coroutine, NULL, NULL);
}

static int64_t exit_in_step(ringlet_generator *generator, void *user_data)
{
    (void)generator;
    (void)user_data;
    exit(0);
}

static void exit_in_generator(void)
{
    ringlet_generator *generator = NULL;
    old = begun();
    REQUIRE_EQUAL(ringlet_generator_create(exit_in_step, NULL, 0, &generator), 0);
    ringlet_generator_next(generator, NULL);
}

static void in_child(void (*body)(void), const char *expected)
{
    char text[16] = "";
    int status = 0;
    REQUIRE(pipe(said) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        close(said[0]);
        alarm(60);
        REQUIRE(atexit(use_again) == 0);
        body();
        _exit(9);
    }
    close(said[1]);
    size_t length = 0;
    ssize_t count;
    while ((count = read(said[0], text + length, sizeof text - 1 - length)) > 0) length += count;
    close(said[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE_EQUAL(WEXITSTATUS(status), 0);
    if (strcmp(text, expected) != 0) fprintf(stderr, "the child said %s\n", text);
    REQUIRE(strcmp(text, expected) == 0);
}

int main(void)
{
    /* Nobody's function is made to return, but what the handler releases. */
    in_child(exit_in_main, "uh");
    in_child(exit_in_coroutine, "uuh");
    in_child(exit_in_generator, "uuh");
    return 0;
}

/*
 * Two coroutines on one thread, and a pipe between them.
 *
 *     cc hello.c $(pkg-config --cflags --libs ringlet) -o hello && ./hello
 */

#include <ringlet.h>
#include <stdio.h>
#include <unistd.h>

static int ends[2];

static int64_t greet(void *greeting)
{
    return ringlet_write(ends[1], greeting, 11, -1, INT64_MAX);
}

static int64_t listen_to(void *text)
{
    return ringlet_read(ends[0], text, 32, -1, INT64_MAX); /* suspends this coroutine only */
}

int main(void)
{
    ringlet_scheduler *scheduler;
    uint64_t listener;
    int64_t count = 0;
    char text[32];

    if (pipe(ends) != 0 || ringlet_scheduler_create(NULL, &scheduler) < 0) return 1;
    ringlet_scheduler_spawn(scheduler, listen_to, text, NULL, &listener);
    ringlet_scheduler_spawn(scheduler, greet, "hello, ring", NULL, NULL);
    ringlet_task_join(listener, &count, INT64_MAX);
    ringlet_task_release(listener);
    ringlet_scheduler_destroy(scheduler);
    if (count < 0) return 1;
    printf("%.*s\n", (int)count, text);
    return 0;
}

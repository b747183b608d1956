/* Tasks in C, with names and without, which are suspended in functions that a backtrace shows; then one of them ends
 * the process. gdb.sh looks at them. */

#define _GNU_SOURCE

#include <ringlet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int sockets[2];

static void require(int is_true, const char *what)
{
    if (is_true) return;
    fprintf(stderr, "not true: %s\n", what);
    exit(2);
}

/* The statement after each call is there so that none is a tail call. */
__attribute__((noinline)) static int32_t wait_for_ever(void)
{
    int32_t status = ringlet_sleep_until(INT64_MAX);
    __asm__ volatile("");
    return status;
}

__attribute__((noinline)) static int64_t sleeping_task(void *user_data)
{
    (void)user_data;
    int32_t status = wait_for_ever();
    __asm__ volatile("");
    return status;
}

__attribute__((noinline)) static int64_t receiving_task(void *user_data)
{
    char *byte = user_data;
    int64_t count = ringlet_recv(sockets[0], byte, 1, INT64_MAX);
    __asm__ volatile("");
    return count;
}

__attribute__((noinline)) static int64_t breaking_task(void *user_data)
{
    (void)user_data;
    abort();
}

static void spawn(ringlet_scheduler *scheduler, ringlet_function function, void *user_data, const char *name)
{
    ringlet_task_options *options = NULL;
    uint64_t task = 0;
    require(ringlet_task_options_create(&options) == 0, "there are options");
    require(ringlet_task_options_set_name(options, name) == 0, "the name is set");
    require(ringlet_scheduler_spawn(scheduler, function, user_data, options, &task) == 0, "the task is spawned");
    ringlet_task_options_destroy(options);
}

int main(void)
{
    ringlet_scheduler *scheduler = NULL;
    char byte;
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "there are sockets");
    require(ringlet_scheduler_create(NULL, &scheduler) == 0, "there is a scheduler");
    spawn(scheduler, sleeping_task, NULL, "sleeper");
    spawn(scheduler, receiving_task, &byte, "receiver");
    spawn(scheduler, sleeping_task, NULL, NULL);
    /* The last in the queue of the only worker: the others wait by then. */
    spawn(scheduler, breaking_task, NULL, "breaker");
    for (;;) pause();
}

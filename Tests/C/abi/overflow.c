/* A coroutine whose stack overflows is named, and the process ends as the crash it is. */

#include "check.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static volatile int64_t sink;

__attribute__((noinline)) static int64_t dive(int64_t depth)
{
    volatile char frame[512];
    frame[depth % 512] = (char)depth;
    if (depth < 0) return 0;
    return dive(depth + 1) + frame[depth % 512];
}

static int64_t overflow(void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_yield(), 0);
    sink = dive(1);
    return sink;
}

static void crash(const char *name)
{
    ringlet_options *options;
    ringlet_scheduler *scheduler;
    ringlet_task_options *task_options;
    uint64_t task;
    REQUIRE_EQUAL(ringlet_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, 96 * 1024), 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(options, &scheduler), 0);
    REQUIRE_EQUAL(ringlet_task_options_create(&task_options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_name(task_options, name), 0);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, overflow, NULL, task_options, &task), 0);
    join(task);
}

/* What a child writes to stderr, and how it ends. */
static int crash_in_child(const char *name, char *text, size_t size)
{
    int ends[2], status;
    size_t length = 0;
    ssize_t count;
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(30);
        crash(name);
        _exit(0);
    }
    close(ends[1]);
    while ((count = read(ends[0], text + length, size - 1 - length)) > 0) length += (size_t)count;
    text[length] = 0;
    close(ends[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

int main(void)
{
    char text[4096];
    /* The library has not been used in this process, so its children may use it. */
    int status = crash_in_child("fetch 7", text, sizeof text);
    fputs(text, stderr);
    REQUIRE(strstr(text, "ringlet: stack overflow in task 'fetch 7': its stack of 96 KiB is full"));
    REQUIRE(strstr(text, "Larger stacks: ringlet_options_set_stack_size()."));
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);

    status = crash_in_child(NULL, text, sizeof text);
    fputs(text, stderr);
    REQUIRE(strstr(text, "stack overflow in a task without a name: its stack of 96 KiB is full"));
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    return 0;
}

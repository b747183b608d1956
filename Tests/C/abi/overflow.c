/* A task, a coroutine or a generator whose stack overflows is named, the handler that the program had before is called and
   sees the frames, and the process ends as the crash it is. */

#include "check.h"

#include <execinfo.h>
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

/* The program's own handler, which the library calls after its line. The fault comes again, then to nobody. */
static void count_frames(int signal_number)
{
    static void *frames[2000];
    int count = backtrace(frames, 2000), inside = 0;
    for (int i = 0; i < count; i++) {
        uintptr_t offset = (uintptr_t)frames[i] - (uintptr_t)dive;
        if (offset < 2048) inside++;
    }
    dprintf(STDERR_FILENO, "%s, and %s\n", inside > 60 ? "frames of dive" : "no frames",
            count > inside && count < 2000 ? "an end" : "no end");
    signal(signal_number, SIG_DFL);
}

static void crash_task(const char *name)
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

static int32_t dive_in_coroutine(void *user_data, void *value, void **result)
{
    (void)user_data;
    *result = value;
    return (int32_t)dive(1);
}

static void crash_coroutine(const char *name)
{
    ringlet_coroutine *coroutine;
    REQUIRE_EQUAL(ringlet_coroutine_create(dive_in_coroutine, NULL, name, 96 * 1024, &coroutine), 0);
    ringlet_coroutine_switch(coroutine, NULL, NULL);
}

static int64_t dive_in_generator(ringlet_generator *generator, void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(ringlet_generator_yield(generator, NULL, NULL), 0);
    return dive(1);
}

static void crash_generator(const char *name)
{
    (void)name;
    ringlet_generator *generator;
    REQUIRE_EQUAL(ringlet_generator_create(dive_in_generator, NULL, 96 * 1024, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), 1);
    ringlet_generator_next(generator, NULL);
}

static void require_crash(void (*crash)(const char *), const char *name, const char *words)
{
    char text[4096];
    int ends[2], status;
    size_t length = 0;
    ssize_t count;
    REQUIRE(pipe(ends) == 0);
    /* The library has not been used in this process, so its children may use it. */
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        struct sigaction action = {.sa_handler = count_frames, .sa_flags = SA_ONSTACK};
        setrlimit(RLIMIT_CORE, &no_core);
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        alarm(30);
        crash(name);
        _exit(0);
    }
    close(ends[1]);
    while ((count = read(ends[0], text + length, sizeof text - 1 - length)) > 0) length += (size_t)count;
    text[length] = 0;
    close(ends[0]);
    REQUIRE(waitpid(child, &status, 0) == child);
    fputs(text, stderr);
    REQUIRE(strstr(text, words));
    REQUIRE(strstr(text, "its stack of 96 KiB is full"));
    REQUIRE(strstr(text, "frames of dive, and an end"));
    REQUIRE(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS));
}

int main(void)
{
    void *frame;
    /* What it loads at its first call it has loaded before the fault. */
    REQUIRE(backtrace(&frame, 1) == 1);
    require_crash(crash_task, "fetch 7", "ringlet: stack overflow in task 'fetch 7': ");
    require_crash(crash_task, "fetch 7", "Larger stacks: ringlet_options_set_stack_size().");
    require_crash(crash_task, NULL, "stack overflow in a task without a name: ");
    require_crash(crash_coroutine, "ping", "ringlet: stack overflow in coroutine 'ping': ");
    require_crash(crash_coroutine, NULL, "ringlet: stack overflow in a coroutine without a name: ");
    require_crash(crash_generator, NULL, "ringlet: stack overflow in a generator");
    return 0;
}

#include "check.h"

#include <fcntl.h>

static int pipes[2];

static int64_t use_file(void *user_data)
{
    (void)user_data;
    char name[] = "/tmp/ringlet-test-XXXXXX";
    char text[16] = {0};
    int file = mkstemp(name);
    REQUIRE(file >= 0);
    unlink(name);
    REQUIRE_EQUAL(ringlet_write(file, "coroutine", 9, -1, INT64_MAX), 9);
    REQUIRE_EQUAL(ringlet_write(file, "R", 1, 2, INT64_MAX), 1);
    REQUIRE_EQUAL(ringlet_read(file, text, sizeof text, 0, INT64_MAX), 9);
    REQUIRE(strcmp(text, "coRoutine") == 0);
    /* The file's own position is after the nine bytes. */
    REQUIRE_EQUAL(ringlet_read(file, text, sizeof text, -1, INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_read(file, text, sizeof text, -2, INT64_MAX), -EINVAL);
    REQUIRE_EQUAL(ringlet_write(file, text, 1, INT64_MIN, INT64_MAX), -EINVAL);
    REQUIRE_EQUAL(ringlet_read(file, NULL, 1, 0, INT64_MAX), -EFAULT);
    REQUIRE_EQUAL(ringlet_read(file, text, 0, 0, INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_close(file), 0);
    REQUIRE_EQUAL(ringlet_close(file), -EBADF);
    REQUIRE_EQUAL(ringlet_read(file, text, 1, 0, INT64_MAX), -EBADF);
    REQUIRE_EQUAL(ringlet_read(-1, text, 1, 0, INT64_MAX), -EBADF);
    REQUIRE_EQUAL(ringlet_write(-5, text, 1, 0, INT64_MAX), -EBADF);
    REQUIRE_EQUAL(ringlet_recv(pipes[0], text, 1, INT64_MAX), -ENOTSOCK);
    return 1;
}

static int64_t read_byte(void *user_data)
{
    char byte = 0;
    int64_t count = ringlet_read(pipes[0], &byte, 1, -1, *(int64_t *)user_data);
    return count == 1 ? byte : count;
}

static int64_t use_pipe(void *user_data)
{
    (void)user_data;
    uint64_t task = 0;
    int64_t deadline = INT64_MAX;
    char byte = 0;

    /* A read that waits, and a write that ends it. */
    REQUIRE_EQUAL(ringlet_spawn(read_byte, &deadline, NULL, &task), 0);
    REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(2)), 0);
    REQUIRE_EQUAL(ringlet_write(pipes[1], "x", 1, -1, INT64_MAX), 1);
    REQUIRE_EQUAL(join_and_release(task), 'x');

    /* A deadline, also one that has passed; and what is there is delivered. */
    deadline = after_milliseconds(10);
    REQUIRE_EQUAL(ringlet_read(pipes[0], &byte, 1, -1, deadline), -ETIMEDOUT);
    REQUIRE(ringlet_now() >= deadline);
    REQUIRE_EQUAL(ringlet_read(pipes[0], &byte, 1, -1, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_write(pipes[1], "y", 1, -1, soon()), 1);
    REQUIRE_EQUAL(ringlet_read(pipes[0], &byte, 1, -1, soon()), 1);
    REQUIRE_EQUAL(byte, 'y');

    /* Closed while a read waits. */
    deadline = INT64_MAX;
    REQUIRE_EQUAL(ringlet_spawn(read_byte, &deadline, NULL, &task), 0);
    REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(2)), 0);
    REQUIRE_EQUAL(ringlet_close(pipes[0]), 0);
    REQUIRE_EQUAL(join_and_release(task), -EBADF);
    REQUIRE_EQUAL(ringlet_close(pipes[1]), 0);
    return 1;
}

/* Coroutines keep errno apart. */
static int64_t keep_errno(void *user_data)
{
    int number = (int)(intptr_t)user_data;
    errno = number;
    for (int i = 0; i < 10; i++) {
        REQUIRE_EQUAL(ringlet_yield(), 0);
        REQUIRE_EQUAL(errno, number);
    }
    return 0;
}

int main(void)
{
    REQUIRE(pipe2(pipes, O_CLOEXEC) == 0);
    REQUIRE_EQUAL(run(use_file, NULL), 1);
    REQUIRE_EQUAL(run(use_pipe, NULL), 1);

    ringlet_scheduler *scheduler = make_scheduler(1);
    uint64_t first = spawn(scheduler, keep_errno, as_pointer(1));
    uint64_t second = spawn(scheduler, keep_errno, as_pointer(2));
    REQUIRE_EQUAL(join_and_release(first), 0);
    REQUIRE_EQUAL(join_and_release(second), 0);
    end_scheduler(scheduler);
    return 0;
}

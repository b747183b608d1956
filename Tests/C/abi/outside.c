/* What works inside a coroutine only says so on a plain thread, and does nothing else. */

#include "check.h"

int main(void)
{
    char byte = 0;
    uint64_t task = 0;
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);

    /* With and without a scheduler in the process. */
    for (int round = 0; round < 2; round++) {
        ringlet_scheduler *scheduler = round ? make_scheduler(1) : NULL;
        REQUIRE_EQUAL(ringlet_spawn(sleep_for_ever, NULL, NULL, &task), -EPERM);
        REQUIRE_EQUAL(ringlet_yield(), -EPERM);
        REQUIRE_EQUAL(ringlet_sleep_until(0), -EPERM);
        REQUIRE_EQUAL(ringlet_is_cancelled(), -EPERM);
        REQUIRE_EQUAL(ringlet_read(pipes[0], &byte, 1, -1, 0), -EPERM);
        REQUIRE_EQUAL(ringlet_write(pipes[1], &byte, 1, -1, 0), -EPERM);
        REQUIRE_EQUAL(ringlet_recv(pipes[0], &byte, 1, 0), -EPERM);
        REQUIRE_EQUAL(ringlet_send(pipes[1], &byte, 1, 0), -EPERM);
        REQUIRE_EQUAL(ringlet_accept(pipes[0], 0), -EPERM);
        REQUIRE_EQUAL(ringlet_connect(pipes[0], &byte, 1, 0), -EPERM);
        REQUIRE_EQUAL(ringlet_close(pipes[0]), -EPERM);
        REQUIRE_EQUAL(ringlet_task_current(), 0);
        REQUIRE_EQUAL(task, 0);
        if (scheduler) end_scheduler(scheduler);
    }
    REQUIRE(write(pipes[1], &byte, 1) == 1 && read(pipes[0], &byte, 1) == 1);
    return 0;
}

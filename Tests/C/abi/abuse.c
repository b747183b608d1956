/* What no caller should pass: each gives a status, and the library goes on. */

#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* Sooner than the join of the coroutine gives up, so that the call which hangs is named. */
static int64_t shortly(void) { return after_milliseconds(5000); }

static void refuse_descriptors(void)
{
    static const int32_t bad[] = {-1, -2, -100, INT32_MIN, INT32_MAX, INT32_MAX - 1, 1 << 29};
    struct sockaddr_in address = {.sin_family = AF_INET};
    char byte = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REQUIRE_EQUAL(ringlet_read(bad[i], &byte, 1, -1, shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_read(bad[i], &byte, 1, 0, shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_write(bad[i], &byte, 1, -1, shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_recv(bad[i], &byte, 1, shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_send(bad[i], &byte, 1, shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_accept(bad[i], shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_connect(bad[i], &address, sizeof address, shortly()), -EBADF);
        REQUIRE_EQUAL(ringlet_close(bad[i]), -EBADF);
    }
}

/* Memory that is not there, and sizes that no memory has. */
static void refuse_memory(void)
{
    int ends[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char bytes[4] = {1, 2, 3, 4};
    char *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(nowhere != MAP_FAILED && file >= 0);
    void *bad[] = {NULL, (void *)8, nowhere, (void *)UINTPTR_MAX, (void *)(UINTPTR_MAX / 2 + 1)};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REQUIRE(write(ends[1], bytes, 4) == 4);
        REQUIRE_EQUAL(ringlet_recv(ends[0], bad[i], 4, shortly()), -EFAULT);
        REQUIRE_EQUAL(ringlet_read(ends[0], bad[i], 4, -1, shortly()), -EFAULT);
        REQUIRE_EQUAL(ringlet_send(ends[0], bad[i], 4, shortly()), -EFAULT);
        REQUIRE_EQUAL(ringlet_write(ends[0], bad[i], 4, -1, shortly()), -EFAULT);
        REQUIRE_EQUAL(ringlet_read(file, bad[i], 4, 0, shortly()), -EFAULT);
        /* What was not delivered is still there. */
        REQUIRE_EQUAL(ringlet_recv(ends[0], bytes, 4, shortly()), 4);
        REQUIRE_EQUAL(bytes[3], 4);
    }
    /* A size beyond the kernel's is taken for the most that it moves. */
    char *large = malloc(4096);
    REQUIRE(large && write(ends[1], bytes, 3) == 3);
    REQUIRE_EQUAL(ringlet_recv(ends[0], large, SIZE_MAX, shortly()), 3);
    REQUIRE(write(ends[1], bytes, 2) == 2);
    REQUIRE_EQUAL(ringlet_recv(ends[0], large, (size_t)1 << 32 | 1, shortly()), 2);
    free(large);

    REQUIRE_EQUAL(ringlet_read(file, bytes, 1, -2, shortly()), -EINVAL);
    REQUIRE_EQUAL(ringlet_read(file, bytes, 1, INT64_MIN, shortly()), -EINVAL);
    REQUIRE(ringlet_read(file, bytes, 1, INT64_MAX, shortly()) <= 0);
    REQUIRE_EQUAL(ringlet_write(file, bytes, 1, INT64_MIN, shortly()), -EINVAL);
    REQUIRE_EQUAL(ringlet_close(file), 0);
    REQUIRE_EQUAL(ringlet_close(ends[0]), 0);
    REQUIRE_EQUAL(ringlet_close(ends[1]), 0);
    REQUIRE(munmap(nowhere, 4096) == 0);
}

static void refuse_addresses(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    static const uint32_t lengths[] = {0, 1, 4096, INT32_MAX, UINT32_MAX, 0x80000000u};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(file >= 0);
    REQUIRE_EQUAL(ringlet_connect(file, NULL, sizeof address, shortly()), -EINVAL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        REQUIRE_EQUAL(ringlet_connect(file, &address, lengths[i], shortly()), -EINVAL);
    }
    REQUIRE_EQUAL(ringlet_connect(file, (void *)8, sizeof address, shortly()), -EFAULT);
    REQUIRE_EQUAL(ringlet_close(file), 0);
}

static int64_t inside(void *user_data)
{
    (void)user_data;
    refuse_descriptors();
    refuse_memory();
    refuse_addresses();
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MIN), 0);
    REQUIRE_EQUAL(ringlet_spawn(NULL, NULL, NULL, NULL), -EINVAL);
    return 1;
}

static void refuse_ids(ringlet_queue *queue)
{
    static const uint64_t bad[] = {0, 1, UINT32_MAX, UINT64_MAX, UINT64_C(1) << 63,
                                   UINT64_C(1) << 32 | 0x7fffffff, UINT64_C(2) << 32};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REQUIRE_EQUAL(ringlet_task_join(bad[i], NULL, INT64_MAX), -ESRCH);
        REQUIRE_EQUAL(ringlet_task_cancel(bad[i]), -ESRCH);
        REQUIRE_EQUAL(ringlet_task_release(bad[i]), -ESRCH);
        REQUIRE_EQUAL(ringlet_task_notify(bad[i], queue, 0), -ESRCH);
    }
}

static void refuse_queues(ringlet_scheduler *scheduler, ringlet_queue *queue)
{
    ringlet_completion records[2];
    uint64_t task = spawn(scheduler, return_number, NULL);
    REQUIRE_EQUAL(ringlet_task_notify(task, NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_create(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_descriptor(NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_poll(NULL, records, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, NULL, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(NULL, records, 1, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, NULL, 1, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, records, 0, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, records, 1, INT64_MIN), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_task_notify(task, queue, 7), 0);
    REQUIRE_EQUAL(join(task), 0);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, records, 0), 0);
    /* A capacity is a promise; what is written is what there is. */
    REQUIRE_EQUAL(ringlet_queue_wait(queue, records, UINT32_MAX, soon()), 1);
    REQUIRE_EQUAL(records[0].user_data, 7);
    REQUIRE_EQUAL(ringlet_task_release(task), 0);
}

int main(void)
{
    ringlet_queue *queue = NULL;
    ringlet_scheduler *scheduler = make_scheduler(1);
    uint64_t task = 0;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(NULL, return_number, NULL, NULL, &task), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, NULL, NULL, NULL, &task), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(NULL, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(NULL), 0);
    REQUIRE_EQUAL(task, 0);
    refuse_ids(queue);
    refuse_queues(scheduler, queue);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, inside, NULL)), 1);
    ringlet_queue_destroy(queue);
    end_scheduler(scheduler);
    return 0;
}

/* Schedulers one after another, shut down with work in flight: memory stays flat.

       lifetimes [COUNT]     how many; `lifetimes 10000` prints the resident memory as it goes */

#include "check.h"

#include <malloc.h>

static long resident_kib(void)
{
    long total, resident;
    FILE *file = fopen("/proc/self/statm", "r");
    REQUIRE(file && fscanf(file, "%ld %ld", &total, &resident) == 2);
    fclose(file);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void live_and_end(uint32_t workers)
{
    enum { count = 8 };
    uint64_t tasks[count];
    ringlet_scheduler *scheduler = make_scheduler(workers);
    for (int i = 0; i < count; i++) {
        tasks[i] = spawn(scheduler, i % 2 ? sleep_for_ever : return_number, as_pointer(i));
    }
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    for (int i = 0; i < count; i++) {
        int64_t result = join_and_release(tasks[i]);
        REQUIRE(result == -ECANCELED || (i % 2 == 0 && result == i));
    }
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
}

int main(int argument_count, char **arguments)
{
    int count = argument_count > 1 ? atoi(arguments[1]) : 400;
    long after_third = 0;
    mallopt(M_ARENA_MAX, 2);
    for (int i = 0; i < count; i++) {
        live_and_end(i % 2 ? 1 : 4);
        if (i == count / 3) after_third = resident_kib();
        if (i % (count / 10) == 0) printf("%ld ", resident_kib());
    }
    long growth = resident_kib() - after_third;
    printf("KiB\n");
    REQUIRE(growth < 512);
    return 0;
}

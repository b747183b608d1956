#include "check.h"

enum { count = 10000 };

static uint64_t tasks[count];

static int64_t yield_and_return(void *user_data)
{
    REQUIRE_EQUAL(ringlet_yield(), 0);
    return (int64_t)(intptr_t)user_data;
}

/* All alive at the same time, then again one by one. */
static int64_t spawn_inside(void *user_data)
{
    (void)user_data;
    int64_t sum = 0;
    for (int i = 0; i < count; i++) {
        REQUIRE_EQUAL(ringlet_spawn(yield_and_return, as_pointer(i), NULL, &tasks[i]), 0);
    }
    for (int i = 0; i < count; i++) sum += join_and_release(tasks[i]);
    for (int i = 0; i < count; i++) {
        REQUIRE_EQUAL(ringlet_spawn(yield_and_return, as_pointer(i), NULL, &tasks[i]), 0);
        sum += join_and_release(tasks[i]);
    }
    return sum;
}

static int64_t kib_in_use(void)
{
    char line[256];
    int64_t value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    REQUIRE(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "RssAnon:", 8) == 0) value = strtoll(line + 8, NULL, 10);
    }
    fclose(file);
    return value;
}

int main(void)
{
    ringlet_scheduler *scheduler = make_scheduler(2);
    int64_t expected = (int64_t)count * (count - 1) / 2;

    for (int round = 0; round < 2; round++) {
        int64_t sum = 0;
        for (int i = 0; i < count; i++) {
            tasks[i] = spawn(scheduler, yield_and_return, as_pointer(i));
        }
        for (int i = 0; i < count; i++) sum += join_and_release(tasks[i]);
        REQUIRE_EQUAL(sum, expected);
    }
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, spawn_inside, NULL)), 2 * expected);

    /* Tasks that have ended and been released are freed: 500,000 more leave no trace. */
    int64_t before = 0;
    for (int round = 0; round < 35; round++) {
        /* By then both workers have had all the stacks that they need. */
        if (round == 10) before = kib_in_use();
        REQUIRE_EQUAL(join_and_release(spawn(scheduler, spawn_inside, NULL)), 2 * expected);
    }
    int64_t growth = kib_in_use() - before;
    if (growth > 2 * 1024) {
        fprintf(stderr, "grew by %" PRId64 " KiB\n", growth);
        return 1;
    }
    end_scheduler(scheduler);
    return 0;
}

/*
 * Failures to create a scheduler come out as numbers. Inside they are Swift errors, and finding
 * their numbers takes a cast to a protocol: in a library that lacks the registration of its
 * metadata every one of them would be RINGLET_E_INTERNAL.
 */

#include "check.h"

#include <sys/resource.h>

int main(void)
{
    ringlet_scheduler *scheduler = NULL;
    ringlet_queue *queue = NULL;

    REQUIRE(setenv("RINGLET_KERNEL_MASK", "nonsense", 1) == 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(NULL, &scheduler), RINGLET_E_ENVIRONMENT);
    REQUIRE(unsetenv("RINGLET_KERNEL_MASK") == 0);

    /* Not a descriptor more than there are. */
    struct rlimit limit;
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int next = next_descriptor();
    struct rlimit none = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    REQUIRE_EQUAL(ringlet_scheduler_create(NULL, &scheduler), -EMFILE);
    REQUIRE_EQUAL(ringlet_queue_create(&queue), -EMFILE);
    /* The second and third descriptor of a scheduler. */
    for (rlim_t more = 1; more < 3; more++) {
        none.rlim_cur = (rlim_t)next + more;
        REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
        int32_t status = ringlet_scheduler_create(NULL, &scheduler);
        if (status == 0) {
            end_scheduler(scheduler);
            scheduler = NULL;
        } else {
            REQUIRE_EQUAL(status, -EMFILE);
        }
    }
    REQUIRE(scheduler == NULL && queue == NULL);

    /* Nothing was left behind, and with room it works. */
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    require_next_descriptor(next);
    end_scheduler(make_scheduler(1));
    return 0;
}

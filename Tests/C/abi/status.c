#include "check.h"

static int same(const char *left, const char *right) { return strcmp(left, right) == 0; }

int main(void)
{
    REQUIRE_EQUAL(ringlet_version(), RINGLET_VERSION_MAJOR << 16 | RINGLET_VERSION_MINOR << 8
                                         | RINGLET_VERSION_PATCH);
    char version[32];
    snprintf(version, sizeof version, "%d.%d.%d", RINGLET_VERSION_MAJOR, RINGLET_VERSION_MINOR,
             RINGLET_VERSION_PATCH);
    REQUIRE(same(ringlet_version_string(), version));

    for (int32_t status = -5000; status <= 10; status++) {
        REQUIRE(ringlet_status_name(status) && *ringlet_status_name(status));
        REQUIRE(ringlet_status_message(status) && *ringlet_status_message(status));
    }
    /* Every errno value that the C library knows has its name here, and no other has one. */
    for (int number = 1; number <= 4095; number++) {
        const char *name = strerrorname_np(number);
        REQUIRE(same(ringlet_status_name(-number), name ? name : "UNKNOWN"));
    }
    REQUIRE(same(ringlet_status_name(0), "OK"));
    REQUIRE(same(ringlet_status_name(INT32_MAX), "OK"));
    REQUIRE(same(ringlet_status_name(INT32_MIN), "UNKNOWN"));
    REQUIRE(same(ringlet_status_name(RINGLET_E_INTERNAL), "RINGLET_E_INTERNAL"));
    REQUIRE(same(ringlet_status_name(RINGLET_E_ENVIRONMENT), "RINGLET_E_ENVIRONMENT"));
    REQUIRE(same(ringlet_status_name(RINGLET_E_KERNEL), "RINGLET_E_KERNEL"));
    REQUIRE(same(ringlet_status_name(RINGLET_E_FORK), "RINGLET_E_FORK"));
    REQUIRE(same(ringlet_status_name(RINGLET_E_FORK - 1), "UNKNOWN"));

    int64_t before = ringlet_now();
    usleep(1000);
    REQUIRE(before > 0 && ringlet_now() - before >= 1000000);
    return 0;
}

// The header in C++, and lambdas as coroutines.

#include <cstdint>
#include <ringlet.h>

int main() {
    ringlet_scheduler *scheduler = nullptr;
    if (ringlet_scheduler_create(nullptr, &scheduler) != 0) return 1;
    int number = 20;
    std::uint64_t task = 0;
    auto body = [](void *user_data) -> std::int64_t {
        try {
            if (ringlet_yield() == 0) throw 2;
        } catch (int caught) {
            return *static_cast<int *>(user_data) + caught;
        }
        return 0;
    };
    std::int64_t result = 0;
    if (ringlet_scheduler_spawn(scheduler, body, &number, nullptr, &task) != 0) return 2;
    if (ringlet_task_join(task, &result, INT64_MAX) != 0 || result != 22) return 3;
    if (ringlet_task_release(task) != 0) return 4;
    return ringlet_scheduler_destroy(scheduler);
}

// Scenario 18: four coroutines that are suspended inside catch blocks, resumed in order, rethrow each its own
// exception; and the code outside, in a catch block as well, keeps its own.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <ringlet.h>
#include <stdexcept>
#include <string>

namespace {

constexpr int count = 4;
int caught[count];

void require(bool condition, int line) {
    if (condition) return;
    std::fprintf(stderr, "scenario_18_exceptions.cpp:%d: not true\n", line);
    std::_Exit(1);
}

void suspend() { require(ringlet_coroutine_switch(nullptr, nullptr, nullptr) == 0, __LINE__); }

void rethrow_after_suspension(int own) {
    try {
        throw std::runtime_error(std::to_string(own));
    } catch (const std::exception &) {
        suspend();
        try {
            throw own;
        } catch (int inner) {
            suspend();
            require(inner == own, __LINE__);
        }
        throw;
    }
}

std::int32_t body(void *user_data, void *, void **) {
    int own = static_cast<int>(reinterpret_cast<std::intptr_t>(user_data));
    require(std::current_exception() == nullptr, __LINE__);
    try {
        rethrow_after_suspension(own);
    } catch (const std::runtime_error &error) {
        require(error.what() == std::to_string(own), __LINE__);
        caught[own]++;
    }
    require(std::current_exception() == nullptr, __LINE__);
    return 0;
}

/// The process's address space in pages, which the kernel counts exactly, where it counts resident pages roughly.
long mapped_pages() {
    long pages = 0;
    std::FILE *file = std::fopen("/proc/self/statm", "r");
    require(file != nullptr && std::fscanf(file, "%ld", &pages) == 1, __LINE__);
    std::fclose(file);
    return pages;
}

void throw_in_rounds(int rounds) {
    for (int round = 0; round < rounds; round++) {
        ringlet_coroutine *coroutine = nullptr;
        void *own = reinterpret_cast<void *>(static_cast<std::intptr_t>(round % count));
        require(ringlet_coroutine_create(body, own, nullptr, 0, &coroutine) == 0, __LINE__);
        while (ringlet_coroutine_state(coroutine) != RINGLET_COROUTINE_ENDED) {
            require(ringlet_coroutine_switch(coroutine, nullptr, nullptr) == 0, __LINE__);
        }
        ringlet_coroutine_release(coroutine);
    }
}

}  // namespace

int main() {
    ringlet_coroutine *coroutines[count];
    for (std::intptr_t i = 0; i < count; i++) {
        int32_t status = ringlet_coroutine_create(body, reinterpret_cast<void *>(i), nullptr, 0,
                                                  &coroutines[i]);
        require(status == 0, __LINE__);
    }
    auto resume_all = [&] {
        for (auto coroutine : coroutines) {
            require(ringlet_coroutine_switch(coroutine, nullptr, nullptr) == 0, __LINE__);
        }
    };
    resume_all();
    require(std::current_exception() == nullptr, __LINE__);
    try {
        throw std::logic_error("outside");
    } catch (const std::logic_error &) {
        resume_all();
        resume_all();
        try {
            throw;
        } catch (const std::logic_error &error) {
            require(std::string(error.what()) == "outside", __LINE__);
        }
    }
    for (int i = 0; i < count; i++) {
        require(caught[i] == 1, __LINE__);
        require(ringlet_coroutine_state(coroutines[i]) == RINGLET_COROUTINE_ENDED, __LINE__);
        ringlet_coroutine_release(coroutines[i]);
    }
    // A round that lost one exception would lose a hundred bytes: a megabyte in all.
    throw_in_rounds(1000);
    long before = mapped_pages();
    throw_in_rounds(10000);
    long grown = mapped_pages() - before;
    // Under a sanitizer the memory that is free is kept for a while.
    bool keeps_free_memory = std::getenv("ASAN_OPTIONS") != nullptr;
    if (grown > 8) std::fprintf(stderr, "%ld pages more\n", grown);
    require(grown <= 8 || keeps_free_memory, __LINE__);
    return 0;
}

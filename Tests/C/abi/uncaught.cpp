// No C++ exception leaves a coroutine's function: one that nothing in it catches ends the process by std::terminate,
// also while the code outside is in a try block that would take it, or in a catch block.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <ringlet.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void require(bool condition, int line) {
    if (condition) return;
    std::fprintf(stderr, "uncaught.cpp:%d: not true\n", line);
    std::_Exit(1);
}

void throw_std() { throw std::runtime_error("nobody's"); }
void throw_int() { throw 7; }

using thrower = void (*)();
thrower to_throw;

std::int32_t coroutine_body(void *, void *, void **) {
    // Not at once: resumed, it is on its way out of a switch.
    require(ringlet_coroutine_switch(nullptr, nullptr, nullptr) == 0, __LINE__);
    to_throw();
    return 0;
}

std::int64_t generator_body(ringlet_generator *generator, void *) {
    require(ringlet_generator_yield(generator, nullptr, nullptr) == 0, __LINE__);
    to_throw();
    return 0;
}

std::int64_t task_body(void *) {
    require(ringlet_yield() == 0, __LINE__);
    to_throw();
    return 0;
}

void in_coroutine() {
    ringlet_coroutine *coroutine = nullptr;
    require(ringlet_coroutine_create(coroutine_body, nullptr, nullptr, 0, &coroutine) == 0, __LINE__);
    require(ringlet_coroutine_switch(coroutine, nullptr, nullptr) == 0, __LINE__);
    ringlet_coroutine_switch(coroutine, nullptr, nullptr);
}

void in_generator() {
    ringlet_generator *generator = nullptr;
    require(ringlet_generator_create(generator_body, nullptr, 0, &generator) == 0, __LINE__);
    require(ringlet_generator_next(generator, nullptr) == 1, __LINE__);
    ringlet_generator_next(generator, nullptr);
}

void in_task() {
    ringlet_scheduler *scheduler = nullptr;
    std::uint64_t task = 0;
    std::int64_t result = 0;
    require(ringlet_scheduler_create(nullptr, &scheduler) == 0, __LINE__);
    require(ringlet_scheduler_spawn(scheduler, task_body, nullptr, nullptr, &task) == 0, __LINE__);
    ringlet_task_join(task, &result, INT64_MAX);
}

// Runs `body` where an exception would be caught if it got so far.
void run_in_try(void (*body)()) {
    try {
        body();
    } catch (...) {
        std::_Exit(2);
    }
    std::_Exit(3);
}

void run_in_catch(void (*body)()) {
    try {
        throw std::logic_error("outside");
    } catch (const std::logic_error &) {
        run_in_try(body);
    }
}

// Says which exception was the current one.
void last_words() {
    try {
        if (std::current_exception()) throw;
    } catch (const std::runtime_error &) {
        std::_Exit(41);
    } catch (int) {
        std::_Exit(42);
    } catch (...) {
    }
    std::_Exit(43);
}

int status_of(void (*run)(void (*)()), void (*body)(), thrower what, bool asks) {
    to_throw = what;
    pid_t child = fork();
    require(child >= 0, __LINE__);
    if (child == 0) {
        rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        // What std::terminate writes is of no interest.
        if (!std::freopen("/dev/null", "w", stderr)) std::_Exit(4);
        alarm(60);
        if (asks) std::set_terminate(last_words);
        run(body);
    }
    int status = 0;
    require(waitpid(child, &status, 0) == child, __LINE__);
    return status;
}

}  // namespace

int main() {
    for (auto body : {in_coroutine, in_generator, in_task}) {
        for (auto run : {run_in_try, run_in_catch}) {
            for (auto what : {throw_std, throw_int}) {
                int status = status_of(run, body, what, false);
                require(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, __LINE__);
                // The handler finds the exception, and not the one that the code outside handles.
                status = status_of(run, body, what, true);
                require(WIFEXITED(status), __LINE__);
                require(WEXITSTATUS(status) == (what == throw_std ? 41 : 42), __LINE__);
            }
        }
    }
    return 0;
}

// C++ exceptions: contexts that are suspended inside catch blocks, resumed in the order in which
// they stopped, rethrow each its own exception; the base keeps its own as well.

#include "check.h"

#include <exception>
#include <stdexcept>
#include <string>

namespace {

constexpr int context_count = 4;
int caught[context_count];

struct SuspendsWhileUnwinding {
    int expected;
    ~SuspendsWhileUnwinding() {
        REQUIRE(std::uncaught_exceptions() == expected);
        cctx_suspend();
        REQUIRE(std::uncaught_exceptions() == expected);
    }
};

void rethrow_after_suspension(int own) {
    try {
        throw std::runtime_error(std::to_string(own));
    } catch (...) {
        cctx_suspend();
        try {
            throw own;
        } catch (int inner) {
            cctx_suspend();
            REQUIRE(inner == own);
        }
        throw;
    }
}

void inside(void *argument) {
    int own = static_cast<int>(reinterpret_cast<intptr_t>(argument));
    REQUIRE(std::current_exception() == nullptr);
    try {
        rethrow_after_suspension(own);
    } catch (const std::runtime_error &error) {
        REQUIRE(error.what() == std::to_string(own));
        caught[own]++;
    }
    try {
        SuspendsWhileUnwinding guard{1};
        throw own;
    } catch (int value) {
        REQUIRE(value == own);
        caught[own]++;
    }
    REQUIRE(std::current_exception() == nullptr);
}

}  // namespace

int main() {
    cctx_stack_pool *pool = make_pool(default_stack);
    cctx *contexts[context_count];
    for (intptr_t i = 0; i < context_count; i++) {
        contexts[i] = make_context(pool, inside, reinterpret_cast<void *>(i));
    }
    for (int round = 0; round < 2; round++) {
        for (auto context : contexts) cctx_resume_plain(context);
        REQUIRE(std::current_exception() == nullptr);
        REQUIRE(std::uncaught_exceptions() == 0);
    }
    // The rest from inside a catch block, so that both sides of the exchange are in use.
    try {
        throw std::logic_error("base");
    } catch (const std::logic_error &) {
        for (int round = 0; round < 2; round++) {
            for (auto context : contexts) cctx_resume(context, false);
        }
        try {
            throw;
        } catch (const std::logic_error &error) {
            REQUIRE(std::string(error.what()) == "base");
        }
    }
    for (int i = 0; i < context_count; i++) {
        REQUIRE(cctx_is_finished(contexts[i]));
        REQUIRE(caught[i] == 2);
        cctx_destroy(pool, contexts[i]);
    }
    cctx_stack_pool_destroy(pool);
    return 0;
}

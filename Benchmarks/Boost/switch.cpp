// A switch between C frames, there and back: the library's context, and a coroutine of its C interface, beside
// Boost.Context.
//
// All keep the callee-saved registers. The context also keeps errno, the C++ exceptions in flight and the record of who
// runs, which Boost leaves to its users; Swift's exclusivity set, which C code has none of, stays alone. The coroutine
// adds the checks of ringlet.h (thread, state, where its value goes) and the pointer that travels along.
// The three take turns, so that a slow minute of the machine meets all.

#include "../../CSupport/CContext/include/ccontext.h"

#include <ringlet.h>

#include <boost/context/detail/fcontext.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace boost_context = boost::context::detail;

static constexpr int switches = 2'000'000;
static constexpr size_t stack_size = 64 * 1024;

static double cpu() {
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1e9 + now.tv_nsec;
}

static void bounce(boost_context::transfer_t there) {
    for (;;) there = boost_context::jump_fcontext(there.fctx, nullptr);
}

static double measure_boost() {
    static char *stack = static_cast<char *>(aligned_alloc(4096, stack_size));
    auto context = boost_context::make_fcontext(stack + stack_size, stack_size, bounce);
    double start = cpu();
    for (int i = 0; i < switches; i++) context = boost_context::jump_fcontext(context, nullptr).fctx;
    // Nothing lives on that stack, so it may be left.
    return (cpu() - start) / switches;
}

static void suspend(void *ends) {
    while (!*static_cast<bool *>(ends)) cctx_suspend();
}

static double measure_own(cctx_stack_pool *pool) {
    bool ends = false;
    cctx *context;
    if (cctx_create(pool, sizeof(cctx), suspend, &ends, &context)) abort();
    double start = cpu();
    for (int i = 0; i < switches; i++) cctx_resume_plain(context);
    double taken = cpu() - start;
    ends = true;
    cctx_resume_plain(context);
    cctx_destroy(pool, context);
    return taken / switches;
}

static int32_t answer(void *, void *value, void **result) {
    int32_t status = 0;
    while (value && !status) status = ringlet_coroutine_switch(nullptr, value, &value);
    *result = nullptr;
    return status;
}

static double measure_coroutine() {
    ringlet_coroutine *coroutine;
    if (ringlet_coroutine_create(answer, nullptr, nullptr, stack_size, &coroutine)) abort();
    int sent;
    void *received = nullptr;
    double start = cpu();
    for (int i = 0; i < switches; i++)
        if (ringlet_coroutine_switch(coroutine, &sent, &received) || received != &sent) abort();
    double taken = cpu() - start;
    if (ringlet_coroutine_switch(coroutine, nullptr, &received)) abort();
    ringlet_coroutine_release(coroutine);
    return taken / switches;
}

static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int main(int count, char **arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 9;
    cctx_stack_pool *pool;
    if (rounds < 1 || cctx_thread_prepare() || cctx_stack_pool_create(stack_size, &pool)) return 1;
    struct {
        const char *name;
        std::vector<double> times, ratios;
    } ours[] = {{"cctx_resume_plain", {}, {}}, {"ringlet_coroutine_switch", {}, {}}};
    std::vector<double> theirs;
    for (int round = 0; round < rounds; round++) {
        theirs.push_back(measure_boost());
        const double times[] = {measure_own(pool), measure_coroutine()};
        for (int i = 0; i < 2; i++) {
            ours[i].times.push_back(times[i]);
            ours[i].ratios.push_back(times[i] / theirs.back());
        }
    }
    printf("\nA switch of C code, there and back, beside Boost.Context (%d rounds)\n", rounds);
    printf("  %-26s %6.1f ns\n", "Boost.Context", median(theirs));
    for (const auto &line : ours) {
        double ratio = median(line.ratios);
        printf("  %-26s %6.1f ns, ratio %.2f, goal <= 1.5: %s\n", line.name, median(line.times), ratio,
               ratio <= 1.5 ? "met" : "MISSED");
    }
    cctx_stack_pool_destroy(pool);
    cctx_thread_release();
    return 0;
}

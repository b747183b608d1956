// A switch between C frames, there and back: the library's context beside Boost.Context.
//
// Both sides keep the callee-saved registers. The library's also keeps errno, the C++ exceptions in flight and the
// record of who runs, which Boost leaves to its users; Swift's exclusivity set, which C code has none of, stays alone.
// The two take turns, so that a slow minute of the machine meets both.

#include "../../CSupport/CContext/include/ccontext.h"

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

static double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

int main(int count, char **arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 9;
    cctx_stack_pool *pool;
    if (rounds < 1 || cctx_thread_prepare() || cctx_stack_pool_create(stack_size, &pool)) return 1;
    std::vector<double> theirs, own, ratios;
    for (int round = 0; round < rounds; round++) {
        theirs.push_back(measure_boost());
        own.push_back(measure_own(pool));
        ratios.push_back(own.back() / theirs.back());
    }
    double ratio = median(ratios);
    printf("\nA switch of C code, there and back, beside Boost.Context (%d rounds)\n", rounds);
    printf("  Boost.Context  %6.1f ns\n  cctx_resume_plain  %.1f ns\n", median(theirs), median(own));
    printf("  ratio %.2f, goal <= 1.5: %s\n", ratio, ratio <= 1.5 ? "met" : "MISSED");
    cctx_stack_pool_destroy(pool);
    cctx_thread_release();
    return 0;
}

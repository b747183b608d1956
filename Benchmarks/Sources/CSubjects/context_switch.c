// The library's context switch. Its header belongs to a target that is no product, but this is the
// same repository, and the functions behind it are linked with the library.

#include "subjects.h"

#include "../../../CSupport/CContext/include/ccontext.h"

#include <errno.h>

uint64_t reference_cpu(void);

static const size_t stack_size = 256 * 1024;

struct probe {
    cctx_stack_pool *pool;
    cctx *context;
    bool ends;
};

static void suspend_until_told(void *argument) {
    struct probe *probe = argument;
    while (!probe->ends) cctx_suspend();
}

static int begin(struct probe *probe) {
    *probe = (struct probe){0};
    int error = cctx_thread_prepare();
    if (!error) error = cctx_stack_pool_create(stack_size, &probe->pool);
    if (!error) {
        error = cctx_create(probe->pool, sizeof(cctx), suspend_until_told, probe, &probe->context);
    }
    if (!error) cctx_resume(probe->context, false);
    return error;
}

static void end(struct probe *probe) {
    probe->ends = true;
    cctx_resume(probe->context, false);
    cctx_destroy(probe->pool, probe->context);
    cctx_stack_pool_destroy(probe->pool);
    cctx_thread_release();
}

// The loop is written out for each form, because what is measured must be inlined into it.
#define MEASURE_RESUME(name, resume)                                    \
    int64_t name(uint64_t count) {                                      \
        struct probe probe;                                             \
        int error = begin(&probe);                                      \
        if (error) return error;                                        \
        uint64_t start = reference_cpu();                               \
        for (uint64_t i = 0; i < count; i++) resume;                    \
        uint64_t elapsed = reference_cpu() - start;                     \
        end(&probe);                                                    \
        return (int64_t)elapsed;                                        \
    }

MEASURE_RESUME(subject_switch_plain, cctx_resume_plain(probe.context))
MEASURE_RESUME(subject_switch_from_clean_base, cctx_resume(probe.context, true))
MEASURE_RESUME(subject_switch_from_any_base, cctx_resume(probe.context, false))

static void switch_back(void *argument) {
    struct probe *probe = argument;
    cctx *context = cctx_current_thread()->current;
    while (!probe->ends) cctx_switch(&context->sp, context->sp);
}

int64_t subject_switch_bare(uint64_t count) {
    struct probe probe = {0};
    int error = cctx_thread_prepare();
    if (!error) error = cctx_stack_pool_create(stack_size, &probe.pool);
    if (!error) error = cctx_create(probe.pool, sizeof(cctx), switch_back, &probe, &probe.context);
    if (error) return error;
    cctx *context = probe.context;
    cctx_resume(context, false);
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < count; i++) cctx_switch(&context->sp, context->sp);
    uint64_t elapsed = reference_cpu() - start;
    end(&probe);
    return (int64_t)elapsed;
}

static void return_at_once(void *argument) { (void)argument; }

int64_t subject_context_life(uint64_t count) {
    cctx_stack_pool *pool;
    int error = cctx_thread_prepare();
    if (!error) error = cctx_stack_pool_create(stack_size, &pool);
    if (error) return error;
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < count; i++) {
        cctx *context;
        error = cctx_create(pool, sizeof(cctx), return_at_once, NULL, &context);
        if (error) return error;
        cctx_resume(context, true);
        cctx_destroy(pool, context);
    }
    uint64_t elapsed = reference_cpu() - start;
    cctx_stack_pool_destroy(pool);
    cctx_thread_release();
    return (int64_t)elapsed;
}

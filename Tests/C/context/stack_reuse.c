// Last freed, first reused; the record is zeroed, aligned and at the top; arguments are checked.

#include "check.h"

#include <errno.h>

enum { record_size = 336, count = 200 };

static void scribble(void *argument) {
    memset((char *)argument + sizeof(cctx), 0xee, record_size - sizeof(cctx));
    cctx_suspend();
}

static cctx *make_record(cctx_stack_pool *pool) {
    cctx *context;
    REQUIRE(cctx_create(pool, record_size, scribble, NULL, &context) == 0);
    context->argument = context;
    return context;
}

int main(void) {
    cctx_stack_pool *pool = make_pool(100000);
    cctx_stack_pool_statistics statistics;
    cctx_stack_pool_get_statistics(pool, &statistics);
    REQUIRE(statistics.mapped == 0 && statistics.in_use == 0);

    cctx *contexts[count];
    size_t offsets = 0;
    for (int i = 0; i < count; i++) {
        cctx *c = contexts[i] = make_record(pool);
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uintptr_t top = (uintptr_t)c->stack_limit + c->stack_size;
        REQUIRE(c->stack_size == (100000 + page - 1) / page * page);
        REQUIRE(top % page == 0 && (uintptr_t)c % 64 == 0);
        REQUIRE((uintptr_t)c + record_size <= top && top - (uintptr_t)c < 1400);
        offsets |= (size_t)1 << ((top - (uintptr_t)c) / 128 % 16);
        const char *extra = (const char *)(c + 1);
        for (size_t k = 0; k < record_size - sizeof(cctx); k++) REQUIRE(extra[k] == 0);
        cctx_resume_plain(c);
    }
    REQUIRE(__builtin_popcountll(offsets) == 8);
    cctx_stack_pool_get_statistics(pool, &statistics);
    REQUIRE(statistics.in_use == count && statistics.peak_in_use == count);
    REQUIRE(statistics.mapped >= count && statistics.mapped % 64 == 0);

    for (int i = 0; i < count; i++) {
        cctx_resume_plain(contexts[i]);
        cctx_destroy(pool, contexts[i]);
    }
    for (int i = count - 1; i >= 0; i--) {
        cctx *again = make_record(pool);
        REQUIRE(again->stack_limit == contexts[i]->stack_limit && again == contexts[i]);
        REQUIRE(!again->finished && again->link == NULL && again->name == NULL);
        const char *extra = (const char *)(again + 1);
        for (size_t k = 0; k < record_size - sizeof(cctx); k++) REQUIRE(extra[k] == 0);
    }
    for (int i = 0; i < count; i++) cctx_destroy(pool, contexts[i]);
    cctx_stack_pool_get_statistics(pool, &statistics);
    REQUIRE(statistics.in_use == 0 && statistics.peak_in_use == count && statistics.trimmed == 0);

    cctx *none;
    REQUIRE(cctx_create(pool, sizeof(cctx) - 1, scribble, NULL, &none) == -EINVAL);
    REQUIRE(cctx_create(pool, 100000, scribble, NULL, &none) == -EINVAL);
    cctx_stack_pool *other;
    REQUIRE(cctx_stack_pool_create(16 * 1024 - 1, &other) == -EINVAL);
    REQUIRE(cctx_stack_pool_create(SIZE_MAX, &other) == -EINVAL);
    cctx_stack_pool_destroy(pool);
    cctx_stack_pool_destroy(NULL);
    return 0;
}

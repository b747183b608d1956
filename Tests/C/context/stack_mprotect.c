// The guards of older kernels: every stack splits a mapping, so the pool meets vm.max_map_count,
// says so with -ENOMEM, and stays usable.

#include "check.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

static cctx_stack_pool *pool;
static bool ran;

static void inside(void *argument) {
    (void)argument;
    ran = true;
}

static void overflow(void *argument) {
    volatile char frame[1024];
    frame[0] = 1;
    if (frame[0]) overflow(argument);
    frame[1] = frame[0];
}

static void run_overflow(void) {
    REQUIRE(cctx_install_overflow_report() == 0);
    cctx *context = make_context(pool, overflow, NULL);
    context->name = "old";
    cctx_resume_plain(context);
}

static void meet_the_wall(void) {
    FILE *file = fopen("/proc/sys/vm/max_map_count", "r");
    long limit = 0;
    if (!file || fscanf(file, "%ld", &limit) != 1) limit = -1;
    if (file) fclose(file);
    if (limit < 0 || limit > 200000) return;
    cctx **contexts = calloc((size_t)limit, sizeof *contexts);
    REQUIRE(contexts);
    long made = 0;
    int error = 0;
    while (made < limit) {
        error = cctx_create(pool, sizeof(cctx), inside, NULL, &contexts[made]);
        if (error) break;
        made++;
    }
    REQUIRE(error == -ENOMEM);
    REQUIRE(made > limit / 4);
    REQUIRE(cctx_create(pool, sizeof(cctx), inside, NULL, &contexts[made]) == -ENOMEM);
    printf("%ld stacks fit into %ld mappings\n", made, limit);
    // There is room for what else the process needs.
    for (int i = 0; i < 2000; i++) {
        void *page = mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(page != MAP_FAILED);
    }
    cctx_destroy(pool, contexts[made - 1]);
    REQUIRE(cctx_create(pool, sizeof(cctx), inside, NULL, &contexts[made - 1]) == 0);
    cctx_resume_plain(contexts[made - 1]);
    REQUIRE(ran);
    for (long i = 0; i < made; i++) cctx_destroy(pool, contexts[i]);
    free(contexts);
}

int main(void) {
    setenv("RINGLET_STACK_GUARDS", "mprotect", 1);
    pool = make_pool(16 * 1024);
    cctx_stack_pool_statistics statistics;
    cctx_stack_pool_get_statistics(pool, &statistics);
    REQUIRE(!statistics.guards_are_light);
    outcome result = run_in_child(run_overflow);
    REQUIRE(count_of(result.text, "stack overflow in fiber 'old': its stack of 16 KiB") == 1);
    REQUIRE(died_of(result, SIGSEGV));
#ifndef SHADOWED
    meet_the_wall();
#else
    (void)meet_the_wall;
#endif
    cctx_stack_pool_destroy(pool);
    return 0;
}

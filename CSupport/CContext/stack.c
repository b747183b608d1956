// The pool of stacks.
//
// Stacks of one size are carved from slabs of 64, each slab one mapping:
//
//     | guard | stack 0 | guard | stack 1 | ... | guard | stack 63 |
//
// The kernel commits pages on first touch. A guard is installed when its stack is first taken, so a
// stack that was never used costs address space and nothing else. The list of free stacks is an
// array outside of them, because a link inside would touch (or bring back) a page of each.

#define _GNU_SOURCE

#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Linux 6.13 and 5.14; not in the headers of older C libraries.
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

enum {
    stacks_per_slab = 64,
    smallest_stack = 16 * 1024,
    // Free stacks that keep their pages. A fiber that sleeps in a shallow call has touched one or
    // two pages, so the usual price is 4 to 8 MiB; a burst of more than this many fibers pays a
    // system call and a page fault for each above it.
    most_warm = 1024,
    // The bound if every one of them was used to the bottom.
    most_warm_bytes = 256 * 1024 * 1024,
    // Records at the same offset in every page would compete for the same few sets of the
    // first-level cache. Eight offsets of two lines spread them, and record and frames still share
    // a page.
    colours = 8,
    colour_step = 128,
};

struct cctx_stack_pool {
    size_t stack_size;
    size_t guard_size;
    bool light;
    // All slabs, the newest last; the first `carved` stacks of it were taken at least once.
    char **slabs;
    size_t slab_count;
    size_t carved;
    // Free stacks that were taken before. The warm ones, which kept their pages, grow from the
    // start and the cold ones from the end; there is room for every stack that exists.
    char **free;
    size_t warm;
    size_t cold;
    size_t warm_limit;
    long heavy_guards;
    uint64_t in_use;
    uint64_t peak_in_use;
    uint64_t trimmed;
};

// Guards that were made by mprotect, in all pools of the process; any thread.
static long heavy_guards;

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static size_t round_up(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

size_t cctx_guard_size(void) { return round_up(cctx_guard_bytes, page_size()); }

size_t cctx_stack_size(const cctx_stack_pool *pool) { return pool->stack_size; }

static size_t stride(const cctx_stack_pool *pool) { return pool->guard_size + pool->stack_size; }

static size_t mapped(const cctx_stack_pool *pool) { return pool->slab_count * stacks_per_slab; }

size_t cctx_stack_colour(const cctx_stack_pool *pool, const char *limit) {
    return (uintptr_t)limit / stride(pool) % colours * colour_step;
}

static bool kernel_has_light_guards(void) {
    static int known; // 0: not asked yet, 1: yes, -1: no
    int answer = __atomic_load_n(&known, __ATOMIC_RELAXED);
    if (answer == 0) {
        size_t size = page_size();
        void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED) return false;
        // Emulators (qemu-user, for one) say yes to every advice. Reading a real guard is an error.
        bool guarded = madvise(page, size, MADV_GUARD_INSTALL) == 0 &&
                       madvise(page, size, MADV_POPULATE_READ) != 0;
        answer = guarded ? 1 : -1;
        munmap(page, size);
        __atomic_store_n(&known, answer, __ATOMIC_RELAXED);
    }
    return answer > 0;
}

int cctx_stack_pool_create(size_t stack_size, cctx_stack_pool **out) {
    size_t page = page_size();
    if (stack_size < smallest_stack || stack_size > SIZE_MAX / 2 / stacks_per_slab) return -EINVAL;
    cctx_stack_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return -ENOMEM;
    pool->stack_size = round_up(stack_size, page);
    pool->guard_size = cctx_guard_size();
    pool->carved = stacks_per_slab;
    pool->warm_limit = most_warm_bytes / pool->stack_size;
    if (pool->warm_limit > most_warm) pool->warm_limit = most_warm;
    const char *wish = getenv("RINGLET_STACK_GUARDS");
    pool->light = !(wish && strcmp(wish, "mprotect") == 0) && kernel_has_light_guards();
    *out = pool;
    return 0;
}

void cctx_stack_pool_destroy(cctx_stack_pool *pool) {
    if (!pool) return;
    for (size_t i = 0; i < pool->slab_count; i++) {
        munmap(pool->slabs[i], stacks_per_slab * stride(pool));
    }
    __atomic_fetch_sub(&heavy_guards, pool->heavy_guards, __ATOMIC_RELAXED);
    free(pool->slabs);
    free(pool->free);
    free(pool);
}

void cctx_stack_pool_get_statistics(const cctx_stack_pool *pool, cctx_stack_pool_statistics *out) {
    *out = (cctx_stack_pool_statistics){
        .mapped = mapped(pool),
        .in_use = pool->in_use,
        .peak_in_use = pool->peak_in_use,
        .trimmed = pool->trimmed,
        .guards_are_light = pool->light,
    };
}

// Called only when no stack is free, so the array of free stacks is empty and its content may go.
static int add_slab(cctx_stack_pool *pool) {
    size_t count = pool->slab_count + 1;
    char **slabs = realloc(pool->slabs, count * sizeof *slabs);
    if (!slabs) return -ENOMEM;
    pool->slabs = slabs;
    char **free_stacks = realloc(pool->free, count * stacks_per_slab * sizeof *free_stacks);
    if (!free_stacks) return -ENOMEM;
    pool->free = free_stacks;

    // NORESERVE: under the heuristic overcommit policy the size is then not counted at all.
    size_t size = stacks_per_slab * stride(pool);
    void *slab = mmap(NULL, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (slab == MAP_FAILED) return -errno;
    // A huge page would commit 2 MiB, several stacks, at the first touch of one. MAP_STACK implies
    // this since Linux 6.7; a kernel without huge pages refuses, and has no need of it.
    madvise(slab, size, MADV_NOHUGEPAGE);
    pool->slabs[pool->slab_count] = slab;
    pool->slab_count = count;
    pool->carved = 0;
    return 0;
}

// Each splits a mapping in two. A process that has used up its mappings cannot allocate memory or start a
// thread any more, so an eighth of them is left to the rest of it.
static bool may_add_heavy_guard(void) {
    static long allowed; // 0: not asked yet
    long most = __atomic_load_n(&allowed, __ATOMIC_RELAXED);
    if (most == 0) {
        char text[32] = "";
        int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
        if (file >= 0) close(file);
        long mappings = length > 0 ? strtol(text, NULL, 10) : 0;
        most = mappings > 0 ? (mappings - mappings / 8) / 2 : LONG_MAX;
        __atomic_store_n(&allowed, most, __ATOMIC_RELAXED);
    }
    return __atomic_load_n(&heavy_guards, __ATOMIC_RELAXED) < most;
}

static int install_guard(cctx_stack_pool *pool, char *guard) {
    if (pool->light) {
        if (madvise(guard, pool->guard_size, MADV_GUARD_INSTALL) == 0) return 0;
        // Locked memory (mlockall) cannot have light guards.
        if (errno != EINVAL) return -errno;
        pool->light = false;
    }
    if (!may_add_heavy_guard()) return -ENOMEM;
    if (mprotect(guard, pool->guard_size, PROT_NONE) != 0) return -errno;
    pool->heavy_guards++;
    __atomic_fetch_add(&heavy_guards, 1, __ATOMIC_RELAXED);
    return 0;
}

int cctx_stack_take(cctx_stack_pool *pool, char **limit) {
    if (pool->warm > 0) {
        *limit = pool->free[--pool->warm];
    } else if (pool->cold > 0) {
        *limit = pool->free[mapped(pool) - pool->cold--];
    } else {
        if (pool->carved == stacks_per_slab) {
            int error = add_slab(pool);
            if (error) return error;
        }
        char *guard = pool->slabs[pool->slab_count - 1] + pool->carved * stride(pool);
        int error = install_guard(pool, guard);
        if (error) return error;
        pool->carved++;
        *limit = guard + pool->guard_size;
    }
    pool->in_use++;
    if (pool->in_use > pool->peak_in_use) pool->peak_in_use = pool->in_use;
    return 0;
}

void cctx_stack_give(cctx_stack_pool *pool, char *limit) {
    pool->in_use--;
    if (pool->warm < pool->warm_limit) {
        pool->free[pool->warm++] = limit;
        return;
    }
    if (madvise(limit, pool->stack_size, MADV_DONTNEED) == 0) pool->trimmed++;
    pool->free[mapped(pool) - ++pool->cold] = limit;
}

size_t cctx_stack_touched(const cctx *context) {
    size_t page = page_size();
    size_t touched = 0;
    unsigned char resident[256];
    for (size_t done = 0; done < context->stack_size; done += sizeof resident * page) {
        size_t size = context->stack_size - done;
        if (size > sizeof resident * page) size = sizeof resident * page;
        if (mincore((char *)context->stack_limit + done, size, resident) != 0) return touched;
        for (size_t i = 0; i < size / page; i++) touched += (resident[i] & 1) * page;
    }
    return touched;
}

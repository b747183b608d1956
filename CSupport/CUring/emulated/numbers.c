// Descriptor numbers, and what is known of the files behind them.

#include <stdlib.h>
#include <string.h>

#include "emulated.h"

// Counts, by number modulo the size. Any thread.
enum { EPOCHS = 1 << 14 };
static uint32_t epochs[EPOCHS];

void curing_descriptor_changed(int32_t fd) {
    if (fd >= 0) __atomic_fetch_add(&epochs[fd % EPOCHS], 1, __ATOMIC_RELEASE);
}

descriptor *emulated_descriptor(engine *engine, int32_t fd) {
    if (fd < 0 || (uint32_t)fd >= engine->descriptor_count) return NULL;
    descriptor *known = &engine->descriptors[fd];
    uint32_t epoch = __atomic_load_n(&epochs[fd % EPOCHS], __ATOMIC_ACQUIRE);
    if (known->epoch != epoch) {
        known->epoch = epoch;
        known->interest = 0;
        known->is_drained = false;
    }
    return known;
}

descriptor *emulated_make_descriptor(engine *engine, int32_t fd) {
    uint32_t count = engine->descriptor_count ? engine->descriptor_count : 64;
    while (count <= (uint32_t)fd) count *= 2;
    if (count > engine->descriptor_count) {
        descriptor *larger = realloc(engine->descriptors, count * sizeof *larger);
        if (!larger) return NULL;
        memset(larger + engine->descriptor_count, 0,
               (count - engine->descriptor_count) * sizeof *larger);
        engine->descriptors = larger;
        engine->descriptor_count = count;
    }
    return emulated_descriptor(engine, fd);
}

// Words of the Swift runtime that are found, not known.
//
// Some state of the runtime is thread-local with no exported accessor. Its address is found by its
// value, in the thread-local blocks of all modules, and then proved.

#define _GNU_SOURCE

#include "swift_runtime.h"

#include <link.h>

typedef struct tls_search {
    void *value;
    bool (*prove)(void **word, void *value);
    void **found;
} tls_search;

static int scan_module(struct dl_phdr_info *module, size_t size, void *argument) {
    (void)size;
    tls_search *search = argument;
    if (!module->dlpi_tls_data) return 0;
    size_t words = 0;
    for (int i = 0; i < module->dlpi_phnum; i++) {
        if (module->dlpi_phdr[i].p_type == PT_TLS) {
            words = module->dlpi_phdr[i].p_memsz / sizeof(void *);
        }
    }
    void **block = module->dlpi_tls_data;
    for (size_t i = 0; i < words; i++) {
        if (block[i] == search->value && search->prove(&block[i], search->value)) {
            search->found = &block[i];
            return 1;
        }
    }
    return 0;
}

// Only the right word changes what swift_task_getCurrent returns.
static bool is_task_slot(void **word, void *current) {
    static char dummy;
    *word = &dummy;
    bool proved = swift_task_getCurrent() == &dummy;
    *word = current;
    return proved;
}

bool cctx_host_find_slot(void) {
    if (cctx_host_runtime_is_forgotten()) return false;
    if (cctx_host_has_slot()) return true;
    tls_search search = {.value = swift_task_getCurrent(), .prove = is_task_slot};
    if (search.value) dl_iterate_phdr(scan_module, &search);
    cctx_this_host_thread.task_slot = search.found;
    return search.found != NULL;
}

// The buffer that the runtime links into its list (swift::runtime::Access, three words).
typedef struct access_buffer {
    void *words[3];
} access_buffer;

extern void swift_beginAccess(void *pointer, access_buffer *buffer, uintptr_t flags, void *pc)
    __attribute__((weak));
extern void swift_endAccess(access_buffer *buffer) __attribute__((weak));

// Modify, and tracked: swift/ABI/MetadataValues.h, ExclusivityFlags.
enum { tracked_modification = 0x21 };

// The head names the newest access, and nothing once that has ended.
static bool is_access_head(void **word, void *first) {
    access_buffer second;
    static char elsewhere;
    swift_beginAccess(&elsewhere, &second, tracked_modification, NULL);
    bool names_newest = *word == &second;
    swift_endAccess(&second);
    return names_newest && *word == first;
}

void cctx_host_find_access_head(void) {
    if (!swift_beginAccess || !swift_endAccess) return;
    static char here;
    access_buffer first;
    swift_beginAccess(&here, &first, tracked_modification, NULL);
    tls_search search = {.value = &first, .prove = is_access_head};
    dl_iterate_phdr(scan_module, &search);
    swift_endAccess(&first);
    if (search.found && *search.found == NULL) {
        cctx_this_thread.access_head = (const uintptr_t *)search.found;
    }
}

// Backtraces of suspended contexts.

#define _GNU_SOURCE

#include "cctx_backtrace.h"

#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The words that the switch has left at the stack pointer: the places of the frame pointer and of
// the address to go on at.
#if defined(__x86_64__)
enum { frame_pointer_word = 5, return_word = 6 };
#elif defined(__aarch64__)
enum { frame_pointer_word = 0, return_word = 1 };
#endif

// The frames belong to functions that know nothing of this.
__attribute__((no_sanitize("address", "thread"))) size_t
cctx_return_addresses(const cctx *context, uintptr_t *addresses, size_t capacity) {
    const uintptr_t *frame = context->sp;
    size_t count = 0;
    if (count < capacity) addresses[count++] = frame[return_word];
    uintptr_t lowest = (uintptr_t)frame;
    uintptr_t top = (uintptr_t)context->stack_limit + context->stack_size;
    uintptr_t next = frame[frame_pointer_word];
    while (count < capacity && next > lowest && next % sizeof(void *) == 0 &&
           next <= top - 2 * sizeof(void *)) {
        frame = (const uintptr_t *)next;
        if (!frame[1]) break;
        addresses[count++] = frame[1];
        lowest = next;
        next = frame[0];
    }
    return count;
}

// ---------------------------------------------------------------------------------------------
// Symbols

extern char *swift_demangle(const char *name, size_t length, char *buffer, size_t *size,
                            uint32_t flags) __attribute__((weak));

typedef struct search {
    uintptr_t address;
    uintptr_t base;
    const char *path;
} search;

static int find_image(struct dl_phdr_info *image, size_t size, void *result) {
    (void)size;
    search *search = result;
    for (int i = 0; i < image->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
        uintptr_t start = image->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || search->address < start ||
            search->address - start >= segment->p_memsz) {
            continue;
        }
        search->base = image->dlpi_addr;
        search->path = image->dlpi_name;
        return 1;
    }
    return 0;
}

static void look_into(const char *path, uintptr_t value, cctx_symbol *symbol) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    struct stat status;
    char *file = MAP_FAILED;
    size_t size = 0;
    if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
        size = (size_t)status.st_size;
        file = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    }
    close(descriptor);
    if (file == MAP_FAILED) return;
    const char *name = cctx_find_function(file, size, value, &symbol->offset);
    if (name) symbol->name = strdup(name);
    munmap(file, size);
}

cctx_symbol cctx_symbolicate(uintptr_t address) {
    cctx_symbol symbol = {0};
    search search = {.address = address};
    if (!dl_iterate_phdr(find_image, &search)) return symbol;
    symbol.offset = address - search.base;
    bool is_program = !search.path[0];
    look_into(is_program ? "/proc/self/exe" : search.path, symbol.offset, &symbol);
    symbol.image = is_program ? realpath("/proc/self/exe", NULL) : strdup(search.path);
    if (symbol.name && swift_demangle) {
        symbol.demangled = swift_demangle(symbol.name, strlen(symbol.name), NULL, NULL, 0);
    }
    return symbol;
}

static int read_unloads(struct dl_phdr_info *image, size_t size, void *result) {
    if (size >= offsetof(struct dl_phdr_info, dlpi_subs) + sizeof image->dlpi_subs) {
        *(uint64_t *)result = image->dlpi_subs;
    }
    return 1;
}

uint64_t cctx_image_unloads(void) {
    uint64_t unloads = 0;
    dl_iterate_phdr(read_unloads, &unloads);
    return unloads;
}

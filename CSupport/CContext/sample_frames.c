// The calls in progress in a sample of a thread: all by looking at copies, so that nothing can fault.
//
// Swift code keeps frame pointers, and from the first frame that has one on they lead to the base. But where a thread
// blocks, it is in libc, whose functions keep none, and which may have put the frame pointer's register to other uses. So
// the words up to the next frame are searched for return addresses: a word is certain if it follows an instruction that
// calls the very function that the frame before it is in. Where there is none, frame pointers decide.

#define _GNU_SOURCE

#include "cctx_sample.h"

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "cctx_backtrace.h"

typedef struct range {
    uintptr_t start, end;
    bool is_code;
} range;

// What can be read of the images that are loaded.
typedef struct code {
    range ranges[1024];
    size_t count;
} code;

static int add_image(struct dl_phdr_info *image, size_t size, void *result) {
    (void)size;
    code *code = result;
    for (int i = 0; i < image->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_R)) continue;
        if (code->count == sizeof code->ranges / sizeof *code->ranges) return 1;
        uintptr_t start = image->dlpi_addr + segment->p_vaddr;
        bool is_code = (segment->p_flags & PF_X) != 0;
        code->ranges[code->count++] = (range){start, start + segment->p_memsz, is_code};
    }
    return 0;
}

// The range that `before` bytes before the address and `after` bytes from it on are in, or NULL.
static const range *find_range(const code *code, uintptr_t address, size_t before, size_t after) {
    for (size_t i = 0; i < code->count; i++) {
        const range *range = &code->ranges[i];
        if (address >= range->start && address - range->start >= before && address < range->end &&
            range->end - address >= after) {
            return range;
        }
    }
    return NULL;
}

static bool is_code(const code *code, uintptr_t address, size_t before, size_t after) {
    const range *range = find_range(code, address, before, after);
    return range && range->is_code;
}

// Where the call goes that the address follows. `unknown` when it is not in the instruction, `none` when there is no call.
enum { none = 0, unknown = 1 };

#if defined(__x86_64__)

static int32_t displacement(const unsigned char *at) {
    int32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uintptr_t read_slot(const code *code, uintptr_t address) {
    return find_range(code, address, 0, sizeof(uintptr_t)) ? *(const uintptr_t *)address : unknown;
}

// A call through the linkage table ends at a jump through a slot, perhaps behind a landing mark.
static uintptr_t behind_stub(const code *code, uintptr_t target) {
    if (!is_code(code, target, 0, 16)) return unknown;
    const unsigned char *at = (const unsigned char *)target;
    if (memcmp(at, "\xf3\x0f\x1e\xfa", 4) == 0) at += 4;
    if (*at == 0xf2) at++;
    if (at[0] != 0xff || at[1] != 0x25) return target;
    return read_slot(code, (uintptr_t)at + 6 + (uintptr_t)(intptr_t)displacement(at + 2));
}

static uintptr_t called_before(const code *code, uintptr_t address) {
    if (!is_code(code, address, 7, 1)) return none;
    const unsigned char *at = (const unsigned char *)address;
    if (at[-5] == 0xe8) return behind_stub(code, address + (uintptr_t)(intptr_t)displacement(at - 4));
    if (at[-6] == 0xff && at[-5] == 0x15) {
        return read_slot(code, address + (uintptr_t)(intptr_t)displacement(at - 4));
    }
    // ff /2 with a register, or with memory and no, a short or a long displacement, with and without an index.
    for (int length = 2; length <= 7; length++) {
        if (at[-length] != 0xff || (at[-length + 1] >> 3 & 7) != 2) continue;
        unsigned mode = at[-length + 1] >> 6;
        bool has_index = mode != 3 && (at[-length + 1] & 7) == 4;
        int expected = 2 + (has_index ? 1 : 0) + (mode == 1 ? 1 : mode == 2 ? 4 : 0);
        if (length == expected) return unknown;
    }
    return none;
}

// At its first instructions and at its last one, which may be a jump to another function, a function has no frame of its
// own. The frame pointer is its caller's then, and would lead past that. Returns the index of the return address there,
// or `count`.
static size_t return_at_edge(const cctx_sample *sample, const code *code, uintptr_t function) {
    if (!is_code(code, sample->pc, 1, 1)) return sample->count;
    const unsigned char *at = (const unsigned char *)sample->pc;
    bool has_pushed = function && sample->pc > function && sample->pc - function <= 5 && at[-1] == 0x55;
    bool jumps_away = at[-1] == 0x5d && (*at == 0xe9 || *at == 0xeb || *at == 0xff);
    bool has_none = sample->pc == function || *at == 0xc3 || jumps_away;
    size_t index = has_none ? 0 : has_pushed ? 1 : sample->count;
    return index < sample->count && called_before(code, sample->words[index]) != none ? index : sample->count;
}

#elif defined(__aarch64__)

// The return address is in a register there, which a sample does not have.
static size_t return_at_edge(const cctx_sample *sample, const code *code, uintptr_t function) {
    (void)code;
    (void)function;
    return sample->count;
}

static uintptr_t called_before(const code *code, uintptr_t address) {
    if (address % 4 != 0 || !is_code(code, address, 4, 4)) return none;
    uint32_t instruction;
    memcpy(&instruction, (const void *)(address - 4), sizeof instruction);
    if ((instruction & 0xfffffc1f) == 0xd63f0000) return unknown;
    // Stubs of the linkage table are not looked through here.
    return (instruction & 0xfc000000) == 0x94000000 ? unknown : none;
}

#endif

// The first address of the function that `pc` lies in, or 0.
static uintptr_t start_of_function(uintptr_t pc) {
    cctx_symbol symbol = cctx_symbolicate(pc);
    uintptr_t start = symbol.name ? pc - symbol.offset : 0;
    free(symbol.name);
    free(symbol.demangled);
    free(symbol.image);
    return start;
}

// Async functions of clang mark the frame pointer that they save.
static uintptr_t without_mark(uintptr_t frame) { return frame & ~((uintptr_t)1 << 60); }

// The index of the frame at `address`, or `count`.
static size_t frame_at(const cctx_sample *sample, uintptr_t address) {
    address = without_mark(address);
    if (address < sample->sp || address % sizeof(uintptr_t) != 0) return sample->count;
    size_t index = (address - sample->sp) / sizeof(uintptr_t);
    return index + 1 < sample->count ? index : sample->count;
}

static bool is_frame(const cctx_sample *sample, const code *code, size_t index) {
    if (index + 1 >= sample->count || called_before(code, sample->words[index + 1]) == none) return false;
    uintptr_t next = sample->words[index];
    return next == 0 || (frame_at(sample, next) > index && frame_at(sample, next) < sample->count);
}

// The same, where no register says so: a zero or a pointer to a local before a return address looks like a frame, but
// does not lead to another one.
static bool leads_on(const cctx_sample *sample, const code *code, size_t index) {
    if (!is_frame(sample, code, index)) return false;
    uintptr_t next = sample->words[index];
    return next != 0 && called_before(code, sample->words[frame_at(sample, next) + 1]) != none;
}

// Adds the return addresses along the frame pointers from a frame on.
static size_t follow(const cctx_sample *sample, const code *code, size_t frame, uintptr_t *addresses, size_t count,
                     size_t capacity) {
    while (frame + 1 < sample->count && count < capacity) {
        if (!is_code(code, sample->words[frame + 1], 1, 0)) break;
        addresses[count++] = sample->words[frame + 1];
        size_t next = frame_at(sample, sample->words[frame]);
        if (next <= frame) break;
        frame = next;
    }
    return count;
}

size_t cctx_sample_addresses(const cctx_sample *sample, uintptr_t *addresses, size_t capacity) {
    if (capacity == 0 || sample->pc == 0) return 0;
    code *code = calloc(1, sizeof *code);
    if (!code) return 0;
    dl_iterate_phdr(add_image, code);
    size_t count = 0;
    addresses[count++] = sample->pc;
    uintptr_t function = start_of_function(sample->pc);
    size_t known = sample->fp ? frame_at(sample, sample->fp) : sample->count;
    if (!is_frame(sample, code, known)) known = sample->count;
    size_t place = 0;
    size_t edge = return_at_edge(sample, code, function);
    if (edge < sample->count && count < capacity) {
        addresses[count++] = sample->words[edge];
        function = start_of_function(sample->words[edge] - 1);
        place = edge + 1;
    }
    while (count < capacity) {
        // The next frame, and the next return address that must belong to the caller.
        size_t frame = place <= known && known < sample->count ? known : place;
        if (frame != known) {
            while (frame < sample->count && !leads_on(sample, code, frame)) frame++;
        }
        size_t call = place;
        while (call < sample->count && call <= frame + 1 &&
               (!function || called_before(code, sample->words[call]) != function)) {
            call++;
        }
        bool is_certain = call < sample->count && call <= frame + 1;
        if (!is_certain && frame >= sample->count) break;
        if (!is_certain) {
            count = follow(sample, code, frame, addresses, count, capacity);
            break;
        }
        addresses[count++] = sample->words[call];
        function = start_of_function(sample->words[call] - 1);
        place = call + 1;
    }
    free(code);
    return count;
}

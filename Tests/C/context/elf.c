// The function at a place, in the bytes of an ELF file: of a good one, of one whose parts are not aligned, and of every
// beginning of it.

#include "check.h"

#include "cctx_backtrace.h"

#include <elf.h>
#include <link.h>

enum { sections = 3, value = 0x10, length = 0x20 };
static const char names[] = "\0deep";

typedef struct file {
    ElfW(Ehdr) header;
    ElfW(Sym) symbols[2];
    char names[sizeof names];
    ElfW(Shdr) sections[sections];
} file;

static file make(ElfW(Word) type) {
    file made = {.symbols[1] = {
                     .st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = value, .st_size = length}};
    memcpy(made.header.e_ident, ELFMAG, SELFMAG);
    made.header.e_ident[EI_CLASS] = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    made.header.e_shoff = offsetof(file, sections);
    made.header.e_shnum = sections;
    made.header.e_shentsize = sizeof(ElfW(Shdr));
    memcpy(made.names, names, sizeof names);
    made.sections[1] = (ElfW(Shdr)){.sh_type = type, .sh_link = 2, .sh_offset = offsetof(file, symbols),
                                    .sh_size = sizeof made.symbols};
    made.sections[2] = (ElfW(Shdr)){.sh_type = SHT_STRTAB, .sh_offset = offsetof(file, names), .sh_size = sizeof names};
    return made;
}

// Looks in memory of exactly this size, which the sanitizers watch.
static const char *find(const void *bytes, size_t size, uintptr_t place, size_t *offset) {
    static char found[16];
    char *copy = malloc(size > 0 ? size : 1);
    REQUIRE(copy);
    memcpy(copy, bytes, size);
    const char *name = cctx_find_function(copy, size, place, offset);
    if (name) {
        REQUIRE(name >= copy && name < copy + size);
        strncpy(found, name, sizeof found - 1);
    }
    free(copy);
    return name ? found : NULL;
}

static bool is_there(const file *made) {
    size_t offset = 0;
    const char *name = find(made, sizeof *made, value + 3, &offset);
    return name && strcmp(name, "deep") == 0 && offset == 3;
}

int main(void) {
    size_t offset;
    file good = make(SHT_SYMTAB), dynamic = make(SHT_DYNSYM), bad;
    REQUIRE(is_there(&good) && is_there(&dynamic));
    REQUIRE(!find(&good, sizeof good, value - 1, &offset) && !find(&good, sizeof good, value + length, &offset));
    for (size_t size = 0; size < sizeof good; size++) REQUIRE(!find(&good, size, value, &offset));

    // Of another machine, of another kind, of no kind.
    bad = good, bad.header.e_ident[EI_CLASS] ^= ELFCLASS32 ^ ELFCLASS64;
    REQUIRE(!is_there(&bad));
    bad = good, bad.header.e_shentsize--;
    REQUIRE(!is_there(&bad));
    bad = good, bad.header.e_ident[0] = 0;
    REQUIRE(!is_there(&bad));

    // Places outside, also such that come round to the beginning.
    size_t far[] = {sizeof good, sizeof good + 1, SIZE_MAX, SIZE_MAX - sizeof good.symbols + 1};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        bad = good, bad.header.e_shoff = far[i];
        REQUIRE(!is_there(&bad));
        bad = good, bad.sections[1].sh_offset = far[i];
        REQUIRE(!is_there(&bad));
        bad = good, bad.sections[1].sh_size = far[i];
        REQUIRE(!is_there(&bad));
        bad = good, bad.sections[2].sh_offset = far[i];
        REQUIRE(!is_there(&bad));
        bad = good, bad.symbols[1].st_name = (ElfW(Word))far[i];
        REQUIRE(!is_there(&bad));
    }
    bad = good, bad.sections[1].sh_link = sections;
    REQUIRE(!is_there(&bad));
    bad = good, bad.names[sizeof names - 1] = 's', bad.sections[2].sh_size--;
    REQUIRE(!is_there(&bad));

    // The same parts at odd places.
    char odd[1 + sizeof good];
    file moved = good;
    moved.header.e_shoff++, moved.sections[1].sh_offset++, moved.sections[2].sh_offset++;
    memcpy(odd + 1, &moved, sizeof moved);
    memcpy(odd, &moved.header, sizeof moved.header);
    // The first symbol, which is none, has lost its first byte to the header.
    const char *name = find(odd, sizeof odd, value + 3, &offset);
    REQUIRE(name && strcmp(name, "deep") == 0 && offset == 3);
    return 0;
}

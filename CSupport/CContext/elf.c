// Symbols of an ELF file that lies in memory. The file may be another one than the one that was loaded, and damaged:
// every place in it is checked, and nothing is taken to be aligned.

#define _GNU_SOURCE

#include "cctx_backtrace.h"

#include <elf.h>
#include <link.h>
#include <string.h>

typedef struct elf_file {
    const char *bytes;
    size_t size;
} elf_file;

static bool lies_in(elf_file file, size_t offset, size_t count) {
    return offset <= file.size && count <= file.size - offset;
}

// The name of the function at `value` in one table; NULL when it is not there.
static const char *look_through(elf_file file, const ElfW(Shdr) *table, const ElfW(Shdr) *strings,
                                uintptr_t value, size_t *offset) {
    if (!lies_in(file, table->sh_offset, table->sh_size) ||
        !lies_in(file, strings->sh_offset, strings->sh_size)) {
        return NULL;
    }
    ElfW(Sym) symbol;
    for (size_t i = 0; i < table->sh_size / sizeof symbol; i++) {
        memcpy(&symbol, file.bytes + table->sh_offset + i * sizeof symbol, sizeof symbol);
        if ((symbol.st_info & 0xf) != STT_FUNC || symbol.st_shndx == SHN_UNDEF || value < symbol.st_value ||
            value - symbol.st_value >= symbol.st_size || symbol.st_name >= strings->sh_size) {
            continue;
        }
        const char *name = file.bytes + strings->sh_offset + symbol.st_name;
        size_t room = strings->sh_size - symbol.st_name;
        if (strnlen(name, room) == room) continue;
        *offset = value - symbol.st_value;
        return name;
    }
    return NULL;
}

static const char *look_through_all(elf_file file, const ElfW(Ehdr) *header, ElfW(Word) type,
                                    uintptr_t value, size_t *offset) {
    ElfW(Shdr) table, strings;
    if (!lies_in(file, header->e_shoff, header->e_shnum * sizeof table)) return NULL;
    const char *sections = file.bytes + header->e_shoff;
    for (size_t i = 0; i < header->e_shnum; i++) {
        memcpy(&table, sections + i * sizeof table, sizeof table);
        if (table.sh_type != type || table.sh_link >= header->e_shnum) continue;
        memcpy(&strings, sections + table.sh_link * sizeof strings, sizeof strings);
        const char *name = look_through(file, &table, &strings, value, offset);
        if (name) return name;
    }
    return NULL;
}

const char *cctx_find_function(const char *bytes, size_t size, uintptr_t value, size_t *offset) {
    elf_file file = {bytes, size};
    ElfW(Ehdr) header;
    if (size < sizeof header) return NULL;
    memcpy(&header, bytes, sizeof header);
    unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != class ||
        header.e_shentsize != sizeof(ElfW(Shdr))) {
        return NULL;
    }
    const char *name = look_through_all(file, &header, SHT_SYMTAB, value, offset);
    return name ? name : look_through_all(file, &header, SHT_DYNSYM, value, offset);
}

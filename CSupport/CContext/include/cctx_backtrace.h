// Where a suspended context stands: return addresses, and the functions that they lie in.

#ifndef CCTX_BACKTRACE_H
#define CCTX_BACKTRACE_H

#include "ccontext.h"

#ifdef __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wnullability-extension"
#pragma clang assume_nonnull begin
#endif

// The return addresses on the stack of a suspended context, innermost first: where it goes on, and
// then along the frame pointers, which Swift code keeps. C code that was compiled without them is
// passed over. Returns their number, at most `capacity`. For the thread that owns the context.
size_t cctx_return_addresses(const cctx *context, uintptr_t *addresses, size_t capacity);

typedef struct cctx_symbol {
    // The function's name as the linker knows it, to be freed; NULL when the file has no symbols.
    char *_Nullable name;
    // The same for people, to be freed; NULL when it is not one of Swift's.
    char *_Nullable demangled;
    // The file that the code was loaded from, to be freed; NULL when it is in none.
    char *_Nullable image;
    // Of the address in the function, or else in the image.
    size_t offset;
} cctx_symbol;

// Looks for the function that `address` lies in. Reads the file's symbol table, because an
// executable's functions are in no table that is loaded. Any thread; slow.
cctx_symbol cctx_symbolicate(uintptr_t address);

// The name of the function at `value` in the bytes of an ELF file, as it lies there, and the offset of `value` in the
// function. NULL when the file says nothing of it, or is none. Any thread.
const char *_Nullable cctx_find_function(const char *bytes, size_t size, uintptr_t value, size_t *offset);

// How many images the process has unloaded: after that an address can be another function's. Any thread.
uint64_t cctx_image_unloads(void);

#ifdef __clang__
#pragma clang assume_nonnull end
#pragma clang diagnostic pop
#endif

#endif

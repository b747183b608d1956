// The line of /proc/self/task/N/syscall (proc(5)): "running", or the number of the call, its arguments if it is in one,
// the stack pointer and the program counter.

#include "cctx_sample.h"

// Takes the last field off the text: a space, 0x, and up to sixteen digits.
static bool take_number(const char *text, size_t *size, uintptr_t *number) {
    size_t end = *size, start = end;
    while (start > 0 && text[start - 1] != ' ') start--;
    if (start == 0 || end - start < 3 || end - start > 18 || text[start] != '0' || text[start + 1] != 'x') {
        return false;
    }
    uintptr_t value = 0;
    for (size_t i = start + 2; i < end; i++) {
        char digit = text[i];
        if (digit >= '0' && digit <= '9') value = value << 4 | (uintptr_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f') value = value << 4 | (uintptr_t)(digit - 'a' + 10);
        else return false;
    }
    *number = value;
    *size = start - 1;
    return true;
}

bool cctx_sample_parse(const char *text, size_t size, uintptr_t *sp, uintptr_t *pc) {
    if (size > 0 && text[size - 1] == '\n') size--;
    return take_number(text, &size, pc) && take_number(text, &size, sp) && size > 0;
}

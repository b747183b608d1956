/* Preloaded: a process in which something that is given back stays. RINGLET_LEAK says what: descriptors, of which the
 * eventfds are not closed, or mappings, of which the large ones stay, in pieces that the kernel does not join. */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int leaks(const char *what)
{
    const char *chosen = getenv("RINGLET_LEAK");
    return chosen && strcmp(chosen, what) == 0;
}

int close(int descriptor)
{
    char path[64], target[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    if (leaks("descriptors") && readlink(path, target, sizeof target - 1) > 0 && strstr(target, "eventfd")) return 0;
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    return next(descriptor);
}

int munmap(void *address, size_t size)
{
    if (leaks("mappings") && size >= 1024 * 1024) {
        for (size_t offset = 0; offset < 32 * 8192; offset += 8192) mprotect((char *)address + offset, 4096, PROT_READ);
        return 0;
    }
    int (*next)(void *, size_t) = (int (*)(void *, size_t))dlsym(RTLD_NEXT, "munmap");
    return next(address, size);
}

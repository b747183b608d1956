/* For what is preloaded and stands in for functions of Swift's runtime. Include it after _GNU_SOURCE is defined. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* The function that is stood in for. */
static inline void *real(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) {
        fprintf(stderr, "%s has gone; what stands in for it in Tests/Sanitizers needs a look\n", name);
        abort();
    }
    return function;
}

// What the test programs share. A program ends with 0 when it passed, with 77 when it had to skip.

#ifndef CHECK_H
#define CHECK_H

#include "ccontext.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// SHADOWED: AddressSanitizer or ThreadSanitizer, which keep shadow memory and their own stacks.
// SANITIZED: any of the sanitizers, which all install a handler for fatal signals.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SHADOWED 1
#elif __has_feature(undefined_behavior_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifdef SHADOWED
#define SANITIZED 1
#endif

#define REQUIRE(condition)                                                          \
    do {                                                                            \
        if (!(condition)) {                                                         \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            exit(1);                                                                \
        }                                                                           \
    } while (0)

#define SKIP(reason)                        \
    do {                                    \
        fprintf(stderr, "%s\n", reason);    \
        exit(77);                           \
    } while (0)

enum { default_stack = 256 * 1024 };

static inline cctx_stack_pool *make_pool(size_t stack_size) {
    cctx_stack_pool *pool = NULL;
    REQUIRE(cctx_thread_prepare() == 0);
    REQUIRE(cctx_stack_pool_create(stack_size, &pool) == 0);
    return pool;
}

static inline cctx *make_context(cctx_stack_pool *pool, cctx_entry entry, void *argument) {
    cctx *context = NULL;
    REQUIRE(cctx_create(pool, sizeof(cctx), entry, argument, &context) == 0);
    return context;
}

typedef struct outcome {
    int status;
    char text[4096];
} outcome;

// Runs `body` in a child and collects what it writes to stderr, and how it ends.
static inline outcome run_in_child(void (*body)(void)) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    outcome result;
    size_t length = 0;
    ssize_t count;
    char rest[512];
    do {
        size_t room = sizeof result.text - 1 - length;
        count = read(ends[0], room ? result.text + length : rest, room ? room : sizeof rest);
        if (room && count > 0) length += (size_t)count;
    } while (count > 0);
    result.text[length] = '\0';
    close(ends[0]);
    REQUIRE(waitpid(child, &result.status, 0) == child);
    return result;
}

static inline int count_of(const char *text, const char *part) {
    int count = 0;
    while ((text = strstr(text, part)) != NULL) {
        count++;
        text += strlen(part);
    }
    return count;
}

// Sanitizers end a crashing process with exit(1) after their report, instead of the signal.
static inline bool died_of(outcome result, int number) {
#ifdef SANITIZED
    if (WIFEXITED(result.status) && WEXITSTATUS(result.status) != 0) return true;
#endif
    return WIFSIGNALED(result.status) && WTERMSIG(result.status) == number;
}

// A line of /proc/self/status, in KiB.
static inline long status_kib(const char *key) {
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    REQUIRE(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) == 0) value = strtol(line + strlen(key) + 1, NULL, 10);
    }
    fclose(file);
    return value;
}

static inline long count_mappings(void) {
    FILE *file = fopen("/proc/self/maps", "r");
    REQUIRE(file);
    long lines = 0;
    for (int c = getc(file); c != EOF; c = getc(file)) lines += c == '\n';
    fclose(file);
    return lines;
}

#endif

// Where a suspended context stands: its return addresses, and the functions that they lie in. The Makefile has
// this file compiled with frame pointers, which the walk follows.

#include "check.h"

#include "cctx_backtrace.h"

enum { depth = 3 };
static const char *const functions[depth] = {"deepest", "middle", "inside"};

static int rounds;

__attribute__((noinline)) static void count_round(void) {
    rounds++;
    __asm__ volatile("");
}

// The first call is there so that the frame is set up before the switch, and the statements after the calls so that
// none is a tail call.
__attribute__((noinline)) static void deepest(void) {
    count_round();
    cctx_suspend();
    __asm__ volatile("");
}

__attribute__((noinline)) static void middle(void) {
    volatile char room[1000];
    room[0] = room[999] = 1;
    deepest();
    REQUIRE(room[0] == room[999]);
}

static void inside(void *argument) {
    for (int i = 0; i < *(int *)argument; i++) middle();
    __asm__ volatile("");
}

// Whether a return address goes back to the function of this name.
static bool is_in(uintptr_t address, const char *name) {
    cctx_symbol symbol = cctx_symbolicate(address - 1);
    REQUIRE(symbol.image && !symbol.demangled);
    bool is_right = symbol.name && strcmp(symbol.name, name) == 0 && strstr(symbol.image, "backtrace");
    free(symbol.name);
    free(symbol.image);
    return is_right;
}

int main(void) {
    cctx_stack_pool *pool = make_pool(default_stack);
    int count = 2;
    cctx *context = make_context(pool, inside, &count);
    uintptr_t addresses[32];

    // Before the first resume only the place is known where it will begin.
    REQUIRE(cctx_return_addresses(context, addresses, 32) == 1);
    uintptr_t trampoline = addresses[0];

    uintptr_t first[depth];
    for (int round = 0; round < count; round++) {
        cctx_resume_plain(context);
        size_t found = cctx_return_addresses(context, addresses, 32);
#ifdef SHADOWED
        // There the switch is announced, by functions of the library.
        while (found > depth && !is_in(addresses[0], functions[0])) {
            memmove(addresses, addresses + 1, --found * sizeof *addresses);
        }
#endif
        // The rest belongs to the library, whose own frames may be without a pointer.
        REQUIRE(found >= depth && found <= depth + 4);
        for (int i = 0; i < depth; i++) REQUIRE(is_in(addresses[i], functions[i]));
        for (size_t i = 0; i < found; i++) REQUIRE(addresses[i] != trampoline || i + 1 == found);
        // The same place in the loop.
        if (round == 0) memcpy(first, addresses, sizeof first);
        REQUIRE(memcmp(first, addresses, sizeof first) == 0);

        // No more than there is room for.
        for (size_t room = 0; room < depth; room++) {
            uintptr_t few[depth] = {0};
            REQUIRE(cctx_return_addresses(context, few, room) == room && few[room] == 0);
        }
        REQUIRE(rounds == round + 1);
    }
    cctx_resume_plain(context);
    REQUIRE(context->finished && rounds == count);
    cctx_destroy(pool, context);

    // What lies in no file has no name.
    cctx_symbol nothing = cctx_symbolicate(1);
    REQUIRE(!nothing.name && !nothing.image);
    cctx_stack_pool_destroy(pool);
    return 0;
}

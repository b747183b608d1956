// The emulated ring against the kernel's: one program of submissions, run on both, must complete alike.
//
// An input is a program. Its first byte says how large the queues of the emulated ring are, whether it is the
// kernel's with some opcodes emulated beside it, and whether the program is strict. In a strict program at most one operation waits for a direction of a descriptor, and
// none is closed under a waiting one: then every completion must be the same, with its bytes. In a loose
// one the order among waiting operations is nobody's promise; what is left is that each has exactly
// one completion, that it ends when it is cancelled, and that no memory is misused.
//
// Operations complete when they complete, so after every step both rings are asked until they have
// completed the same ones. That takes no time when they agree.

#define _GNU_SOURCE

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

curing_ring rings[2];
uint64_t generation;

static uint8_t take(program *program) {
    return program->next < program->end ? *program->next++ : 0;
}

// MARK: Submissions

// Whether anything is under way on a place that waits for a direction; for any with 0.
static bool is_busy(const program *program, uint8_t place, uint8_t wanted) {
    for (uint32_t i = 0; i < program->count; i++) {
        const submission *at = &program->submissions[i];
        if (at->is_over || at->place != place) continue;
        if (wanted == 0 || at->opcode == CURING_OP_POLL_ADD || direction(at->opcode) == wanted) return true;
    }
    return false;
}

static bool is_connecting(const program *program, uint8_t place) {
    for (uint32_t i = 0; i < program->count; i++) {
        const submission *at = &program->submissions[i];
        if (!at->is_over && at->place == place && at->opcode == CURING_OP_CONNECT) return true;
    }
    return false;
}

static uint32_t some_length(program *program) {
    static const uint32_t lengths[] = {0, 1, 7, 8, 100, 4095, 4096, 4097, LARGEST};
    return lengths[take(program) % (sizeof lengths / sizeof *lengths)];
}

static submission *begin(program *program, uint8_t opcode, uint8_t place, uint32_t length) {
    submission *at = &program->submissions[program->count];
    *at = (submission){.opcode = opcode, .place = place, .length = length};
    for (int side = 0; side < 2; side++) {
        // Each of exactly the size that is promised, so that a byte beyond is seen.
        at->of[side].memory = malloc(length ? length : 1);
        for (uint32_t i = 0; i < length; i++) {
            at->of[side].memory[i] = (unsigned char)(i * 7 + program->count);
        }
    }
    return at;
}

static void put(program *program, int side, uint64_t address, uint32_t length, uint64_t offset,
                uint32_t flags) {
    const submission *at = &program->submissions[program->count];
    curing_sqe *sqe = curing_next_sqe(&rings[side], at->opcode == CURING_OP_ASYNC_CANCEL ? 0 : 2);
    curing_fill(sqe, at->opcode, program->worlds[side].fds[at->place], address, length, offset, flags,
                generation + program->count);
}

static void submit(program *program) {
    static const uint8_t opcodes[] = {
        CURING_OP_READ,  CURING_OP_WRITE,   CURING_OP_RECV,   CURING_OP_SEND,     CURING_OP_POLL_ADD,
        CURING_OP_ACCEPT, CURING_OP_CONNECT, CURING_OP_CLOSE, CURING_OP_SHUTDOWN, CURING_OP_OPENAT,
        CURING_OP_STATX, CURING_OP_FSYNC,   CURING_OP_NOP,    200,
    };
    static const uint32_t polls[] = {POLLIN, POLLOUT, POLLIN | POLLOUT, POLLRDHUP, POLLPRI, 0};
    uint8_t opcode = opcodes[take(program) % sizeof opcodes];
    uint8_t place = take(program) % PLACES;
    uint32_t length = some_length(program);
    uint8_t detail = take(program);
    if (program->count == MOST_OPERATIONS) return;
    if (program->is_strict) {
        uint8_t way = direction(opcode);
        if ((way || opcode == CURING_OP_POLL_ADD) && is_busy(program, place, way)) return;
        // A refusal is told once: to the connect, or to what else is under way there.
        if (is_connecting(program, place) || (opcode == CURING_OP_CONNECT && is_busy(program, place, 0))) return;
        // Which of the two sees a descriptor's end first is not promised.
        bool ends_something = opcode == CURING_OP_CLOSE || opcode == CURING_OP_SHUTDOWN;
        if (ends_something && is_busy(program, place, 0)) return;
        // Nor what else on its way at that moment comes to: a connect when the listener goes.
        // Nor whether a read of a file sees a write that is on its way.
        if (ends_something || place_is_file(place)) settle(program, false);
    }
    submission *at = begin(program, opcode, place, length);
    for (int side = 0; side < 2; side++) {
        uint64_t memory = (uint64_t)(uintptr_t)at->of[side].memory;
        const world *world = &program->worlds[side];
        switch (opcode) {
        case CURING_OP_READ:
        case CURING_OP_WRITE:
            put(program, side, memory, length, detail & 1 ? UINT64_MAX : (uint64_t)detail * 64, 0);
            break;
        case CURING_OP_RECV:
            put(program, side, memory, length, 0, detail & 1 ? MSG_DONTWAIT : 0);
            break;
        case CURING_OP_SEND:
            put(program, side, memory, length, 0, MSG_NOSIGNAL | (detail & 1 ? 0 : MSG_WAITALL));
            break;
        case CURING_OP_POLL_ADD:
            put(program, side, 0, 0, 0, polls[detail % (sizeof polls / sizeof *polls)]);
            break;
        case CURING_OP_ACCEPT:
            put(program, side, 0, 0, 0, SOCK_CLOEXEC);
            break;
        case CURING_OP_CONNECT:
            put(program, side, (uint64_t)(uintptr_t)world->address, 0, detail & 7 ? 16 : detail & 8, 0);
            break;
        case CURING_OP_SHUTDOWN:
            put(program, side, 0, detail % 4, 0, 0);
            break;
        case CURING_OP_OPENAT:
            put(program, side, (uint64_t)(uintptr_t)(detail & 1 ? "/dev/null" : "/nowhere/at/all"), 0, 0,
                O_RDWR | O_CLOEXEC);
            break;
        case CURING_OP_STATX: {
            static struct statx status[2];
            put(program, side, (uint64_t)(uintptr_t)"", STATX_SIZE, (uint64_t)(uintptr_t)&status[side],
                AT_EMPTY_PATH);
            break;
        }
        case CURING_OP_FSYNC:
            put(program, side, 0, 0, 0, detail & 1);
            break;
        default:
            put(program, side, 0, 0, 0, 0);
        }
    }
    program->count++;
    if (opcode != CURING_OP_CLOSE && opcode != CURING_OP_SHUTDOWN) return;
    // The kernel does both a little later, after what is submitted next.
    settle(program, false);
    if (opcode == CURING_OP_CLOSE && at->of[REAL].is_done && at->of[EMULATED].is_done) {
        for (int side = 0; side < 2; side++) program->worlds[side].fds[place] = -1;
    }
}

static void cancel(program *program) {
    uint8_t which = take(program);
    if (program->count == MOST_OPERATIONS) return;
    // Whether a cancel meets an operation that is just ending is not promised.
    settle(program, false);
    if (which & 128) {
        submission *at = begin(program, CURING_OP_ASYNC_CANCEL, which % PLACES, 0);
        at->is_vague = place_is_file(at->place);
        for (int side = 0; side < 2; side++) {
            put(program, side, 0, 0, 0, CURING_CANCEL_FD | CURING_CANCEL_ALL);
        }
    } else {
        begin(program, CURING_OP_ASYNC_CANCEL, NO_NUMBER, 0);
        for (int side = 0; side < 2; side++) put(program, side, generation + which, 0, 0, 0);
    }
    program->count++;
    settle(program, false);
}

// MARK: What others do meanwhile

static void act_outside(program *program) {
    uint8_t place = take(program) % PLACES;
    uint32_t length = some_length(program);
    uint8_t what = take(program) % 4;
    // For an eventfd that is the number 1, for which there is room whenever it can be written to. A larger one
    // would wait, and this thread with it.
    static const unsigned char bytes[LARGEST] = {1, 0, 0, 0, 0, 0, 0, 0, 9};
    if (place == NEVER_OPEN) return;
    settle(program, false);
    for (int side = 0; side < 2; side++) {
        int fd = program->worlds[side].fds[place];
        struct pollfd entry = {.fd = fd, .events = what == 0 ? POLLOUT : POLLIN};
        unsigned char sink[LARGEST];
        if (fd < 0) return;
        if (what < 2 && poll(&entry, 1, 0) <= 0) continue;
        if (what == 0 && place != LISTENER && length <= 4096) {
            ssize_t moved = write(fd, bytes, length);
            (void)moved;
        } else if (what == 1 && place != LISTENER) {
            ssize_t moved = read(fd, sink, length);
            (void)moved;
        } else if (what == 2 && !is_busy(program, place, 0)) {
            close(fd);
            program->worlds[side].fds[place] = -1;
        } else if (what == 3 && !is_busy(program, place, 0) && !place_is_file(place)) {
            // The number becomes another file's, and the ring is not told.
            int other = eventfd(length % 2, EFD_CLOEXEC);
            dup2(other, fd);
            close(other);
        }
    }
    settle(program, false);
}

// MARK: Programs

// Where io_uring is refused the emulated ring is the one that runs, and both are emulated ones here. That they agree
// says little then; that each completes everything and misuses no memory is asked all the same.
static bool is_refused;

// With `lacking` the emulated one is the kernel's, but for these opcodes.
static int try_ring(int side, uint32_t entries, uint64_t lacking) {
    curing_refusal refusal;
    bool is_real = !is_refused && (side == REAL || lacking);
    curing_ceiling ceiling = {.lacking = is_real ? lacking : 0};
    int error = curing_create(&rings[side], is_real ? curing_io_uring() : curing_emulated(), entries, entries * 2,
                              ceiling, &refusal);
    return error == 0 ? curing_enable(&rings[side]) : error;
}

static void make_ring(int side, uint32_t entries, uint64_t lacking) {
    int error = try_ring(side, entries, lacking);
    if (error == 0) return;
    if (side == REAL && !is_refused) {
        fprintf(stderr, "only the emulated ring: io_uring is refused here: %s\n", strerror(-error));
        is_refused = true;
        make_ring(side, entries, lacking);
        return;
    }
    fprintf(stderr, "no ring: %s\n", strerror(-error));
    abort();
}

static uint64_t some_opcodes(uint8_t choice) {
    static const uint64_t sets[] = {
        0,
        1u << CURING_OP_RECV | 1u << CURING_OP_ACCEPT,
        1u << CURING_OP_READ | 1u << CURING_OP_SEND | 1u << CURING_OP_OPENAT,
        1u << CURING_OP_CLOSE | 1u << CURING_OP_WRITE | 1u << CURING_OP_CONNECT,
    };
    return sets[choice % (sizeof sets / sizeof *sets)];
}

static void cancel_everything(program *program) {
    for (uint32_t i = 0, count = program->count; i < count; i++) {
        if (program->submissions[i].is_over) continue;
        for (int side = 0; side < 2; side++) {
            curing_sqe *sqe = curing_next_sqe(&rings[side], 0);
            curing_fill(sqe, CURING_OP_ASYNC_CANCEL, -1, generation + i, 0, 0, 0,
                        generation + program->count);
        }
        submission *at = begin(program, CURING_OP_ASYNC_CANCEL, NO_NUMBER, 0);
        at->is_vague = true;
        program->count++;
        if (program->count == MOST_OPERATIONS * 2) break;
    }
    settle(program, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static program program;
    if (generation == 0) {
        signal(SIGPIPE, SIG_IGN);
        make_ring(REAL, 128, 0);
    }
    generation += 1000;
    memset(&program, 0, sizeof program);
    program.next = data;
    program.end = data + size;
    uint8_t manner = take(&program);
    program.is_strict = manner & 1;
    make_ring(EMULATED, 4u << (manner >> 1 & 3), some_opcodes(manner >> 3));
    for (int side = 0; side < 2; side++) world_open(&program.worlds[side]);

    while (program.next < program.end) {
        switch (take(&program) % 8) {
        case 0:
            settle(&program, false);
            break;
        case 1:
            act_outside(&program);
            break;
        case 2:
            cancel(&program);
            break;
        default:
            submit(&program);
        }
    }
    settle(&program, false);
    // Or the ring is torn down with all that it holds.
    cancel_everything(&program);
    curing_destroy(&rings[EMULATED]);
    for (int side = 0; side < 2; side++) {
        world_close(&program.worlds[side]);
        for (uint32_t i = 0; i < program.count; i++) free(program.submissions[i].of[side].memory);
    }
    return 0;
}

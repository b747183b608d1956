// A write to a terminal that nobody reads takes what there is room for, and the next one waits; and a read takes what there
// is: on the emulated ring, and where it emulates them. The kernel's ring stays in such a write until it has written all
// (ringlet_write).

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "outcomes.h"

enum { LARGE = 1 << 20 };

static char bytes[LARGE];

static void open_terminal(int ends[2]) {
    struct termios attributes;
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(ends[0] >= 0 && grantpt(ends[0]) == 0 && unlockpt(ends[0]) == 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(ends[1] >= 0 && tcgetattr(ends[1], &attributes) == 0);
    cfmakeraw(&attributes);
    CHECK(tcsetattr(ends[1], TCSANOW, &attributes) == 0);
}

static void start(curing_ring *ring, uint8_t opcode, int fd, const void *address, uint32_t length, uint64_t user_data) {
    results[user_data] = PENDING;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, (uint64_t)(uintptr_t)address, length,
                opcode == CURING_OP_WRITE ? UINT64_MAX : 0, 0, user_data);
}

// Writes until there is no room, and leaves a write that waits. Returns how much has been written.
static long fill(curing_ring *ring, int fd, uint32_t length) {
    long written = 0;
    for (;;) {
        start(ring, CURING_OP_WRITE, fd, bytes, length, 0);
        // The terminal makes room a moment later for what it has taken.
        collect(ring, 20000000);
        if (results[0] == PENDING) return written;
        CHECK(results[0] > 0 && (length < LARGE || results[0] < LARGE));
        written += results[0];
    }
}

static void a_write_takes_what_there_is_room_for(void) {
    curing_ring ring = make(kind, CURING_OP_WRITE);
    int ends[2];
    open_terminal(ends);
    long written = fill(&ring, ends[1], LARGE);
    CHECK(written > 0);
    start(&ring, CURING_OP_ASYNC_CANCEL, -1, (void *)0, 0, 1);
    CHECK(await(&ring, 0) == -ECANCELED && await(&ring, 1) == 0);
    // It goes on when somebody reads.
    written += fill(&ring, ends[1], 100);
    static char sink[LARGE];
    long taken = 0;
    while (taken < written) {
        ssize_t count = read(ends[0], sink, sizeof sink);
        CHECK(count > 0);
        taken += count;
    }
    CHECK(await(&ring, 0) > 0);
    // It has left the file as it was.
    CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    curing_destroy(&ring);
    close(ends[1]);
    close(ends[0]);
}

// The terminal has been asked to wait for more, nearly half a minute, from the first byte on.
static void a_read_takes_what_there_is(void) {
    curing_ring ring = make(kind, CURING_OP_READ);
    int ends[2];
    open_terminal(ends);
    struct termios attributes;
    CHECK(tcgetattr(ends[1], &attributes) == 0);
    attributes.c_cc[VMIN] = 10;
    attributes.c_cc[VTIME] = 255;
    CHECK(tcsetattr(ends[1], TCSANOW, &attributes) == 0);
    static char taken[16];
    start(&ring, CURING_OP_READ, ends[1], taken, sizeof taken, 0);
    collect(&ring, 1000000);
    CHECK(results[0] == PENDING && write(ends[0], "a", 1) == 1);
    time_t before = time(NULL);
    CHECK(await(&ring, 0) == 1 && taken[0] == 'a');
    CHECK(time(NULL) - before < 10);
    CHECK(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK));
    curing_destroy(&ring);
    close(ends[1]);
    close(ends[0]);
}

int main(void) {
    // What hangs is ended by this.
    alarm(LONGEST);
    memset(bytes, 'x', sizeof bytes);
    for (kind = kind_from(EMULATED); kind < KINDS; kind = kind_from(kind + 1)) {
        a_write_takes_what_there_is_room_for();
        a_read_takes_what_there_is();
    }
    return 0;
}

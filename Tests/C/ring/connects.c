// Connects to a UNIX listener whose backlog is full wait until there is room in it, or somebody cancels them, or closes
// their socket: on the kernel's ring, on the emulated one, and on the kernel's where it lacks opcodes.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "outcomes.h"

enum { MANY = 12 };

static struct sockaddr_un address;
static socklen_t size;
static int listener, first;

static int make_socket(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

// A listener with room for one connection, which is there.
static void listen_busily(void) {
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    listener = make_socket();
    // The kernel chooses a name.
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family) == 0);
    size = sizeof address;
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0 && listen(listener, 0) == 0);
    first = make_socket();
    CHECK(connect(first, (struct sockaddr *)&address, size) == 0);
}

static void accept_one(void) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
}

static void start(curing_ring *ring, uint8_t opcode, int fd, uint64_t target, uint32_t flags, uint64_t user_data) {
    bool connects = opcode == CURING_OP_CONNECT;
    results[user_data] = PENDING;
    curing_fill(curing_next_sqe(ring, 0), opcode, fd, connects ? (uint64_t)(uintptr_t)&address : target, 0,
                connects ? size : 0, flags, user_data);
}

static bool is_cancelled(int32_t result) {
    // The kernel's threads are interrupted, and the last one is how a few of its calls say so.
    return result == -ECANCELED || result == -EINTR || result == -512;
}

// MARK: Tests

static void a_connect_waits_for_room(void) {
    curing_ring ring = make(kind, CURING_OP_CONNECT);
    int client = make_socket();
    start(&ring, CURING_OP_CONNECT, client, 0, 0, 0);
    collect(&ring, 20000000);
    CHECK(results[0] == PENDING);
    accept_one();
    CHECK(await(&ring, 0) == 0);
    // It has left the socket as it was.
    CHECK(!(fcntl(client, F_GETFL) & O_NONBLOCK));
    curing_destroy(&ring);
    close(first);
    first = client;
}

static void a_connect_that_waits_can_be_cancelled(void) {
    curing_ring ring = make(kind, CURING_OP_CONNECT);
    int client = make_socket();
    start(&ring, CURING_OP_CONNECT, client, 0, 0, 0);
    collect(&ring, 5000000);
    CHECK(results[0] == PENDING);
    start(&ring, CURING_OP_ASYNC_CANCEL, -1, 0, 0, 1);
    CHECK(is_cancelled(await(&ring, 0)));
    (void)await(&ring, 1);
    if (ring.capabilities & CURING_CAN_CANCEL_BY_FD || kind == EMULATED) {
        start(&ring, CURING_OP_CONNECT, client, 0, 0, 0);
        collect(&ring, 5000000);
        CHECK(results[0] == PENDING);
        start(&ring, CURING_OP_ASYNC_CANCEL, client, 0, CURING_CANCEL_FD | CURING_CANCEL_ALL, 1);
        CHECK(is_cancelled(await(&ring, 0)));
        (void)await(&ring, 1);
    }
    curing_destroy(&ring);
    close(client);
}

static void many_that_wait_keep_nothing_else_waiting(void) {
    curing_ring ring = make(kind, CURING_OP_CONNECT);
    int clients[MANY];
    for (int i = 0; i < MANY; i++) {
        clients[i] = make_socket();
        start(&ring, CURING_OP_CONNECT, clients[i], 0, 0, (uint64_t)i);
    }
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    start(&ring, CURING_OP_CLOSE, file, 0, 0, MANY);
    CHECK(await(&ring, MANY) == 0);
    for (int i = 0; i < MANY; i++) CHECK(results[i] == PENDING);
    // In whatever order.
    for (int ended = 0; ended < MANY;) {
        accept_one();
        int before = ended;
        while (ended == before) {
            collect(&ring, -1);
            ended = 0;
            for (int i = 0; i < MANY; i++) ended += results[i] == 0;
        }
        CHECK(ended == before + 1);
    }
    // The last one is in the backlog; the others have been accepted.
    accept_one();
    curing_destroy(&ring);
    for (int i = 0; i < MANY; i++) close(clients[i]);
    close(first);
    first = make_socket();
    CHECK(connect(first, (struct sockaddr *)&address, size) == 0);
}

// The number is closed through the ring, so what waits with it ends.
static void a_close_ends_a_connect_that_waits(void) {
    curing_ring ring = make(EMULATED, CURING_OP_CONNECT);
    int client = make_socket();
    start(&ring, CURING_OP_CONNECT, client, 0, 0, 0);
    collect(&ring, 5000000);
    start(&ring, CURING_OP_CLOSE, client, 0, 0, 1);
    CHECK(await(&ring, 0) == -ECANCELED && await(&ring, 1) == 0);
    curing_destroy(&ring);
}

int main(void) {
    // What hangs is ended by this.
    alarm(LONGEST);
    listen_busily();
    for (kind = kind_from(0); kind < KINDS; kind = kind_from(kind + 1)) {
        a_connect_waits_for_room();
        a_connect_that_waits_can_be_cancelled();
        many_that_wait_keep_nothing_else_waiting();
    }
    kind = EMULATED;
    a_close_ends_a_connect_that_waits();
    return 0;
}

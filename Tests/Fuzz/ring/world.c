#define _GNU_SOURCE

#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int need(int result, const char *what) {
    if (result < 0) {
        perror(what);
        // Not abort(): an input that fails for want of descriptors is not a finding.
        exit(1);
    }
    return result;
}

// Connections are reset at their end, or the ports would run out in seconds.
static int tcp_socket(void) {
    int fd = need(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    need(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "linger");
    return fd;
}

static void make_pipe(world *world, enum place read_end, int flags, int room) {
    need(pipe2(&world->fds[read_end], O_CLOEXEC | flags), "pipe");
    if (room) need(fcntl(world->fds[read_end], F_SETPIPE_SZ, room), "the size of a pipe");
}

void world_open(world *world) {
    for (int i = 0; i < PLACES; i++) world->fds[i] = -1;
    make_pipe(world, PIPE_READ, 0, 4096);
    make_pipe(world, PATIENT_READ, O_NONBLOCK, 4096);
    make_pipe(world, SPARE_A, 0, 0);
    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &world->fds[STREAM_A]), "socketpair");

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = tcp_socket();
    need(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    need(listen(listener, 8), "listen");
    need(getsockname(listener, (struct sockaddr *)&address, &size), "getsockname");
    memcpy(world->address, &address, sizeof address);
    world->fds[LISTENER] = listener;
    world->fds[TCP_A] = tcp_socket();
    need(connect(world->fds[TCP_A], (struct sockaddr *)&address, sizeof address), "connect");
    world->fds[TCP_B] = need(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
    world->fds[CONNECTING] = tcp_socket();

    world->fds[EVENT] = need(eventfd(0, EFD_CLOEXEC), "eventfd");
    char name[] = "/tmp/ringlet-fuzz-XXXXXX";
    world->fds[PLAIN_FILE] = need(mkostemp(name, O_CLOEXEC), "mkostemp");
    unlink(name);
    world->fds[PLAIN_FILE_DUP] = need(fcntl(world->fds[PLAIN_FILE], F_DUPFD_CLOEXEC, 0), "dup");
    world->fds[NEVER_OPEN] = 900;
}

void world_close(world *world) {
    for (int i = 0; i < PLACES; i++) {
        if (i != NEVER_OPEN && world->fds[i] >= 0) close(world->fds[i]);
    }
}

bool world_keep(world *world, int fd) {
    for (int i = MADE_FIRST; i <= MADE_LAST; i++) {
        if (world->fds[i] < 0) {
            world->fds[i] = fd;
            return true;
        }
    }
    return false;
}

bool place_is_file(enum place place) { return place == PLAIN_FILE || place == PLAIN_FILE_DUP; }

// The descriptors that a fuzzed program works on. There are two worlds, one for each ring, made alike.

#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>

enum place {
    PIPE_READ, PIPE_WRITE,         // one page of room
    PATIENT_READ, PATIENT_WRITE,   // the same with O_NONBLOCK: its owner wants EAGAIN
    STREAM_A, STREAM_B,            // a pair of UNIX sockets
    TCP_A, TCP_B,                  // a connection
    LISTENER, CONNECTING,          // a socket that has not connected yet
    EVENT,                         // an eventfd
    SPARE_A, SPARE_B,              // a pipe of ordinary size
    PLAIN_FILE, PLAIN_FILE_DUP,    // the same file twice
    NO_NUMBER,                     // -1
    NEVER_OPEN,                    // a number that nobody opened
    MADE_FIRST,                    // what accept and openat have made
    MADE_LAST = MADE_FIRST + 3,
    PLACES,
};

typedef struct world {
    int fds[PLACES];
    unsigned char address[16]; // of the listener, a sockaddr_in
} world;

// Ends the process with a sentence when the machine does not give what is needed.
void world_open(world *world);
void world_close(world *world);

// Keeps what an operation has made; false when there is no room.
bool world_keep(world *world, int fd);

// Whether every operation on the place ends by itself, soon.
bool place_is_file(enum place place);

#endif

// A program of submissions and how far it is, in two worlds.

#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "../../../CSupport/CUring/include/curing.h"
#include "world.h"

enum { MOST_OPERATIONS = 96, LARGEST = 8192, REAL = 0, EMULATED = 1 };

// What is known of one submission, in both worlds.
typedef struct submission {
    uint8_t opcode, place;
    bool is_vague;  // the results need not be equal
    bool is_over;   // both worlds have its completion
    uint32_t length;
    struct {
        bool is_done;
        int32_t result;
        unsigned char *memory;
    } of[2];
} submission;

typedef struct program {
    const uint8_t *next, *end;
    bool is_strict;
    world worlds[2];
    submission submissions[MOST_OPERATIONS * 2];
    uint32_t count;
    uint32_t done[2];
} program;

extern curing_ring rings[2];

// What the first submission of a program has as its user_data.
extern uint64_t generation;

// The user_data of cancels that are asked once more.
#define ASKED_AGAIN UINT64_MAX

// Which way an operation waits: POLLIN, POLLOUT or 0.
uint8_t direction(uint8_t opcode);

// Asks both rings until they have completed the same submissions, and those that end by themselves; until they
// have completed all of them with `finally`. Ends the process with a report when they do not or differ.
void settle(program *program, bool finally);

#endif

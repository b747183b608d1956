// What of the library is measured from C. All durations are nanoseconds of CPU time; negated errno
// on failure.

#ifndef SUBJECTS_H
#define SUBJECTS_H

#include <stdint.h>

// Each resumes a context `count` times, which suspends at once: twice as many one-way switches.
//
// The exchange of stacks alone.
int64_t subject_switch_bare(uint64_t count);
// For contexts that run C only.
int64_t subject_switch_plain(uint64_t count);
// With Swift's exclusivity set exchanged, from a resumer that has no access in flight, and from any.
int64_t subject_switch_from_clean_base(uint64_t count);
int64_t subject_switch_from_any_base(uint64_t count);

// Takes a stack, runs an empty function on it to its end, and gives it back.
int64_t subject_context_life(uint64_t count);

// In a scheduler of its own: two coroutines that yield in turn, `count` times each.
int64_t subject_c_yield(uint64_t count);
// A coroutine that spawns, joins and releases an empty one.
int64_t subject_c_spawn_join(uint64_t count);
// Two coroutines that exchange 64 bytes over two pipes.
int64_t subject_c_pipe(uint64_t count);
// A coroutine that writes one byte at a time to /dev/null.
int64_t subject_c_null_write(uint64_t count);
// A coroutine that locks and unlocks a mutex that nobody else uses.
int64_t subject_c_mutex(uint64_t count);
// A coroutine that sends a pointer and receives it, through a buffer.
int64_t subject_c_channel(uint64_t count);
// A coroutine that sends, and one that receives, through a buffer of 128 pointers, or by rendezvous.
int64_t subject_c_stream_buffered(uint64_t count);
int64_t subject_c_stream_rendezvous(uint64_t count);

#endif

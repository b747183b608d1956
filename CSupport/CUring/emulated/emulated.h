// The emulated ring, inside: what its files share.
//
//     kernel.c       the table's four functions, the two queues
//     submit.c       from a submission to its first attempt; cancellation
//     attempt.c      each opcode as system calls that do not wait
//     sockets.c      those of sockets
//     numbers.c      descriptor numbers, and what is known of the files behind them
//     readiness.c    descriptors that are waited for, through epoll
//     verify.c       what is assumed of them, looked at again
//     later.c        what no event tells of, and when it is looked at
//     threads.c      what can only be done by waiting, on a few threads of the process
//
// An operation is attempted at once. If it would have to wait it is kept until epoll reports its
// descriptor ready and attempted again; if it cannot be attempted without waiting (files) it goes to a
// thread. Each ends with one completion.
//
// Everything belongs to the ring's thread, except what says that threads.c's lock protects it.

#ifndef CURING_EMULATED_H
#define CURING_EMULATED_H

#include "../include/curing.h"

typedef struct engine engine;

typedef enum place {
    PLACE_WAITING, // in its descriptor's list
    PLACE_LATER,   // attempted again by the clock
    PLACE_QUEUED,  // waits for a thread
    PLACE_RUNNING, // a thread has it; it can no longer be cancelled
    PLACE_ENDED,   // a thread has handed it back
} place;

typedef enum outcome {
    OUTCOME_DONE,   // operation->result holds the result
    OUTCOME_WAIT,   // try again when operation->events occur
    OUTCOME_LATER,  // try again after a while: there is no event for it
    OUTCOME_BLOCKS, // only a thread can do it
} outcome;

// A submission that has not ended.
typedef struct operation {
    curing_sqe sqe;
    // In the descriptor's list, in that of the later ones, or in the queue of the threads.
    struct operation *next, *previous;
    // In the table of all operations of the ring.
    struct operation *next_in_bucket;
    // Null when the ring was torn down while a thread had the operation. The threads' lock.
    engine *engine;
    // Bytes that an operation which must move all of them has moved so far; for a connect, 1 once
    // it is under way.
    uint32_t progress;
    // Written by the thread that ran it, read after it was handed back.
    int32_t result;
    // What is waited for (poll(2)).
    uint16_t events;
    // The threads' lock, from PLACE_QUEUED on. The ring's thread, which alone puts it elsewhere and takes it away
    // from there, looks without the lock whether that is so.
    uint8_t place;
} operation;

// What is known of a descriptor number. The number may come to name another file at any time, by calls
// that the ring does not see, so all of this is a guess that costs time and nothing else when it is wrong.
typedef struct descriptor {
    operation *first, *last;
    // Operations in the list that want to read, and to write.
    uint32_t readers, writers;
    // Changes of the number that were seen (curing_descriptor_changed).
    uint32_t epoch;
    // Events that epoll is thought to report, until told otherwise.
    uint16_t interest;
    // The last attempt to read took all there was: there is no point in trying before an event.
    bool is_drained;
    // In the list of those whose interest is an assumption that must be checked soon, and whether an
    // event has confirmed it lately.
    bool is_unverified, had_event;
    // Events in a row that concerned nobody.
    uint8_t fruitless;
} descriptor;

struct engine {
    curing_ring *ring;
    int epoll;
    // An eventfd by which threads report, in the epoll set; -1 until it is needed.
    int wake;

    // The queues' shared words.
    uint32_t sq_head, sq_tail, sq_flags, cq_head, cq_tail;
    // Completions that did not fit, oldest first, in a circle. There is always room in it for
    // everything that is in flight, so a completion is never lost for want of memory.
    curing_cqe *overflow;
    uint32_t overflow_first, overflow_count, overflow_capacity;

    descriptor *descriptors;
    uint32_t descriptor_count;
    // Numbers of descriptors to verify.
    int32_t *unverified;
    uint32_t unverified_count, unverified_capacity;
    // Operations that are attempted again by the clock, oldest first, and how long the next round is waited for.
    operation *first_later, *last_later;
    uint64_t later_pause;
    // How much the threads had begun when it was looked at last.
    uint64_t begun;
    // When each of these is looked at, by curing_now; UINT64_MAX: not at all.
    uint64_t verify_at, later_at, relieve_at;

    // All operations in flight, by user_data; a power of two of buckets.
    operation **buckets;
    uint32_t bucket_count;
    uint32_t in_flight;
    // Those of them that are not waiting in a descriptor's list.
    uint32_t on_threads;
    operation *free_operations;

    // Events in a row of the wake's number that no thread had signalled.
    uint8_t stray;

    // How many enters in a row were satisfied without a look at epoll.
    uint32_t unpolled;

    // Operations that threads have ended. The threads' lock.
    operation *finished;
};

// kernel.c

// Makes room for one completion more than those of everything in flight. False when there is no memory.
bool emulated_reserve(engine *engine);
// Posts the completion of one submission, for which there is room.
void emulated_post(engine *engine, uint64_t user_data, int32_t result);

// submit.c

// Starts what a submission asks for. Its completion may be posted before this returns.
void emulated_submit(engine *engine, const curing_sqe *sqe);
// Does what an ASYNC_CANCEL asks for, and posts nothing. Returns the result.
int32_t emulated_cancel(engine *engine, const curing_sqe *sqe);
// Ends an operation that is in no list any more: posts its result and reuses its memory.
void emulated_end(engine *engine, operation *operation, int32_t result);
// Does with an operation that is in no list what the attempt at it has come to.
void emulated_go_on(engine *engine, operation *operation, outcome outcome);
// Remembers whether an operation that has ended took all there was.
void emulated_note_drained(descriptor *known, const operation *ended);
// What a cancelled or failed operation reports: bytes that were moved come first.
int32_t emulated_failure(const operation *operation, int32_t error);

// attempt.c

outcome emulated_attempt(operation *operation);
// The same by calls that may wait, for threads. Returns the result.
int32_t emulated_run_blocking(operation *operation);
uint16_t emulated_events(const curing_sqe *sqe);

// numbers.c

// The number's entry, up to date with the changes that were seen; null when there is none.
descriptor *emulated_descriptor(engine *engine, int32_t fd);
// The same, made where there is none; null when there is no memory. `fd` is not negative.
descriptor *emulated_make_descriptor(engine *engine, int32_t fd);

// readiness.c

int emulated_readiness_setup(engine *engine);
void emulated_readiness_teardown(engine *engine);
// Keeps an operation until its events occur. Returns 0, -EPERM when the file cannot be waited for, or another
// negative errno.
int emulated_wait(engine *engine, operation *operation);
void emulated_unlist(engine *engine, operation *operation);
// Ends what waits for a descriptor with -ECANCELED; returns how many there were.
int32_t emulated_cancel_waiting(engine *engine, int32_t fd);
// Forgets a number that is about to be closed; nothing may wait there.
void emulated_forget(engine *engine, int32_t fd);
// Returns 0; 1 when there was no registration although one was assumed; or a negative errno.
int emulated_set_interest(engine *engine, int32_t fd, uint16_t interest);
// What to do with all that waits there after such an error: -EPERM is no error of theirs.
void emulated_registration_failed(engine *engine, int32_t fd, int32_t error);
uint16_t emulated_wanted_events(const descriptor *known);
// Attempts what waits for the events, each direction in order of submission. True when anything
// came of it.
bool emulated_attempt_waiting(engine *engine, int32_t fd, uint16_t events);
// Collects events for at most `timeout` nanoseconds (negative: no limit) and attempts what they
// concern. Returns 0 or -EINTR.
int emulated_collect(engine *engine, int64_t timeout);

// verify.c

// Has the number verified before long. False when there is no memory.
bool emulated_verify_later(engine *engine, int32_t fd);
// Verifies what is listed. True when anything has ended by that, of which no event will tell.
bool emulated_verify(engine *engine);

// later.c

// Attempts an operation that is in no list again after a while.
void emulated_attempt_later(engine *engine, operation *operation);
void emulated_unlist_later(engine *engine, operation *operation);
// Ends what is to be attempted again with this descriptor with -ECANCELED; returns how many there were.
int32_t emulated_cancel_later(engine *engine, int32_t fd);
// For how many nanoseconds nothing need be looked at although there is no event; negative: for ever.
int64_t emulated_patience(const engine *engine);
// Looks at what it is time for. True when anything has ended by that.
bool emulated_look(engine *engine);

// threads.c

void emulated_threads_retain(void);
void emulated_threads_release(void);
// Hands an operation to a thread. Returns 0 or a negative errno.
int emulated_threads_run(engine *engine, operation *operation);
// Starts one thread more when operations are queued and none has begun since the last time.
void emulated_threads_relieve(engine *engine);
// True when the operation had not begun and is the caller's again.
bool emulated_threads_withdraw(operation *operation);
// Takes the operations that have ended, or null.
operation *emulated_threads_finished(engine *engine);
// The ring ends: frees all its operations, but for those that run, which their threads free.
void emulated_threads_abandon(engine *engine);

#endif

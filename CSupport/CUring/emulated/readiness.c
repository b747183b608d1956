// Descriptors that are waited for, through epoll(7).
//
// A descriptor is registered at the first wait and stays so, level-triggered: an echo then costs no
// epoll_ctl. The price is that the kernel drops a registration when the last reference to its file is
// closed, and the number may be reused, by calls that this ring does not see. So an interest that was
// registered earlier is an assumption: it is believed at once, and verified later (verify.c).

#define _GNU_SOURCE

#include <errno.h>
#include <linux/time_types.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../include/curing_linux.h"
#include "emulated.h"

enum { EVENTS_PER_COLLECT = 256, FRUITLESS_LIMIT = 64 };

_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLRDHUP == POLLRDHUP &&
                   EPOLLPRI == POLLPRI && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
               "epoll and poll name their events alike");

// MARK: Registration

int emulated_set_interest(engine *engine, int32_t fd, uint16_t interest) {
    descriptor *known = &engine->descriptors[fd];
    struct epoll_event event = {.events = interest, .data.fd = fd};
    int error = 0;
    bool was_gone = false;
    // Which of the two it takes is a guess as well.
    if (known->interest) {
        if (epoll_ctl(engine->epoll, EPOLL_CTL_MOD, fd, &event) < 0) error = errno;
        was_gone = error == ENOENT;
        if (was_gone) error = epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? errno : 0;
    } else {
        if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, fd, &event) < 0) error = errno;
        if (error == EEXIST) error = epoll_ctl(engine->epoll, EPOLL_CTL_MOD, fd, &event) < 0 ? errno : 0;
    }
    if (error == 0) known->interest = interest;
    return error ? -error : was_gone;
}

static int drop_interest(engine *engine, int32_t fd) {
    struct epoll_event unused = {0};
    engine->descriptors[fd].interest = 0;
    return epoll_ctl(engine->epoll, EPOLL_CTL_DEL, fd, &unused);
}

static void count(descriptor *known, const operation *operation, uint32_t by) {
    if (operation->events == POLLIN) known->readers += by;
    if (operation->events == POLLOUT) known->writers += by;
}

int emulated_wait(engine *engine, operation *operation) {
    int32_t fd = operation->sqe.fd;
    // poll(2), which attempts ask, ignores negative numbers instead of refusing them.
    if (fd < 0) return -EBADF;
    descriptor *known = emulated_make_descriptor(engine, fd);
    if (!known) return -ENOMEM;
    uint16_t interest = known->interest | operation->events;
    // Others wait for a number that is thought to have changed: it may be their file still.
    if (known->interest == 0) interest |= emulated_wanted_events(known);
    bool is_assumed = interest == known->interest && interest != 0;
    if (!is_assumed || !emulated_verify_later(engine, fd)) {
        int error = emulated_set_interest(engine, fd, interest);
        if (error < 0) return error;
    }
    operation->place = PLACE_WAITING;
    operation->next = NULL;
    operation->previous = known->last;
    if (known->last) known->last->next = operation;
    else known->first = operation;
    known->last = operation;
    count(known, operation, 1);
    return 0;
}

void emulated_unlist(engine *engine, operation *operation) {
    descriptor *known = &engine->descriptors[operation->sqe.fd];
    if (operation->previous) operation->previous->next = operation->next;
    else known->first = operation->next;
    if (operation->next) operation->next->previous = operation->previous;
    else known->last = operation->previous;
    count(known, operation, (uint32_t)-1);
}

static int32_t end_all_waiting(engine *engine, int32_t fd, int32_t error) {
    descriptor *known = &engine->descriptors[fd];
    int32_t ended = 0;
    while (known->first) {
        operation *operation = known->first;
        emulated_unlist(engine, operation);
        emulated_end(engine, operation, emulated_failure(operation, error));
        ended++;
    }
    return ended;
}

void emulated_registration_failed(engine *engine, int32_t fd, int32_t error) {
    descriptor *known = &engine->descriptors[fd];
    known->interest = 0;
    known->is_drained = false;
    if (error != -EPERM) {
        end_all_waiting(engine, fd, error);
        return;
    }
    // The number is a file's by now, of the kind that is always ready: each does what it would have done with that one
    // from the beginning.
    while (known->first) {
        operation *operation = known->first;
        emulated_unlist(engine, operation);
        outcome outcome = emulated_attempt(operation);
        // Nor is there an event for one that would wait.
        emulated_go_on(engine, operation, outcome == OUTCOME_WAIT ? OUTCOME_BLOCKS : outcome);
    }
}

int32_t emulated_cancel_waiting(engine *engine, int32_t fd) {
    return emulated_descriptor(engine, fd) ? end_all_waiting(engine, fd, -ECANCELED) : 0;
}

void emulated_forget(engine *engine, int32_t fd) {
    emulated_cancel_later(engine, fd);
    descriptor *known = emulated_descriptor(engine, fd);
    if (!known) return;
    // The kernel's ring would keep the file open for what waits on it. A number that is closed cannot
    // be waited for, and the next file to get it is none of theirs.
    end_all_waiting(engine, fd, -ECANCELED);
    if (known->interest) drop_interest(engine, fd);
}

uint16_t emulated_wanted_events(const descriptor *known) {
    uint16_t wanted = 0;
    for (const operation *waiting = known->first; waiting; waiting = waiting->next) {
        wanted |= waiting->events;
    }
    return wanted;
}

// A registration outlives its descriptor number when the file is open under another one, and then
// nothing can take it back but a new epoll set.
static void renew_set(engine *engine) {
    int renewed = epoll_create1(EPOLL_CLOEXEC);
    if (renewed < 0) return;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = engine->wake};
    bool hears_threads = engine->wake < 0 || epoll_ctl(renewed, EPOLL_CTL_ADD, engine->wake, &event) == 0;
    // Otherwise this is done again when as many events have been nobody's.
    if (!hears_threads || curing_own(renewed) < 0) {
        close(renewed);
        return;
    }
    curing_close(engine->epoll);
    engine->epoll = engine->ring->fd = renewed;
    for (uint32_t fd = 0; fd < engine->descriptor_count; fd++) {
        descriptor *known = &engine->descriptors[fd];
        known->interest = 0;
        known->fruitless = 0;
        if (!known->first) continue;
        int error = emulated_set_interest(engine, (int32_t)fd, emulated_wanted_events(known));
        if (error < 0) emulated_registration_failed(engine, (int32_t)fd, error);
    }
}

// MARK: Events

bool emulated_attempt_waiting(engine *engine, int32_t fd, uint16_t events) {
    uint16_t blocked = 0;
    bool is_fruitful = false;
    operation *next;
    for (operation *waiting = engine->descriptors[fd].first; waiting; waiting = next) {
        next = waiting->next;
        if (!(waiting->events & events) && !(events & (POLLERR | POLLHUP))) continue;
        if (waiting->events & blocked) continue;
        uint32_t progress = waiting->progress;
        outcome outcome = emulated_attempt(waiting);
        if (outcome == OUTCOME_WAIT) {
            if (waiting->sqe.opcode != CURING_OP_POLL_ADD) blocked |= waiting->events;
            is_fruitful |= waiting->progress != progress;
            continue;
        }
        is_fruitful = true;
        emulated_unlist(engine, waiting);
        if (outcome == OUTCOME_DONE) emulated_note_drained(&engine->descriptors[fd], waiting);
        emulated_go_on(engine, waiting, outcome);
    }
    return is_fruitful;
}

static void descriptor_ready(engine *engine, int32_t fd, uint16_t events) {
    descriptor *known = emulated_descriptor(engine, fd);
    if (!known) return;
    known->had_event = true;
    known->is_drained = false;
    uint16_t wanted = emulated_wanted_events(known);
    bool is_fruitful;
    if (wanted == 0) {
        // Reported once too often. Errors and hang-ups are reported whether asked for or not, so the
        // registration goes.
        is_fruitful = drop_interest(engine, fd) == 0;
    } else if (!(events & wanted) && !(events & (POLLERR | POLLHUP))) {
        is_fruitful = emulated_set_interest(engine, fd, wanted) >= 0;
    } else {
        is_fruitful = emulated_attempt_waiting(engine, fd, events);
    }
    known->fruitless = is_fruitful ? 0 : known->fruitless + 1;
    if (known->fruitless == FRUITLESS_LIMIT) {
        known->fruitless = 0;
        renew_set(engine);
    }
}

static void collect_finished(engine *engine) {
    operation *next;
    for (operation *ended = emulated_threads_finished(engine); ended; ended = next) {
        next = ended->next;
        emulated_end(engine, ended, ended->result);
    }
}

// The threads say that something has ended; or a file says so that had the number before, and that is still open under
// another one, in a child before its exec for instance.
static void wake_ready(engine *engine) {
    eventfd_t ignored;
    bool is_stray = eventfd_read(engine->wake, &ignored) < 0;
    collect_finished(engine);
    engine->stray = is_stray ? engine->stray + 1 : 0;
    if (engine->stray == FRUITLESS_LIMIT) {
        engine->stray = 0;
        renew_set(engine);
    }
}

// epoll_pwait2(2) arrived with Linux 5.11 and is not known to every sandbox.
static int wait_for_events(engine *engine, struct epoll_event *events, int64_t timeout) {
    struct __kernel_timespec span = {.tv_sec = timeout / 1000000000, .tv_nsec = timeout % 1000000000};
    static bool lacks_nanoseconds;
    if (timeout > 0 && !__atomic_load_n(&lacks_nanoseconds, __ATOMIC_RELAXED)) {
        int number = (int)syscall(SYS_epoll_pwait2, engine->epoll, events, EVENTS_PER_COLLECT, &span,
                                  NULL, (size_t)0);
        if (number >= 0 || errno == EINTR) return number;
        __atomic_store_n(&lacks_nanoseconds, true, __ATOMIC_RELAXED);
    }
    int64_t milliseconds = timeout < 0 ? -1 : (timeout + 999999) / 1000000;
    if (milliseconds > INT32_MAX) milliseconds = INT32_MAX;
    return epoll_wait(engine->epoll, events, EVENTS_PER_COLLECT, (int)milliseconds);
}

int emulated_collect(engine *engine, int64_t timeout) {
    int64_t patience = emulated_patience(engine);
    if (patience == 0) {
        // There is no event for what has ended by that.
        if (emulated_look(engine)) timeout = 0;
        patience = emulated_patience(engine);
    }
    if (patience >= 0 && (timeout < 0 || timeout > patience)) timeout = patience;
    struct epoll_event events[EVENTS_PER_COLLECT];
    int number = wait_for_events(engine, events, timeout);
    if (number < 0) return -errno;
    for (int i = 0; i < number; i++) {
        if (events[i].data.fd == engine->wake) {
            wake_ready(engine);
        } else {
            descriptor_ready(engine, events[i].data.fd, (uint16_t)events[i].events);
        }
    }
    return 0;
}

// MARK: Set-up

int emulated_readiness_setup(engine *engine) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) return -errno;
    int error = curing_own(epoll);
    if (error < 0) close(epoll);
    else engine->epoll = epoll;
    return error;
}

void emulated_readiness_teardown(engine *engine) {
    if (engine->epoll >= 0) curing_close(engine->epoll);
    if (engine->wake >= 0) curing_close(engine->wake);
    free(engine->descriptors);
    free(engine->unverified);
}

// A few threads of the process for what can only be done by waiting. All rings share them: they are
// started when there is work, end when they have had none for a while, and are gone with the
// last ring.

#define _GNU_SOURCE

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../include/curing_linux.h"
#include "emulated.h"

// As many as there are slow calls at a time; more would wait for the same disk. Only when nothing goes on, because each
// of them is in a call that may never end, there are more.
enum { USUAL_THREADS = 8, MOST_THREADS = 64, IDLE_SECONDS = 5, STACK_SIZE = 128 * 1024 };

static const uint64_t relieve_after = 100000000;

// Everything is protected by the lock, as is what emulated.h says of operations and engines.
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_cond_t threads_ended;
    operation *first, *last;
    // Operations in the queue; and threads that wait for one, also those that were woken and have not come round yet.
    uint32_t queued, idle;
    uint32_t rings, threads;
    // Operations that threads have begun.
    uint64_t begun;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .threads_ended = PTHREAD_COND_INITIALIZER};

// MARK: After fork(2)

// The threads stay in the parent, and their work with them.
static void in_child(void) {
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.work, NULL);
    pthread_cond_init(&pool.threads_ended, NULL);
    pool.first = pool.last = NULL;
    pool.queued = pool.rings = pool.threads = pool.idle = 0;
}

static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

// MARK: Threads

static void move_to(operation *operation, place place) {
    __atomic_store_n(&operation->place, (uint8_t)place, __ATOMIC_RELAXED);
}

static operation *take(void) {
    operation *taken = pool.first;
    pool.first = taken->next;
    if (pool.first) pool.first->previous = NULL;
    else pool.last = NULL;
    pool.queued--;
    pool.begun++;
    move_to(taken, PLACE_RUNNING);
    return taken;
}

static void hand_back(operation *ended, int32_t result) {
    engine *engine = ended->engine;
    if (!engine) {
        free(ended);
        return;
    }
    ended->result = result;
    move_to(ended, PLACE_ENDED);
    bool is_first = engine->finished == NULL;
    ended->next = engine->finished;
    engine->finished = ended;
    if (is_first) curing_eventfd_signal(engine->wake);
}

// Waits for work. False when the thread should end.
static bool await_work(void) {
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += IDLE_SECONDS;
    int error = 0;
    pool.idle++;
    while (!pool.first && pool.rings > 0 && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&pool.work, &pool.lock, &limit);
    }
    pool.idle--;
    return pool.first != NULL;
}

static void *serve(void *unused) {
    (void)unused;
    curing_name_thread("ringlet-files");
    pthread_mutex_lock(&pool.lock);
    while (pool.first || await_work()) {
        operation *taken = take();
        pthread_mutex_unlock(&pool.lock);
        int32_t result = emulated_run_blocking(taken);
        pthread_mutex_lock(&pool.lock);
        hand_back(taken, result);
    }
    pool.threads--;
    // More than one ring may wait for this: another one came and went meanwhile.
    pthread_cond_broadcast(&pool.threads_ended);
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

static int start_thread(void) {
    // Signals are for the host's threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_t thread;
    int error = pthread_create(&thread, &attributes, serve, NULL);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) pool.threads++;
    return -error;
}

// MARK: For rings

void emulated_threads_retain(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&pool.lock);
    pool.rings++;
    pthread_cond_broadcast(&pool.threads_ended);
    pthread_mutex_unlock(&pool.lock);
}

void emulated_threads_release(void) {
    pthread_mutex_lock(&pool.lock);
    if (pool.rings > 0 && --pool.rings == 0) {
        pthread_cond_broadcast(&pool.work);
        // Those that are in a call end after it; nobody can say when that is.
        while (pool.idle > 0 && pool.rings == 0) {
            pthread_cond_wait(&pool.threads_ended, &pool.lock);
        }
    }
    pthread_mutex_unlock(&pool.lock);
}

// The threads signal an eventfd, which the ring makes when it has its first use for them. It does not block: not every
// event of its number is its own.
static int prepare_wake(engine *engine) {
    if (engine->wake >= 0) return 0;
    int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) return -errno;
    int owned = curing_own(wake);
    if (owned < 0) {
        close(wake);
        return owned;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = wake};
    if (epoll_ctl(engine->epoll, EPOLL_CTL_ADD, wake, &event) < 0) {
        int error = -errno;
        curing_close(wake);
        return error;
    }
    engine->wake = wake;
    return 0;
}

int emulated_threads_run(engine *engine, operation *operation) {
    int error = prepare_wake(engine);
    if (error < 0) return error;
    pthread_mutex_lock(&pool.lock);
    // Each that is idle takes one of those that are queued.
    bool is_stuck = pool.queued >= pool.idle && pool.threads >= USUAL_THREADS;
    if (pool.queued >= pool.idle && !is_stuck) error = start_thread();
    // With a thread that serves others the work is done later; if that never ends, by one that can be had by then.
    is_stuck |= error < 0;
    if (error == 0 || pool.threads > 0) {
        error = 0;
        move_to(operation, PLACE_QUEUED);
        operation->next = NULL;
        operation->previous = pool.last;
        if (pool.last) pool.last->next = operation;
        else pool.first = operation;
        pool.last = operation;
        pool.queued++;
        pthread_cond_signal(&pool.work);
        engine->on_threads++;
        if (is_stuck && engine->relieve_at == UINT64_MAX) {
            engine->begun = pool.begun;
            engine->relieve_at = curing_now() + relieve_after;
        }
    }
    pthread_mutex_unlock(&pool.lock);
    return error;
}

void emulated_threads_relieve(engine *engine) {
    pthread_mutex_lock(&pool.lock);
    bool is_stuck = pool.queued > pool.idle;
    if (is_stuck && pool.begun == engine->begun && pool.threads < MOST_THREADS) (void)start_thread();
    engine->begun = pool.begun;
    engine->relieve_at = is_stuck ? curing_now() + relieve_after : UINT64_MAX;
    pthread_mutex_unlock(&pool.lock);
}

static bool withdraw(operation *operation) {
    if (operation->place != PLACE_QUEUED) return false;
    if (operation->previous) operation->previous->next = operation->next;
    else pool.first = operation->next;
    if (operation->next) operation->next->previous = operation->previous;
    else pool.last = operation->previous;
    pool.queued--;
    return true;
}

bool emulated_threads_withdraw(operation *operation) {
    pthread_mutex_lock(&pool.lock);
    bool is_ours = withdraw(operation);
    if (is_ours) operation->engine->on_threads--;
    pthread_mutex_unlock(&pool.lock);
    return is_ours;
}

operation *emulated_threads_finished(engine *engine) {
    pthread_mutex_lock(&pool.lock);
    operation *finished = engine->finished;
    engine->finished = NULL;
    for (operation *ended = finished; ended; ended = ended->next) engine->on_threads--;
    pthread_mutex_unlock(&pool.lock);
    return finished;
}

void emulated_threads_abandon(engine *engine) {
    pthread_mutex_lock(&pool.lock);
    for (uint32_t i = 0; i < engine->bucket_count; i++) {
        operation *next;
        for (operation *operation = engine->buckets[i]; operation; operation = next) {
            next = operation->next_in_bucket;
            if (operation->place == PLACE_RUNNING) {
                operation->engine = NULL;
            } else {
                withdraw(operation);
                free(operation);
            }
        }
    }
    pthread_mutex_unlock(&pool.lock);
}

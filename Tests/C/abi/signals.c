/* Signals stay the program's: dispositions, masks, and what a storm of them does to waits. */

#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile sig_atomic_t seen[NSIG];

static void count(int number) { seen[number]++; }

static void handle(int number, void (*handler)(int))
{
    /* Without SA_RESTART. */
    struct sigaction action = {.sa_handler = handler};
    REQUIRE(sigaction(number, &action, NULL) == 0);
}

static int is_fault(int number) { return number == SIGSEGV || number == SIGBUS; }

static void require_same(const struct sigaction *before)
{
    struct sigaction now;
    for (int number = 1; number < NSIG; number++) {
        if (is_fault(number) || sigaction(number, NULL, &now) != 0) continue;
        REQUIRE(now.sa_handler == before[number].sa_handler);
    }
}

/* ------------------------------------------------------------------ The other side is gone */

static int64_t write_to_nobody(void *user_data)
{
    (void)user_data;
    char byte = 1;
    int ends[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && close(ends[1]) == 0);
    REQUIRE_EQUAL(ringlet_send(ends[0], &byte, 1, soon()), -EPIPE);
    REQUIRE_EQUAL(seen[SIGPIPE], 0);
    /* As write(2) does: the header says so. */
    REQUIRE_EQUAL(ringlet_write(ends[0], &byte, 1, -1, soon()), -EPIPE);
    int of_socket = seen[SIGPIPE];
    REQUIRE_EQUAL(ringlet_close(ends[0]), 0);
    REQUIRE(pipe(ends) == 0 && close(ends[0]) == 0);
    REQUIRE_EQUAL(ringlet_write(ends[1], &byte, 1, -1, soon()), -EPIPE);
    REQUIRE_EQUAL(of_socket, 1);
    REQUIRE_EQUAL(seen[SIGPIPE], 2);
    REQUIRE_EQUAL(ringlet_close(ends[1]), 0);
    return 0;
}

/* ------------------------------------------------------------------ A storm */

enum { rounds = 2000, waiters = 3 };

static int64_t exchange(void *user_data)
{
    (void)user_data;
    int ends[2];
    unsigned char sent, got;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (int i = 0; i < rounds; i++) {
        sent = (unsigned char)i;
        REQUIRE_EQUAL(ringlet_send(ends[0], &sent, 1, soon()), 1);
        REQUIRE_EQUAL(ringlet_recv(ends[1], &got, 1, soon()), 1);
        REQUIRE_EQUAL(got, sent);
        if (i % 100 == 0) REQUIRE_EQUAL(ringlet_sleep_until(after_milliseconds(1)), 0);
    }
    REQUIRE_EQUAL(ringlet_close(ends[0]), 0);
    REQUIRE_EQUAL(ringlet_close(ends[1]), 0);
    return rounds;
}

static int64_t sleep_a_little(void *user_data)
{
    return ringlet_sleep_until(after_milliseconds((int64_t)(intptr_t)user_data));
}

/* A join waits through signals; its deadline does not come early. */
static void *join_in_storm(void *scheduler)
{
    for (int i = 0; i < 20; i++) {
        uint64_t task = spawn(scheduler, sleep_for_ever, NULL);
        int64_t deadline = after_milliseconds(5);
        REQUIRE_EQUAL(ringlet_task_join(task, NULL, deadline), -ETIMEDOUT);
        REQUIRE(ringlet_now() >= deadline);
        REQUIRE_EQUAL(ringlet_task_cancel(task), 0);
        REQUIRE_EQUAL(join_and_release(task), -ECANCELED);
    }
    return NULL;
}

/* Written by the thread that waits in the queue. */
static int queuer_is_done;

/* A wait in a queue ends with -EINTR, so that a host can run its handlers, and loses nothing. Goes on until it has. */
static void *queue_in_storm(void *scheduler)
{
    int64_t interrupted = 0;
    ringlet_queue *queue = NULL;
    ringlet_completion record;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    for (int i = 0; i < 20 || interrupted == 0; i++) {
        uint64_t task = spawn(scheduler, sleep_a_little, as_pointer(20));
        REQUIRE_EQUAL(ringlet_task_notify(task, queue, (uint64_t)i), 0);
        int32_t status;
        while ((status = ringlet_queue_wait(queue, &record, 1, soon())) == -EINTR) interrupted++;
        REQUIRE_EQUAL(status, 1);
        REQUIRE_EQUAL(record.user_data, i);
        REQUIRE_EQUAL(join_and_release(task), 0);
    }
    ringlet_queue_destroy(queue);
    __atomic_store_n(&queuer_is_done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void storm(ringlet_scheduler *scheduler)
{
    struct itimerval every = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100}, never = {0};
    pthread_t joiner, queuer;
    uint64_t tasks[8];
    handle(SIGALRM, count);
    REQUIRE(pthread_create(&joiner, NULL, join_in_storm, scheduler) == 0);
    REQUIRE(pthread_create(&queuer, NULL, queue_in_storm, scheduler) == 0);
    REQUIRE(setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (int i = 0; i < 8; i++) tasks[i] = spawn(scheduler, exchange, NULL);
    for (int i = 0; i < 8; i++) REQUIRE_EQUAL(join_and_release(tasks[i]), rounds);
    /* The kernel gives a signal of the process to its first thread if that can take it: the others
       get theirs by name. */
    while (!__atomic_load_n(&queuer_is_done, __ATOMIC_ACQUIRE)) {
        pthread_kill(joiner, SIGALRM);
        pthread_kill(queuer, SIGALRM);
        usleep(100);
    }
    pthread_join(joiner, NULL);
    pthread_join(queuer, NULL);
    REQUIRE(setitimer(ITIMER_REAL, &never, NULL) == 0);
    REQUIRE(seen[SIGALRM] > 100);
}

/* ------------------------------------------------------------------ The program's own */

static void own_signals(ringlet_scheduler *scheduler)
{
    static const int own[] = {SIGINT, SIGTERM, SIGCHLD, SIGUSR1};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) handle(own[i], count);
    uint64_t task = spawn(scheduler, sleep_a_little, as_pointer(10));
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        int before = seen[own[i]];
        if (own[i] == SIGCHLD) {
            pid_t child = fork();
            if (child == 0) _exit(0);
            while (waitpid(child, NULL, 0) < 0) REQUIRE(errno == EINTR);
        } else {
            REQUIRE(kill(getpid(), own[i]) == 0);
        }
        for (int patience = 0; patience < 5000 && seen[own[i]] == before; patience++) usleep(1000);
        REQUIRE_EQUAL(seen[own[i]], before + 1);
    }
    REQUIRE_EQUAL(join_and_release(task), 0);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) handle(own[i], SIG_DFL);
}

int main(void)
{
    static struct sigaction before[NSIG];
    sigset_t mask_before, mask;
    handle(SIGPIPE, count);
    for (int number = 1; number < NSIG; number++) sigaction(number, NULL, &before[number]);
    pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    ringlet_scheduler *scheduler = make_scheduler(2);
    require_same(before);
    join_and_release(spawn(scheduler, write_to_nobody, NULL));
    own_signals(scheduler);
    storm(scheduler);
    end_scheduler(scheduler);
    handle(SIGALRM, SIG_DFL);
    require_same(before);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int number = 1; number < NSIG; number++) {
        if (sigismember(&mask_before, number) >= 0)
            REQUIRE_EQUAL(sigismember(&mask, number), sigismember(&mask_before, number));
    }
    return 0;
}

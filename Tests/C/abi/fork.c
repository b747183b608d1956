/* In the child of a fork every call says RINGLET_E_FORK, and the parent does not notice the child. */

#include "check.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

static ringlet_scheduler *scheduler;
static ringlet_queue *queue;
static uint64_t sleeper, ended, promise;
static const char *version;

static void ignore(void *user_data) { (void)user_data; }

/* What needs no scheduler, task or queue works as before. */
static void use_the_rest(void)
{
    ringlet_options *options = NULL;
    ringlet_task_options *task_options = NULL;
    int64_t now = ringlet_now();
    REQUIRE(strcmp(ringlet_version_string(), version) == 0);
    REQUIRE_EQUAL(ringlet_version(), RINGLET_VERSION_MAJOR << 16 | RINGLET_VERSION_MINOR << 8 |
                                         RINGLET_VERSION_PATCH);
    REQUIRE(strcmp(ringlet_status_name(RINGLET_E_FORK), "RINGLET_E_FORK") == 0);
    REQUIRE(strlen(ringlet_status_message(RINGLET_E_FORK)) > 0);
    REQUIRE(now > 0 && ringlet_now() >= now);
    REQUIRE_EQUAL(ringlet_options_create(&options), 0);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, 2), 0);
    REQUIRE_EQUAL(ringlet_options_set_workers(options, 0), -EINVAL);
    REQUIRE_EQUAL(ringlet_options_set_stack_size(options, 64 * 1024), 0);
    REQUIRE_EQUAL(ringlet_task_options_create(&task_options), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_name(task_options, "in the child"), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_cleanup(task_options, NULL), 0);
    REQUIRE_EQUAL(ringlet_task_options_set_worker(task_options, 0), 0);
    ringlet_task_options_destroy(task_options);
    ringlet_options_destroy(options);
}

static void refuse_everything(void)
{
    ringlet_scheduler *another = NULL;
    ringlet_queue *another_queue = NULL;
    ringlet_completion record;
    int64_t result = 0;
    uint64_t task = 0;
    REQUIRE_EQUAL(ringlet_scheduler_create(NULL, &another), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, return_number, NULL, NULL, &task),
                  RINGLET_E_FORK);
    REQUIRE(task == 0);
    REQUIRE_EQUAL(ringlet_task_join(sleeper, &result, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_join(ended, &result, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_cancel(sleeper), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_release(sleeper), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_notify(sleeper, queue, 1), RINGLET_E_FORK);
    /* One can be made, and it is of no use. */
    REQUIRE_EQUAL(ringlet_queue_create(&another_queue), 0);
    REQUIRE(ringlet_queue_descriptor(another_queue) >= 0);
    REQUIRE_EQUAL(ringlet_queue_poll(another_queue, &record, 1), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_queue_wait(another_queue, &record, 1, INT64_MAX), RINGLET_E_FORK);
    ringlet_queue_destroy(another_queue);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, ignore, NULL, NULL), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, 0, ignore, NULL, NULL, &task), RINGLET_E_FORK);
    REQUIRE(task == 0);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_promise_create(&task), RINGLET_E_FORK);
    REQUIRE(task == 0);
    REQUIRE_EQUAL(ringlet_promise_resolve(promise, 1), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_join(promise, &result, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_current(), 0);
    ringlet_queue_destroy(queue);
}

static int sockets[2];

static void refuse_inside(void)
{
    char byte = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    REQUIRE_EQUAL(ringlet_yield(), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_sleep_until(0), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_is_cancelled(), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_with_deadline(INT64_MAX, return_number, NULL, NULL), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_with_shield(return_number, NULL, NULL), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_spawn(return_number, NULL, NULL, NULL), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_recv(sockets[0], &byte, 1, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_send(sockets[0], &byte, 1, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_read(sockets[0], &byte, 1, -1, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_write(sockets[0], &byte, 1, -1, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_accept(sockets[0], INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_connect(sockets[0], &address, sizeof address, INT64_MAX), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_close(sockets[0]), RINGLET_E_FORK);
    /* Nothing was closed, read or sent. */
    REQUIRE(recv(sockets[0], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN);
    REQUIRE(recv(sockets[1], &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN);
}

static int64_t fork_in_parts(void *user_data)
{
    (void)user_data;
    REQUIRE_EQUAL(status_in_child(refuse_inside), 0);
    return ringlet_yield();
}

static int64_t fork_inside(void *user_data)
{
    (void)user_data;
    char byte = 1;
    REQUIRE_EQUAL(status_in_child(refuse_inside), 0);
    REQUIRE_EQUAL(ringlet_with_deadline(soon(), fork_in_parts, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_with_shield(fork_in_parts, NULL, NULL), 0);
    /* The parent's coroutine goes on as before. */
    REQUIRE_EQUAL(ringlet_send(sockets[0], &byte, 1, soon()), 1);
    REQUIRE_EQUAL(ringlet_recv(sockets[1], &byte, 1, soon()), 1);
    return byte;
}

/* The child comes back from fork() as its parent does, and returns into the library. */
static int64_t return_from_child(void *user_data)
{
    (void)user_data;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        freopen("/dev/null", "w", stderr);
        return 1;
    }
    while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
    return WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM ? 0 : -1;
}

static int is_readable(void)
{
    struct pollfd watched = {.fd = ringlet_queue_descriptor(queue), .events = POLLIN};
    return poll(&watched, 1, 0) == 1;
}

static void touch_queue(void)
{
    uint64_t count;
    /* The descriptor leads nowhere here: reading it takes nothing away. */
    REQUIRE(read(ringlet_queue_descriptor(queue), &count, sizeof count) < 0 && errno == EAGAIN);
}

/* Coroutines and generators need no scheduler: those that the thread had before go on in the child. */
static ringlet_coroutine *coroutine;
static ringlet_generator *generator;

static int32_t add_up(void *user_data, void *value, void **result)
{
    intptr_t sum = 0;
    (void)user_data;
    (void)result;
    for (;;) {
        sum += (intptr_t)value;
        int32_t status = ringlet_coroutine_switch(NULL, as_pointer(sum), &value);
        if (status < 0) return status;
    }
}

static int64_t count(ringlet_generator *self, void *user_data)
{
    (void)user_data;
    int32_t status = 0;
    for (intptr_t number = 1; status == 0; number++) {
        status = ringlet_generator_yield(self, as_pointer(number), NULL);
    }
    return status;
}

static void step_both(intptr_t sum, intptr_t number)
{
    void *value = NULL;
    REQUIRE_EQUAL(ringlet_coroutine_switch(coroutine, as_pointer(10), &value), 0);
    REQUIRE_EQUAL((intptr_t)value, sum);
    REQUIRE_EQUAL(ringlet_generator_next(generator, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, number);
}

static int64_t delegate(ringlet_generator *self, void *user_data)
{
    int64_t result = 0;
    int32_t status = ringlet_generator_delegate(self, user_data, &result);
    return status < 0 ? status : result;
}

/* Every call on them that is not in step_both(). */
static void use_all_calls(void)
{
    ringlet_coroutine *child = NULL, *parent = coroutine;
    ringlet_generator *outer = NULL;
    void *value = NULL;
    int64_t result = 0;
    REQUIRE(ringlet_coroutine_current() == NULL);
    REQUIRE_EQUAL(ringlet_coroutine_state(coroutine), RINGLET_COROUTINE_SUSPENDED);
    REQUIRE_EQUAL(ringlet_coroutine_parent(coroutine, &parent), 0);
    REQUIRE(parent == NULL);
    REQUIRE_EQUAL(ringlet_coroutine_create(add_up, NULL, NULL, 0, &child), 0);
    REQUIRE_EQUAL(ringlet_coroutine_state(child), RINGLET_COROUTINE_PENDING);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(child, coroutine), 0);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(coroutine, child), -ELOOP);
    REQUIRE_EQUAL(ringlet_coroutine_parent(child, &parent), 0);
    REQUIRE(parent == coroutine);
    REQUIRE_EQUAL(ringlet_coroutine_set_parent(child, NULL), 0);
    REQUIRE_EQUAL(ringlet_coroutine_throw(child, -EIO, &value), -EIO);
    REQUIRE_EQUAL(ringlet_coroutine_state(child), RINGLET_COROUTINE_ENDED);
    ringlet_coroutine_release(child);

    REQUIRE_EQUAL(ringlet_generator_send(generator, as_pointer(5), &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 3);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 0);
    REQUIRE_EQUAL(ringlet_generator_create(delegate, generator, 0, &outer), 0);
    REQUIRE_EQUAL(ringlet_generator_next(outer, &value), 1);
    REQUIRE_EQUAL((intptr_t)value, 4);
    REQUIRE_EQUAL(ringlet_generator_throw(outer, -EIO, &value), 0);
    REQUIRE_EQUAL(ringlet_generator_result(outer, &result), 1);
    REQUIRE_EQUAL(result, -EIO);
    REQUIRE_EQUAL(ringlet_generator_release(outer), 0);
    REQUIRE_EQUAL(ringlet_generator_result(generator, &result), 1);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(count, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), 1);
}

static void go_on_with_both(void)
{
    int64_t result = 0;
    step_both(20, 2);
    use_all_calls();
    ringlet_coroutine_release(coroutine);
    REQUIRE_EQUAL(ringlet_generator_close(generator, &result), 1);
    REQUIRE_EQUAL(result, -ECANCELED);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
    REQUIRE_EQUAL(ringlet_generator_create(count, NULL, 0, &generator), 0);
    REQUIRE_EQUAL(ringlet_generator_next(generator, NULL), 1);
}

static void suspend_both_and_fork(void)
{
    REQUIRE_EQUAL(ringlet_coroutine_create(add_up, NULL, "adds", 0, &coroutine), 0);
    REQUIRE_EQUAL(ringlet_generator_create(count, NULL, 0, &generator), 0);
    step_both(10, 1);
    REQUIRE_EQUAL(status_in_child(go_on_with_both), 0);
    step_both(20, 2);
    ringlet_coroutine_release(coroutine);
    REQUIRE_EQUAL(ringlet_generator_release(generator), 0);
}

static void refuse_promise(void)
{
    REQUIRE_EQUAL(ringlet_promise_resolve(promise, 1), RINGLET_E_FORK);
    REQUIRE_EQUAL(ringlet_task_join(promise, NULL, INT64_MAX), RINGLET_E_FORK);
}

int main(void)
{
    ringlet_completion record;
    version = ringlet_version_string();
    /* Before there was a scheduler. */
    REQUIRE_EQUAL(ringlet_promise_create(&promise), 0);
    REQUIRE_EQUAL(status_in_child(refuse_promise), 0);
    suspend_both_and_fork();
    scheduler = make_scheduler(2);
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
    sleeper = spawn(scheduler, sleep_for_ever, NULL);
    ended = spawn(scheduler, return_number, as_pointer(3));
    REQUIRE_EQUAL(join(ended), 3);
    REQUIRE_EQUAL(ringlet_task_notify(ended, queue, 9), 0);
    REQUIRE(is_readable());

    REQUIRE_EQUAL(status_in_child(refuse_everything), 0);
    REQUIRE_EQUAL(status_in_child(use_the_rest), 0);
    REQUIRE_EQUAL(status_in_child(touch_queue), 0);
    REQUIRE(is_readable());
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 1);
    REQUIRE_EQUAL(record.user_data, 9);
    REQUIRE(!is_readable());

    REQUIRE_EQUAL(join_and_release(spawn(scheduler, fork_inside, NULL)), 1);
    uint64_t forker = spawn(scheduler, return_from_child, NULL);
    REQUIRE_EQUAL(ringlet_task_notify(forker, queue, 10), 0);
    REQUIRE_EQUAL(join_and_release(forker), 0);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, soon()), 1);
    REQUIRE_EQUAL(record.result, 0);
    REQUIRE(!is_readable());

    REQUIRE_EQUAL(ringlet_promise_resolve(promise, 4), 0);
    REQUIRE_EQUAL(join_and_release(promise), 4);
    REQUIRE_EQUAL(ringlet_task_release(ended), 0);
    REQUIRE_EQUAL(ringlet_task_cancel(sleeper), 0);
    REQUIRE_EQUAL(join_and_release(sleeper), -ECANCELED);
    ringlet_queue_destroy(queue);
    end_scheduler(scheduler);
    return 0;
}

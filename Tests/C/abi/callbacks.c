/* Calls that a scheduler makes: each once, in order, and its clean-up once, whatever becomes of it. */

#include "check.h"

#include <pthread.h>

enum { count = 10000, posters = 4 };

static ringlet_scheduler *scheduler;

static ringlet_event *make_event(void)
{
    ringlet_event *event = NULL;
    REQUIRE_EQUAL(ringlet_event_create(&event), 0);
    return event;
}

static void set(void *event) { REQUIRE_EQUAL(ringlet_event_set(event), 0); }

typedef struct call {
    int calls, cleanups;
    pthread_t thread;
} call;

static void be_called(void *user_data)
{
    call *call = user_data;
    REQUIRE_EQUAL(call->cleanups, 0);
    call->calls++;
    call->thread = pthread_self();
}

static void be_cleaned_up(void *user_data) { ((call *)user_data)->cleanups++; }

static void use_ids(void)
{
    call call = {0, 0, pthread_self()};
    uint64_t id = 0, other = 0;
    ringlet_queue *queue = NULL;
    ringlet_completion record;
    int64_t begin = ringlet_now();

    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, begin + 5000000, be_called, &call, be_cleaned_up, &id), 0);
    REQUIRE(id != 0);
    REQUIRE_EQUAL(join(id), 0);
    REQUIRE(ringlet_now() >= begin + 5000000);
    REQUIRE_EQUAL(call.calls, 1);
    REQUIRE_EQUAL(call.cleanups, 1);
    REQUIRE(!pthread_equal(call.thread, pthread_self()));
    /* Too late. */
    REQUIRE_EQUAL(ringlet_task_cancel(id), 0);
    REQUIRE_EQUAL(ringlet_promise_resolve(id, 1), -EINVAL);
    REQUIRE_EQUAL(join_and_release(id), 0);
    REQUIRE_EQUAL(ringlet_task_cancel(id), -ESRCH);

    /* Taken back: the clean-up comes instead, before the call that cancels returns. */
    call.calls = call.cleanups = 0;
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, soon(), be_called, &call, be_cleaned_up, &id), 0);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, INT64_MAX, be_called, &call, NULL, &other), 0);
    REQUIRE(other != id);
    REQUIRE_EQUAL(ringlet_task_notify(id, queue, 4), 0);
    REQUIRE_EQUAL(ringlet_task_join(id, NULL, 0), -ETIMEDOUT);
    REQUIRE_EQUAL(ringlet_promise_resolve(id, 1), -EINVAL);
    REQUIRE_EQUAL(ringlet_task_cancel(id), 0);
    REQUIRE_EQUAL(call.cleanups, 1);
    REQUIRE_EQUAL(ringlet_task_cancel(id), 0);
    REQUIRE_EQUAL(call.cleanups, 1);
    REQUIRE_EQUAL(join_and_release(id), -ECANCELED);
    REQUIRE_EQUAL(ringlet_queue_poll(queue, &record, 1), 1);
    REQUIRE_EQUAL(record.result, -ECANCELED);
    REQUIRE_EQUAL(record.user_data, 4);
    REQUIRE_EQUAL(ringlet_task_cancel(other), 0);
    REQUIRE_EQUAL(join_and_release(other), -ECANCELED);
    REQUIRE_EQUAL(call.calls, 0);

    /* Released, and made all the same. */
    ringlet_event *event = make_event();
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, after_milliseconds(5), set, event, NULL, &id), 0);
    REQUIRE_EQUAL(ringlet_task_release(id), 0);
    REQUIRE_EQUAL(ringlet_event_wait(event, soon()), 0);
    REQUIRE_EQUAL(ringlet_event_destroy(event), 0);
    event = make_event();
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, 0, set, event, NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_event_wait(event, soon()), 0);
    REQUIRE_EQUAL(ringlet_event_destroy(event), 0);
    ringlet_queue_destroy(queue);
}

/* What one thread posts is called in that order. */
typedef struct poster {
    int next, cleanups;
} poster;

typedef struct post {
    poster *poster;
    int number;
} post;

static void arrive(void *user_data)
{
    post *post = user_data;
    REQUIRE_EQUAL(post->poster->next++, post->number);
}

static void leave(void *user_data)
{
    post *post = user_data;
    post->poster->cleanups++;
    free(post);
}

static void post_all(poster *poster, ringlet_event *event)
{
    for (int i = 0; i < count; i++) {
        post *made = malloc(sizeof *made);
        REQUIRE(made);
        *made = (post){.poster = poster, .number = i};
        REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, arrive, made, leave), 0);
    }
    REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, set, event, NULL), 0);
    REQUIRE_EQUAL(ringlet_event_wait(event, soon()), 0);
    REQUIRE_EQUAL(poster->next, count);
    REQUIRE_EQUAL(poster->cleanups, count);
    REQUIRE_EQUAL(ringlet_event_destroy(event), 0);
}

static void *post_outside(void *user_data)
{
    poster own = {0, 0};
    (void)user_data;
    post_all(&own, make_event());
    return NULL;
}

static int64_t post_inside(void *user_data)
{
    post_outside(user_data);
    return 0;
}

static void keep_order(void)
{
    pthread_t threads[posters];
    uint64_t task = spawn(scheduler, post_inside, NULL);
    for (int i = 0; i < posters; i++) REQUIRE(pthread_create(&threads[i], NULL, post_outside, NULL) == 0);
    for (int i = 0; i < posters; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
    REQUIRE_EQUAL(join_and_release(task), 0);
}

static int times[3], timed;

static void note_time(void *user_data) { times[timed++] = (int)(intptr_t)user_data; }

/* Calls are made in the order of their deadlines. */
static void keep_time(void)
{
    /* Late enough that all have been asked for before the first is made. */
    int64_t begin = ringlet_now() + 300000000;
    uint64_t last = 0;
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, begin + 15000000, note_time, as_pointer(3), NULL, &last), 0);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, begin + 10000000, note_time, as_pointer(2), NULL, NULL), 0);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, begin + 5000000, note_time, as_pointer(1), NULL, NULL), 0);
    REQUIRE_EQUAL(join_and_release(last), 0);
    REQUIRE_EQUAL(timed, 3);
    for (int i = 0; i < 3; i++) REQUIRE_EQUAL(times[i], i + 1);
}

/* In a call nothing may wait, and all else works. */
typedef struct findings {
    ringlet_channel *channel;
    ringlet_mutex *mutex;
    ringlet_event *never;
    uint64_t task, promise;
    ringlet_event *done;
} findings;

static void look_around(void *user_data)
{
    findings *findings = user_data;
    void *item = NULL;
    ringlet_completion record;
    ringlet_queue *queue = NULL;
    REQUIRE_EQUAL(ringlet_yield(), -EPERM);
    REQUIRE_EQUAL(ringlet_sleep_until(INT64_MAX), -EPERM);
    REQUIRE_EQUAL(ringlet_is_cancelled(), -EPERM);
    REQUIRE_EQUAL(ringlet_with_deadline(0, return_number, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_with_shield(return_number, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_spawn(return_number, NULL, NULL, NULL), -EPERM);
    REQUIRE_EQUAL(ringlet_task_current(), 0);
    REQUIRE_EQUAL(ringlet_channel_receive(findings->channel, &item, INT64_MAX), -EDEADLK);
    REQUIRE_EQUAL(ringlet_channel_try_receive(findings->channel, &item), -EAGAIN);
    REQUIRE_EQUAL(ringlet_channel_send(findings->channel, findings, INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_channel_send(findings->channel, findings, INT64_MAX), -EDEADLK);
    REQUIRE_EQUAL(ringlet_channel_try_send(findings->channel, findings), -EAGAIN);
    REQUIRE_EQUAL(ringlet_mutex_lock(findings->mutex, INT64_MAX), 0);
    REQUIRE_EQUAL(ringlet_mutex_lock(findings->mutex, INT64_MAX), -EDEADLK);
    REQUIRE_EQUAL(ringlet_mutex_unlock(findings->mutex), 0);
    REQUIRE_EQUAL(ringlet_event_wait(findings->never, INT64_MAX), -EDEADLK);
    REQUIRE_EQUAL(ringlet_task_join(findings->promise, NULL, INT64_MAX), -EDEADLK);
    REQUIRE_EQUAL(ringlet_promise_resolve(findings->promise, 3), 0);
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE_EQUAL(ringlet_queue_wait(queue, &record, 1, INT64_MAX), -EDEADLK);
    ringlet_queue_destroy(queue);
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, INT64_MAX), -EDEADLK);
    REQUIRE_EQUAL(ringlet_scheduler_spawn(scheduler, return_number, as_pointer(6), NULL, &findings->task), 0);
    /* Not in this turn. */
    REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, set, findings->done, NULL), 0);
    REQUIRE_EQUAL(ringlet_event_is_set(findings->done), 0);
}

static void stay_ready(void)
{
    findings findings = {.never = make_event(), .done = make_event()};
    void *item = NULL;
    REQUIRE_EQUAL(ringlet_channel_create(1, NULL, &findings.channel), 0);
    REQUIRE_EQUAL(ringlet_mutex_create(&findings.mutex), 0);
    REQUIRE_EQUAL(ringlet_promise_create(&findings.promise), 0);
    REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, look_around, &findings, NULL), 0);
    REQUIRE_EQUAL(join_and_release(findings.promise), 3);
    REQUIRE_EQUAL(ringlet_event_wait(findings.done, soon()), 0);
    REQUIRE_EQUAL(join_and_release(findings.task), 6);
    REQUIRE_EQUAL(ringlet_channel_try_receive(findings.channel, &item), 0);
    REQUIRE(item == &findings);
    ringlet_channel_release(findings.channel);
    REQUIRE_EQUAL(ringlet_mutex_destroy(findings.mutex), 0);
    REQUIRE_EQUAL(ringlet_event_destroy(findings.never), 0);
    REQUIRE_EQUAL(ringlet_event_destroy(findings.done), 0);
}

/* Cancelled from another thread at the very moment: one of the two happens, and the clean-up once. */
static void race(void)
{
    for (int i = 0; i < 2000; i++) {
        call call = {0, 0, pthread_self()};
        uint64_t id = 0;
        REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, i % 2 ? 0 : ringlet_now() + 20000, be_called, &call,
                                                be_cleaned_up, &id), 0);
        if (i % 4 < 2) usleep(50);
        REQUIRE_EQUAL(ringlet_task_cancel(id), 0);
        int64_t result = join_and_release(id);
        REQUIRE(result == 0 || result == -ECANCELED);
        REQUIRE_EQUAL(call.calls, result == 0);
        REQUIRE_EQUAL(call.cleanups, 1);
    }
}

/* What is outstanding at the end is never called, and all who wait for it are told. */
static void end(void)
{
    call call = {0, 0, pthread_self()};
    uint64_t ids[3];
    for (int i = 0; i < 3; i++) {
        REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, i ? INT64_MAX : soon(), be_called, &call,
                                                be_cleaned_up, &ids[i]), 0);
    }
    REQUIRE_EQUAL(ringlet_scheduler_shutdown(scheduler, soon()), 0);
    for (int i = 0; i < 3; i++) REQUIRE_EQUAL(join_and_release(ids[i]), -ECANCELED);
    REQUIRE_EQUAL(call.calls, 0);
    REQUIRE_EQUAL(call.cleanups, 3);
    REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, be_called, &call, be_cleaned_up), -ESHUTDOWN);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, 0, be_called, &call, be_cleaned_up, &ids[0]), -ESHUTDOWN);
    REQUIRE_EQUAL(call.cleanups, 3);
    REQUIRE_EQUAL(ringlet_scheduler_destroy(scheduler), 0);
}

int main(void)
{
    scheduler = make_scheduler(2);
    REQUIRE_EQUAL(ringlet_scheduler_post(NULL, set, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_post(scheduler, NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(NULL, 0, set, NULL, NULL, NULL), -EINVAL);
    REQUIRE_EQUAL(ringlet_scheduler_post_at(scheduler, 0, NULL, NULL, NULL, NULL), -EINVAL);
    use_ids();
    keep_order();
    keep_time();
    stay_ready();
    race();
    end();
    return 0;
}

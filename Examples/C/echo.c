/*
 * An echo server and its clients in one program: one coroutine accepts, one more serves each
 * connection, and each client is a coroutine too. All of them share one thread.
 *
 *     cc echo.c $(pkg-config --cflags --libs ringlet) -o echo && ./echo
 */

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <ringlet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { clients = 50, messages = 200 };

static const int64_t second = 1000000000;
static struct sockaddr_in address;

/* Ends the program when a call that must not fail has failed. */
static int64_t check(int64_t status, const char *call)
{
    if (status >= 0) return status;
    fprintf(stderr, "%s: %s\n", call, ringlet_status_message((int32_t)status));
    exit(1);
}

static int check_errno(int result, const char *call)
{
    if (result >= 0) return result;
    perror(call);
    exit(1);
}

static int make_socket(void) { return check_errno(socket(AF_INET, SOCK_STREAM, 0), "socket"); }

/* Sends all of the bytes. Returns 0 or a status. */
static int64_t send_all(int connection, const char *bytes, size_t size, int64_t deadline)
{
    while (size > 0) {
        int64_t sent = ringlet_send(connection, bytes, size, deadline);
        if (sent < 0) return sent;
        bytes += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* One connection. Whoever says nothing for ten seconds is hung up on. */
static int64_t serve(void *user_data)
{
    int connection = (int)(intptr_t)user_data;
    char buffer[4096];
    int64_t count;

    do {
        count = ringlet_recv(connection, buffer, sizeof buffer, ringlet_now() + 10 * second);
        if (count <= 0) break;
    } while (send_all(connection, buffer, (size_t)count, ringlet_now() + 10 * second) == 0);
    return ringlet_close(connection);
}

/* Accepts until it is cancelled. */
static int64_t accept_all(void *user_data)
{
    int listener = (int)(intptr_t)user_data;

    for (;;) {
        int32_t connection = ringlet_accept(listener, INT64_MAX);
        if (connection < 0) return connection;
        /* Nobody waits for this task, so it needs no id. */
        if (ringlet_spawn(serve, (void *)(intptr_t)connection, NULL, NULL) < 0) {
            ringlet_close(connection);
        }
    }
}

/* Sends messages one after another, and returns how many bytes came back. */
static int64_t talk(void *user_data)
{
    int number = (int)(intptr_t)user_data;
    int64_t deadline = ringlet_now() + 10 * second;
    int64_t total = 0;
    int connection = make_socket();
    char message[64];
    char answer[64];
    int i;

    check(ringlet_connect(connection, &address, sizeof address, deadline), "ringlet_connect");
    for (i = 0; i < messages; i++) {
        int64_t size = snprintf(message, sizeof message, "message %d of client %d", i, number);
        int64_t received = 0;
        check(send_all(connection, message, (size_t)size, deadline), "ringlet_send");
        while (received < size) {
            int64_t count = check(ringlet_recv(connection, answer + received,
                                               (size_t)(size - received), deadline),
                                  "ringlet_recv");
            if (count == 0) break;
            received += count;
        }
        if (received != size || memcmp(message, answer, (size_t)size) != 0) {
            fprintf(stderr, "client %d got another answer\n", number);
            exit(1);
        }
        total += received;
    }
    check(ringlet_close(connection), "ringlet_close");
    return total;
}

int main(void)
{
    ringlet_scheduler *scheduler;
    socklen_t length = sizeof address;
    uint64_t acceptor;
    uint64_t tasks[clients];
    int64_t total = 0;
    int64_t result;
    int64_t deadline;
    int listener = make_socket();
    int i;

    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check_errno(bind(listener, (struct sockaddr *)&address, sizeof address), "bind");
    check_errno(listen(listener, clients), "listen");
    check_errno(getsockname(listener, (struct sockaddr *)&address, &length), "getsockname");

    check(ringlet_scheduler_create(NULL, &scheduler), "ringlet_scheduler_create");
    check(ringlet_scheduler_spawn(scheduler, accept_all, (void *)(intptr_t)listener, NULL,
                                  &acceptor),
          "ringlet_scheduler_spawn");
    for (i = 0; i < clients; i++) {
        check(ringlet_scheduler_spawn(scheduler, talk, (void *)(intptr_t)i, NULL, &tasks[i]),
              "ringlet_scheduler_spawn");
    }

    deadline = ringlet_now() + 30 * second;
    for (i = 0; i < clients; i++) {
        check(ringlet_task_join(tasks[i], &result, deadline), "ringlet_task_join");
        check(ringlet_task_release(tasks[i]), "ringlet_task_release");
        total += result;
    }
    printf("%d clients got %" PRId64 " bytes back\n", clients, total);

    /* Cancels the acceptor, which says so. */
    check(ringlet_scheduler_shutdown(scheduler, deadline), "ringlet_scheduler_shutdown");
    check(ringlet_task_join(acceptor, &result, deadline), "ringlet_task_join");
    check(ringlet_task_release(acceptor), "ringlet_task_release");
    printf("acceptor: %s\n", ringlet_status_message((int32_t)result));
    check(ringlet_scheduler_destroy(scheduler), "ringlet_scheduler_destroy");
    close(listener);
    return 0;
}

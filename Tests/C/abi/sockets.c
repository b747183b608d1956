#include "check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

enum { clients = 20, payload = 100000 };

static struct sockaddr_in address;

static int make_socket(void)
{
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(descriptor >= 0);
    return descriptor;
}

static int64_t serve_one(void *user_data)
{
    int connection = (int)(intptr_t)user_data;
    char buffer[4096];
    int64_t total = 0;
    int64_t count;
    while ((count = ringlet_recv(connection, buffer, sizeof buffer, soon())) > 0) {
        int64_t sent = 0;
        while (sent < count) {
            int64_t part = ringlet_send(connection, buffer + sent, (size_t)(count - sent), soon());
            REQUIRE(part > 0);
            sent += part;
        }
        total += count;
    }
    REQUIRE_EQUAL(count, 0);
    REQUIRE_EQUAL(ringlet_close(connection), 0);
    return total;
}

static int64_t serve(void *user_data)
{
    int listener = (int)(intptr_t)user_data;
    uint64_t tasks[clients];
    for (int i = 0; i < clients; i++) {
        int connection = ringlet_accept(listener, soon());
        REQUIRE(connection >= 0);
        REQUIRE_EQUAL(ringlet_spawn(serve_one, as_pointer(connection), NULL, &tasks[i]), 0);
    }
    REQUIRE_EQUAL(ringlet_accept(listener, after_milliseconds(10)), -ETIMEDOUT);
    for (int i = 0; i < clients; i++) REQUIRE_EQUAL(join_and_release(tasks[i]), payload);
    REQUIRE_EQUAL(ringlet_close(listener), 0);
    return 1;
}

static int64_t send_all(void *user_data)
{
    int descriptor = (int)(intptr_t)user_data;
    static const char bytes[payload];
    int64_t sent = 0;
    while (sent < payload) {
        int64_t part = ringlet_send(descriptor, bytes + sent, (size_t)(payload - sent), soon());
        REQUIRE(part > 0);
        sent += part;
    }
    return sent;
}

static int64_t call(void *user_data)
{
    (void)user_data;
    char buffer[8192];
    int descriptor = make_socket();
    uint64_t sender = 0;
    int64_t received = 0;
    REQUIRE_EQUAL(ringlet_connect(descriptor, NULL, 0, soon()), -EINVAL);
    REQUIRE_EQUAL(ringlet_connect(descriptor, &address, sizeof address, soon()), 0);
    REQUIRE_EQUAL(ringlet_spawn(send_all, as_pointer(descriptor), NULL, &sender), 0);
    while (received < payload) {
        int64_t count = ringlet_recv(descriptor, buffer, sizeof buffer, soon());
        REQUIRE(count > 0);
        received += count;
    }
    REQUIRE_EQUAL(join_and_release(sender), payload);
    REQUIRE_EQUAL(ringlet_close(descriptor), 0);
    return received;
}

/* A connection that is gone gives an error and no signal; a port without listener refuses. */
static int64_t fail(void *user_data)
{
    (void)user_data;
    int pair[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    REQUIRE_EQUAL(ringlet_close(pair[1]), 0);
    REQUIRE_EQUAL(ringlet_send(pair[0], "x", 1, soon()), -EPIPE);
    REQUIRE_EQUAL(ringlet_recv(pair[0], pair, 1, soon()), 0);
    REQUIRE_EQUAL(ringlet_close(pair[0]), 0);
    int descriptor = make_socket();
    REQUIRE_EQUAL(ringlet_connect(descriptor, &address, sizeof address, soon()), -ECONNREFUSED);
    REQUIRE_EQUAL(ringlet_close(descriptor), 0);
    return 1;
}

int main(void)
{
    int listener = make_socket();
    socklen_t length = sizeof address;
    uint64_t callers[clients];
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(listen(listener, clients) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&address, &length) == 0);

    ringlet_scheduler *scheduler = make_scheduler(2);
    uint64_t server = spawn(scheduler, serve, as_pointer(listener));
    for (int i = 0; i < clients; i++) callers[i] = spawn(scheduler, call, NULL);
    for (int i = 0; i < clients; i++) REQUIRE_EQUAL(join_and_release(callers[i]), payload);
    REQUIRE_EQUAL(join_and_release(server), 1);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, fail, NULL)), 1);
    end_scheduler(scheduler);
    return 0;
}

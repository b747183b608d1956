// A TCP echo server on plain epoll: one thread, read and write straight away, and a wait only for
// what the socket refuses. The other floor: what a program reaches without io_uring.
//
// All connections share one buffer, because each message is written out before the next one is
// read. Only a rest that the socket would not take is copied aside, and until it is gone the
// connection is watched for writing alone, which is also what holds back a peer that never reads.

#define _GNU_SOURCE
#include "floor.h"

#include <getopt.h>
#include <sys/epoll.h>

enum { event_batch = 512 };

struct connection {
    char *rest;
    uint32_t rest_start;
    uint32_t rest_length;
    bool open;
};

static struct {
    uint32_t buffer_size;
    bool edge;
    int epoll;
    int listener;
    int stop;
    bool accepting;
    unsigned limit;
    unsigned open;
    char *buffer;
    struct connection *connections;
} server;

static void watch(int operation, int descriptor, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    if (epoll_ctl(server.epoll, operation, descriptor, &event) != 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
}

static uint32_t interest(bool writing) {
    // With edge triggering both directions can stay registered for good: an edge that is not
    // wanted at the moment costs a wake-up, a change of interest costs a system call every time.
    if (server.edge) {
        return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    }
    return writing ? EPOLLOUT : EPOLLIN;
}

static void accept_all(void) {
    for (;;) {
        int descriptor = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor < 0) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                // The listener would stay ready and spin, so it rests until a descriptor is free.
                if (server.open == 0) {
                    die("accept4: %s", strerror(errno));
                }
                watch(EPOLL_CTL_MOD, server.listener, 0);
                server.accepting = false;
            } else if (errno != EAGAIN) {
                die("accept4: %s", strerror(errno));
            }
            return;
        }
        if ((unsigned)descriptor >= server.limit) {
            close(descriptor);
            continue;
        }
        struct connection *connection = &server.connections[descriptor];
        connection->rest_start = connection->rest_length = 0;
        connection->open = true;
        server.open++;
        watch(EPOLL_CTL_ADD, descriptor, interest(false));
    }
}

static void close_connection(int descriptor) {
    server.connections[descriptor].open = false;
    server.open--;
    close(descriptor);
    if (!server.accepting) {
        server.accepting = true;
        watch(EPOLL_CTL_MOD, server.listener, EPOLLIN);
    }
}

static void keep_rest(struct connection *connection, const char *start, uint32_t length) {
    if (connection->rest == NULL) {
        connection->rest = malloc(server.buffer_size);
        if (connection->rest == NULL) {
            die("out of memory");
        }
    }
    memcpy(connection->rest, start, length);
    connection->rest_start = 0;
    connection->rest_length = length;
}

// True when everything is out, false when the socket is full, and `failed` when it is of no use.
static bool write_out(int descriptor, const char *start, uint32_t length, uint32_t *written,
                      bool *failed) {
    *written = 0;
    while (*written < length) {
        ssize_t result =
            send(descriptor, start + *written, length - *written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (result >= 0) {
            *written += (uint32_t)result;
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            *failed = true;
            return false;
        }
    }
    return true;
}

static void serve_connection(int descriptor, uint32_t events) {
    struct connection *connection = &server.connections[descriptor];
    if (!connection->open) {
        return;
    }
    bool failed = false;
    uint32_t written;
    if (connection->rest_length > 0) {
        bool done = write_out(descriptor, connection->rest + connection->rest_start,
                              connection->rest_length, &written, &failed);
        if (failed) {
            close_connection(descriptor);
            return;
        }
        connection->rest_start += written;
        connection->rest_length -= written;
        if (!done) {
            return;
        }
        if (!server.edge) {
            watch(EPOLL_CTL_MOD, descriptor, interest(false));
        }
        // Under edge triggering the edge for what arrived meanwhile has gone by, so the read
        // below is tried in any case.
    } else if (server.edge && !(events & ~(uint32_t)EPOLLOUT)) {
        return;
    }
    for (;;) {
        ssize_t length = recv(descriptor, server.buffer, server.buffer_size, MSG_DONTWAIT);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0 && errno == EAGAIN) {
            return;
        }
        if (length <= 0) {
            close_connection(descriptor);
            return;
        }
        if (!write_out(descriptor, server.buffer, (uint32_t)length, &written, &failed)) {
            if (failed) {
                close_connection(descriptor);
                return;
            }
            keep_rest(connection, server.buffer + written, (uint32_t)length - written);
            if (!server.edge) {
                watch(EPOLL_CTL_MOD, descriptor, interest(true));
            }
            return;
        }
        // A short read has emptied a stream socket, so the call that would say EAGAIN is saved.
        // Not so after a hang-up: its edge has been reported and only a further read sees the end.
        bool hung_up = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);
        if (!server.edge || ((uint32_t)length < server.buffer_size && !hung_up)) {
            return;
        }
    }
}

static void serve(void) {
    static struct epoll_event events[event_batch];
    for (;;) {
        int count = epoll_wait(server.epoll, events, event_batch, -1);
        if (count < 0 && errno != EINTR) {
            die("epoll_wait: %s", strerror(errno));
        }
        // Connections are accepted last: a descriptor closed in this batch must not be given to a
        // new connection while events of the old one are still to come.
        bool connecting = false;
        for (int i = 0; i < count; i++) {
            int descriptor = events[i].data.fd;
            if (descriptor == server.listener) {
                connecting = true;
            } else if (descriptor == server.stop) {
                return;
            } else {
                serve_connection(descriptor, events[i].events);
            }
        }
        if (connecting) {
            accept_all();
        }
    }
}

static const char usage[] =
    "usage: echo_epoll --port P [--trigger level|edge] [--buffer BYTES] [--lifetime SECONDS]";

int main(int count, char **arguments) {
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"trigger", required_argument, NULL, 't'},
        {"buffer", required_argument, NULL, 'b'},
        {"lifetime", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    long port = -1;
    unsigned lifetime = 600;
    server.buffer_size = 16384;
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            port = parse_number("port", optarg, 0, 65535);
            break;
        case 't':
            if (strcmp(optarg, "level") != 0 && strcmp(optarg, "edge") != 0) {
                die("%s", usage);
            }
            server.edge = strcmp(optarg, "edge") == 0;
            break;
        case 'b':
            server.buffer_size = (uint32_t)parse_number("buffer", optarg, 1, 1 << 20);
            break;
        case 'l':
            lifetime = (unsigned)parse_number("lifetime", optarg, 1, 86400);
            break;
        default:
            die("%s", usage);
        }
    }
    if (port < 0 || optind != count) {
        die("%s", usage);
    }
    server.limit = descriptor_limit();
    server.connections = calloc(server.limit, sizeof *server.connections);
    server.buffer = malloc(server.buffer_size);
    if (server.connections == NULL || server.buffer == NULL) {
        die("out of memory");
    }
    server.stop = open_stop_descriptor(lifetime);
    server.listener = open_listener((uint16_t)port, true);
    server.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server.epoll < 0) {
        die("epoll_create1: %s", strerror(errno));
    }
    server.accepting = true;
    watch(EPOLL_CTL_ADD, server.stop, EPOLLIN);
    watch(EPOLL_CTL_ADD, server.listener, EPOLLIN);
    announce(server.listener);
    serve();
    return 0;
}

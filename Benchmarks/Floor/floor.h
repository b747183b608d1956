// What the two reference servers share: options, the listening socket and the end of the process.

#ifndef RINGLET_FLOOR_H
#define RINGLET_FLOOR_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    floor_cache_line = 64,
    floor_slot_limit = 65536,
};

__attribute__((noreturn, format(printf, 1, 2), unused))
static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

__attribute__((unused))
static long parse_number(const char *name, const char *text, long low, long high) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high) {
        die("--%s wants a whole number from %ld to %ld, not '%s'", name, low, high, text);
    }
    return value;
}

__attribute__((unused))
static double parse_seconds(const char *name, const char *text, double high) {
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0.0 && value <= high)) {
        die("--%s wants seconds from 0 to %g, not '%s'", name, high, text);
    }
    return value;
}

// Descriptors this process may hold: the soft limit is raised to the hard one first, because a
// thousand connections are an ordinary case here and the usual soft limit is just below that.
__attribute__((unused))
static unsigned descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            getrlimit(RLIMIT_NOFILE, &limit);
        }
    }
    return limit.rlim_cur < floor_slot_limit ? (unsigned)limit.rlim_cur : floor_slot_limit;
}

// Accepted sockets inherit TCP_NODELAY from the listening one on Linux, so no call is spent on it
// per connection.
__attribute__((unused))
static int open_listener(uint16_t port, bool nonblocking) {
    int flags = SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0);
    int listener = socket(AF_INET, flags, 0);
    if (listener < 0) {
        die("socket: %s", strerror(errno));
    }
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
        die("TCP_NODELAY: %s", strerror(errno));
    }
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0) {
        die("bind 127.0.0.1:%u: %s", port, strerror(errno));
    }
    if (listen(listener, 4096) != 0) {
        die("listen: %s", strerror(errno));
    }
    return listener;
}

// Port 0 asks the kernel for a free port, so the line names the port that was really bound.
__attribute__((unused))
static void announce(int listener) {
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        die("getsockname: %s", strerror(errno));
    }
    printf("listening on 127.0.0.1:%u\n", ntohs(address.sin_port));
    fflush(stdout);
}

// SIGTERM, SIGINT and the alarm that bounds the life of the process all arrive through one
// descriptor. A handler with a flag would leave a gap between the check and the wait, in which a
// signal is noticed only with the next message.
__attribute__((unused))
static int open_stop_descriptor(unsigned lifetime) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0) {
        die("signalfd: %s", strerror(errno));
    }
    alarm(lifetime);
    return descriptor;
}

#endif

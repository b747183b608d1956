// The descriptor by which a loop of somebody else's learns that a ring has something for it.

#define _GNU_SOURCE

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "include/curing_linux.h"

static int owned(int fd) {
    if (fd < 0) return -errno;
    int error = curing_own(fd);
    if (error < 0) close(fd);
    return error < 0 ? error : fd;
}

static int add(const curing_host *host, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(host->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int curing_host_create(curing_host *host) {
    *host = (curing_host){.fd = -1, .timer = -1, .watched = -1, .due = UINT64_MAX};
    int fd = owned(epoll_create1(EPOLL_CLOEXEC));
    if (fd < 0) return fd;
    host->fd = fd;
    int timer = owned(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (timer < 0) {
        curing_host_destroy(host);
        return timer;
    }
    host->timer = timer;
    int error = add(host, timer);
    if (error < 0) curing_host_destroy(host);
    return error;
}

int curing_host_arm(curing_host *host, int ring_fd, uint64_t due) {
    // An emulated ring may have a new descriptor. The old one is closed, and has left the set with that.
    if (ring_fd != host->watched) {
        int error = add(host, ring_fd);
        if (error < 0) return error;
        host->watched = ring_fd;
    }
    if (due == host->due) return 0;
    // 0 would disarm it. What has passed makes it readable at once.
    if (due == 0) due = 1;
    struct itimerspec span = {0};
    if (due != UINT64_MAX) {
        span.it_value.tv_sec = (time_t)(due / 1000000000);
        span.it_value.tv_nsec = (long)(due % 1000000000);
    }
    if (timerfd_settime(host->timer, TFD_TIMER_ABSTIME, &span, NULL) < 0) return -errno;
    host->due = due;
    return 0;
}

void curing_host_destroy(curing_host *host) {
    if (host->timer >= 0) curing_close(host->timer);
    if (host->fd >= 0) curing_close(host->fd);
    host->timer = host->fd = -1;
}

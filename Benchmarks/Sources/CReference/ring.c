// Raw liburing: what an operation costs when nobody suspends anything. The ring has the flags that
// the library asks for.

#define _GNU_SOURCE

#include "reference.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum { message_size = 64 };

static int open_ring(struct io_uring *ring) {
    struct io_uring_params params = {
        .flags = IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG,
        .cq_entries = 1024,
    };
    return io_uring_queue_init_params(128, ring, &params);
}

static int64_t one_at_a_time(uint64_t count, int descriptor) {
    struct io_uring ring;
    int error = open_ring(&ring);
    if (error) return error;
    static const char byte = 1;
    uint64_t start = reference_cpu();
    for (uint64_t i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        if (descriptor < 0) {
            io_uring_prep_nop(sqe);
        } else {
            io_uring_prep_write(sqe, descriptor, &byte, 1, 0);
        }
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *cqe;
        error = io_uring_peek_cqe(&ring, &cqe);
        if (!error && cqe->res < 0) error = cqe->res;
        if (error) break;
        io_uring_cqe_seen(&ring, cqe);
    }
    uint64_t elapsed = reference_cpu() - start;
    io_uring_queue_exit(&ring);
    return error ? error : (int64_t)elapsed;
}

int64_t reference_ring_nop(uint64_t count) { return one_at_a_time(count, -1); }

int64_t reference_ring_null_write(uint64_t count) {
    int descriptor = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return -errno;
    int64_t elapsed = one_at_a_time(count, descriptor);
    close(descriptor);
    return elapsed;
}

// Sends, waits for the end of it, receives, and so on; or first receives.
struct party {
    int input, output;
    bool sends;
    uint64_t remaining; // messages still to receive
    char buffer[message_size];
};

static void start(struct io_uring *ring, struct party *party, bool is_socket) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    if (party->sends && is_socket) {
        io_uring_prep_send(sqe, party->output, party->buffer, message_size, MSG_WAITALL);
    } else if (party->sends) {
        io_uring_prep_write(sqe, party->output, party->buffer, message_size, (__u64)-1);
    } else if (is_socket) {
        io_uring_prep_recv(sqe, party->input, party->buffer, message_size, 0);
    } else {
        io_uring_prep_read(sqe, party->input, party->buffer, message_size, (__u64)-1);
    }
    io_uring_sqe_set_data(sqe, party);
}

static int64_t converse(uint64_t count, struct party *first, struct party *second, bool is_socket) {
    struct io_uring ring;
    int error = open_ring(&ring);
    if (error) return error;
    uint64_t began = reference_cpu();
    first->sends = true;
    first->remaining = second->remaining = count;
    start(&ring, first, is_socket);
    start(&ring, second, is_socket);
    while (!error && first->remaining > 0) {
        io_uring_submit_and_wait(&ring, 1);
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        io_uring_for_each_cqe(&ring, head, cqe) {
            seen++;
            // Messages this small come whole.
            if (cqe->res != message_size) error = cqe->res < 0 ? cqe->res : -EMSGSIZE;
            struct party *party = io_uring_cqe_get_data(cqe);
            if (!party->sends) party->remaining--;
            party->sends = !party->sends;
            // The first party ends with a receive, the second with a send.
            if (party->remaining > 0 || (party == second && party->sends)) {
                start(&ring, party, is_socket);
            }
        }
        io_uring_cq_advance(&ring, seen);
    }
    uint64_t elapsed = reference_cpu() - began;
    io_uring_queue_exit(&ring);
    return error ? error : (int64_t)elapsed;
}

int64_t reference_ring_pipe(uint64_t count) {
    int there[2], back[2];
    if (pipe2(there, O_CLOEXEC)) return -errno;
    if (pipe2(back, O_CLOEXEC)) return -errno;
    struct party first = {.input = back[0], .output = there[1]};
    struct party second = {.input = there[0], .output = back[1]};
    int64_t elapsed = converse(count, &first, &second, false);
    close(there[0]), close(there[1]), close(back[0]), close(back[1]);
    return elapsed;
}

// A connected pair over the loopback, with Nagle's algorithm off as everywhere in the library.
static int connect_pair(int pair[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) return -errno;
    int error = 0;
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &length) ||
        connect(pair[0], (struct sockaddr *)&address, length) ||
        (pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        error = -errno;
    }
    close(listener);
    for (int i = 0; !error && i < 2; i++) {
        setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return error;
}

int64_t reference_ring_tcp(uint64_t count) {
    int pair[2];
    int error = connect_pair(pair);
    if (error) return error;
    struct party first = {.input = pair[0], .output = pair[0]};
    struct party second = {.input = pair[1], .output = pair[1]};
    int64_t elapsed = converse(count, &first, &second, true);
    close(pair[0]), close(pair[1]);
    return elapsed;
}

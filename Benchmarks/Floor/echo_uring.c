// A TCP echo server written straight against liburing: one thread, one ring, and one system call
// per turn. It is the floor that other servers are measured against, so it does nothing but echo.
//
//   single      recv into the buffer of the connection, then send it, then recv again.
//   fused       the send of one message and the recv of the next go down in one submission. The
//               send reports only failure, so an echo costs one completion and no turn in between.
//   multishot   one recv per connection stays armed and takes buffers from a ring shared by all.
//               The default: it measures best with many connections and no worse with few.
//
// The ring holds few buffers on purpose. It hands them out in turn, so that a large one walks
// through more memory than the cache holds; a connection that finds none is armed again as soon as
// buffers are back.
//
// Two facts carry the last two forms. A send with MSG_DONTWAIT is over when its submission call
// returns, whatever its outcome: it is never parked on a poll. And together with MSG_WAITALL it
// counts as failed when it sent only a part, so IOSQE_CQE_SKIP_SUCCESS hides the complete sends and
// nothing else. What is left over is then sent by a second send, which may wait.
//
// A client that sends for ever and never reads is outside the purpose: in the multishot form it
// could collect the shared buffers and hold up the others until it reads or leaves.

#define _GNU_SOURCE
#include "floor.h"

#include <getopt.h>
#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>

enum operation { op_none, op_stop, op_accept, op_recv, op_send };

enum form { form_single, form_fused, form_multishot };

enum send_state {
    send_idle,
    send_fast,  // MSG_DONTWAIT, speaks up only when it fell short
    send_slow,  // may wait for room, always reports
};

enum { no_buffer = -1, buffer_group = 0 };

struct connection {
    char *buffers[2];   // single uses the first, fused both; kept when the slot is used again
    uint32_t out_start;
    uint32_t out_length;
    uint32_t parked;    // fused: bytes received while the previous send is still under way
    uint32_t turn;      // multishot: the turn in which the fast send was prepared
    int32_t out_buffer; // multishot: buffer being sent
    int32_t queue_head; // multishot: buffers received behind it, oldest first
    int32_t queue_tail;
    uint8_t filling;    // fused: which of the two buffers the recv fills
    uint8_t state;
    bool open;
    bool receiving;
    bool starved;
    bool ended;         // the peer has closed its side: finish what is queued, then close
    bool broken;        // nothing can be sent any more: drop what is queued, then close
};

struct slots {
    uint32_t *items;
    size_t count;
    size_t capacity;
};

static struct {
    enum form form;
    uint32_t buffer_size;
    uint32_t buffer_stride;
    uint32_t buffer_count;
    unsigned poll_first;
    bool direct;
    struct io_uring ring;
    int listener;
    bool accepting;
    unsigned limit;
    unsigned open;
    struct connection *connections;
    bool stop;
    uint32_t turn;

    struct io_uring_buf_ring *buffer_ring;
    char *buffer_memory;
    int32_t *next_buffer;
    unsigned returned;      // added to the buffer ring in this turn, not yet shown to the kernel
    unsigned held;          // handed out by the kernel and not returned yet
    struct slots fresh;     // fast sends prepared in this turn
    struct slots issued;    // fast sends of earlier turns, over but perhaps with bad news
    struct slots starved;   // connections whose recv found no buffer
    bool must_not_wait;
} server;

static void push(struct slots *slots, uint32_t slot) {
    if (slots->count == slots->capacity) {
        size_t capacity = slots->capacity ? slots->capacity * 2 : 256;
        uint32_t *items = realloc(slots->items, capacity * sizeof *items);
        if (items == NULL) {
            die("out of memory");
        }
        slots->items = items;
        slots->capacity = capacity;
    }
    slots->items[slots->count++] = slot;
}

static uint64_t tag(uint32_t slot, enum operation operation) {
    return ((uint64_t)slot << 8) | (uint64_t)operation;
}

static uint32_t slot_of(const struct connection *connection) {
    return (uint32_t)(connection - server.connections);
}

// A full submission queue is emptied on the spot. Order is kept, which is all the callers rely on.
static struct io_uring_sqe *next_sqe(void) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&server.ring);
    for (int attempt = 0; sqe == NULL && attempt < 1000; attempt++) {
        int result = io_uring_submit(&server.ring);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
            die("io_uring_submit: %s", strerror(-result));
        }
        sqe = io_uring_get_sqe(&server.ring);
    }
    if (sqe == NULL) {
        die("the submission queue does not drain");
    }
    return sqe;
}

static unsigned file_flag(void) {
    return server.direct ? IOSQE_FIXED_FILE : 0;
}

static void prepare_accept(void) {
    struct io_uring_sqe *sqe = next_sqe();
    if (server.direct) {
        io_uring_prep_multishot_accept_direct(sqe, server.listener, NULL, NULL, 0);
    } else {
        io_uring_prep_multishot_accept(sqe, server.listener, NULL, NULL, SOCK_CLOEXEC);
    }
    io_uring_sqe_set_data64(sqe, tag(0, op_accept));
    server.accepting = true;
}

static void prepare_recv(struct connection *connection) {
    uint32_t slot = slot_of(connection);
    struct io_uring_sqe *sqe = next_sqe();
    if (server.form == form_multishot) {
        io_uring_prep_recv_multishot(sqe, (int)slot, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = buffer_group;
    } else {
        char *buffer = connection->buffers[connection->filling];
        io_uring_prep_recv(sqe, (int)slot, buffer, server.buffer_size, 0);
    }
    // The answer has only just left, so the next message is rarely there yet: going straight to
    // the poll saves a read that would find nothing.
    sqe->ioprio |= (uint16_t)server.poll_first;
    sqe->flags |= file_flag();
    io_uring_sqe_set_data64(sqe, tag(slot, op_recv));
    connection->receiving = true;
}

static char *shared_buffer(int32_t buffer) {
    return server.buffer_memory + (size_t)buffer * server.buffer_stride;
}

static char *outgoing(struct connection *connection) {
    if (server.form == form_multishot) {
        return shared_buffer(connection->out_buffer);
    }
    // In the fused form the recv already fills the other buffer.
    unsigned index = server.form == form_fused ? !connection->filling : 0;
    return connection->buffers[index];
}

static void prepare_send(struct connection *connection, enum send_state state) {
    uint32_t slot = slot_of(connection);
    struct io_uring_sqe *sqe = next_sqe();
    char *start = outgoing(connection) + connection->out_start;
    int flags = MSG_WAITALL | MSG_NOSIGNAL | (state == send_fast ? MSG_DONTWAIT : 0);
    uint32_t length = connection->out_length - connection->out_start;
    io_uring_prep_send(sqe, (int)slot, start, length, flags);
    sqe->flags |= file_flag();
    if (state == send_fast) {
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    }
    io_uring_sqe_set_data64(sqe, tag(slot, op_send));
    connection->state = (uint8_t)state;
}

static void close_slot(uint32_t slot) {
    struct io_uring_sqe *sqe = next_sqe();
    if (server.direct) {
        io_uring_prep_close_direct(sqe, slot);
    } else {
        io_uring_prep_close(sqe, (int)slot);
    }
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, tag(slot, op_none));
}

// Called only when no operation of the connection is under way, so its slot can be used again
// without a late completion being taken for one of the new owner.
static void close_connection(struct connection *connection) {
    connection->open = false;
    connection->starved = false;
    server.open--;
    close_slot(slot_of(connection));
    if (!server.accepting) {
        prepare_accept();
    }
}

static void cancel_recv(struct connection *connection) {
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_cancel64(sqe, tag(slot_of(connection), op_recv), 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(sqe, tag(0, op_none));
}

// How a send ended: true when it is finished, one way or the other. A rest is sent again here.
static bool settle_send(struct connection *connection, int32_t result) {
    bool retry = result == -EAGAIN || result == -EINTR;
    if (result > 0) {
        connection->out_start += (uint32_t)result;
    } else if (!retry) {
        connection->broken = true;
    }
    if (!connection->broken && connection->out_start < connection->out_length) {
        prepare_send(connection, send_slow);
        return false;
    }
    connection->state = send_idle;
    return true;
}

// Single

static void single_recv(struct connection *connection, int32_t result) {
    connection->receiving = false;
    if (result == -EINTR || result == -EAGAIN) {
        prepare_recv(connection);
    } else if (result <= 0) {
        close_connection(connection);
    } else {
        connection->out_start = 0;
        connection->out_length = (uint32_t)result;
        prepare_send(connection, send_slow);
    }
}

static void single_send(struct connection *connection, int32_t result) {
    if (!settle_send(connection, result)) {
        return;
    }
    if (connection->broken) {
        close_connection(connection);
    } else {
        prepare_recv(connection);
    }
}

// Fused

static void fused_turn_over(struct connection *connection, uint32_t length) {
    connection->filling = !connection->filling;
    connection->out_start = 0;
    connection->out_length = length;
    prepare_send(connection, send_fast);
    prepare_recv(connection);
}

static void fused_recv(struct connection *connection, int32_t result) {
    connection->receiving = false;
    // The send went down before this recv and its failure would have been reported before it, so
    // a fast send that is still marked has succeeded.
    if (connection->state == send_fast) {
        connection->state = send_idle;
    }
    if (connection->broken) {
        result = 0;
    } else if (result == -EINTR || result == -EAGAIN) {
        prepare_recv(connection);
        return;
    }
    if (result <= 0) {
        connection->ended = true;
        if (connection->state == send_idle) {
            close_connection(connection);
        }
    } else if (connection->state == send_idle) {
        fused_turn_over(connection, (uint32_t)result);
    } else {
        connection->parked = (uint32_t)result;
    }
}

static void fused_send(struct connection *connection, int32_t result) {
    if (!settle_send(connection, result)) {
        return;
    }
    if (connection->broken && connection->receiving) {
        cancel_recv(connection);
    } else if (connection->broken || connection->ended) {
        close_connection(connection);
    } else if (connection->parked > 0) {
        uint32_t length = connection->parked;
        connection->parked = 0;
        fused_turn_over(connection, length);
    }
}

// Multishot

static void return_buffer(int32_t buffer) {
    io_uring_buf_ring_add(server.buffer_ring, shared_buffer(buffer), server.buffer_size,
                          (unsigned short)buffer, io_uring_buf_ring_mask(server.buffer_count),
                          (int)server.returned++);
    server.held--;
}

// The queue keeps the length of each buffer beside its successor.
static int32_t *buffer_length(int32_t buffer) {
    return &server.next_buffer[server.buffer_count + (unsigned)buffer];
}

// A fast send that succeeds wakes nobody, so what is to follow it, the next buffer or the close,
// must not wait for some other event to happen along: the coming turn must come back by itself. A
// send of an earlier turn is settled at the end of the present one and needs no such push.
static void hurry_if_awaited(const struct connection *connection) {
    bool awaited = connection->queue_head != no_buffer || connection->ended || connection->broken;
    if (awaited && connection->state == send_fast && connection->turn == server.turn) {
        server.must_not_wait = true;
    }
}

static void start_queued(struct connection *connection) {
    int32_t buffer = connection->queue_head;
    connection->queue_head = server.next_buffer[buffer];
    connection->out_buffer = buffer;
    connection->out_start = 0;
    connection->out_length = (uint32_t)*buffer_length(buffer);
    connection->turn = server.turn;
    prepare_send(connection, send_fast);
    push(&server.fresh, slot_of(connection));
    hurry_if_awaited(connection);
}

static void multishot_advance(struct connection *connection) {
    if (connection->state != send_idle) {
        hurry_if_awaited(connection);
        return;
    }
    if (connection->broken) {
        while (connection->queue_head != no_buffer) {
            int32_t buffer = connection->queue_head;
            connection->queue_head = server.next_buffer[buffer];
            return_buffer(buffer);
        }
        if (!connection->receiving) {
            close_connection(connection);
        }
    } else if (connection->queue_head != no_buffer) {
        start_queued(connection);
    } else if (connection->ended && !connection->receiving) {
        close_connection(connection);
    }
}

static void multishot_recv(struct connection *connection, const struct io_uring_cqe *cqe) {
    int32_t result = cqe->res;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        int32_t buffer = (int32_t)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        server.held++;
        if (result > 0 && !connection->broken) {
            server.next_buffer[buffer] = no_buffer;
            *buffer_length(buffer) = result;
            if (connection->queue_head == no_buffer) {
                connection->queue_head = buffer;
            } else {
                server.next_buffer[connection->queue_tail] = buffer;
            }
            connection->queue_tail = buffer;
        } else {
            return_buffer(buffer);
        }
    }
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        connection->receiving = false;
        if (connection->broken || connection->ended) {
            connection->ended = true;
        } else if (result == -ENOBUFS) {
            connection->starved = true;
            push(&server.starved, slot_of(connection));
        } else if (result > 0 || result == -EINTR || result == -EAGAIN) {
            prepare_recv(connection);
        } else {
            connection->ended = true;
            connection->broken = result < 0;
        }
    }
    multishot_advance(connection);
}

static void multishot_send(struct connection *connection, int32_t result) {
    if (!settle_send(connection, result)) {
        return;
    }
    return_buffer(connection->out_buffer);
    if (connection->broken && connection->receiving) {
        cancel_recv(connection);
    }
    multishot_advance(connection);
}

// The end of a multishot turn, when the completion queue has been drained. Every fast send of an
// earlier turn has been submitted since, and a failure would be among the completions just seen.
// Both can be untrue: the kernel may have taken only a part of the submissions, and it may hold
// completions back after an overflow. Then nothing is settled until a later turn.
static void finish_turn(bool submitted) {
    unsigned flags = IO_URING_READ_ONCE(*server.ring.sq.kflags);
    if (!submitted || (flags & IORING_SQ_CQ_OVERFLOW)) {
        for (size_t i = 0; i < server.issued.count; i++) {
            push(&server.fresh, server.issued.items[i]);
        }
        server.must_not_wait = true;
    } else {
        for (size_t i = 0; i < server.issued.count; i++) {
            struct connection *connection = &server.connections[server.issued.items[i]];
            // A failed send is no longer fast, and one that was started again in this very turn
            // is listed among the fresh ones.
            if (connection->state == send_fast && connection->turn != server.turn) {
                connection->state = send_idle;
                return_buffer(connection->out_buffer);
                multishot_advance(connection);
            }
        }
    }
    struct slots emptied = server.issued;
    server.issued = server.fresh;
    server.fresh = emptied;
    server.fresh.count = 0;

    if (server.returned > 0) {
        io_uring_buf_ring_advance(server.buffer_ring, (int)server.returned);
        server.returned = 0;
    }
    if (server.starved.count > 0) {
        // Oldest first, or a connection at the bottom of the pile would wait without bound.
        struct slots *starved = &server.starved;
        unsigned room = server.buffer_count - server.held;
        size_t served = 0;
        for (; room > 0 && served < starved->count; served++) {
            struct connection *connection = &server.connections[starved->items[served]];
            if (connection->starved) {
                connection->starved = false;
                prepare_recv(connection);
                room--;
            }
        }
        starved->count -= served;
        memmove(starved->items, starved->items + served, starved->count * sizeof *starved->items);
        if (server.starved.count > 0 && server.issued.count > 0) {
            server.must_not_wait = true;
        }
    }
}

// All forms

static void accepted(const struct io_uring_cqe *cqe) {
    if (!(cqe->flags & IORING_CQE_F_MORE)) {
        server.accepting = false;
    }
    if (cqe->res < 0) {
        // Out of descriptors or memory: trying again at once would spin, so the next close does it.
        bool exhausted = cqe->res == -EMFILE || cqe->res == -ENFILE || cqe->res == -ENOMEM ||
                         cqe->res == -ENOBUFS;
        if (cqe->res == -EINVAL || (exhausted && server.open == 0)) {
            die("accept: %s", strerror(-cqe->res));
        }
        if (!server.accepting && !exhausted) {
            prepare_accept();
        }
        return;
    }
    if (!server.accepting) {
        prepare_accept();
    }
    uint32_t slot = (uint32_t)cqe->res;
    if (slot >= server.limit) {
        close_slot(slot);
        return;
    }
    struct connection *connection = &server.connections[slot];
    char *buffers[2] = {connection->buffers[0], connection->buffers[1]};
    if (server.form != form_multishot && buffers[0] == NULL) {
        // Whole pages would put the start of every buffer into the same few sets of the cache; one
        // line of offset per slot spreads them out.
        size_t needed = (size_t)server.buffer_stride * (server.form == form_fused ? 2 : 1);
        size_t shift = (size_t)(slot % 64) * floor_cache_line;
        needed = (needed + shift + floor_cache_line - 1) / floor_cache_line * floor_cache_line;
        char *memory = aligned_alloc(floor_cache_line, needed);
        if (memory == NULL) {
            die("out of memory");
        }
        buffers[0] = memory + shift;
        buffers[1] = server.form == form_fused ? buffers[0] + server.buffer_stride : NULL;
    }
    *connection = (struct connection){
        .buffers = {buffers[0], buffers[1]},
        .open = true,
        .out_buffer = no_buffer,
        .queue_head = no_buffer,
        .queue_tail = no_buffer,
    };
    server.open++;
    prepare_recv(connection);
}

static void handle(const struct io_uring_cqe *cqe) {
    enum operation operation = (enum operation)(cqe->user_data & 0xff);
    struct connection *connection = &server.connections[cqe->user_data >> 8];
    switch (operation) {
    case op_recv:
        if (server.form == form_multishot) {
            multishot_recv(connection, cqe);
        } else if (server.form == form_fused) {
            fused_recv(connection, cqe->res);
        } else {
            single_recv(connection, cqe->res);
        }
        break;
    case op_send:
        if (server.form == form_multishot) {
            multishot_send(connection, cqe->res);
        } else if (server.form == form_fused) {
            fused_send(connection, cqe->res);
        } else {
            single_send(connection, cqe->res);
        }
        break;
    case op_accept:
        accepted(cqe);
        break;
    case op_stop:
        server.stop = true;
        break;
    case op_none:
        break;
    }
}

static void serve(void) {
    while (!server.stop) {
        int result;
        if (server.must_not_wait) {
            result = io_uring_submit_and_get_events(&server.ring);
        } else {
            result = io_uring_submit_and_wait(&server.ring, 1);
        }
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) {
            die("io_uring_submit_and_wait: %s", strerror(-result));
        }
        bool submitted = io_uring_sq_ready(&server.ring) == 0;
        server.turn++;
        server.must_not_wait = false;

        unsigned head;
        unsigned seen = 0;
        struct io_uring_cqe *cqe;
        io_uring_for_each_cqe(&server.ring, head, cqe) {
            handle(cqe);
            seen++;
        }
        io_uring_cq_advance(&server.ring, seen);

        if (server.form == form_multishot) {
            finish_turn(submitted);
        }
    }
}

static void open_ring(unsigned entries) {
    static const unsigned ladder[] = {
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER,
        IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
        0,
    };
    int result = -EINVAL;
    for (size_t step = 0; step < sizeof ladder / sizeof *ladder; step++) {
        struct io_uring_params parameters = {
            .flags = ladder[step] | IORING_SETUP_CQSIZE,
            .cq_entries = entries * 4,
        };
        result = io_uring_queue_init_params(entries, &server.ring, &parameters);
        if (result != -EINVAL) {
            break;
        }
        fprintf(stderr, "the kernel refuses ring flags %#x, trying fewer\n", ladder[step]);
    }
    if (result < 0) {
        die("io_uring_queue_init_params: %s", strerror(-result));
    }
    if (!(server.ring.features & IORING_FEAT_CQE_SKIP)) {
        die("this kernel has no IOSQE_CQE_SKIP_SUCCESS");
    }
    io_uring_register_ring_fd(&server.ring);
}

static void open_buffer_ring(void) {
    size_t ring_bytes = server.buffer_count * sizeof(struct io_uring_buf);
    size_t memory_bytes = (size_t)server.buffer_count * server.buffer_stride;
    void *ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *memory =
        mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    server.next_buffer = calloc((size_t)server.buffer_count * 2, sizeof *server.next_buffer);
    if (ring == MAP_FAILED || memory == MAP_FAILED || server.next_buffer == NULL) {
        die("out of memory");
    }
    server.buffer_ring = ring;
    server.buffer_memory = memory;
    io_uring_buf_ring_init(server.buffer_ring);
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)(uintptr_t)ring,
        .ring_entries = server.buffer_count,
        .bgid = buffer_group,
    };
    int result = io_uring_register_buf_ring(&server.ring, &registration, 0);
    if (result < 0) {
        die("io_uring_register_buf_ring: %s", strerror(-result));
    }
    server.held = server.buffer_count;
    for (uint32_t i = 0; i < server.buffer_count; i++) {
        return_buffer((int32_t)i);
    }
    io_uring_buf_ring_advance(server.buffer_ring, (int)server.returned);
    server.returned = 0;
}

static const char usage[] =
    "usage: echo_uring --port P [--form single|fused|multishot] [--buffer BYTES]\n"
    "                  [--buffers COUNT] [--entries N] [--files direct|plain]\n"
    "                  [--poll-first 0|1] [--lifetime SECONDS]";

int main(int count, char **arguments) {
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"form", required_argument, NULL, 'f'},
        {"buffer", required_argument, NULL, 'b'},
        {"buffers", required_argument, NULL, 'n'},
        {"entries", required_argument, NULL, 'e'},
        {"files", required_argument, NULL, 'd'},
        {"poll-first", required_argument, NULL, 'o'},
        {"lifetime", required_argument, NULL, 'l'},
        {NULL, 0, NULL, 0},
    };
    long port = -1;
    unsigned entries = 1024;
    unsigned lifetime = 600;
    server.form = form_multishot;
    server.buffer_size = 16384;
    server.buffer_count = 256;
    server.direct = true;
    server.poll_first = IORING_RECVSEND_POLL_FIRST;
    for (int option; (option = getopt_long(count, arguments, "", options, NULL)) != -1;) {
        switch (option) {
        case 'p':
            port = parse_number("port", optarg, 0, 65535);
            break;
        case 'f':
            if (strcmp(optarg, "single") == 0) {
                server.form = form_single;
            } else if (strcmp(optarg, "fused") == 0) {
                server.form = form_fused;
            } else if (strcmp(optarg, "multishot") == 0) {
                server.form = form_multishot;
            } else {
                die("%s", usage);
            }
            break;
        case 'b':
            server.buffer_size = (uint32_t)parse_number("buffer", optarg, 1, 1 << 20);
            break;
        case 'n':
            server.buffer_count = (uint32_t)parse_number("buffers", optarg, 1, 32768);
            if (server.buffer_count & (server.buffer_count - 1)) {
                die("--buffers wants a power of two");
            }
            break;
        case 'e':
            entries = (unsigned)parse_number("entries", optarg, 8, 8192);
            break;
        case 'd':
            if (strcmp(optarg, "direct") != 0 && strcmp(optarg, "plain") != 0) {
                die("%s", usage);
            }
            server.direct = strcmp(optarg, "direct") == 0;
            break;
        case 'o':
            server.poll_first =
                parse_number("poll-first", optarg, 0, 1) ? IORING_RECVSEND_POLL_FIRST : 0;
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
    server.buffer_stride =
        (server.buffer_size + floor_cache_line - 1) / floor_cache_line * floor_cache_line +
        floor_cache_line;
    server.limit = descriptor_limit();
    server.connections = calloc(server.limit, sizeof *server.connections);
    if (server.connections == NULL) {
        die("out of memory");
    }

    int stop = open_stop_descriptor(lifetime);
    server.listener = open_listener((uint16_t)port, false);
    open_ring(entries);
    if (server.direct) {
        int result = io_uring_register_files_sparse(&server.ring, server.limit);
        if (result < 0) {
            die("io_uring_register_files_sparse: %s", strerror(-result));
        }
    }
    if (server.form == form_multishot) {
        open_buffer_ring();
    }
    struct io_uring_sqe *sqe = next_sqe();
    io_uring_prep_poll_add(sqe, stop, POLLIN);
    io_uring_sqe_set_data64(sqe, tag(0, op_stop));
    prepare_accept();
    int submitted = io_uring_submit(&server.ring);
    if (submitted < 0) {
        die("io_uring_submit: %s", strerror(-submitted));
    }
    announce(server.listener);
    serve();
    io_uring_queue_exit(&server.ring);
    return 0;
}

// A closed-loop load generator: every connection sends one message, waits until all of it has come
// back, and sends the next. One thread on epoll, so that one core is enough for it.
//
// The timed phase begins when every connection stands and has echoed once, and after the warm-up.
// What the server spends is read from /proc at both ends of that phase and nowhere else, so the
// cost of connecting and of leaving is in none of the figures.

#define _GNU_SOURCE
#include "floor.h"

#include <dirent.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

enum {
    event_batch = 512,
    histogram_bits = 6, // 64 steps per power of two: a figure is off by at most 1.6 percent
    histogram_steps = 1 << histogram_bits,
    histogram_cells = (64 - histogram_bits) * histogram_steps,
    pattern_shift = 251,
    patience_seconds = 30,
};

struct connection {
    int descriptor;
    uint32_t sent;
    uint32_t received;
    uint32_t message;
    uint64_t started;
    char *pattern;
    bool busy;
    bool watching_writes;
};

struct expense {
    uint64_t cpu;           // nanoseconds on a CPU, over all threads
    uint64_t voluntary;     // context switches
    uint64_t involuntary;
    double clock;           // the same CPU time as the kernel's process clock has it
};

static struct {
    long port;
    long connections;
    long size;
    double seconds;
    double warmup;
    long server;
    long echoes;
    double timeout;
    bool verify;
    bool json;
} options = {
    .connections = 1, .size = 64, .seconds = 1.0, .warmup = 0.3, .server = 0, .timeout = 120,
};

static int epoll;
static struct connection *connections;
static char *scratch;
static size_t scratch_size;
static uint64_t histogram[histogram_cells];
static uint64_t longest;
static uint64_t finished;   // echoes that came back since the phase began
static uint64_t allowed;    // echoes that may still be started
static uint64_t pending;    // echoes under way
static uint64_t deadline;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned cell_of(uint64_t value) {
    if (value < histogram_steps) {
        return (unsigned)value;
    }
    unsigned top = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = top - histogram_bits;
    return (shift + 1) * histogram_steps + (unsigned)((value >> shift) - histogram_steps);
}

// The middle of a cell, in nanoseconds.
static double value_of(unsigned cell) {
    if (cell < histogram_steps) {
        return cell;
    }
    unsigned shift = cell / histogram_steps - 1;
    double low = (double)((uint64_t)(cell % histogram_steps + histogram_steps) << shift);
    return low + (double)((uint64_t)1 << shift) / 2;
}

static double percentile(double share) {
    uint64_t total = 0;
    for (unsigned cell = 0; cell < histogram_cells; cell++) {
        total += histogram[cell];
    }
    double wanted = share * (double)total;
    uint64_t passed = 0;
    for (unsigned cell = 0; cell < histogram_cells; cell++) {
        passed += histogram[cell];
        if (histogram[cell] > 0 && (double)passed >= wanted) {
            double value = value_of(cell);
            return (value < (double)longest ? value : (double)longest) / 1000.0;
        }
    }
    return (double)longest / 1000.0;
}

// What the server has spent so far

static bool read_file(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t length = fread(text, 1, size - 1, file);
    text[length] = '\0';
    fclose(file);
    return length > 0;
}

static uint64_t field(const char *text, const char *name) {
    const char *found = strstr(text, name);
    return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static struct expense read_expense(void) {
    struct expense expense = {0};
    if (options.server == 0) {
        return expense;
    }
    char path[320];
    char text[8192];
    snprintf(path, sizeof path, "/proc/%ld/task", options.server);
    DIR *tasks = opendir(path);
    if (tasks == NULL) {
        die("cannot read %s: %s", path, strerror(errno));
    }
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (task->d_name[0] == '.') {
            continue;
        }
        const char *name = task->d_name;
        snprintf(path, sizeof path, "/proc/%ld/task/%s/schedstat", options.server, name);
        if (read_file(path, text, sizeof text)) {
            expense.cpu += strtoull(text, NULL, 10);
        }
        snprintf(path, sizeof path, "/proc/%ld/task/%s/status", options.server, name);
        if (read_file(path, text, sizeof text)) {
            expense.voluntary += field(text, "\nvoluntary_ctxt_switches:");
            expense.involuntary += field(text, "\nnonvoluntary_ctxt_switches:");
        }
    }
    closedir(tasks);
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid((pid_t)options.server, &clock) == 0 &&
        clock_gettime(clock, &time) == 0) {
        expense.clock = (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
    }
    return expense;
}

// Connections

static void watch(struct connection *connection, bool writes) {
    if (connection->watching_writes == writes) {
        return;
    }
    struct epoll_event event = {
        .events = EPOLLIN | (writes ? EPOLLOUT : 0u),
        .data.ptr = connection,
    };
    if (epoll_ctl(epoll, EPOLL_CTL_MOD, connection->descriptor, &event) != 0) {
        die("epoll_ctl: %s", strerror(errno));
    }
    connection->watching_writes = writes;
}

// Every message is a window into the pattern of its connection that moves from message to message,
// so a byte from another connection, another message or another place shows up.
static const char *message_of(const struct connection *connection) {
    return options.verify ? connection->pattern + connection->message % pattern_shift
                          : connection->pattern;
}

static void write_more(struct connection *connection) {
    const char *message = message_of(connection);
    while (connection->sent < (uint32_t)options.size) {
        ssize_t result = send(connection->descriptor, message + connection->sent,
                              (size_t)options.size - connection->sent, MSG_NOSIGNAL);
        if (result >= 0) {
            connection->sent += (uint32_t)result;
        } else if (errno == EAGAIN) {
            watch(connection, true);
            return;
        } else if (errno != EINTR) {
            die("send on connection %ld: %s", (long)(connection - connections), strerror(errno));
        }
    }
    watch(connection, false);
}

static void start_echo(struct connection *connection) {
    if (allowed == 0) {
        return;
    }
    allowed--;
    pending++;
    connection->busy = true;
    connection->sent = 0;
    connection->received = 0;
    connection->message++;
    connection->started = now();
    write_more(connection);
}

static void finish_echo(struct connection *connection) {
    uint64_t taken = now() - connection->started;
    histogram[cell_of(taken)]++;
    if (taken > longest) {
        longest = taken;
    }
    connection->busy = false;
    finished++;
    pending--;
    start_echo(connection);
}

static void read_more(struct connection *connection) {
    long number = connection - connections;
    ssize_t length;
    do {
        length = recv(connection->descriptor, scratch, scratch_size, 0);
    } while (length < 0 && errno == EINTR);
    if (length < 0 && errno == EAGAIN) {
        return;
    }
    if (length < 0) {
        die("recv on connection %ld: %s", number, strerror(errno));
    }
    if (length == 0) {
        die("connection %ld was closed by the server", number);
    }
    if (!connection->busy || (size_t)length > connection->sent - connection->received) {
        die("connection %ld received bytes that were never sent", number);
    }
    if (options.verify &&
        memcmp(message_of(connection) + connection->received, scratch, (size_t)length) != 0) {
        die("connection %ld received wrong content in message %u", number, connection->message);
    }
    connection->received += (uint32_t)length;
    if (connection->received == (uint32_t)options.size) {
        finish_echo(connection);
    }
}

// Runs until `until` or, with 0, until nothing is under way.
static void run(uint64_t until) {
    static struct epoll_event events[event_batch];
    for (;;) {
        uint64_t time = now();
        if (time >= deadline) {
            die("gave up: %llu echoes still under way", (unsigned long long)pending);
        }
        if (until != 0 ? time >= until : pending == 0) {
            return;
        }
        uint64_t left = (until != 0 && until < deadline ? until : deadline) - time;
        // Whole milliseconds, rounded down: the last one is spent looking again and again, which
        // keeps the phase as long as it was asked to be.
        int count = epoll_wait(epoll, events, event_batch, (int)(left / 1000000));
        if (count < 0 && errno != EINTR) {
            die("epoll_wait: %s", strerror(errno));
        }
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if ((events[i].events & EPOLLOUT) && connection->watching_writes) {
                write_more(connection);
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                read_more(connection);
            }
        }
    }
}

static void start_all(uint64_t echoes) {
    memset(histogram, 0, sizeof histogram);
    longest = 0;
    finished = 0;
    allowed = echoes;
    for (long i = 0; i < options.connections; i++) {
        if (!connections[i].busy) {
            start_echo(&connections[i]);
        }
    }
}

static void connect_all(void) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)options.port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    size_t pattern_size = (size_t)options.size + pattern_shift;
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (long i = 0; i < options.connections; i++) {
        struct connection *connection = &connections[i];
        int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0) {
            die("socket for connection %ld: %s", i, strerror(errno));
        }
        // A server that does not answer must not hold the connect for minutes.
        struct timeval patience = {.tv_sec = 10};
        int on = 1;
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
            die("connection %ld to port %ld: %s", i, options.port, strerror(errno));
        }
        int yes = 1;
        if (ioctl(descriptor, FIONBIO, &yes) != 0) {
            die("FIONBIO: %s", strerror(errno));
        }
        connection->descriptor = descriptor;
        // Without verification all connections send the same bytes: the generator then touches
        // less memory, which leaves more of the shared cache to the server.
        if (i == 0 || options.verify) {
            connection->pattern = malloc(pattern_size);
            if (connection->pattern == NULL) {
                die("out of memory");
            }
            for (size_t at = 0; at < pattern_size; at++) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                connection->pattern[at] = (char)(state >> 32);
            }
        } else {
            connection->pattern = connections[0].pattern;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
            die("epoll_ctl: %s", strerror(errno));
        }
    }
}

static const char usage[] =
    "usage: load --port P [--connections N] [--size S] [--seconds T | --echoes K] [--warmup T]\n"
    "            [--pid SERVER] [--timeout T] [--verify] [--json]";

static void parse(int count, char **arguments) {
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'},
        {"size", required_argument, NULL, 's'},
        {"seconds", required_argument, NULL, 't'},
        {"warmup", required_argument, NULL, 'w'},
        {"pid", required_argument, NULL, 'i'},
        {"echoes", required_argument, NULL, 'e'},
        {"timeout", required_argument, NULL, 'o'},
        {"verify", no_argument, NULL, 'v'},
        {"json", no_argument, NULL, 'j'},
        {NULL, 0, NULL, 0},
    };
    options.port = -1;
    for (int option; (option = getopt_long(count, arguments, "", known, NULL)) != -1;) {
        switch (option) {
        case 'p':
            options.port = parse_number("port", optarg, 1, 65535);
            break;
        case 'c':
            options.connections = parse_number("connections", optarg, 1, floor_slot_limit);
            break;
        case 's':
            options.size = parse_number("size", optarg, 1, 1 << 26);
            break;
        case 't':
            options.seconds = parse_seconds("seconds", optarg, 3600);
            break;
        case 'w':
            options.warmup = parse_seconds("warmup", optarg, 600);
            break;
        case 'i':
            options.server = parse_number("pid", optarg, 1, 1 << 30);
            break;
        case 'e':
            options.echoes = parse_number("echoes", optarg, 1, 1000000000);
            break;
        case 'o':
            options.timeout = parse_seconds("timeout", optarg, 3600);
            break;
        case 'v':
            options.verify = true;
            break;
        case 'j':
            options.json = true;
            break;
        default:
            die("%s", usage);
        }
    }
    if (options.port < 0 || optind != count) {
        die("%s", usage);
    }
}

static uint64_t nanoseconds(double seconds) {
    return (uint64_t)(seconds * 1e9);
}

int main(int count, char **arguments) {
    parse(count, arguments);
    if ((unsigned long)options.connections + 16 > descriptor_limit()) {
        die("%ld connections need more descriptors than this process may have",
            options.connections);
    }
    epoll = epoll_create1(EPOLL_CLOEXEC);
    scratch_size = options.size < 65536 ? 65536 : 262144;
    scratch = malloc(scratch_size);
    connections = calloc((size_t)options.connections, sizeof *connections);
    if (epoll < 0 || scratch == NULL || connections == NULL) {
        die("out of descriptors or memory");
    }
    deadline = now() + nanoseconds(options.timeout);
    connect_all();
    start_all((uint64_t)options.connections);
    run(0);

    uint64_t phase;
    struct expense before;
    struct expense after;
    if (options.echoes > 0) {
        // A counted run has no warm-up: the count is then exactly what the server was asked for.
        before = read_expense();
        phase = now();
        start_all((uint64_t)options.echoes);
        run(0);
        phase = now() - phase;
        after = read_expense();
    } else {
        deadline = now() + nanoseconds(options.warmup + options.seconds + patience_seconds);
        start_all(UINT64_MAX);
        run(now() + nanoseconds(options.warmup));
        before = read_expense();
        memset(histogram, 0, sizeof histogram);
        longest = 0;
        finished = 0;
        phase = now();
        run(phase + nanoseconds(options.seconds));
        after = read_expense();
        phase = now() - phase;
    }
    double echoes = (double)finished;
    double p50 = percentile(0.5);
    double p90 = percentile(0.9);
    double p99 = percentile(0.99);
    double p999 = percentile(0.999);
    double max = (double)longest / 1000.0;

    // The last echoes are let through, so that they are checked too and the server sees an orderly
    // end instead of resets.
    allowed = 0;
    run(0);
    if (echoes == 0) {
        die("no echo came back in the timed phase");
    }

    double seconds = (double)phase / 1e9;
    double cpu = (double)(after.cpu - before.cpu) / 1000.0 / echoes;
    double clock = (after.clock - before.clock) / 1000.0 / echoes;
    double voluntary = (double)(after.voluntary - before.voluntary) / echoes;
    double involuntary = (double)(after.involuntary - before.involuntary) / echoes;
    if (options.json) {
        printf("{\"connections\": %ld, \"size\": %ld, \"seconds\": %.6f, \"echoes\": %.0f, "
               "\"echoes_per_second\": %.1f, \"p50_us\": %.2f, \"p90_us\": %.2f, "
               "\"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f",
               options.connections, options.size, seconds, echoes, echoes / seconds, p50, p90,
               p99, p999, max);
        if (options.server != 0) {
            printf(", \"cpu_us_per_echo\": %.4f, \"cpu_clock_us_per_echo\": %.4f, "
                   "\"voluntary_switches_per_echo\": %.5f, "
                   "\"involuntary_switches_per_echo\": %.5f",
                   cpu, clock, voluntary, involuntary);
        }
        printf("}\n");
    } else {
        printf("%ld x %ld B: %.0f echoes/s, p50 %.1f p90 %.1f p99 %.1f p99.9 %.1f max %.1f us",
               options.connections, options.size, echoes / seconds, p50, p90, p99, p999, max);
        if (options.server != 0) {
            printf(", server %.3f us CPU and %.4f switches per echo", cpu, voluntary + involuntary);
        }
        printf("\n");
    }
    return 0;
}

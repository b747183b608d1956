// What Boost.Fiber needs for one element between two fibers of one thread.
//
//   channels to-and-fro|rendezvous|buffer|lock
//
// Prints nanoseconds of the process's time per element.
#include <boost/fiber/all.hpp>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace fibers = boost::fibers;

static const long count = 300000;

static double now()
{
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

template <typename Channel> static long stream(Channel &channel)
{
    fibers::fiber sender([&] {
        for (long number = 0; number < count; number++) channel.push(number);
        channel.close();
    });
    long received = 0, number = 0;
    while (channel.pop(number) == fibers::channel_op_status::success) received++;
    sender.join();
    return received;
}

static long to_and_fro()
{
    fibers::unbuffered_channel<long> there, back;
    fibers::fiber other([&] {
        long number;
        while (there.pop(number) == fibers::channel_op_status::success) back.push(number);
    });
    long number = 0;
    for (long round = 0; round < count; round++) {
        there.push(round);
        back.pop(number);
    }
    there.close();
    other.join();
    return 2 * count;
}

static long lock()
{
    fibers::mutex mutex;
    for (long round = 0; round < count * 10; round++) {
        mutex.lock();
        mutex.unlock();
    }
    return count * 10;
}

int main(int, char **arguments)
{
    const char *kind = arguments[1];
    double start = now();
    long elements = 0;
    if (!strcmp(kind, "to-and-fro")) {
        elements = to_and_fro();
    } else if (!strcmp(kind, "rendezvous")) {
        fibers::unbuffered_channel<long> channel;
        elements = stream(channel);
    } else if (!strcmp(kind, "buffer")) {
        fibers::buffered_channel<long> channel(128);
        elements = stream(channel);
    } else if (!strcmp(kind, "lock")) {
        elements = lock();
    }
    std::printf("%f\n", (now() - start) / elements);
}

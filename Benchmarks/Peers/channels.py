"""What asyncio and gevent need for one element between two strands.

    channels.py asyncio|gevent to-and-fro|rendezvous|buffer|lock

Prints nanoseconds of processor time per element. asyncio has no rendezvous: its queue of one is the nearest."""

import sys
import time


def of_asyncio(kind, count):
    import asyncio

    async def main():
        start = time.process_time_ns()
        if kind == "lock":
            lock = asyncio.Lock()
            for _ in range(count):
                await lock.acquire()
                lock.release()
            return (time.process_time_ns() - start) / count
        there, back = (asyncio.Queue(128 if kind == "buffer" else 1) for _ in range(2))

        async def other():
            for _ in range(count):
                element = await there.get()
                if kind == "to-and-fro":
                    await back.put(element)

        task = asyncio.ensure_future(other())
        for number in range(count):
            await there.put(number)
            if kind == "to-and-fro":
                await back.get()
        await task
        return (time.process_time_ns() - start) / count

    return asyncio.run(main())


def of_gevent(kind, count):
    import gevent.lock
    import gevent.queue

    start = time.process_time_ns()
    if kind == "lock":
        lock = gevent.lock.Semaphore()
        for _ in range(count):
            lock.acquire()
            lock.release()
        return (time.process_time_ns() - start) / count
    there, back = (gevent.queue.Queue(128) if kind == "buffer" else gevent.queue.Channel() for _ in range(2))

    def other():
        for _ in range(count):
            element = there.get()
            if kind == "to-and-fro":
                back.put(element)

    strand = gevent.spawn(other)
    for number in range(count):
        there.put(number)
        if kind == "to-and-fro":
            back.get()
    strand.join()
    return (time.process_time_ns() - start) / count


library, kind = sys.argv[1:]
measure = of_asyncio if library == "asyncio" else of_gevent
print(measure(kind, 30_000) / (2 if kind == "to-and-fro" else 1))

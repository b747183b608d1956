"""What CPython needs for one element of a generator, beside which ringlet-bench puts ours.

    python3 generators.py depth DEPTH|tree COUNT

Prints nanoseconds of processor time per element."""

import sys
import time


def numbers():
    number = 0
    while True:
        yield number
        number += 1


def delegated(depth):
    if depth > 1:
        yield from delegated(depth - 1)
    else:
        yield from numbers()


def walk(low, high):
    if low <= high:
        middle = (low + high) // 2
        yield from walk(low, middle - 1)
        yield middle
        yield from walk(middle + 1, high)


def measure(generator, count):
    start = time.process_time_ns()
    for _, _ in zip(range(count), generator):
        pass
    return (time.process_time_ns() - start) / count


kind, argument = sys.argv[1], int(sys.argv[2])
if kind == "tree":
    print(measure(walk(1, argument), argument))
else:
    # An argument of 1 is a generator without delegation.
    print(measure(delegated(argument - 1) if argument > 1 else numbers(), 300_000))

#!/usr/bin/env python3
"""A switch of greenlet beside one of Ringlet's, both with a value and in a loop, in nanoseconds of CPU time.

    greenlet_switch.py [ROUNDS] [BENCH]

BENCH is ringlet-bench. Needs Python's package greenlet (`pip install greenlet`); says so and ends with 0
without it.
"""

import re
import subprocess
import sys
import time

try:
    import greenlet
except ImportError:
    print("\nskipped: there is no Python package greenlet (pip install greenlet)")
    sys.exit(0)

SWITCHES = 200_000
LINE = "Coroutine<Int>.switch, both ways"
GOAL = 8


def one_way():
    """One switch of greenlet, with the loop that makes it."""

    def body(number):
        switch = greenlet.getcurrent().parent.switch
        while True:
            number = switch(number)

    switch = greenlet.greenlet(body).switch
    switch(0)
    start = time.process_time_ns()
    for number in range(SWITCHES):
        switch(number)
    return (time.process_time_ns() - start) / SWITCHES / 2


def own_one_way(bench):
    """One switch of ours, from the table's median."""
    output = subprocess.run(
        [bench, "--rounds", "1", "--only", LINE, "switch"], check=True, capture_output=True, text=True
    ).stdout
    return float(re.search(re.escape(LINE) + r"\s+([\d.]+)", output)[1]) / 2


def show(name, times):
    times = sorted(times)
    print(f"{name:36}{times[len(times) // 2]:11.1f}{times[0]:10.1f}")


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    bench = sys.argv[2] if len(sys.argv) > 2 else ".build/release/ringlet-bench"
    pairs = [(one_way(), own_one_way(bench)) for _ in range(rounds)]
    ratios = sorted(theirs / ours for theirs, ours in pairs)
    middle = ratios[len(ratios) // 2]
    print(f"\nA switch, one way, beside greenlet {greenlet.__version__} ({rounds} rounds)")
    print(f"{'':36}  median ns       min")
    show("greenlet.switch", [theirs for theirs, _ in pairs])
    show("Coroutine<Int>.switch", [ours for _, ours in pairs])
    verdict = "met" if middle >= GOAL else "met by the best round" if ratios[-1] >= GOAL else "MISSED"
    print(f"{'switches for one of greenlet':36}{middle:11.1f}  >= {GOAL}: {verdict}")


main()

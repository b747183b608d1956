"""Puts the figures of echo.sh beside the goals."""

import json
import pathlib
import re
import statistics
import sys

CPU_RATIO = 1.10
# Connections and size of the configurations that a goal is set for.
CPU_CONFIGURATIONS = {(50, 64), (1000, 64), (50, 16384)}
SYSTEM_CALL_RATIO = 1.05
ENTERS_OF_ONE_CONNECTION = 2.0
# The counts are differences of two runs, whose starts and ends are not quite alike.
COUNT_TOLERANCE = 0.02
FIBER_INSTRUCTIONS = 600
SERVERS = ("fibers", "tasks")
# Of the raw epoll server's, for the emulated ring.
EMULATED_THROUGHPUT_RATIO = 0.9


def main(directory):
    print(f"\n{'echo, one worker':44} {'fibers':>9} {'tasks':>9}  goal")
    runs = compared(directory / "compare")
    cpu(runs)
    emulated(runs)
    system_calls(directory)
    instructions(directory)


def compared(path):
    """By connections and size: by round, what the load generator said of each server."""
    runs = {}
    epoch = 0
    previous = None
    for line in path.read_text().splitlines():
        result = json.loads(line)
        load = result["load"]
        # Rounds are counted from 0 in each call of compare.sh.
        if previous is not None and result["round"] < previous:
            epoch += 1
        previous = result["round"]
        configuration = (load["connections"], load["size"])
        rounds = runs.setdefault(configuration, {})
        rounds.setdefault((epoch, result["round"]), {})[result["name"]] = load
    return runs


def cpu(runs):
    for (connections, size), rounds in runs.items():
        has_goal = (connections, size) in CPU_CONFIGURATIONS
        name = f"CPU, ratio to the floor, {connections} x {size} B"
        medians, verdicts = [], []
        for server in SERVERS:
            ratios = [round[server]["cpu_us_per_echo"] / round["uring"]["cpu_us_per_echo"]
                      for round in rounds.values()]
            medians.append(statistics.median(ratios))
            verdicts.append(verdict(medians[-1], min(ratios), CPU_RATIO))
        row(name, medians, f"<= {CPU_RATIO:.2f}" if has_goal else None, verdicts)


def emulated(runs):
    for (connections, size), rounds in runs.items():
        medians, verdicts = [], []
        for server in SERVERS:
            ratios = [round[f"emulated_{server}"]["echoes_per_second"] / round["epoll"]["echoes_per_second"]
                      for round in rounds.values()]
            medians.append(statistics.median(ratios))
            verdicts.append(verdict(-medians[-1], -max(ratios), -EMULATED_THROUGHPUT_RATIO))
        row(f"emulated ring, echoes/s to epoll's, {connections} x {size} B", medians,
            f">= {EMULATED_THROUGHPUT_RATIO:.2f}", verdicts)


def system_calls(directory):
    for connections in (50, 1):
        calls = {server: counts(directory / f"syscalls.{server}.{connections}", "all system calls")
                 for server in ("uring", *SERVERS)}
        if not all(calls.values()):
            continue
        floor = statistics.median(calls["uring"])
        figures = [statistics.median(calls[server]) for server in SERVERS]
        name = f"system calls per echo, {connections} connections"
        if connections == 1:
            # The floor's multishot receive saves every other call here; the goal is the next one.
            row(name, figures, f"(floor {floor:.3f})", [], 3)
            continue
        best = [min(calls[server]) for server in SERVERS]
        limit = floor * SYSTEM_CALL_RATIO
        # The floor that arms each receive anew, as the servers here do.
        single = statistics.median(counts(directory / "syscalls.single.50", "all system calls"))
        row(name, figures, f"<= {limit:.3f} (floor {floor:.3f}, single-shot {single:.3f})",
            [verdict(*figure, limit) for figure in zip(figures, best)], 3)
    enters = [counts(directory / f"syscalls.{server}.1", "io_uring_enter") for server in SERVERS]
    if all(enters):
        figures = [statistics.median(values) for values in enters]
        row("enters per echo, 1 connection", figures, f"<= {ENTERS_OF_ONE_CONNECTION:.0f}",
            [verdict(f, f, ENTERS_OF_ONE_CONNECTION + COUNT_TOLERANCE) for f in figures], 3)


def instructions(directory):
    found = {server: counts(directory / f"instructions.{server}.50", "user instructions")
             for server in ("uring", *SERVERS)}
    if all(found.values()):
        floor, fibers, tasks = (statistics.median(values) for values in found.values())
        row("user instructions per echo, 50 connections", [fibers, tasks],
            f"<= {FIBER_INSTRUCTIONS} for fibers (floor {floor:.0f})",
            [verdict(fibers, fibers, FIBER_INSTRUCTIONS), "no goal"], 0)


def counts(path, name):
    """The figures of a counting script that ran once or more; none when it was skipped."""
    lines = rf"^\s*{name}\s+(-?[0-9.]+) per echo"
    return [float(figure) for figure in re.findall(lines, path.read_text(), re.MULTILINE)]


def verdict(value, best, limit):
    if value <= limit:
        return "met"
    return "met by the best round" if best <= limit else "MISSED"


def row(name, figures, goal, verdicts, digits=2):
    text = " ".join(f"{figure:9.{digits}f}" for figure in figures)
    note = f"  {goal}" if goal else ""
    print(f"{name:44} {text}{note}" + (f": {', '.join(verdicts)}" if verdicts and goal else ""))


main(pathlib.Path(sys.argv[1]))

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


def main(directory):
    print(f"\n{'echo, one worker':44} {'fibers':>9} {'tasks':>9}  goal")
    cpu(directory / "compare")
    system_calls(directory)
    instructions(directory)


def cpu(path):
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
        rounds.setdefault((epoch, result["round"]), {})[result["name"]] = load["cpu_us_per_echo"]
    for (connections, size), rounds in runs.items():
        has_goal = (connections, size) in CPU_CONFIGURATIONS
        name = f"CPU, ratio to the floor, {connections} x {size} B"
        medians, verdicts = [], []
        for server in SERVERS:
            ratios = [round[server] / round["uring"] for round in rounds.values()]
            medians.append(statistics.median(ratios))
            verdicts.append(verdict(medians[-1], min(ratios), CPU_RATIO))
        row(name, medians, f"<= {CPU_RATIO:.2f}" if has_goal else None, verdicts)


def system_calls(directory):
    for connections in (1, 50):
        counts = {s: count(directory / f"syscalls.{s}.{connections}", "all system calls")
                  for s in ("uring", *SERVERS)}
        if None not in counts.values():
            limit = counts["uring"] * SYSTEM_CALL_RATIO
            figures = [counts[s] for s in SERVERS]
            floor = f"(floor {counts['uring']:.3f})"
            # With one connection the floor's multishot receive saves every other call; the goal
            # there is the one on enters.
            row(f"system calls per echo, {connections} connections", figures,
                f"<= {limit:.3f} {floor}" if connections > 1 else floor,
                [verdict(f, f, limit) for f in figures] if connections > 1 else [], 3)
    enters = [count(directory / f"syscalls.{s}.1", "io_uring_enter") for s in SERVERS]
    if None not in enters:
        row("enters per echo, 1 connection", enters, f"<= {ENTERS_OF_ONE_CONNECTION:.0f}",
            [verdict(e, e, ENTERS_OF_ONE_CONNECTION + COUNT_TOLERANCE) for e in enters], 3)


def instructions(directory):
    figures = {s: count(directory / f"instructions.{s}.50", "user instructions")
               for s in ("uring", *SERVERS)}
    if None not in figures.values():
        fibers = figures["fibers"]
        row("user instructions per echo, 50 connections", [fibers, figures["tasks"]],
            f"<= {FIBER_INSTRUCTIONS} for fibers (floor {figures['uring']:.0f})",
            [verdict(fibers, fibers, FIBER_INSTRUCTIONS), "no goal"], 0)


def count(path, name):
    """A figure of a counting script; None when it was skipped."""
    found = re.search(rf"^\s*{name}\s+(-?[0-9.]+) per echo", path.read_text(), re.MULTILINE)
    return float(found[1]) if found else None


def verdict(value, best, limit):
    if value <= limit:
        return "met"
    return "met by the best round" if best <= limit else "MISSED"


def row(name, figures, goal, verdicts, digits=2):
    text = " ".join(f"{figure:9.{digits}f}" for figure in figures)
    note = f"  {goal}" if goal else ""
    print(f"{name:44} {text}{note}" + (f": {', '.join(verdicts)}" if verdicts and goal else ""))


main(pathlib.Path(sys.argv[1]))

"""Turns the lines that compare.sh collects into one table per configuration."""

import json
import statistics
import sys


def main(path):
    with open(path) as lines:
        results = [json.loads(line) for line in lines]
    names = list(dict.fromkeys(sorted((r["name"] for r in results), key=order_of(results).get)))
    configurations = dict.fromkeys((r["load"]["connections"], r["load"]["size"]) for r in results)
    width = max(6, *map(len, names))
    for connections, size in configurations:
        runs = {name: {} for name in names}
        for result in results:
            load = result["load"]
            if (load["connections"], load["size"]) == (connections, size):
                runs[result["name"]][result["round"]] = load
        rounds = len(runs[names[0]])
        print(f"\n{connections} connections, {size} B, {rounds} rounds")
        print(f"{'server':{width}} {'CPU us/echo':>12} {'min':>8} {'ratio':>7} {'(spread)':>13}"
              f" {'echoes/s':>9} {'p50 us':>8} {'p99 us':>8} {'switches':>9}")
        for name in names:
            print(row(name, runs[name], runs[names[0]], width))


def order_of(results):
    """The floor is the first server of the first round, and the others follow as they ran."""
    order = {}
    for result in results:
        order.setdefault(result["name"], len(order))
    return order


def row(name, runs, floor, width):
    def middle(field):
        return statistics.median(run[field] for run in runs.values())

    costs = [run["cpu_us_per_echo"] for run in runs.values()]
    ratios = [runs[r]["cpu_us_per_echo"] / floor[r]["cpu_us_per_echo"] for r in runs]
    switches = middle("voluntary_switches_per_echo") + middle("involuntary_switches_per_echo")
    spread = f"{min(ratios):.3f}-{max(ratios):.3f}"
    return (f"{name:{width}} {statistics.median(costs):12.3f} {min(costs):8.3f}"
            f" {statistics.median(ratios):7.3f} {spread:>13} {middle('echoes_per_second'):9.0f}"
            f" {middle('p50_us'):8.1f} {middle('p99_us'):8.1f} {switches:9.4f}")


main(sys.argv[1])

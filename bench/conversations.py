#!/usr/bin/env python3
"""Measures what a message costs the services that answer people, by lines, beside an echo of 64 bytes.

    bench/conversations.py --build build [--rounds 15] [--seconds 1] [--check]

greet gets a name of 60 bytes and answers 64; menu is asked for each of its entries. The server has one CPU, the load (64
connections, each with its next question when it has its answer) another. Rounds are interleaved and begin with another
service each time; ratios are taken within a round, and their median is told. With --check the exit status is 1 where the
bar is missed by one that must meet it: 1.15 of echo's CPU time a message.
"""
import argparse
import os
import statistics
import sys
import types
from pathlib import Path

import harness

BAR = 1.15
NAME = "n" * 60
WORKS = {  # the service, what is asked, what is to come for it (None: any line), whether the bar is for it
    "echo": ("echo", None, None, False),
    "greet": ("greet", f"{NAME}\n", f"hi {NAME}\n", True),
    "menu, else": ("menu", "x\n", "wrong option selected\n", True),
    "menu, L": ("menu", "L\n", None, True),
    "menu, T": ("menu", "T\n", None, True),
    "menu, R": ("menu", "R\n", None, True),
}


def measure(options, name):
    """CPU-µs a message, of a fresh server."""
    service, question, answer, _ = WORKS[name]
    arguments = ["--ask", question] if question else []
    arguments += ["--answer", answer] if answer else []
    work = types.SimpleNamespace(transport="tcp", arguments=arguments, idle=False)
    server = types.SimpleNamespace(environment={}, command=[
        "{build}/weir", "serve", service, "tcp://127.0.0.1:0", "--workers", "1", "--backend", options.backend])
    return harness.measure(work, server, options)["cost"]


def measure_rounds(options):
    """{name: the cost of each round}"""
    names = list(WORKS)
    costs = {name: [] for name in names}
    for number in range(options.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            costs[name].append(measure(options, name))
    return costs


def tell(costs):
    """Prints what was measured. Returns the ratios to echo."""
    ratios = {}
    for name, of_name in costs.items():
        ratios[name] = statistics.median([cost / echo for cost, echo in zip(of_name, costs["echo"])])
        print(f"{name:12} {statistics.median(of_name):6.2f} CPU-µs a message [{min(of_name):.2f} {max(of_name):.2f}]"
              f"  {ratios[name]:5.2f} of echo's")
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build), set up with -Dbench=true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1, help="measured time of a run")
    parser.add_argument("--warmup", type=float, default=0.3)
    parser.add_argument("--backend", default="uring", choices=["uring", "epoll"])
    parser.add_argument("--check", action="store_true", help="exit status 1 where the bar is missed")
    options = parser.parse_args()
    if not Path(options.build, "bench", "load").is_file():
        sys.exit(f"conversations.py: {options.build}/bench/load is not built: meson configure {options.build} "
                 "-Dbench=true")
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    ratios = tell(measure_rounds(options))
    missed = [name for name, ratio in ratios.items() if WORKS[name][3] and ratio > BAR]
    print(f"\nthe bar is {BAR:g} of echo's: {'missed by ' + ', '.join(missed) if missed else 'met by all'}")
    sys.exit(1 if options.check and missed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures what weir costs beside its peers: every work, every server, in interleaved rounds."""

import argparse
import json
import os
import platform
import resource
import shlex
import signal
import sys
import time
from pathlib import Path

import harness
import plot
import report
from works import IDLE_CONNECTIONS, SERVERS, WORKS

MOST_IDLE_ROUNDS = 3  # memory hardly varies
SPARE_DESCRIPTORS = 100


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="the build directory (build)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="measured time of a run")
    parser.add_argument("--warmup", type=float, default=0.5)
    parser.add_argument("--work", action="append", choices=[work.name for work in WORKS])
    parser.add_argument("--server", action="append", choices=[server.name for server in SERVERS])
    parser.add_argument("--quick", action="store_true", help="short and rough: does it all work?")
    parser.add_argument("--write", metavar="DIR", help="write performance.md, .svg and .json there")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.warmup = 2, 0.5, 0.2
    options.idle_connections = idle_connections(options.quick)
    return options


def idle_connections(quick):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2_000 if quick else IDLE_CONNECTIONS
    held = min(wanted, most - SPARE_DESCRIPTORS)
    if held < wanted:
        print(f"the descriptor limit allows {held:,} idle connections instead of {wanted:,}", file=sys.stderr)
    return held


def available(options):
    """The chosen servers that can run; says which cannot."""
    chosen = [server for server in SERVERS if not options.server or server.name in options.server]
    able = []
    for server in chosen:
        if reason := harness.missing(server, options.build):
            print(f"skipped {server.name}: {reason}", file=sys.stderr)
        else:
            able.append(server)
    return able


def measure_round(work, servers, options):
    """One run of every server: name and outcome."""
    for server in servers:
        try:
            yield server.name, harness.measure(work, server, options)
        except harness.Failed as failed:
            print(f"{work.name}: {server.name}: {failed}", file=sys.stderr)
            yield server.name, {"failed": str(failed)}


def measure_work(work, servers, options):
    """All rounds of a work. Each begins with another server, so that none is always first."""
    runs = {server.name: [] for server in servers}
    rounds = min(options.rounds, MOST_IDLE_ROUNDS) if work.idle else options.rounds
    for number in range(rounds):
        turn = number % len(servers)
        for name, outcome in measure_round(work, servers[turn:] + servers[:turn], options):
            runs[name].append(outcome)
    return runs


def measure_all(options):
    results, able = {}, available(options)
    for work in WORKS:
        servers = [server for server in able if server.transport == work.transport]
        if servers and (not options.work or work.name in options.work):
            results[work.name] = measure_work(work, servers, options)
            print(f"\n{work.title}\n{report.as_text(*report.work_table(work, results[work.name]))}", flush=True)
    return results


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def about(options):
    """What a reader must know about the circumstances."""
    return {
        "Machine": f"{processor()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
        "Command": f"`bench/run.py {shlex.join(sys.argv[1:])}`".replace(" `", "`"),
        "Rounds": f"{options.rounds}, interleaved, {options.seconds:g} s each; the server on one CPU, the load on "
                  "another",
        "Load average at the start": f"{os.getloadavg()[0]:.2f} (above 0.5, others were working on the same CPUs)",
        "Date": time.strftime("%Y-%m-%d"),
    }


def write(directory, results, circumstances):
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    record = {"about": circumstances, "results": results}
    (folder / "performance.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / "performance.md").write_text(report.document(results, circumstances), encoding="utf-8")
    (folder / "performance.svg").write_text(plot.draw(results), encoding="utf-8")


def main():
    # Ending by an exception lets the harness stop what it started.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    options = arguments()
    if not Path(options.build, "bench", "load").is_file():
        sys.exit(f"run.py: {options.build}/bench/load is not built: meson configure {options.build} -Dbench=true")
    circumstances = about(options)
    results = measure_all(options)
    if not results:
        sys.exit("run.py: nothing to measure")
    print(f"\nBars and goals\n{report.as_text(*report.bars_table(results))}")
    if options.write:
        write(options.write, results, circumstances)


if __name__ == "__main__":
    main()

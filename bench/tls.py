#!/usr/bin/env python3
"""Measures what TLS costs: weir serve echo beside a loop by hand on epoll and OpenSSL, and beside openssl s_server.

    bench/tls.py --build build [--rounds 9] [--seconds 2] [--work NAME]... [--check]

echo-64, echo-64k: messages on 64 and 16 connections, by weir bench; CPU-µs of the server a message. handshakes: one client
after the other, by openssl s_time, TLS 1.3; CPU-µs of the server a handshake. idle: how much VmRSS grows with each of 1,000
connections that have echoed once. The server has one CPU, the load another. Rounds are interleaved and begin with another server
each time; ratios are taken within a round, and their median is told. With --check the exit status is 1 where a bar is missed.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import harness

BAR = 1.10
IDLE = 1000
HAND, OPENSSL, WEIR = "by hand", "openssl s_server", "weir"
WORKS = {  # what is measured, and beside whom
    "echo-64": (["--size", "64", "--connections", "64"], HAND),
    "echo-64k": (["--size", "64k", "--connections", "16"], HAND),
    "handshakes": (None, OPENSSL),
    "idle": (["--idle", "--connections", str(IDLE)], HAND),
}


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    Path(folder, "server.pem").write_text(Path(folder, "ca.pem").read_text() + Path(folder, "key.pem").read_text())


def command_of(name, options, folder):
    if name == WEIR:
        return [f"{options.build}/weir", "serve", "echo", "tls://127.0.0.1:0", "--cert", f"{folder}/server.pem",
                "--workers", "1", "--backend", options.backend, "--max-per-address", "never"]
    if name == HAND:
        return [f"{options.build}/bench/peer_epoll_tls", "0", f"{folder}/server.pem"]
    return ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", f"{folder}/server.pem", "-key",
            f"{folder}/server.pem", "-rev", "-num_tickets", "1"]


def port_of(process, output):
    """The port that the server says it listens on."""
    end = time.monotonic() + harness.READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        output.seek(0)
        found = re.search(rb"(?:^ready |tls://127\.0\.0\.1:|^ACCEPT 127\.0\.0\.1:)(\d+)", output.read(), re.MULTILINE)
        if found:
            return found.group(1).decode()
        time.sleep(0.02)
    raise SystemExit(f"tls.py: {process.args[0]} does not serve")


def cpu_seconds(pid):
    """Of all its threads, in nanoseconds' grain."""
    return sum(int(Path(task, "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def rss_kib(pid):
    return int(re.search(r"VmRSS:\s*(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


def pinned(command, cpu):
    result = subprocess.run(command, capture_output=True, check=False, timeout=120, stdin=subprocess.DEVNULL,
                            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    if result.returncode:
        raise SystemExit(f"tls.py: {' '.join(command)}: {result.stderr.decode(errors='replace').strip()}")
    return result.stdout.decode()


def cost(work, process, port, folder, options, cpu):
    """One run of a load on a fresh server."""
    arguments, _ = WORKS[work]
    if work == "handshakes":
        before = cpu_seconds(process.pid)
        told = pinned(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-CAfile", f"{folder}/ca.pem",
                       "-time", str(max(1, round(options.seconds)))], cpu)
        count = int(re.search(r"(\d+) connections in \d+ real", told).group(1))
        return (cpu_seconds(process.pid) - before) * 1e6 / count
    bench = [f"{options.build}/weir", "bench", f"tls://127.0.0.1:{port}", "--ca", f"{folder}/ca.pem", "--json",
             "--duration", f"{options.seconds}s", *arguments]
    if work != "idle":
        before = cpu_seconds(process.pid)
        told = json.loads(pinned(bench, cpu))
        return (cpu_seconds(process.pid) - before) * 1e6 / told["messages"]
    before = rss_kib(process.pid)
    loading = subprocess.Popen(bench, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    most = 0
    while loading.poll() is None:
        if len(os.listdir(f"/proc/{process.pid}/fd")) >= IDLE:
            most = rss_kib(process.pid)
        time.sleep(0.2)
    return (most - before) / IDLE


def measure(work, name, folder, options):
    serving, loading = harness.two_cpus()
    with tempfile.TemporaryFile() as output:
        process = harness.pinned(command_of(name, options, folder), serving, stdout=output, stderr=output)
        try:
            port = port_of(process, output)
            return cost(work, process, port, folder, options, loading)
        finally:
            harness.stop(process)


def measure_work(work, folder, options):
    """Prints what was measured. Returns the ratio."""
    names = [WEIR, WORKS[work][1]]
    costs = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names if number % 2 else names[::-1]:
            costs[name].append(measure(work, name, folder, options))
    ratio = statistics.median([ours / theirs for ours, theirs in zip(*costs.values())])
    unit = "KiB a connection" if work == "idle" else "CPU-µs"
    told = "  ".join(f"{name} {statistics.median(of):.2f} [{min(of):.2f} {max(of):.2f}]" for name, of in costs.items())
    print(f"{work:11} {told} {unit}: {ratio:.2f}", flush=True)
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build), set up with -Dbench=true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2, help="measured time of a run")
    parser.add_argument("--work", action="append", choices=list(WORKS), help="one of them; all by default")
    parser.add_argument("--backend", default="uring", choices=["uring", "epoll"])
    parser.add_argument("--check", action="store_true", help="exit status 1 where a bar is missed")
    options = parser.parse_args()
    if not Path(options.build, "bench", "peer_epoll_tls").is_file():
        sys.exit(f"tls.py: {options.build}/bench/peer_epoll_tls is not built: meson configure {options.build} -Dbench=true")
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        make_certificate(folder)
        ratios = {work: measure_work(work, folder, options) for work in options.work or WORKS}
    missed = [work for work, ratio in ratios.items() if work != "idle" and ratio > BAR]
    print(f"\nthe bar is {BAR:g}: {'missed by ' + ', '.join(missed) if missed else 'met by all'}")
    sys.exit(1 if options.check and missed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures a client after the other: connect, 64 bytes, their echo, close; weir serve echo beside xinetd's own echo.

    bench/turns.py --build build [--rounds 9] [--seconds 2] [--check]

The server has one CPU, the load (bench/load, one connection at a time) another. Rounds are interleaved and begin with
another server each time; ratios of rates are taken within a round, and their median is told. With --check the exit
status is 1 where the bar is missed: three times xinetd's rate.
"""
import argparse
import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR = 3.0
READY_SECONDS = 10
PATIENCE = 60  # beyond the time that a run is told to take

XINETD = """
defaults
{{
    instances = UNLIMITED
    per_source = UNLIMITED
    cps = 0 0
}}
service echo
{{
    type = INTERNAL UNLISTED
    id = echo-stream
    socket_type = stream
    protocol = tcp
    wait = no
    user = {user}
    bind = 127.0.0.1
    port = {port}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def weir(backend):
    def command(options, port, _folder):
        return [f"{options.build}/weir", "serve", "echo", f"tcp://127.0.0.1:{port}", "--workers", "1", "--backend",
                backend, "--log-level", "error"]
    return command


def xinetd(_options, port, folder):
    configuration = Path(folder, "xinetd.conf")
    configuration.write_text(XINETD.format(user=getpass.getuser(), port=port), encoding="ascii")
    return ["xinetd", "-dontfork", "-f", str(configuration), "-pidfile", f"{folder}/pid"]


SERVERS = {"weir, uring": weir("uring"), "weir, epoll": weir("epoll"), "xinetd": xinetd}


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("turns.py: two CPUs are needed, one to serve and one to load")
    return cpus[:2]


def await_server(port, process):
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    sys.exit(f"turns.py: {process.args[0]} does not serve")


def load(options, port, cpu):
    """Connections a second."""
    command = [f"{options.build}/bench/load", "tcp", "127.0.0.1", str(port), "--connections", "1", "--size", "64",
               "--churn", "--seconds", str(options.seconds), "--warmup", "0.3"]
    result = subprocess.run(command, capture_output=True, check=False, timeout=options.seconds + PATIENCE,
                            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    if result.returncode:
        sys.exit(f"turns.py: {result.stderr.decode(errors='replace').strip()}")
    return json.loads(result.stdout)["rate"]


def measure(options, command_of):
    """One run of a fresh server."""
    serving, loading = two_cpus()
    with tempfile.TemporaryDirectory(prefix="turns-") as folder:
        port = free_port()
        process = subprocess.Popen(command_of(options, port, folder), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: os.sched_setaffinity(0, {serving}))
        try:
            await_server(port, process)
            return load(options, port, loading)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure_rounds(options):
    """{server: the rate of each round}"""
    names = list(SERVERS)
    rates = {name: [] for name in names}
    for number in range(options.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            rates[name].append(measure(options, SERVERS[name]))
    return rates


def tell(rates):
    """Prints what was measured. Returns the ratio that the bar is for."""
    for name, values in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(values, rates["xinetd"])]
        print(f"{name:12} {statistics.median(values):8,.0f} a second [{min(values):,.0f} {max(values):,.0f}]"
              f"  {statistics.median(ratios):5.2f} times xinetd")
    default = zip(rates["weir, uring"], rates["xinetd"])
    return statistics.median([ours / theirs for ours, theirs in default])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build), set up with -Dbench=true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2, help="measured time of a run")
    parser.add_argument("--check", action="store_true", help="exit status 1 where the bar is missed")
    options = parser.parse_args()
    if not Path(options.build, "bench", "load").is_file():
        sys.exit(f"turns.py: {options.build}/bench/load is not built: meson configure {options.build} -Dbench=true")
    if not shutil.which("xinetd"):
        sys.exit("turns.py: xinetd is not installed")
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    ratio = tell(measure_rounds(options))
    print(f"\n{ratio:.2f} times xinetd's rate (bar: {BAR:g})")
    sys.exit(1 if options.check and ratio < BAR else 0)


if __name__ == "__main__":
    main()

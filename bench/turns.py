#!/usr/bin/env python3
"""Measures a client after the other: connect, 64 bytes, their echo, close; weir serve echo beside xinetd's own echo.

    bench/turns.py --build build [--rounds 9] [--seconds 2] [--check]

The server has one CPU, the load (bench/load, one connection at a time) another. Rounds are interleaved and begin with
another server each time; ratios of rates are taken within a round, and their median is told. What each costs is told
as well, in CPU time of the server and its children: on a busy machine rates say how busy it was. With --check the exit
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
WARMUP = 0.3
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
    names = Path(folder, "nsswitch.conf")
    names.write_text("passwd: files\ngroup: files\nhosts: files\n", encoding="ascii")
    # It looks up each client's name: what a name server takes for that, or whether there is one, is not to be measured.
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    return [*unshare, "sh", "-c", 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"', str(names),
            "xinetd", "-dontfork", "-f", str(configuration), "-pidfile", f"{folder}/pid"]


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


def cpu_seconds(pid):
    """Of a process and those of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def load(options, port, cpu):
    """What bench/load tells."""
    command = [f"{options.build}/bench/load", "tcp", "127.0.0.1", str(port), "--connections", "1", "--size", "64",
               "--churn", "--seconds", str(options.seconds), "--warmup", str(WARMUP)]
    result = subprocess.run(command, capture_output=True, check=False, timeout=options.seconds + PATIENCE,
                            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}))
    if result.returncode:
        sys.exit(f"turns.py: {result.stderr.decode(errors='replace').strip()}")
    return json.loads(result.stdout)


def measure(options, command_of):
    """One run of a fresh server: connections a second, and CPU-µs each."""
    serving, loading = two_cpus()
    with tempfile.TemporaryDirectory(prefix="turns-") as folder:
        port = free_port()
        process = subprocess.Popen(command_of(options, port, folder), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: os.sched_setaffinity(0, {serving}))
        try:
            await_server(port, process)
            before = cpu_seconds(process.pid)
            told = load(options, port, loading)
            share = told["seconds"] / (told["seconds"] + WARMUP)
            return told["rate"], (cpu_seconds(process.pid) - before) * share * 1e6 / told["messages"]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def measure_rounds(options):
    """{server: the rate and the cost of each round}"""
    names = list(SERVERS)
    runs = {name: [] for name in names}
    for number in range(options.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            runs[name].append(measure(options, SERVERS[name]))
    return runs


def ratio_to_xinetd(runs, name):
    return statistics.median([ours[0] / theirs[0] for ours, theirs in zip(runs[name], runs["xinetd"])])


def tell(runs):
    """Prints what was measured."""
    for name, of_name in runs.items():
        rates, costs = zip(*of_name)
        print(f"{name:12} {statistics.median(rates):8,.0f} a second [{min(rates):,.0f} {max(rates):,.0f}]"
              f"  {ratio_to_xinetd(runs, name):5.2f} times xinetd  {statistics.median(costs):7,.0f} CPU-µs each")


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
    runs = measure_rounds(options)
    tell(runs)
    ratio = ratio_to_xinetd(runs, "weir, uring")
    print(f"\n{ratio:.2f} times xinetd's rate (bar: {BAR:g})")
    sys.exit(1 if options.check and ratio < BAR else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Measures weir serve log beside rsyslog's imudp: the same records, at the same rate, into a file.

    bench/log.py --build build [--rounds 5] [--seconds 4] [--rate 50000 --rate 200000] [--check]

The server has one CPU, the sender (bench/records) another. Rounds are interleaved and begin with another server each time;
ratios are taken within a round, and their median is told: of CPU time a record that was stored, which a busy machine moves
least. Each record that was sent must be in weir's file or be told as dropped there, or the run fails. rsyslog tells nothing of
what it never saw, so its losses are what is missing. With --check the exit status is 1 where weir costs more than half.
"""
import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BAR = 0.5
READY_SECONDS = 10
PATIENCE = 60

RSYSLOG = """
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="16m")
action(type="omfile" file="{output}" template="RSYSLOG_TraditionalFileFormat")
"""


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def weir(options, port, folder):
    return [f"{options.build}/weir", "serve", "log", f"udp://127.0.0.1:{port}", "--output", f"{folder}/records",
            *options.weir_option]


def rsyslog(_options, port, folder):
    configuration = Path(folder) / "rsyslog.conf"
    configuration.write_text(RSYSLOG.format(port=port, output=f"{folder}/records"))
    return ["rsyslogd", "-n", "-f", str(configuration), "-i", f"{folder}/pid"]


SERVERS = {"weir": weir, "rsyslog": rsyslog}


def pinned(command, cpu, **options):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, {cpu}),
                            **options)


def cpu_seconds(process):
    """The CPU time of a process and its threads, by the kernel's clock for it."""
    return time.clock_gettime((~process.pid << 3) | 2)


def bound(port):
    """Whether somebody has the port; asked of the kernel's list, so that nobody has to send a record."""
    wanted = f"0100007F:{port:04X}"
    return wanted in Path("/proc/net/udp").read_text()


def await_port(process, port):
    end = time.monotonic() + READY_SECONDS
    while not bound(port):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"log.py: {process.args[0]} did not start")
        time.sleep(0.02)


def await_quiet(process):
    """Until it has nothing more to do."""
    end = time.monotonic() + PATIENCE
    before = -1.0
    while (now := cpu_seconds(process)) - before > 0.0005 and time.monotonic() < end:
        before = now
        time.sleep(0.2)


def stored_and_told(path):
    """How many records there are in a file, and how many it says were dropped."""
    stored = dropped = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            told = re.search(r"WARNING\t(\d+) datagrams dropped$", line)
            dropped += int(told.group(1)) if told else 0
            stored += "was answered in 12 ms" in line
    return stored, dropped


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure(name, rate, options):
    """CPU-µs a stored record, how many a second were sent, and the share that was lost."""
    serving, sending = sorted(os.sched_getaffinity(0))[:2]
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = pinned(SERVERS[name](options, port, folder), serving, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
        try:
            await_port(process, port)
            await_quiet(process)
            before = cpu_seconds(process)
            sender = pinned([f"{options.build}/bench/records", "127.0.0.1", str(port), str(rate),
                             str(options.seconds)], sending, stdout=subprocess.PIPE, text=True)
            output, _ = sender.communicate(timeout=options.seconds + PATIENCE)
            await_quiet(process)
            used = cpu_seconds(process) - before
        finally:
            stop(process)
        sent, took = output.split()
        stored, dropped = stored_and_told(f"{folder}/records")
    if name == "weir" and stored + dropped != int(sent):
        raise SystemExit(f"log.py: of {sent} records {stored} are stored, and {dropped} told as dropped")
    return {"cost": used * 1e6 / stored, "rate": int(sent) / float(took), "lost": 1 - stored / int(sent)}


def tell(rate, rounds):
    """Prints a rate's rows; the median ratio of costs."""
    print(f"{rate} records/s")
    for name in rounds[0]:
        cost = statistics.median(one[name]["cost"] for one in rounds)
        got = statistics.median(one[name]["rate"] for one in rounds)
        lost = statistics.median(one[name]["lost"] for one in rounds)
        print(f"  {name:8} {cost:7.2f} CPU-µs a record   sent at {got:7.0f}/s   lost {100 * lost:5.2f} %")
    if "rsyslog" not in rounds[0]:
        return None
    ratios = sorted(one["weir"]["cost"] / one["rsyslog"]["cost"] for one in rounds)
    print(f"  ratio    {statistics.median(ratios):7.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    return statistics.median(ratios)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of a run")
    parser.add_argument("--rate", type=int, action="append", help="records a second (50000 and 200000)")
    parser.add_argument("--weir-option", action="append", default=[], help="one more for weir, such as --workers=1")
    parser.add_argument("--alone", action="store_true", help="weir without rsyslog")
    parser.add_argument("--check", action="store_true", help="exit status 1 where the bar is missed")
    return parser.parse_args()


def main():
    options = arguments()
    names = ["weir"] if options.alone or not shutil.which("rsyslogd") else list(SERVERS)
    missed = False
    for rate in options.rate or [50000, 200000]:
        rounds = []
        for number in range(options.rounds):
            turn = number % len(names)
            rounds.append({name: measure(name, rate, options) for name in names[turn:] + names[:turn]})
        ratio = tell(rate, rounds)
        missed = missed or (ratio is not None and ratio > BAR)
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())

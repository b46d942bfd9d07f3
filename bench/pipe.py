#!/usr/bin/env python3
"""
A pipe through two programs and a TCP connection on loopback, in either direction:

    dd | PROGRAM connects -> PROGRAM listens | dd        "there"
    dd | PROGRAM listens -> PROGRAM connects | dd        "back"

For weir (connect and listen), socat with blocks of 1 MiB, ncat and nc. Rounds are interleaved, and a ratio is computed within a
round, so that what disturbs the round disturbs all. Tells the rate, the CPU time of the two programs, and weir's place beside the
best of the others. With --check the exit status is 1 where the bar is missed: 1.2 times the best rate, and at most the least CPU time.
"""
import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

READY_SECONDS = 10
PATIENCE = 300  # for one pipe
DIRECTIONS = ["there", "back"]


def programs(weir):
    """A program: what listens on a port, and what connects to it, for each direction. A quiet stdin is /dev/null."""
    socat = ["socat", "-b", str(1 << 20)]
    return {
        "weir": {"there": ([weir, "listen", "127.0.0.1:{port}"], [weir, "connect", "127.0.0.1:{port}"]),
                 "back": ([weir, "listen", "127.0.0.1:{port}"], [weir, "connect", "127.0.0.1:{port}"])},
        "socat": {"there": (socat + ["-u", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", "-"],
                            socat + ["-u", "-", "TCP:127.0.0.1:{port}"]),
                  "back": (socat + ["-u", "-", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr"],
                           socat + ["-u", "TCP:127.0.0.1:{port}", "-"])},
        "ncat": {"there": (["ncat", "-l", "--recv-only", "127.0.0.1", "{port}"],
                           ["ncat", "--send-only", "127.0.0.1", "{port}"]),
                 "back": (["ncat", "-l", "--send-only", "127.0.0.1", "{port}"],
                          ["ncat", "--recv-only", "127.0.0.1", "{port}"])},
        "nc": {"there": (["nc", "-l", "127.0.0.1", "{port}"], ["nc", "-N", "127.0.0.1", "{port}"]),
               "back": (["nc", "-l", "-N", "127.0.0.1", "{port}"], ["nc", "-d", "127.0.0.1", "{port}"])},
    }


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def await_listener(port):
    """Looks in the kernel's table: to connect would be to be the one client."""
    wanted = f"0100007F:{port:04X}"
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with open("/proc/net/tcp", encoding="ascii") as table:
            if any(line.split()[1] == wanted and line.split()[3] == "0A" for line in table if ":" in line[:6]):
                return
        time.sleep(0.01)
    raise SystemExit(f"pipe.py: nobody listens on port {port}")


class Pipe:
    """What runs for one measurement."""

    def __init__(self, listener, client, direction, size):
        self.size = size
        self.processes = []
        port = free_port()
        listener, client = ([word.format(port=port) for word in words] for words in (listener, client))
        there = direction == "there"
        ends = {}
        self.sink, ends["sink"] = self.start_sink()
        self.listener = self.start(listener, ends, sends=not there)
        await_listener(port)
        self.client = self.start(client, ends, sends=there)
        os.close(ends["sink"])
        self.begin(ends["source"])

    def start_sink(self):
        reading, writing = os.pipe()
        sink = subprocess.Popen(["dd", "of=/dev/null", "bs=1M"], stdin=reading, stderr=subprocess.PIPE, text=True)
        os.close(reading)
        self.processes.append(sink)
        return sink, writing

    def start(self, words, ends, sends):
        if sends:
            reading, ends["source"] = os.pipe()
            process = subprocess.Popen(words, stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            os.close(reading)
        else:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=ends["sink"], stderr=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def begin(self, source):
        self.began = time.monotonic()
        self.source = subprocess.Popen(["dd", "if=/dev/zero", "bs=1M", f"count={self.size >> 20}", "status=none"],
                                       stdout=source)
        os.close(source)
        self.processes.append(self.source)

    def finish(self):
        """Returns seconds, and the CPU seconds of the two programs."""
        self.source.wait(PATIENCE)
        arrived = self.sink.communicate(timeout=PATIENCE)[1].splitlines()[-1]
        took = time.monotonic() - self.began
        if not arrived.startswith(f"{self.size} bytes"):
            raise SystemExit(f"pipe.py: of {self.size} bytes arrived: {arrived}")
        cpu = 0
        for process in (self.client, self.listener):
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0
            cpu += used.ru_utime + used.ru_stime
        return took, cpu

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()


def measure(listener, client, direction, size):
    pipe = Pipe(listener, client, direction, size)
    try:
        took, cpu = pipe.finish()
        return {"rate": size / took / 1e9, "cpu": cpu * (1 << 30) / size}
    finally:
        pipe.end()


def rounds(options, names, direction):
    """A list of figures for each program, a round each."""
    figures = {name: [] for name in names}
    for turn in range(options.rounds):
        for name in names[turn % len(names):] + names[:turn % len(names)]:
            figures[name].append(measure(*programs(options.weir)[name][direction], direction, options.size << 20))
    return figures


def median(figures, key):
    return statistics.median(one[key] for one in figures)


def report(direction, figures):
    """Prints a table and returns weir's ratios to the best of the others: of the rate, and of the CPU time."""
    others = [name for name in figures if name != "weir"]
    print(f"{direction:6} {'GB/s':>8} {'CPU s/GiB':>10}")
    for name, taken in figures.items():
        print(f"{name:6} {median(taken, 'rate'):8.2f} {median(taken, 'cpu'):10.3f}")
    count = len(figures["weir"])
    rate = statistics.median(figures["weir"][i]["rate"] / max(figures[o][i]["rate"] for o in others)
                             for i in range(count))
    cpu = statistics.median(figures["weir"][i]["cpu"] / min(figures[o][i]["cpu"] for o in others)
                            for i in range(count))
    print(f"weir beside the best: {rate:.2f} of the rate (bar 1.20), {cpu:.2f} of the CPU time (bar 1.00)\n")
    return {"rate": rate, "cpu": cpu}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/weir", help="the program (%(default)s)")
    parser.add_argument("--size", type=int, default=4096, help="MiB a pipe (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often (%(default)s)")
    parser.add_argument("--direction", choices=DIRECTIONS, action="append", help="one alone; both without it")
    parser.add_argument("--json", help="a file for all figures")
    parser.add_argument("--check", action="store_true", help="exit status 1 where the bar is missed")
    options = parser.parse_args()
    names = [name for name in programs(options.weir) if name == "weir" or shutil.which(name)]
    figures = {direction: rounds(options, names, direction) for direction in options.direction or DIRECTIONS}
    ratios = {direction: report(direction, taken) for direction, taken in figures.items()}
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"size_mib": options.size, "figures": figures, "ratios": ratios}, file, indent=1)
    met = all(one["rate"] >= 1.2 and one["cpu"] <= 1 for one in ratios.values())
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

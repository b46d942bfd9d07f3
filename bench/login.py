#!/usr/bin/env python3
"""
What a flood of logins costs those who use another service of the same process: the latency of echo, beside none.

    bench/login.py --build build [--rounds 7] [--seconds 3] [--check]

`weir run` has one CPU, in a network of its own; the loads another: `weir bench` sends echo 2,000 messages a second,
each at its time, and in every second run 64 clients, each from another address of 127.0.0.0/8, try passwords as fast
as they are answered, half of them for a user who exists. Rounds are interleaved. Told are the medians of the
percentiles, their ratio to those without a flood, how many passwords were judged a second, and how long the judging
of a wrong password and of an unknown user took, by itself: the same. With --check the exit status is 1 where the bar
is missed: a 99th percentile of echo that is more than 1.5 times as high, or medians of unknown and wrong that are
more than 5 % apart.
"""
import argparse
import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

RATE = 2000
CLIENTS = 64
TAIL_BAR, KNOWN_BAR = 1.5, 0.05
PERCENTILES = ["p50", "p99", "p99.9"]
READY_SECONDS = 30
SINGLE_TRIES = 40


def inside_own_network():
    """Begins this program again in a network where the ports are free. Returns inside of it."""
    if os.environ.get("WEIR_BENCH_INSIDE"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    own = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    os.environ["WEIR_BENCH_INSIDE"] = "1"
    os.execvp(own[0], [*own, sys.executable, *sys.argv])


def two_cpus():
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("login.py: two CPUs are needed, one to serve and one to load")
    return cpus[:2]


def favour(pid):
    """Has the kernel weigh a session more than what else runs on the machine, where we may."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("-20", encoding="ascii")


@contextlib.contextmanager
def running(options, words, ready):
    """A server until the end of the block; what it says is dropped once it is ready."""
    with tempfile.TemporaryDirectory(prefix="login-") as folder:
        env = os.environ | {"XDG_STATE_HOME": folder}
        program = f"{options.build}/weir"
        subprocess.run([program, "user", "add", "bob", "--password-stdin"], input=b"secret\n", env=env, check=True)
        process = subprocess.Popen([program, *words], env=env, stderr=subprocess.PIPE, start_new_session=True,
                                   preexec_fn=lambda: os.sched_setaffinity(0, {options.cpus[0]}))
        favour(process.pid)
        try:
            said, end = b"", time.monotonic() + READY_SECONDS
            while not re.search(ready, said) and time.monotonic() < end:
                said += process.stderr.readline()
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield
        finally:
            process.terminate()
            process.wait()


class Flood:
    """Clients that try to log in, each time from another address, in a thread of its own, until it is stopped."""

    def __init__(self):
        self.judged = self.number = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    async def client(self):
        while not self.stopped.is_set():
            self.number += 1
            number = self.number
            address = f"127.{1 + number // 65536 % 250}.{number // 256 % 256}.{number % 256}"
            user = b"bob" if number % 2 else b"nobody"
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", 8002, local_addr=(address, 0))
                writer.write(user + b" no\n")
                if (await reader.readline()).startswith(b"wrong"):
                    self.judged += 1
                else:
                    await asyncio.sleep(0.1)
                writer.close()

    async def run(self):
        await asyncio.gather(*(self.client() for _ in range(CLIENTS)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def measure_echo(options):
    command = [f"{options.build}/weir", "bench", "127.0.0.1:8000", "--rate", str(RATE), "--connections", "16",
               "--duration", f"{options.seconds}s", "--json"]
    result = subprocess.run(command, capture_output=True, check=False, timeout=options.seconds + 60)
    if result.returncode:
        sys.exit(f"login.py: {result.stderr.decode(errors='replace').strip()}")
    return json.loads(result.stdout)["latency_ns"]


def measure_rounds(options):
    """The latencies without and with a flood, and the passwords judged a second."""
    quiet, flooded, rates = [], [], []
    with running(options, ["run", "--log-level", "info"], rb"try: .* ask .*:8002 "):
        for _ in range(options.rounds):
            quiet.append(measure_echo(options))
            with Flood() as flood:
                before, began = flood.judged, time.monotonic()
                flooded.append(measure_echo(options))
                rates.append((flood.judged - before) / (time.monotonic() - began))
    return quiet, flooded, rates


async def single_tries():
    """How long it takes to judge a wrong password and an unknown user, in turn: medians in ms."""
    times = {b"bob": [], b"nobody": []}
    for number in range(2 * SINGLE_TRIES):
        user = b"nobody" if number % 2 else b"bob"
        own = (f"127.0.{number // 200}.{1 + number % 200}", 0)
        reader, writer = await asyncio.open_connection("127.0.0.1", 8002, local_addr=own)
        began = time.monotonic()
        writer.write(user + b" no\n")
        await reader.readline()
        times[user].append(time.monotonic() - began)
        writer.close()
    return [1000 * statistics.median(times[user]) for user in (b"bob", b"nobody")]


def tell(quiet, flooded, rates, wrong, unknown):
    """Prints what was measured. Returns whether the bars are met."""
    ratios = {}
    print(f"{'echo':8} {'alone':>10} {'flooded':>10}  ratio (least to most of the rounds)")
    for name in PERCENTILES:
        each = sorted(b[name] / a[name] for a, b in zip(quiet, flooded))
        ratios[name] = statistics.median(each)
        alone, with_flood = (statistics.median(one[name] for one in runs) / 1000 for runs in (quiet, flooded))
        print(f"{name:8} {alone:7,.0f} µs {with_flood:7,.0f} µs  {ratios[name]:.2f} ({each[0]:.2f} to {each[-1]:.2f})")
    print(f"{statistics.median(rates):.1f} passwords judged a second meanwhile")
    print(f"by themselves: a wrong password {wrong:.1f} ms, an unknown user {unknown:.1f} ms")
    return ratios["p99"] <= TAIL_BAR and abs(wrong / unknown - 1) <= KNOWN_BAR


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build)")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="of a run")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a bar is missed")
    options = parser.parse_args()
    if not Path(options.build, "weir").is_file():
        sys.exit(f"login.py: {options.build}/weir is not built")
    inside_own_network()
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    options.cpus = two_cpus()
    with contextlib.suppress(PermissionError):
        os.setsid()
    favour(os.getpid())
    os.sched_setaffinity(0, {options.cpus[1]})
    measured = measure_rounds(options)
    with running(options, ["serve", "login", ":8002", "--max-waiting", "0"], rb"login on "):
        wrong, unknown = asyncio.run(single_tries())
    met = tell(*measured, wrong, unknown)
    sys.exit(1 if options.check and not met else 0)


if __name__ == "__main__":
    main()

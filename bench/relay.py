#!/usr/bin/env python3
"""Measures what a relay costs beside socat: the rate of one stream and the CPU time a GiB takes, and what an idle pair holds.

    bench/relay.py --build build [--gib 4] [--rounds 5] [--pairs 10000]

Rounds are interleaved and begin with another relay each time; ratios are taken within a round and their median is told. The
source sends a buffer of 1 MiB over and over, as most programs send, and the sink has the kernel throw away what comes
(MSG_TRUNC), half a MiB or more at a time (SO_RCVLOWAT): what it costs to wake the sink is the relay's to pay, and is not what
is measured here.
"""
import argparse
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

MIB = 1 << 20
PATIENCE = 120  # seconds for anything


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build)")
    parser.add_argument("--gib", type=float, default=4, help="how much goes through in a run (4)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pairs", type=int, default=10000, help="idle pairs (10,000); 0: leave that out")
    return parser.parse_args()


# --- the relays ---

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def weir_command(build, port, target, *options):
    return [f"{build}/weir", "relay", f"tcp://127.0.0.1:{port}", f"tcp://127.0.0.1:{target}", *options]


def socat_command(_, port, target, *options):
    return ["socat", *options, f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr", f"TCP:127.0.0.1:{target}"]


def large_socat_command(build, port, target):
    return socat_command(build, port, target, "-b", str(MIB))


# socat as it comes, which has blocks of 8 KiB, and at its best.
RELAYS = {"weir": weir_command, "socat": socat_command, "socat -b 1M": large_socat_command}


def connected(port, process):
    """A connection to a relay that may still be starting."""
    end = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


# --- one stream ---

def send_zeros(connection, size):
    zeros = memoryview(bytes(MIB))
    while size > 0:
        size -= connection.send(zeros[:size])
    connection.shutdown(socket.SHUT_WR)


def throw_away(connection):
    """How many bytes came until the end."""
    total, buffer = 0, bytearray(MIB)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, MIB // 2)
    while length := connection.recv_into(buffer, MIB, socket.MSG_TRUNC):
        total += length
    return total


def move(client, server, upward, size):
    """Sends that much one way; the seconds it took."""
    source, sink = (client, server) if upward else (server, client)
    began = time.monotonic()
    child = os.fork()  # the source is a process of its own: Python runs one thread at a time
    if child == 0:
        try:
            send_zeros(source, size)
        finally:
            os._exit(0)
    total = throw_away(sink)
    taken = time.monotonic() - began
    os.waitpid(child, 0)
    if total != size:
        sys.exit("relay.py: not all came through")
    return taken


def measure(name, build, upward, size):
    """MiB a second and CPU seconds a GiB of one fresh relay."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        port = free_port()
        process = subprocess.Popen(RELAYS[name](build, port, listener.getsockname()[1]), stderr=subprocess.DEVNULL)
        try:
            with connected(port, process) as client:
                server, _ = listener.accept()
                with server:
                    server.settimeout(PATIENCE)
                    taken = move(client, server, upward, size)
        finally:
            os.kill(process.pid, signal.SIGTERM)  # not send_signal, which would reap it
            _, _, used = os.wait4(process.pid, 0)
            process.returncode = 0
    return size / MIB / taken, (used.ru_utime + used.ru_stime) / (size / MIB / 1024)


def measure_streams(options):
    size = int(options.gib * 1024) * MIB
    names = [name for name in RELAYS if name == "weir" or shutil.which("socat")]
    for upward in (True, False):
        runs = {name: [] for name in names}
        for number in range(options.rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                runs[name].append(measure(name, options.build, upward, size))
        print(f"\none stream, {options.gib:g} GiB, {'from the client' if upward else 'to the client'}")
        tell_streams(runs)


def tell_streams(runs):
    for name, results in runs.items():
        rate, cpu = (statistics.median(column) for column in zip(*results))
        print(f"  {name:11} {rate:8,.0f} MiB/s {cpu:8.3f} CPU s a GiB")
    for name in list(runs)[1:]:
        pairs = list(zip(runs["weir"], runs[name]))
        rate = statistics.median(mine[0] / other[0] for mine, other in pairs)
        cpu = statistics.median(mine[1] / other[1] for mine, other in pairs)
        print(f"  weir / {name}, median of rounds: rate {rate:.2f} (bar: 1.00), CPU {cpu:.2f} (bar: 0.50)")


# --- idle pairs ---

def resident(group):
    """The resident KiB of all processes of a group."""
    total = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.getpgid(int(name)) == group:
                with open(f"/proc/{name}/status", encoding="ascii") as status:
                    total += int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
    return total


def answer_all(listener, accepted, count):
    while len(accepted) < count:
        connection, _ = listener.accept()
        accepted.append(connection)
        connection.sendall(connection.recv(100))


def open_pairs(port, process, count):
    clients = []
    for _ in range(count):
        clients.append(connected(port, process))
        clients[-1].sendall(b"hello")
        if clients[-1].recv(100) != b"hello":
            sys.exit("relay.py: a pair gave no answer")
    return clients


def measure_idle(options):
    """Pairs that have spoken once. Both halves of all of them are this process's: a descriptor limit may allow fewer."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    pairs, first = min(options.pairs, (most - 200) // 2), 20
    accepted = []
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = free_port()
        command = weir_command(options.build, port, listener.getsockname()[1], "--max-connections", "never",
                               "--processes", "2", "--workers", "1", "--log-level", "error")
        process = subprocess.Popen(command, start_new_session=True)
        try:
            threading.Thread(target=answer_all, args=(listener, accepted, pairs + first), daemon=True).start()
            warm = open_pairs(port, process, first)
            before = resident(process.pid)
            clients = open_pairs(port, process, pairs)
            held = (resident(process.pid) - before) / pairs
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for connection in warm + clients + accepted:
        connection.close()
    print(f"\n{pairs:,} idle pairs: {held:.1f} KiB resident each (bar: 12)")


def main():
    options = arguments()
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    measure_streams(options)
    if options.pairs:
        measure_idle(options)


if __name__ == "__main__":
    main()

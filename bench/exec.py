#!/usr/bin/env python3
"""
A program for each client: connect, 64 bytes, their answer, close, one client after another.

For `weir serve exec -- cat`, tcpserver, socat (fork, EXEC) and ncat (-k -e), where they are installed. Rounds are interleaved,
and a ratio is computed within a round, so that what disturbs the round disturbs all. Tells the rate, and the CPU time for each
client of the server and its programs together. With --check the exit status is 1 where the bar is missed: tcpserver's rate.
"""
import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

READY_SECONDS = 10
QUESTION = b"q" * 64


def servers(weir):
    """What listens on a port of 127.0.0.1."""
    found = {
        "weir": [weir, "serve", "exec", "127.0.0.1:{port}", "--", "cat"],
        "tcpserver": ["tcpserver", "-HRl0", "127.0.0.1", "{port}", "cat"],
        "socat": ["socat", "TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"],
        "ncat": ["ncat", "-lk", "-e", shutil.which("cat"), "127.0.0.1", "{port}"],
    }
    return {name: words for name, words in found.items() if shutil.which(words[0])}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(port):
    with socket.create_connection(("127.0.0.1", port), timeout=READY_SECONDS) as client:
        client.sendall(QUESTION)
        answer = b""
        while len(answer) < len(QUESTION):
            more = client.recv(4096)
            if not more:
                raise SystemExit(f"exec.py: the answer has {len(answer)} bytes")
            answer += more
    if answer != QUESTION:
        raise SystemExit("exec.py: another answer than the question")


def await_server(port):
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        try:
            ask(port)
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"exec.py: nobody answers on port {port}")


def ask_for(port, duration):
    """How many clients there were, and how long that took."""
    count, began = 0, time.monotonic()
    while time.monotonic() < began + duration:
        ask(port)
        count += 1
    return count, time.monotonic() - began


def measure(words, duration):
    """Clients a second, and CPU-µs a client: the server's own, and of the programs that it has waited for."""
    port = free_port()
    words = [word.format(port=port) for word in words]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_server(port)
        count, took = ask_for(port, duration)
        time.sleep(0.1)  # for the last program to be waited for
    finally:
        process.send_signal(signal.SIGTERM)
        _, _, used = os.wait4(process.pid, 0)
        process.returncode = 0
    return count / took, (used.ru_utime + used.ru_stime) * 1e6 / count


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/weir", help="the program (build/weir)")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3, help="of a run")
    parser.add_argument("--server", action="append", help="these alone, beside weir")
    parser.add_argument("--check", action="store_true", help="exit status 1 where the bar is missed")
    return parser.parse_args()


def main():
    options = arguments()
    chosen = {name: words for name, words in servers(options.weir).items()
              if name == "weir" or not options.server or name in options.server}
    if "weir" not in chosen:
        sys.exit(f"exec.py: {options.weir} is not built")
    rounds = []
    for number in range(options.rounds):
        names = list(chosen)
        turn = number % len(names)
        rounds.append({name: measure(chosen[name], options.seconds) for name in names[turn:] + names[:turn]})
    print(f"{'':10} {'clients/s':>10} {'CPU-µs':>8}   weir's rate beside it: median (least to most of the rounds)")
    for name in chosen:
        rate = statistics.median(one[name][0] for one in rounds)
        cpu = statistics.median(one[name][1] for one in rounds)
        ratios = sorted(one["weir"][0] / one[name][0] for one in rounds)
        print(f"{name:10} {rate:10.0f} {cpu:8.0f}   {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    missed = "tcpserver" in chosen and statistics.median(one["weir"][0] / one["tcpserver"][0] for one in rounds) < 1
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""
What a listener of a stream costs: weir serve stream beside icecast2, each fed the same MP3 of 128 kbit/s by PUT.

    bench/radio.py --build build-bench [--listeners 9900] [--rounds 5] [--seconds 10] [--check]

A server has one CPU, the listeners (bench/listeners) and the source another. They connect, listen for --settle
seconds, and then the CPU time of the server's process is taken over --seconds; one that is dropped is a failure.
Rounds are interleaved. Told are the medians of the CPU time that a second of audio takes for each listener who hears
it (on a busy machine icecast2 does not come to send all of it, and is not to gain by that), and how much the server's
memory has grown for each listener. With --check the exit status is 1 where a bar is missed: a quarter of icecast2's
CPU time, and 8 KiB a listener beside 1 MiB that all share.
"""
import argparse
import base64
import contextlib
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

FRAME = b"\xff\xfb\x90\x64" + bytes(413)  # MPEG-1 layer III, 128 kbit/s at 44.1 kHz, nothing to be heard
FRAMES_A_SECOND = 44100 / 1152
RATE = len(FRAME) * FRAMES_A_SECOND
CPU_BAR, MEMORY_BAR, SHARED_KIB = 0.25, 8.0, 1024
READY_SECONDS = 30
PASSWORD = "bench"

ICECAST = """<icecast>
 <limits><clients>{most}</clients><sources>4</sources><queue-size>524288</queue-size><client-timeout>30</client-timeout>
  <header-timeout>15</header-timeout><source-timeout>10</source-timeout><burst-size>65535</burst-size></limits>
 <authentication><source-password>{password}</source-password><relay-password>{password}</relay-password>
  <admin-user>admin</admin-user><admin-password>{password}</admin-password></authentication>
 <hostname>localhost</hostname>
 <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
 <fileserve>0</fileserve>
 <paths><basedir>/usr/share/icecast2</basedir><logdir>{folder}</logdir><webroot>/usr/share/icecast2/web</webroot>
  <adminroot>/usr/share/icecast2/admin</adminroot></paths>
 <logging><accesslog>access.log</accesslog><errorlog>error.log</errorlog><loglevel>2</loglevel></logging>
 <security><chroot>0</chroot>{owner}</security>
</icecast>
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def weir_command(options, folder, port):
    passwords = Path(folder, "passwords")
    passwords.write_text(f"source:{PASSWORD}\n", encoding="ascii")
    passwords.chmod(0o600)
    return [f"{options.build}/weir", "serve", "stream", f"http://127.0.0.1:{port}", "--workers", "1",
            "--max-connections", str(options.listeners + 50), "--source-password-file", str(passwords)]


def icecast_command(options, folder, port):
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if os.geteuid() == 0 else ""
    os.chmod(folder, 0o777)
    config = Path(folder, "icecast.xml")
    config.write_text(ICECAST.format(most=options.listeners + 50, password=PASSWORD, port=port, folder=folder,
                                     owner=owner), encoding="ascii")
    return ["icecast2", "-c", str(config)]


SERVERS = {"weir": weir_command, "icecast2": icecast_command}


class Source:
    """Sends frames as they sound, in a thread of its own, until the end of the block."""

    def __init__(self, port):
        self.port, self.stopped, self.error = port, threading.Event(), None
        self.thread = threading.Thread(target=self.run)

    def connect(self):
        credentials = base64.b64encode(f"source:{PASSWORD}".encode()).decode()
        until = time.monotonic() + READY_SECONDS
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                connection = socket.create_connection(("127.0.0.1", self.port))
                break
            if time.monotonic() > until:
                raise TimeoutError("the server does not answer")
            time.sleep(0.05)
        connection.sendall(f"PUT /live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n"
                           "Content-Type: audio/mpeg\r\nice-bitrate: 128\r\nExpect: 100-continue\r\n\r\n".encode())
        answer = connection.recv(4096)
        if b" 100 " not in answer and b" 200 " not in answer:
            raise ConnectionError(f"the source was answered {answer[:60]!r}")
        return connection

    def run(self):
        try:
            with self.connect() as connection:
                began, sent = time.monotonic(), 0
                while not self.stopped.wait(0.05):
                    due = int((time.monotonic() - began) * FRAMES_A_SECOND) + 160
                    connection.sendall(FRAME * (due - sent))
                    sent = due
        except OSError as error:
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.thread.join()


def pin(cpu):
    """For a child: its CPU, and all the descriptors that it may have."""
    os.sched_setaffinity(0, {cpu})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def listen(options, port, process):
    command = [f"{options.build}/bench/listeners", str(port), "/live", str(options.listeners), str(options.settle),
               str(options.seconds), str(process.pid)]
    result = subprocess.run(command, capture_output=True, check=False, preexec_fn=lambda: pin(options.cpus[1]),
                            timeout=options.settle + options.seconds + 900)
    if result.returncode:
        sys.exit(f"radio.py: {result.stderr.decode(errors='replace').strip()}")
    return json.loads(result.stdout)


def run(name, options):
    """One run of a fresh server: what listeners tell."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="radio-") as folder:
        command = SERVERS[name](options, folder, port)
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: pin(options.cpus[0])) as process:
            try:
                with Source(port) as source:
                    time.sleep(1)  # the first burst is with the server
                    told = listen(options, port, process)
                    if source.error:
                        sys.exit(f"radio.py: {name}: the source: {source.error}")
            finally:
                process.terminate()
    told["heard"] = told["bytes"] / told["listeners"] / told["seconds"] / RATE
    told["cpu"] = told["cpu_seconds"] * 1e6 * RATE / told["bytes"]
    told["kib"] = (told["rss_after_kib"] - told["rss_before_kib"] - SHARED_KIB) / told["listeners"]
    print(f"{name:9} {told['cpu']:6.1f} CPU-µs a second heard, {told['kib']:5.1f} KiB a listener, "
          f"heard {told['heard']:.2f} of it, least {told['least'] / told['seconds'] / RATE:.2f}", flush=True)
    return told


def median(runs, name, what):
    return statistics.median(told[what] for told in runs[name])


def tell(runs):
    """Prints what was measured. Returns whether the bars are met."""
    for name in runs:
        print(f"{name:9} {median(runs, name, 'cpu'):6.1f} CPU-µs a second heard (median), "
              f"{median(runs, name, 'kib'):5.1f} KiB a listener")
    met = "weir" not in runs or median(runs, "weir", "kib") <= MEMORY_BAR
    if len(runs) == len(SERVERS):
        ratios = sorted(a["cpu"] / b["cpu"] for a, b in zip(runs["weir"], runs["icecast2"]))
        ratio = statistics.median(ratios)
        print(f"weir's CPU beside icecast2's: {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        met = met and ratio <= CPU_BAR
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build)")
    parser.add_argument("--listeners", type=int, default=9900, help="at once (9900: within 20,000 descriptors)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="that are measured")
    parser.add_argument("--settle", type=int, default=5, help="that are not, after all have connected")
    parser.add_argument("--server", action="append", choices=list(SERVERS), help="one alone; may be repeated")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a bar is missed")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that no server is left behind
    for program in (f"{options.build}/weir", f"{options.build}/bench/listeners"):
        if not Path(program).is_file():
            sys.exit(f"radio.py: {program} is not built")
    names = options.server or [name for name in SERVERS if name == "weir" or shutil.which(name)]
    options.cpus = sorted(os.sched_getaffinity(0))[:2]
    if len(options.cpus) < 2:
        sys.exit("radio.py: two CPUs are needed, one to serve and one to listen")
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    runs = {name: [] for name in names}
    for number in range(options.rounds):
        for name in names if number % 2 == 0 else reversed(names):
            runs[name].append(run(name, options))
    met = tell(runs)
    sys.exit(1 if options.check and not met else 0)


if __name__ == "__main__":
    main()

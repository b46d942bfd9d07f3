"""Runs one server under one load, each on a CPU of its own, and says what it cost."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
READY = re.compile(rb"(?:^ready |\w+ on \w+://127\.0\.0\.1:)(\d+)", re.MULTILINE)
READY_SECONDS = 10
LOAD_PATIENCE = 60  # beyond the time it is told to take


class Failed(Exception):
    """A server or a load that did not do its work; the message says how."""


def two_cpus():
    """The CPU for the server and the one for the load."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise SystemExit("run.py: two CPUs are needed, one to serve and one to load")
    return cpus[0], cpus[1]


def pinned(command, cpu, **options):
    return subprocess.Popen(command, stdin=subprocess.DEVNULL,
                            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}), **options)


def stop(process):
    """Asks the process to end, then makes it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def command_of(server, build, idle=False):
    words = [word.format(build=build, bench=BENCH) for word in server.command]
    return words + list(server.idle_arguments if idle else ())


def missing(server, build):
    """Why the server cannot run here, or None."""
    command = command_of(server, build)
    if not Path(command[0]).is_file():
        return f"{command[0]} is not built"
    if command[0].endswith("python3"):
        check = subprocess.run([command[0], "-c", "import uvloop"], capture_output=True, check=False)
        return "uvloop is not installed" if check.returncode else None
    return None


def last_line(text):
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason given"


def free_port(kind=socket.SOCK_STREAM):
    """One that nobody has at the moment."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_listener(port):
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise SystemExit(f"bench: nobody listens on port {port}")


def await_port(process, output):
    """The port that the server says it listens on. It writes to a file, not a pipe: nobody reads
    along, and a pipe that fills up would stop it."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        output.seek(0)
        text = output.read()
        if found := READY.search(text):
            return found.group(1).decode()
        if process.poll() is not None:
            raise Failed(f"ended at once: {last_line(text)}")
        time.sleep(0.02)
    raise Failed(f"not ready within {READY_SECONDS} s")


def run_load(work, port, server_pid, cpu, options):
    command = [f"{options.build}/bench/load", work.transport, "127.0.0.1", port, *work.arguments,
               "--seconds", str(options.seconds), "--warmup", str(options.warmup), "--watch", str(server_pid)]
    if work.idle:
        command += ["--connections", str(options.idle_connections)]
    process = pinned(command, cpu, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, complaints = process.communicate(timeout=options.seconds + options.warmup + LOAD_PATIENCE)
    except subprocess.TimeoutExpired:
        raise Failed("the load did not end") from None
    finally:
        stop(process)
    if process.returncode != 0:
        raise Failed(last_line(complaints))
    return json.loads(output)


def cost_of(work, told):
    """The figure that is compared: the server's CPU-µs a message or KiB a connection."""
    if work.idle:
        return (told["server_rss_idle_kib"] - told["server_rss_before_kib"]) / told["connections"]
    return told["server_cpu_seconds"] * 1e6 / told["messages"]


def measure(work, server, options):
    """One run of a fresh server: what load tells, and the cost."""
    serving, loading = two_cpus()
    with tempfile.TemporaryFile() as output:
        process = pinned(command_of(server, options.build, work.idle), serving, stdout=output,
                         stderr=output, env={**os.environ, **server.environment})
        try:
            port = await_port(process, output)
            told = run_load(work, port, process.pid, loading, options)
        finally:
            stop(process)
    return {**told, "cost": cost_of(work, told)}

#!/usr/bin/env python3
"""
weir serve stream beside nginx with sendfile: a file of 1 GiB over tcp:// and over /files/.

    bench/files.py --weir build/weir [--rounds 7] [--size 1024] [--check]

The server has one CPU, the client another; the client has the kernel drop what it receives (MSG_TRUNC), so that it
costs little. Rounds are interleaved, ratios are taken within a round, and their median is told: of the rate, and of the
CPU time of the server's process. With --check the exit status is 1 where a bar is missed: nginx's rate at least and its
CPU time at most, within 5 %.
"""
import argparse
import os
import re
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import harness

MARGIN = 1.05
PATIENCE = 120

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit; worker_processes 1;
events {{}}
http {{
    access_log off; sendfile on; tcp_nopush on;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


def cpu_seconds(process):
    """Of all its threads, in nanoseconds as the scheduler counts."""
    tasks = Path(f"/proc/{process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def fetch(port, path):
    """Asks (where `path` is one) and counts what comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        length = None
        if path:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(1)
            length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        received = 0
        while received != length and (more := client.recv_into(room, len(room), socket.MSG_TRUNC)):
            received += more
        return received


room = bytearray(1 << 20)
# Silence, so that the radio plays it and does not look for audio all through the file.
FRAMES = (b"\xff\xfb\x90\xc4" + bytes(413)) * 2048


class Servers:
    """nginx, and weir for both ways."""

    def __init__(self, options, folder):
        self.folder, self.size = Path(folder), options.size << 20
        os.chmod(folder, 0o755)
        (self.folder / "files").mkdir()
        with open(self.folder / "files" / "file.mp3", "wb") as file:
            for _ in range(self.size // len(FRAMES)):
                file.write(FRAMES)
            self.size = file.tell()
        self.ports = {"nginx": harness.free_port(), "files": harness.free_port(), "tcp": harness.free_port()}
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.ports["nginx"]))
        cpu = harness.two_cpus()[0]
        client = harness.two_cpus()[1]
        self.log = open(self.folder / "log", "wb")
        self.nginx = harness.pinned(["nginx", "-c", str(self.folder / "nginx.conf")], cpu)
        self.weir = harness.pinned([options.weir, "serve", "stream", f"tcp://127.0.0.1:{self.ports['tcp']}",
                                    f"http://127.0.0.1:{self.ports['files']}", "--workers", "1", "--media",
                                    str(self.folder / "files")], cpu, stderr=self.log)
        for port in self.ports.values():
            harness.await_listener(port)
        os.sched_setaffinity(0, {client})

    def measure(self, name):
        process = self.nginx if name == "nginx" else self.weir
        path = {"nginx": "/file.mp3", "files": "/files/file.mp3", "tcp": None}[name]
        before, began = cpu_seconds(process), time.monotonic()
        received = fetch(self.ports[name], path)
        took, used = time.monotonic() - began, cpu_seconds(process) - before
        if received != self.size:
            raise SystemExit(f"files.py: {name}: of {self.size} bytes arrived {received}")
        return {"rate": self.size / took / 1e9, "cpu": used * (1 << 30) / self.size}

    def end(self):
        for process in self.nginx, self.weir:
            harness.stop(process)
        self.log.close()


def tell(name, figures):
    ours, theirs = figures[name], figures["nginx"]
    ratios = {key: statistics.median(a[key] / b[key] for a, b in zip(ours, theirs)) for key in ("rate", "cpu")}
    rate, cpu = (statistics.median(one[key] for one in ours) for key in ("rate", "cpu"))
    print(f"{name:6} {rate:6.2f} GB/s {cpu:6.3f} CPU s/GiB", end="")
    print("" if name == "nginx" else f"   {ratios['rate']:.2f} of nginx's rate, {ratios['cpu']:.2f} of its CPU time")
    return ratios["rate"] >= 1 / MARGIN and ratios["cpu"] <= MARGIN


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/weir", help="the program (%(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the file (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="how often (%(default)s)")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a bar is missed")
    options = parser.parse_args()
    if not shutil.which("nginx"):
        raise SystemExit("files.py: nginx is not installed")
    names = ["nginx", "files", "tcp"]
    figures = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(options, folder)
        try:
            for turn in range(options.rounds + 1):
                for name in names[turn % 3:] + names[:turn % 3]:
                    taken = servers.measure(name)
                    if turn > 0:  # the first brings the file into memory
                        figures[name].append(taken)
        finally:
            servers.end()
    met = [tell(name, figures) for name in names]
    return 0 if all(met) or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

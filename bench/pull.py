#!/usr/bin/env python3
"""
weir pull beside curl: a file of 1 GiB by HTTP, to /dev/null and into a pipe.

    bench/pull.py --weir build/weir [--rounds 7] [--size 1024] [--work NAME]... [--check]

length: with a Content-Length, from nginx with sendfile; close: until the connection ends, from a loop of Python's with
sendfile; https: from nginx. The client has one CPU, the server and the reader of the pipe another. Rounds are interleaved, ratios
are taken within a round, and their median is told: of the rate, and of the client's CPU time. With --check the exit status is 1
where a bar is missed: curl's rate at least and its CPU time at most, within 5 %.
"""
import argparse
import contextlib
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

import harness

PATIENCE = 300
SINKS = ["null", "pipe"]
WORKS = [f"{kind}-{sink}" for kind in ("length", "close", "https") for sink in SINKS]
MARGIN = 1.05

NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log stderr crit; worker_processes 1;
events {{}}
http {{
    access_log off; sendfile on; tcp_nopush on;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{plain}; root {folder}/files; }}
    server {{ listen 127.0.0.1:{secure} ssl; root {folder}/files; ssl_certificate {folder}/ca.pem;
              ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.3; }}
}}
"""


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def serve_until_close(port, path):
    """A client after the other gets the file, and then its end."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with open(path, "rb") as file, socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
                    request += piece
                if request:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                    connection.sendfile(file)
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)


class Servers:
    """nginx and the loop, on the CPU that is not the client's."""

    def __init__(self, folder, size):
        self.folder, self.processes = Path(folder), []
        (self.folder / "files").mkdir()
        self.file = self.folder / "files" / "file"
        with open(self.file, "wb") as file:
            file.truncate(size)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost"], cwd=folder, check=True, capture_output=True)
        os.chmod(folder, 0o755)
        self.plain, self.secure, self.closing = free_ports(3)

    def start(self, cpu):
        self.start_nginx(cpu)
        self.processes.append(harness.pinned([sys.executable, __file__, "--serve", str(self.closing), str(self.file)],
                                             cpu))
        for port in (self.plain, self.secure, self.closing):
            harness.await_listener(port)

    def start_nginx(self, cpu):
        text = NGINX.format(folder=self.folder, plain=self.plain, secure=self.secure)
        (self.folder / "nginx.conf").write_text(text)
        self.processes.append(harness.pinned(["nginx", "-c", str(self.folder / "nginx.conf")], cpu))

    def url(self, kind):
        return {"length": f"http://127.0.0.1:{self.plain}/file", "close": f"http://127.0.0.1:{self.closing}/file",
                "https": f"https://localhost:{self.secure}/file"}[kind]

    def end(self):
        for process in self.processes:
            harness.stop(process)


def command_of(program, options, servers, kind):
    ca = str(servers.folder / "ca.pem")
    if program == "weir":
        return [options.weir, "pull", servers.url(kind), *(["--ca", ca] if kind == "https" else [])]
    return ["curl", "-s", servers.url(kind), *(["--cacert", ca] if kind == "https" else [])]


def measure(command, sink, size, cpus):
    """The rate and the CPU time of one run."""
    serving, pulling = cpus
    reader = None
    target = subprocess.DEVNULL
    if sink == "pipe":
        reader = subprocess.Popen(["dd", "of=/dev/null", "bs=1M"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                  preexec_fn=lambda: os.sched_setaffinity(0, {serving}))
        target = reader.stdin
    began = time.monotonic()
    client = harness.pinned(command, pulling, stdout=target)
    if reader:
        reader.stdin.close()
    _, status, used = os.wait4(client.pid, 0)
    client.returncode = os.waitstatus_to_exitcode(status)
    if reader:
        arrived = reader.stderr.read().decode().splitlines()[-1]
        reader.wait(PATIENCE)
        if not arrived.startswith(f"{size} bytes"):
            raise SystemExit(f"pull.py: of {size} bytes arrived: {arrived}")
    took = time.monotonic() - began
    if client.returncode != 0:
        raise SystemExit(f"pull.py: {' '.join(command)}: exit status {client.returncode}")
    return {"rate": size / took / 1e9, "cpu": (used.ru_utime + used.ru_stime) * (1 << 30) / size}


def measure_work(work, options, servers):
    """Prints what was measured. Returns the ratios."""
    kind, _, sink = work.partition("-")
    names = ["weir", "curl"]
    figures = {name: [] for name in names}
    serving, pulling = harness.two_cpus()
    for turn in range(options.rounds + 1):
        for name in names[turn % 2:] + names[:turn % 2]:
            taken = measure(command_of(name, options, servers, kind), sink, servers.file.stat().st_size,
                            (serving, pulling))
            if turn > 0:  # the first brings the file into memory
                figures[name].append(taken)
    for name in names:
        print(f"{work:12} {name:5} {statistics.median(one['rate'] for one in figures[name]):7.2f} GB/s "
              f"{statistics.median(one['cpu'] for one in figures[name]):7.3f} CPU s/GiB")
    pairs = list(zip(figures["weir"], figures["curl"]))
    ratios = {key: statistics.median(ours[key] / theirs[key] for ours, theirs in pairs) for key in ("rate", "cpu")}
    print(f"{work:12} {ratios['rate']:.2f} of curl's rate, {ratios['cpu']:.2f} of its CPU time\n", flush=True)
    return {"figures": figures, "ratios": ratios}


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve_until_close(int(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", default="build/weir", help="the program (%(default)s)")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the file (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="how often (%(default)s)")
    parser.add_argument("--work", choices=WORKS, action="append", help="one alone; all without it")
    parser.add_argument("--json", help="a file for all figures")
    parser.add_argument("--check", action="store_true", help="exit status 1 where a bar is missed")
    options = parser.parse_args()
    if missing := [name for name in ("curl", "nginx", "openssl") if not shutil.which(name)]:
        raise SystemExit(f"pull.py: {', '.join(missing)}: not installed")
    with tempfile.TemporaryDirectory() as folder:
        servers = Servers(folder, options.size << 20)
        try:
            servers.start(harness.two_cpus()[0])
            results = {work: measure_work(work, options, servers) for work in options.work or WORKS}
        finally:
            servers.end()
    if options.json:
        Path(options.json).write_text(json.dumps({"size_mib": options.size, "works": results}, indent=1))
    met = all(one["ratios"]["rate"] >= 1 / MARGIN and one["ratios"]["cpu"] <= MARGIN for one in results.values())
    return 0 if met or not options.check else 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Measures what `weir connect --via ssh://` costs beside plain `ssh -W` through the same sshd: how long so many bytes
take to and from a server behind it, and the CPU time of the clients, ssh's own included.

    bench/ssh.py --build build [--mib 512] [--rounds 5]

An sshd of its own, on loopback, as whoever runs this, with keys made for it. stdin and stdout are pipes, as of any
command in the middle of a line. Rounds are interleaved and begin with another client each time; ratios are taken within
a round and their median is told.
"""
import argparse
import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
PATIENCE = 300  # seconds for anything


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="the build directory (build)")
    parser.add_argument("--mib", type=int, default=512, help="how much goes through in a run (512)")
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


# --- an sshd ---

SERVER = """HostKey {0}/host_key
AuthorizedKeysFile {0}/key.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
"""
CLIENT = """IdentityFile {0}/key
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {0}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
"""


class Sshd:
    """One for each client, started by a listener of ours, so that no port need be guessed."""

    def __init__(self, folder):
        self.program = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if not self.program:
            sys.exit("ssh.py: there is no sshd; scripts/setup test installs it")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        self.folder, self.config = folder, folder / "config"
        (folder / "sshd_config").write_text(SERVER.format(folder))
        self.config.write_text(CLIENT.format(folder))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        kind, key = (folder / "host_key.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    subprocess.Popen([self.program, "-i", "-f", self.folder / "sshd_config"], stdin=connection,
                                     stdout=connection, stderr=subprocess.DEVNULL)


# --- the clients ---

def weir_command(options, sshd, port):
    user = pwd.getpwuid(os.getuid()).pw_name
    return [f"{options.build}/weir", "connect", "--via", f"ssh://{user}@127.0.0.1:{sshd.port}?config={sshd.config}",
            f"127.0.0.1:{port}"]


def ssh_command(_, sshd, port):
    return ["ssh", "-F", sshd.config, "-o", "BatchMode=yes", "-T", "-e", "none", "-p", str(sshd.port), "-W",
            f"127.0.0.1:{port}", "127.0.0.1"]


CLIENTS = {"weir": weir_command, "ssh -W": ssh_command}


# --- what goes through ---

def give(file, size):
    block = os.urandom(MIB)
    for _ in range(size // MIB):
        file.sendall(block) if isinstance(file, socket.socket) else file.write(block)


def take(file):
    """How many bytes come until the end."""
    buffer, total = bytearray(MIB), 0
    into = file.recv_into if isinstance(file, socket.socket) else file.readinto
    while length := into(buffer):
        total += length
    return total


def serve(listener, upward, size, taken):
    """One client: takes all that comes, then says so; or gives."""
    connection, _ = listener.accept()
    with connection:
        if upward:
            taken.append(take(connection))
        else:
            give(connection, size)
            connection.shutdown(socket.SHUT_WR)
            take(connection)


def run_client(command, upward, size, taken):
    """Seconds and CPU seconds, of the client and of what it has started and waited for."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    with process.stdout, process.stdin:
        if upward:
            give(process.stdin, size)
        process.stdin.close()
        if not upward:
            taken.append(take(process.stdout))
        else:
            take(process.stdout)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"ssh.py: {command[0]} ends with status {status}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime


def measure(name, options, sshd, upward):
    size, taken = options.mib * MIB, []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        server = threading.Thread(target=serve, args=(listener, upward, size, taken))
        server.start()
        found = run_client(CLIENTS[name](options, sshd, listener.getsockname()[1]), upward, size, taken)
        server.join(PATIENCE)
    if taken != [size]:
        sys.exit(f"ssh.py: not all came through by {name}: {taken}")
    return found


# --- telling ---

def tell(runs, options):
    for name, results in runs.items():
        taken, cpu = (statistics.median(column) for column in zip(*results))
        print(f"  {name:7} {options.mib / taken:8,.0f} MiB/s {cpu * 1024 / options.mib:8.3f} CPU s a GiB")
    pairs = list(zip(runs["weir"], runs["ssh -W"]))
    taken, cpu = (statistics.median(mine[i] / other[i] for mine, other in pairs) for i in (0, 1))
    print(f"  weir / ssh -W, median of rounds: time {taken:.2f} (bar: 1.05), CPU {cpu:.2f}")


def main():
    options = arguments()
    print(f"load average at the start: {os.getloadavg()[0]:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        sshd = Sshd(pathlib.Path(folder))
        for upward in (True, False):
            runs = {name: [] for name in CLIENTS}
            for number in range(options.rounds):
                names = list(CLIENTS)[::-1 if number % 2 else 1]
                for name in names:
                    runs[name].append(measure(name, options, sshd, upward))
            print(f"\n{options.mib} MiB {'to' if upward else 'from'} a server behind ssh")
            tell(runs, options)
        sshd.listener.close()


if __name__ == "__main__":
    main()

"""Other people's programs at the other end of connect, listen, relay and serve exec: all arrives, and all end well."""
import os
import pty
import select
import shutil
import subprocess
import time

import pytest

from conftest import WEIR, Server, end_all, environment, seconds
from talk import eventually, pattern

HERE, THERE = pattern(1_000_000, "here"), pattern(1_000_000, "there")
NETCATS = {"nc": ["nc", "-N"], "ncat": ["ncat"]}
TOOLS = ["nc", "ncat", "socat"]


def dialling(tool, host, port):
    return [*NETCATS[tool], host, str(port)] if tool in NETCATS else ["socat", "-t", "60", "-", f"TCP:{host}:{port}"]


def listening(tool, path):
    return [*NETCATS[tool], "-l", "-U", path] if tool in NETCATS else ["socat", "-t", "60", "-", f"UNIX-LISTEN:{path}"]


@pytest.fixture(params=TOOLS)
def tool(request):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


class Joined:
    """A program that reads a file and whose output is kept in another, so that neither side waits for a test."""

    def __init__(self, folder, name, command, data):
        self.output = folder / f"{name}.out"
        (folder / f"{name}.in").write_bytes(data)
        with open(folder / f"{name}.in", "rb") as stdin, open(self.output, "wb") as stdout:
            self.process = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=stdout,
                                            stderr=subprocess.DEVNULL, start_new_session=True, env=environment())

    def end(self):
        """What it printed, once it has ended well."""
        assert self.process.wait(seconds(30)) == 0
        return self.output.read_bytes()

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(*words):
        started.append(Joined(tmp_path, f"program-{len(started)}", *words))
        return started[-1]

    yield begin
    for one in started:
        one.kill()


def await_socket(path):
    """Waits until somebody listens: a file there is before that."""
    def is_listening():
        with open("/proc/net/unix", encoding="utf-8") as file:
            return any(line.split()[3] == "00010000" and line.rstrip().endswith(f" {path}") for line in file)

    eventually(is_listening, seconds(10))


def test_connect_to_one_that_sends(start, tool, tmp_path):
    """Without an end of ours, at which some of them would stop."""
    path = tmp_path / "socket"
    server = start(listening(tool, path), THERE)
    await_socket(path)
    result = subprocess.Popen([WEIR, "connect", "--end-with-peer", f"unix:{path}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=environment())
    assert result.stdout.read() == THERE
    assert result.wait(seconds(20)) == 0
    result.stdin.close()
    result.stdout.close()
    assert server.end() == b""


def test_connect_to_one_that_takes(start, tool, weir, tmp_path):
    path = tmp_path / "socket"
    server = start(listening(tool, path), b"")
    await_socket(path)
    result = weir("connect", f"unix:{path}", input=HERE)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert server.end() == HERE


class Listener:
    """weir listen, of one client."""

    def __init__(self, folder):
        (folder / "listen.in").write_bytes(HERE)
        with open(folder / "listen.in", "rb") as stdin, open(folder / "listen.out", "wb") as stdout:
            self.process = subprocess.Popen([WEIR, "listen", "tcp://127.0.0.1:0"], stdin=stdin, stdout=stdout,
                                            stderr=subprocess.PIPE, start_new_session=True, env=environment())
        where = self.process.stderr.readline().decode().split()[-1]
        self.host, _, self.port = where.removeprefix("tcp://").partition(":")
        self.output = folder / "listen.out"


@pytest.fixture
def listener(tmp_path):
    one = Listener(tmp_path)
    yield one
    one.process.kill()
    one.process.wait()
    one.process.stderr.close()


def test_listen_for_it(start, tool, listener):
    client = start(dialling(tool, listener.host, listener.port), THERE)
    assert client.end() == HERE
    assert listener.process.wait(seconds(20)) == 0
    assert listener.output.read_bytes() == THERE


@pytest.fixture
def relay():
    servers = []

    def begin(to):
        servers.append(Server("relay", "tcp://127.0.0.1:0", to))
        return servers[-1]

    yield begin
    end_all(servers)


def test_relay_between_two(start, tool, relay, tmp_path):
    path = tmp_path / "socket"
    server = start(listening(tool, path), b"")
    await_socket(path)
    client = start(dialling(tool, *relay(f"unix:{path}").address()), THERE)
    assert client.end() == b""
    assert server.end() == THERE


def test_exec_for_it(start, tool, serve):
    server = serve("exec", "tcp://127.0.0.1:0", "--", "cat")
    client = start(dialling(tool, *server.address()), THERE)
    assert client.end() == THERE


def read_until(terminal, text):
    end, shown = time.monotonic() + seconds(10), b""
    while text not in shown:
        assert select.select([terminal], [], [], max(0, end - time.monotonic()))[0], shown
        shown += os.read(terminal, 1000)
    return shown


@pytest.mark.skipif(not shutil.which("telnet"), reason="telnet is not installed")
def test_telnet_talks_to_an_echo(serve):
    server = serve("echo", "tcp://127.0.0.1:0")
    control, terminal = pty.openpty()
    host, port = server.address()
    telnet = subprocess.Popen(["telnet", host, str(port)], stdin=terminal, stdout=terminal, stderr=terminal,
                              start_new_session=True, env=environment())
    os.close(terminal)
    try:
        read_until(control, b"Escape character")
        os.write(control, b"by hand\n")
        shown = read_until(control, b"by hand\r\n")
        if shown.count(b"by hand") < 2:  # its terminal's own echo comes first
            read_until(control, b"by hand")
        os.write(control, b"\x1d")
        read_until(control, b"telnet>")
        os.write(control, b"quit\n")
        assert telnet.wait(seconds(10)) == 0
    finally:
        telnet.kill()
        telnet.wait()
        os.close(control)

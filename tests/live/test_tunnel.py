"""weir tunnel: through a real sshd; what becomes of clients when it goes, when it comes back, and when it does not."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from certificates import Authority
from conftest import WEIR, Server, end_all, environment, seconds
from sshd import assert_none_left, sshd, start_sshd  # noqa: F401: fixtures

LONG = ["--connect-timeout", "60s", "--wait", "60s"]


@pytest.fixture
def echo(serve):
    return serve("echo", "tcp://127.0.0.1:0")


@pytest.fixture
def runtime(tmp_path):
    """Where its folders are made; nothing may be left there."""
    folder = tmp_path / "r"
    folder.mkdir(mode=0o700)
    short = f"/tmp/weir-test-{os.getpid()}"  # sockets' paths are short
    os.symlink(folder, short)
    yield {"XDG_RUNTIME_DIR": short + "/"}
    os.unlink(short)
    assert os.listdir(folder) == []


@pytest.fixture
def tunnel(runtime, start_sshd):
    """
    Starts tunnels: tunnel("tcp://127.0.0.1:0", REMOTE, "--via", URL). Stopped and checked after the test, and before
    their sshd, which looks whether an ssh was left.
    """
    tunnels = []

    def start(*arguments, **options):
        env = runtime | options.pop("env", {})
        tunnels.append(Server("tunnel", *LONG, *arguments, env=env, **options))
        return tunnels[-1]

    yield start
    end_all(tunnels)


def receive_all(connection):
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


# --- what it is for ---

def test_whoever_connects_here_talks_with_somebody_there(tunnel, sshd, echo, weir):
    here = tunnel("--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint())
    assert weir("ask", here.endpoint(), "hello").stdout == b"hello"
    data = bytes(range(256)) * 8000
    result = weir("connect", here.endpoint(), input=data)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr


def test_many_clients_share_one_ssh(tunnel, sshd, echo):
    here = tunnel("--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint(), "-v")
    answers = {}

    def talk(number):
        data = b"%d " % number * 20000
        with here.connect(timeout=60) as connection:
            sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
            sender.start()
            answers[number] = receive_all(connection) == data
            sender.join(seconds(60))

    clients = [threading.Thread(target=talk, args=(number,)) for number in range(20)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(seconds(120))
    assert answers == dict.fromkeys(range(20), True)
    assert len(sshd.clients) == 1
    here.wait_for_text(r"^weir: tcp://127\.0\.0\.1:\d+: \d+ bytes there, \d+ bytes back, \d+\.\d+ s: ended$")


def test_without_local_it_is_the_first_free_port_from_8000(tunnel, sshd, echo, weir):
    with contextlib.ExitStack() as held:
        for port in (8000, 8001):
            holder = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):  # somebody else has it: as good
                holder.bind(("127.0.0.1", port))
                holder.listen()
        here = tunnel("--via", sshd.url, echo.endpoint())
        host, port = here.address()
        assert host == "127.0.0.1" and 8002 <= port <= 8009
        assert all(re.match(rf"tcp://(127\.0\.0\.1|\[::1\]):{port}$", endpoint) for endpoint in here.endpoints)
        assert weir("ask", here.endpoint(), "hello").stdout == b"hello"


def test_after_ten_ports_it_gives_up(sshd, echo, weir):
    with contextlib.ExitStack() as held:
        for port in range(8000, 8010):
            holder = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                holder.bind(("127.0.0.1", port))
                holder.listen()
        result = weir("tunnel", "--via", sshd.url, echo.endpoint())
    assert result.returncode == 1
    assert b"this port and the nine after it are taken" in result.stderr and result.stderr.count(b"\n") == 1
    assert sshd.clients == []


def test_local_may_be_a_unix_socket(tunnel, sshd, echo, weir, tmp_path):
    here = tunnel("--via", sshd.url, f"unix:{tmp_path}/here", echo.endpoint())
    assert weir("ask", here.endpoint(), "hello").stdout == b"hello"


# --- ssh goes ---

def test_an_ssh_that_ends_is_started_again(tunnel, sshd, echo, weir):
    here = tunnel("--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint())
    for number in (1, 2):
        since = len(here.text)
        sshd.break_off()
        here.wait_for_text(r"warning: the way to tcp://\S+ through ssh://\S+ has ended: .+; trying again in \d\.\d s$",
                           since=since)
        assert weir("ask", "--timeout", "60s", here.endpoint(), "hello", timeout=60).stdout == b"hello"
        here.wait_for_text(r"the way to tcp://\S+ through ssh://\S+ stands again after \d+\.\d s$", since=since)
        assert f"opened_again={number}" in counted(here)


def counted(tunnel):
    since = len(tunnel.text)
    tunnel.signal(signal.SIGUSR1)
    return tunnel.wait_for_text(r"opened_again=\d+$", since=since).string


def test_a_client_waits_a_little_for_a_way_that_is_gone(runtime, sshd, echo):
    here = Server("tunnel", "--wait", "100ms", "--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint(), env=runtime)
    try:
        sshd.listener.shutdown(socket.SHUT_RDWR)  # nobody comes in any more
        sshd.listener.close()
        sshd.break_off()
        here.wait_for_text("has ended")
        with here.connect() as connection:
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(1) == b""
        here.wait_for_text(r"warning: tcp://127\.0\.0\.1:\d+: connect \S+: the way there is gone, and not yet back$")
        here.wait_for_text(r"does not come about: .*; trying again in \d\.\d s$", timeout=60)
        assert "unreached=1" in counted(here)
        assert here.process.poll() is None
    finally:
        end_all([here])


def test_a_target_that_refuses_ends_its_client_alone(tunnel, sshd, refused, weir):
    here = tunnel("--via", sshd.url, "tcp://127.0.0.1:0", refused)
    for _ in range(2):
        result = weir("ask", "--timeout", "60s", here.endpoint(), "hello", timeout=60)
        assert result.returncode == 4 and result.stdout == b"", result.stderr
    assert len(sshd.clients) == 1


# --- beginning and ending ---

def test_the_first_time_it_must_come_about(start_sshd, echo, weir, runtime):
    sshd = start_sshd()
    (sshd.folder / "authorized_keys").write_text("")
    result = weir("tunnel", "--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint(), env=runtime, timeout=60)
    assert result.returncode == 1
    assert b"Permission denied" in result.stderr and result.stderr.count(b"\n") == 1
    assert b"tunnel on" not in result.stderr


def test_without_an_ssh_it_says_so(echo, weir, runtime):
    result = weir("tunnel", "--via", "ssh://example.invalid", echo.endpoint(),
                  env=runtime | {"WEIR_SSH": "/nonexistent/ssh"})
    assert result.returncode == 1
    assert b"/nonexistent/ssh" in result.stderr and result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_first_login(echo, runtime, tmp_path, number):
    """An ssh that never comes to an end is ended with it."""
    slow = tmp_path / "slow-ssh"
    slow.write_text(f"#!/bin/sh\necho began > {tmp_path}/began\nexec sleep 1000\n")
    slow.chmod(0o755)
    process = subprocess.Popen([WEIR, "tunnel", "--via", "ssh://example.invalid", echo.endpoint()],
                               env=environment(runtime | {"WEIR_SSH": str(slow)}), stderr=subprocess.PIPE,
                               start_new_session=True)
    with process:
        end = time.monotonic() + seconds(30)
        while not (tmp_path / "began").exists():
            assert time.monotonic() < end, "it does not start its ssh"
            time.sleep(0.01)
        process.send_signal(number)
        assert process.wait(seconds(30)) == -number
        assert process.stderr.read() == b""


def test_at_the_end_clients_may_finish(tunnel, sshd, echo):
    here = tunnel("--via", sshd.url, "--drain-timeout", "60s", "tcp://127.0.0.1:0", echo.endpoint())
    with here.connect(timeout=60) as connection:
        connection.sendall(b"before")
        assert connection.recv(6, socket.MSG_WAITALL) == b"before"
        here.signal(signal.SIGTERM)
        connection.sendall(b"after it")
        assert connection.recv(8, socket.MSG_WAITALL) == b"after it"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    assert here.wait(60) == 0
    assert_none_left(sshd.folder)


def test_a_terminal_that_is_closed_ends_it(tunnel, sshd, echo):
    here = tunnel("--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint())
    here.signal(signal.SIGHUP)
    assert here.wait(60) == 0
    assert_none_left(sshd.folder)


def test_under_nohup_it_stays(tunnel, sshd, echo, weir):
    here = tunnel("--via", sshd.url, "tcp://127.0.0.1:0", echo.endpoint(), wrapper=["nohup"])
    here.signal(signal.SIGHUP)
    assert weir("ask", here.endpoint(), "hello").stdout == b"hello"
    assert here.process.poll() is None


def test_local_may_be_tls_whose_certificate_is_read_again(tunnel, sshd, echo, weir, tmp_path):
    authority = Authority(tmp_path)
    certificate = authority.issue("first", subject="first")
    here = tunnel("--via", sshd.url, "tls://127.0.0.1:0", echo.endpoint(), "--cert", certificate)

    def name():
        result = weir("ask", "-v", "--ca", authority.file, here.endpoint("tls://127.0.0.1"), "hello")
        assert result.stdout == b"hello", result.stderr
        return re.search(r"with (\w+)$", result.stderr.decode(), re.MULTILINE).group(1)

    assert name() == "first"
    certificate.write_bytes(authority.issue("second", subject="second").read_bytes())
    here.signal(signal.SIGHUP)
    end = time.monotonic() + seconds(30)
    while name() != "second":
        assert time.monotonic() < end, "it shows the old one still"
    assert here.process.poll() is None


@pytest.mark.parametrize("words, reason", [
    (["localhost:1"], "--via ssh://HOST is needed"),
    ([], "REMOTE is needed"),
    (["--via", "socks5://a", "b:1"], "the last one is to be an ssh://"),
    (["--via", "ssh://a", "--via", "http://b", "c:1"], "the last one is to be an ssh://"),
    (["--via", "ssh://a", "udp://b:1"], "REMOTE is a host and a port"),
    (["--via", "ssh://a", "unix:/tmp/b"], "REMOTE is a host and a port"),
    (["--via", "ssh://a", "*:1"], "REMOTE is a host and a port"),
    (["--via", "ssh://a", "udp://:1", "b:1"], "datagrams do not go through ssh"),
    (["--via", "ssh://a", ":1", "b:1", "c:1"], "LOCAL and REMOTE are all it takes"),
    (["--via", "ssh://a", "--cert", "FILE", ":1", "b:1"], "--cert is for tls://"),
    (["--via", "ssh://-a", "b:1"], "ssh://"),
])
def test_what_makes_no_sense_is_refused(weir, words, reason):
    result = weir("tunnel", *words)
    assert result.returncode == 2, result.stderr
    assert reason in result.stderr.decode() and result.stderr.count(b"\n") == 1

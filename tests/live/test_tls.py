"""TLS: the program as server, with Python's ssl at the other end; and what comes that is no TLS, or not all of it."""
import contextlib
import os
import shutil
import signal
import ssl
import subprocess

import pytest

from certificates import Authority
from conftest import WEIR, environment, seconds
from secured import (authority, certificate, client_certificate, connect, echo,  # pylint: disable=unused-import
                     end_side)
from talk import eventually, pattern, read_exactly, read_to_end


# --- servers ---

@pytest.mark.parametrize("backend,model", [("uring", "fiber"), ("epoll", "fiber"), ("epoll", "thread"),
                                           ("epoll", "iterative")])
def test_a_client_of_pythons(serve, authority, certificate, backend, model):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--backend", backend, "--model", model)
    with connect(server, authority.client()) as client:
        for size in 1, 100, 16384, 16385, 1_000_000:
            assert is_echoed_by_tls(client, size)
        end_side(client)
    server.wait_for_counters(accepted=1, active=0, errors_tls=0, errors_reset=0)


def is_echoed_by_tls(client, size):
    """Python's TLS sockets are not for two threads at once: pieces there and back."""
    data = pattern(size)
    for at in range(0, size, 50_000):
        client.sendall(data[at:at + 50_000])
        assert read_exactly(client, len(data[at:at + 50_000])) == data[at:at + 50_000]
    return True


def test_what_is_sent_before_the_end_comes_back(echo, authority):
    """By our own client: half-close, megabytes, to the last byte."""
    data = pattern(3_000_000)
    done = subprocess.run([WEIR, "connect", "--ca", authority.file, echo.endpoint()], input=data, capture_output=True,
                          timeout=seconds(30), env=environment())
    assert done.returncode == 0 and done.stdout == data
    echo.wait_for_counters(active=0, errors_reset=0)


def test_a_session_is_resumed_also_after_a_reload(serve, authority, tmp_path, certificate):
    mine = tmp_path / "mine.pem"
    shutil.copy(certificate, mine)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", mine)
    context, session = authority.client(), None
    for number in range(3):
        with connect(server, context, session=session) as client:
            assert client.session_reused == (number > 0)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            session = client.session
        if number == 1:
            since = len(server.text)
            mine.write_text("this is no certificate\n")
            server.signal(signal.SIGHUP)
            server.wait_for_text("the certificate stays as it was", since=since)
            shutil.copy(certificate, mine)
            server.signal(signal.SIGHUP)


def test_a_ticket_does_not_outlive_the_ca_of_its_client(serve, authority, tmp_path, certificate, client_certificate):
    trusted = tmp_path / "trusted.pem"
    shutil.copy(authority.file, trusted)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--client-ca", trusted)
    context = authority.client(client_certificate)
    session = None
    for number in range(2):
        with connect(server, context, session=session) as client:
            assert client.session_reused == (number > 0)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            session = client.session
    (tmp_path / "other").mkdir()
    shutil.copy(Authority(tmp_path / "other", "somebody else").file, trusted)
    server.signal(signal.SIGHUP)

    def is_kept_out():
        try:
            with connect(server, context, session=session) as client:
                client.sendall(b"x")
                return client.recv(1) == b""
        except OSError:
            return True

    eventually(is_kept_out)


def shown_to(server, context):
    with connect(server, context) as client:
        return client.getpeercert()["serialNumber"]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_new_certificate_is_shown_after_sighup_and_nobody_is_dropped(serve, authority, tmp_path, certificate,
                                                                       processes):
    mine = tmp_path / "mine.pem"
    shutil.copy(certificate, mine)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", mine, "--processes", processes)
    context = authority.client()
    with connect(server, context) as before:
        old = before.getpeercert()["serialNumber"]
        shutil.copy(authority.issue(f"renewed{processes}"), tmp_path / "next.pem")
        os.rename(tmp_path / "next.pem", mine)
        server.signal(signal.SIGHUP)
        eventually(lambda: all(shown_to(server, context) != old for _ in range(4)))
        before.sendall(b"still here")
        assert read_exactly(before, 10) == b"still here"


def test_only_clients_with_a_certificate(serve, authority, certificate, client_certificate, weir, tmp_path):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--client-ca", authority.file)
    ask = ["ask", "--ca", authority.file, server.endpoint(), "hello"]
    done = weir(*ask, "--cert", client_certificate)
    assert (done.returncode, done.stdout) == (0, b"hello")
    done = weir(*ask)
    assert done.returncode != 0 and b"wants a certificate of us" in done.stderr
    server.wait_for_text("it has shown no certificate")
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "somebody else").issue("client")
    done = weir(*ask, "--cert", stranger)
    assert done.returncode != 0 and b"unknown CA" in done.stderr
    server.wait_for_counters(errors_tls=2, active=0)


# --- what is no TLS, or not all of it ---

def test_a_client_that_speaks_plain_text(echo, authority):
    with echo.connect("tls://127.0.0.1") as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            read_to_end(client)
    echo.wait_for_text(r"^weir: warning: echo: tls tls://127\.0\.0\.1:\d+: it does not speak TLS \(1 such\)$")
    echo.wait_for_counters(errors_tls=1, active=0)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_client_of_an_old_protocol(echo):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(echo, context).close()
    echo.wait_for_text("1.2 is the least")


def test_a_client_that_goes_in_the_middle_of_the_handshake(echo):
    with echo.connect("tls://127.0.0.1") as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01")
    echo.wait_for_text("the other end has closed in the middle of the handshake")


def test_slow_handshakes_hold_up_nobody_and_end(serve, authority, certificate):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--message-timeout", "2s", "--workers", 1)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect("tls://127.0.0.1", timeout=20)) for _ in range(30)]
        for number, each in enumerate(slow):
            each.sendall(b"\x16\x03\x01\x02\x00\x01"[:number % 7])
        with connect(server, authority.client()) as client:
            client.sendall(b"hello")
            assert read_exactly(client, 5) == b"hello"
        for each in slow:
            with contextlib.suppress(ConnectionError):
                read_to_end(each)
    server.wait_for_counters(errors_tls=30, active=0)


def test_a_stop_cuts_who_has_not_shaken_hands(serve, certificate):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--drain-timeout", "200ms", "--message-timeout",
                   "10m")
    with server.connect("tls://127.0.0.1"):
        server.wait_for_counters(active=1)
        server.stop()
        assert "errors_tls" not in server.text


def test_a_stream_that_is_cut_is_no_end(echo, authority):
    """Whoever sits in between can send a FIN; only the client can say that it has ended."""
    with connect(echo, authority.client()) as client:
        client.sendall(b"hello")
        assert read_exactly(client, 5) == b"hello"
        os.close(client.detach())
    echo.wait_for_counters(errors_reset=1, active=0)

"""TLS: openssl s_client and s_server at the other end: versions, sessions, certificates; and many at once while certificates change."""
import contextlib
import shutil
import signal
import subprocess
import threading

import pytest

from conftest import Server, seconds
from secured import (authority, certificate, client_certificate, connect, echo,  # pylint: disable=unused-import
                     end_side)
from talk import read_exactly, read_to_end

VERSIONS = ["-tls1_2", "-tls1_3"]
OLD = ("-cipher", "ALL:@SECLEVEL=0")  # what openssl itself refuses otherwise


def one_line(client):
    """Has s_client send a line, and ends it when that has come back. All that it printed."""
    client.stdin.write(b"a line\n")
    client.stdin.flush()
    said = b""
    while b"\na line\n" not in b"\n" + said:
        line = client.stdout.readline()
        assert line, said
        said += line
    client.stdin.close()
    said += client.stdout.read()
    client.wait(seconds(20))
    return said


def s_client(server, *options):
    """What openssl says as a client that sends a line and gets it back."""
    _, port = server.address("tls://127.0.0.1")
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-verify_return_error", *options],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        try:
            return one_line(client)
        finally:
            client.kill()


@contextlib.contextmanager
def s_server(*options):
    """An openssl s_server: the endpoint of TLS."""
    with subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:0", *options], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        reader = None
        try:
            port = next(line for line in server.stdout if line.startswith(b"ACCEPT")).split(b":")[-1].strip().decode()
            reader = threading.Thread(target=server.stdout.read)
            reader.start()
            yield f"tls://127.0.0.1:{port}"
        finally:
            server.kill()
            if reader:
                reader.join(seconds(10))


# --- servers ---

@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_goes_on_with_its_session(echo, authority, tmp_path, version):
    kept = tmp_path / "session.pem"
    trust = "-CAfile", str(authority.file), version
    said = s_client(echo, *trust, "-sess_out", str(kept))
    assert b"New, TLSv1." in said and b"Verify return code: 0" in said
    assert b"Reused, TLSv1." in s_client(echo, *trust, "-sess_in", str(kept))
    echo.wait_for_counters(accepted=2, active=0, errors_tls=0, errors_reset=0)


def test_a_client_that_reconnects_again_and_again(echo, authority):
    """openssl drops each connection without a word, and comes back with its session."""
    said = s_client(echo, "-CAfile", str(authority.file), "-tls1_2", "-reconnect")
    assert said.count(b"Reused, TLSv1.2") == 5
    echo.wait_for_counters(accepted=6, active=0, errors_tls=0)


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_a_client_of_an_old_version_is_told_in_one_line(echo, version):
    _, port = echo.address("tls://127.0.0.1")
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, *OLD], input=b"",
                          capture_output=True, timeout=seconds(20))
    assert done.returncode != 0
    echo.wait_for_text(r"^weir: warning: echo: tls \S+: it speaks no TLS that is new enough \(1\.2 is the least\) \(1 such\)$")
    echo.wait_for_counters(errors_tls=1, active=0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_with_a_certificate(serve, authority, certificate, client_certificate, version):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--client-ca", authority.file)
    shown = "-cert", str(client_certificate), "-key", str(client_certificate)
    said = s_client(server, "-CAfile", str(authority.file), version, *shown)
    assert b"Acceptable client certificate CA names" in said
    server.wait_for_counters(accepted=1, active=0, errors_tls=0)


def test_protocols_are_offered_in_vain_where_none_are_spoken_of(echo, authority):
    said = s_client(echo, "-CAfile", str(authority.file), "-alpn", "h2,http/1.1")
    assert b"No ALPN negotiated" in said


class Visitor(threading.Thread):
    """Connects again and again, each time for a few bytes. What went wrong is in `wrong`."""

    def __init__(self, server, context, times):
        super().__init__(daemon=True)
        self.server, self.context, self.times = server, context, times
        self.wrong, self.serials = None, set()

    def run(self):
        try:
            for number in range(self.times):
                with connect(self.server, self.context) as client:
                    self.serials.add(client.getpeercert()["serialNumber"])
                    data = b"%d" % number
                    client.sendall(data)
                    assert read_exactly(client, len(data)) == data
                    end_side(client)
        except (OSError, AssertionError) as error:
            self.wrong = error


@pytest.mark.parametrize("many", [("--processes", 2), ("--workers", 3)], ids=["processes", "workers"])
def test_certificates_change_while_clients_come(serve, authority, tmp_path, many):
    issued = [authority.issue(f"{many[0][2:]}{number}") for number in range(2)]
    mine = tmp_path / "mine.pem"
    shutil.copy(issued[0], mine)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", mine, *many)
    visitors = [Visitor(server, authority.client(), 30) for _ in range(4)]
    for visitor in visitors:
        visitor.start()
    turn = 0
    while any(visitor.is_alive() for visitor in visitors):
        turn += 1
        shutil.copy(issued[turn % 2], tmp_path / "next.pem")
        (tmp_path / "next.pem").rename(mine)
        server.signal(signal.SIGHUP)
        visitors[turn % 4].join(seconds(0.02))
    assert [visitor.wrong for visitor in visitors] == [None] * 4
    server.wait_for_counters(accepted=120, active=0, errors_tls=0, errors_reset=0)


# --- clients ---

@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_of_each_version(weir, authority, certificate, version):
    with s_server("-cert", certificate, "-rev", version) as endpoint:
        done = weir("ask", "--line", "--ca", authority.file, endpoint, "hello")
        assert (done.returncode, done.stdout) == (0, b"olleh\n")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_a_server_of_an_old_version_is_told_in_one_line(weir, authority, certificate, version):
    with s_server("-cert", certificate, "-rev", version, *OLD) as endpoint:
        done = weir("check", "--ca", authority.file, endpoint)
        assert done.returncode == 1
        assert done.stderr.decode() == f"weir: tls {endpoint}: it speaks no TLS that is new enough (1.2 is the least)\n"


def test_a_server_that_asks_for_a_certificate(weir, authority, certificate, client_certificate):
    with s_server("-cert", certificate, "-rev", "-Verify", "1", "-CAfile", authority.file,
                  "-verify_return_error") as endpoint:
        ask = "ask", "--line", "--ca", authority.file, endpoint, "hello"
        assert weir(*ask, "--cert", client_certificate).stdout == b"olleh\n"
        done = weir(*ask)
        assert done.returncode != 0 and b"wants a certificate of us" in done.stderr


def page_through(relay):
    """The page of s_server -www, which tells about the connection that it came by."""
    with relay.connect("tcp://127.0.0.1") as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return read_to_end(client)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_gone_on_with(authority, certificate, version):
    """A relay makes one connection after the other."""
    with s_server("-cert", certificate, "-www", version) as endpoint:
        relay = Server("relay", "tcp://127.0.0.1:0", endpoint, "--ca", authority.file, quiet=True)
        try:
            assert b"New, TLSv1." in page_through(relay)
            for _ in range(3):
                assert b"Reused, TLSv1." in page_through(relay)
            relay.stop()
        finally:
            relay.kill()

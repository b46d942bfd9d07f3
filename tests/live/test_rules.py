"""--allow and --deny: who is let in, over TCP, UDP and Unix sockets, and what is said about it."""
import socket

import pytest

from conftest import BACKENDS, seconds
from talk import is_echoed


def answer(port, source, family=socket.AF_INET):
    """What a client with that address of loopback gets: True an echo, False an end."""
    with socket.socket(family) as client:
        client.settimeout(seconds(10))
        client.bind((source, 0))
        client.connect(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        try:
            return is_echoed(client, b"hello")
        except ConnectionError:
            return False


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_first_that_matches_decides(serve, backend):
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--deny", "127.0.0.2", "--allow", "127.0.0.0/30",
                 "--deny=127.0.0.3")
    port = int(echo.endpoints[0].rpartition(":")[2])
    assert answer(port, "127.0.0.1")
    assert not answer(port, "127.0.0.2")
    assert answer(port, "127.0.0.3")  # it was allowed before it was denied
    assert not answer(port, "127.0.0.4")  # matches none, and there is an allow
    assert echo.wait_for_counters(active=0)["refused_rule"] == 2
    echo.wait_for_text(r"^weir: warning: echo: 127\.0\.0\.2:\d+ is not allowed here \(1 such\)$")


def test_with_deny_alone_others_are_let_in(serve):
    echo = serve("echo", "tcp://127.0.0.1:0", "--deny", "127.0.0.2/31")
    port = int(echo.endpoints[0].rpartition(":")[2])
    assert [answer(port, f"127.0.0.{n}") for n in (1, 2, 3, 4)] == [True, False, False, True]


def test_datagrams_are_dropped_without_an_answer(serve):
    echo = serve("echo", "udp://127.0.0.1:0", "--allow", "127.0.0.1")
    port = int(echo.endpoints[0].rpartition(":")[2])
    with socket.socket(type=socket.SOCK_DGRAM) as denied, socket.socket(type=socket.SOCK_DGRAM) as allowed:
        denied.bind(("127.0.0.2", 0))
        allowed.bind(("127.0.0.1", 0))
        allowed.settimeout(seconds(10))
        for _ in range(3):
            denied.sendto(b"denied", ("127.0.0.1", port))
        allowed.sendto(b"allowed", ("127.0.0.1", port))
        assert allowed.recv(100) == b"allowed"
        echo.wait_for_counters(refused_rule=3, datagrams_out=1)
        denied.setblocking(False)
        with pytest.raises(BlockingIOError):
            denied.recv(100)


def test_unix_sockets_have_permissions_of_their_own(serve, tmp_path):
    echo = serve("echo", f"unix:{tmp_path}/socket", "--allow", "10.0.0.0/8")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds(10))
        client.connect(f"{tmp_path}/socket")
        assert is_echoed(client, b"hello")
    assert "refused_rule" not in echo.wait_for_counters(active=0)


def test_a_rule_that_is_none_is_named(weir):
    result = weir("serve", "echo", "tcp://127.0.0.1:0", "--allow", "10.0.0.0/33")
    assert result.returncode == 2
    assert result.stderr == b"weir: --allow 10.0.0.0/33: the prefix is longer than 32 bits\n"

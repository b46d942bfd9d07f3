"""Counters at SIGUSR1: exact, in every mode; and logs, which nobody can forge."""
import json
import signal
import socket
import tempfile
import threading

import pytest

from conftest import BACKENDS, MODELS, READY, seconds
from talk import foreign_address, is_echoed, pattern, reset

SHAPES = [("--workers", 1), ("--workers", 2), ("--processes", 2)]
IDS = ["one", "workers", "processes"]


@pytest.fixture(params=[(backend, model) for backend in BACKENDS for model in MODELS], ids="-".join)
def echo(request, serve):
    backend, model = request.param
    return serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", model)


def test_before_anybody_came(echo):
    echo.signal(signal.SIGUSR1)
    echo.wait_for_text("^weir: echo: nothing yet$")


def test_exact(echo):
    """While nobody is connected, and while somebody is."""
    for size in (1, 1000, 100_000):
        with echo.connect() as client:
            assert is_echoed(client, pattern(size))
    expected = {"accepted": 3, "bytes_in": 101_001, "bytes_out": 101_001}
    assert echo.wait_for_counters(active=0) == expected
    with echo.connect() as client:
        assert is_echoed(client, pattern(10))
        expected |= {"accepted": 4, "active": 1, "bytes_in": 101_011, "bytes_out": 101_011}
        assert echo.wait_for_counters(bytes_out=101_011) == expected


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_summed(serve, backend, options):
    """Over all workers and processes."""
    echo = serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--backend", backend, *options)

    def talk(seed):
        for number in range(20):
            with echo.connect() as client:
                assert is_echoed(client, pattern(1000 + number, seed))

    threads = [threading.Thread(target=talk, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(30):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(seconds(10))
            client.sendto(bytes(number), echo.address("udp"))
            client.recv(100)
    size = 4 * sum(1000 + number for number in range(20)) + sum(range(30))
    # An answer that is here may not be counted there yet.
    counters = echo.wait_for_counters(active=0, datagrams_out=30, bytes_out=size)
    assert counters == {"accepted": 80, "bytes_in": size, "bytes_out": size, "datagrams_in": 30,
                        "datagrams_out": 30}


def test_resets_are_counted(serve, backend):
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend)
    for _ in range(7):
        client = echo.connect()
        assert is_echoed(client, b"hello")
        reset(client)
    assert echo.wait_for_counters(active=0) == {"accepted": 7, "bytes_in": 35, "bytes_out": 35, "errors_reset": 7}


def test_those_cut_by_the_drain_are_counted(serve, model):
    echo = serve("echo", "tcp://127.0.0.1:0", "--model", model, "--drain-timeout", "1s")
    with echo.connect() as client:
        assert is_echoed(client, b"hello")
        echo.signal(signal.SIGTERM)
        assert echo.counters()["active"] == 1
        assert echo.wait() == 0
    echo.stop()


def test_so_many_of_one_address(serve, backend):
    """More than the limit are closed at once and counted; another address is not concerned, nor is loopback."""
    address = foreign_address()
    if not address:
        pytest.skip("this machine has no address but loopback")
    echo = serve("echo", "tcp://*:0", "--backend", backend, "--max-per-address", 5)
    port = int(echo.endpoints[0].rpartition(":")[2])
    clients = [socket.create_connection((address, port), timeout=seconds(10)) for _ in range(5)]
    for client in clients:
        assert client.getsockname()[0] == address
        assert is_echoed(client, b"hello")
    for _ in range(3):
        with socket.create_connection((address, port), timeout=seconds(10)) as refused:
            assert refused.recv(10) == b""
    loopback = [socket.create_connection(("127.0.0.1", port), timeout=seconds(10)) for _ in range(10)]
    for client in loopback:
        assert is_echoed(client, b"hello")
    assert echo.counters()["refused_address"] == 3
    clients.pop().close()
    echo.wait_for_counters(active=14)
    with socket.create_connection((address, port), timeout=seconds(10)) as again:
        assert is_echoed(again, b"hello")
    for client in clients + loopback:
        client.close()
    assert echo.text.count("connections already") == 1


# --- logs ---

HOSTILE = b"\nweir: echo on tcp://evil:1\n\x1b[2J\x1b]0;title\x07\r\x00\x9b31m\xff\xfe\xe2\x80\xae"


def is_harmless(text):
    """Whether nothing in it could steer a terminal; the lines' own ends apart."""
    return all(character == "\n" or character.isprintable() for character in text)


@pytest.fixture
def short_path():
    """A folder whose name leaves room in a socket's."""
    with tempfile.TemporaryDirectory(prefix="w") as folder:
        yield folder


def test_no_bytes_of_a_peer_reach_the_terminal(serve, backend, tmp_path, short_path):
    """Names of sockets are all that a peer can put into a log: here they hold newlines and escapes."""
    echo = serve("echo", f"unix:{tmp_path}/s?type=datagram", "--backend", backend, "--log-level", "debug")
    lines = echo.text.count("\n")
    for name in (b"\0" + HOSTILE, f"{short_path}/".encode() + HOSTILE.replace(b"\0", b"").replace(b"/", b"|")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.settimeout(seconds(10))
            client.bind(name)
            client.sendto(HOSTILE, f"{tmp_path}/s")
            assert client.recv(1000) == HOSTILE
    echo.wait_for_text(r"Echoing data back to @\\x0aweir")
    echo.wait_for_text(r"Echoing data back to /")
    assert is_harmless(echo.text), repr(echo.text)
    assert echo.text.count("\n") == lines + 2
    assert "evil" not in "".join(match.group(2) for match in READY.finditer(echo.text))


def test_what_the_user_typed_is_shown_harmlessly(weir):
    result = weir("serve", "echo", HOSTILE.replace(b"\0", b"").decode("latin-1"))
    assert result.returncode == 2
    text = result.stderr.decode()
    assert text.count("\n") == 1 and is_harmless(text), repr(text)


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_json(serve, backend, tmp_path, options):
    """Every line is an object of its own, whatever is in it."""
    echo = serve("echo", f"unix:{tmp_path}/s?type=datagram", "tcp://127.0.0.1:0", "--backend", backend, "--log",
                 "json", "--log-level", "debug", *options)
    assert len(echo.endpoints) == 2
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(10))
        client.bind(b"\0" + HOSTILE)
        client.sendto(b"hello", f"{tmp_path}/s")
        client.recv(1000)
    echo.wait_for_text("Echoing data back")
    echo.signal(signal.SIGUSR1)
    echo.wait_for_text("datagrams_in=1")
    echo.signal(signal.SIGTERM)
    assert echo.wait() == 0
    records = [json.loads(line) for line in echo.text.splitlines()]
    assert all(set(record) == {"time", "level", "message"} for record in records)
    assert {record["level"] for record in records} <= {"debug", "info", "warning"}
    assert any("evil" in record["message"] for record in records)
    assert all(is_harmless(record["message"]) and "\n" not in record["message"] for record in records)


def test_json_errors_too(weir, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = weir("serve", "echo", "--log", "json", echo.endpoint())
    assert result.returncode == 1
    assert json.loads(result.stderr)["level"] == "error"


@pytest.mark.parametrize("level, lines", [("info", 1), ("warning", 0), ("none", 0)])
def test_levels(serve, level, lines):
    echo = serve("echo", "tcp://127.0.0.1:0", "--log-level", level, quiet=True)
    echo.signal(signal.SIGTERM)
    assert echo.wait() == 0
    assert echo.text.count("\n") == lines

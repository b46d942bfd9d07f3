"""weir relay of streams: what goes through it, how it ends, what it keeps to."""
import contextlib
import os
import queue
import signal
import socket
import threading

import pytest

from conftest import BACKENDS, MODELS, Server, end_all, run_weir, seconds
from talk import read_to_end, reset


@pytest.fixture
def relay():
    """Starts relays: relay("tcp://127.0.0.1:0", "tcp://127.0.0.1:80", "--verbose"). Stopped after the test."""
    relays = []

    def start(*arguments, **options):
        relays.append(Server("relay", *arguments, **options))
        return relays[-1]

    yield start
    end_all(relays)


def to_unix(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(seconds(20))
    connection.connect(path)
    return connection


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_half_close_goes_through_and_the_answer_comes_back(relay, peer, backend, model):
    def answer(connection):
        connection.sendall(b"heard " + read_to_end(connection))

    middle = relay("tcp://127.0.0.1:0", peer(answer).endpoint, "--backend", backend, "--model", model)
    for text in (b"one", b"two"):
        with middle.connect(timeout=20) as client:
            client.sendall(text)
            client.shutdown(socket.SHUT_WR)
            assert read_to_end(client) == b"heard " + text
    counters = middle.wait_for_counters("relay", accepted=2, active=0)
    assert counters["bytes_in"] == 6 and counters["bytes_out"] == 18


@pytest.mark.parametrize("source, target", [("tcp", "unix"), ("unix", "tcp"), ("unix", "unix")])
def test_from_any_stream_to_any(relay, serve, tmp_path, source, target):
    echo = serve("echo", f"unix:{tmp_path}/echo" if target == "unix" else "tcp://127.0.0.1:0")
    middle = relay(f"unix:{tmp_path}/relay" if source == "unix" else "tcp://127.0.0.1:0", echo.endpoint())
    data = os.urandom(3_000_000)
    with to_unix(f"{tmp_path}/relay") if source == "unix" else middle.connect(timeout=20) as client:
        sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_to_end(client) == data
        sender.join()


def test_the_other_end_may_end_first_and_still_be_sent_to(relay, peer):
    heard = queue.Queue()

    def talk(connection):
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        heard.put(read_to_end(connection))

    middle = relay("tcp://127.0.0.1:0", peer(talk).endpoint)
    with middle.connect(timeout=20) as client:
        assert read_to_end(client) == b"hello"
        client.sendall(b"late")
    middle.wait_for_counters("relay", accepted=1, active=0)
    assert heard.get(timeout=seconds(20)) == b"late"


def test_a_reset_of_either_side_is_a_reset_of_the_other(relay, peer):
    arrived, told = threading.Event(), queue.Queue()

    def talk(connection):
        if connection.recv(100) == b"reset me":
            reset(connection)
            return
        arrived.set()
        try:
            told.put(connection.recv(100))
        except ConnectionResetError:
            told.put("reset")

    middle = relay("tcp://127.0.0.1:0", peer(talk).endpoint)
    with middle.connect(timeout=20) as client:
        client.sendall(b"reset me")
        with pytest.raises(ConnectionResetError):
            client.recv(100)
    client = middle.connect(timeout=20)
    client.sendall(b"I go")
    assert arrived.wait(seconds(20))
    reset(client)
    middle.wait_for_counters("relay", accepted=2, active=0, errors_reset=2)
    assert told.get(timeout=seconds(20)) == "reset"


def test_what_a_server_said_before_it_refused_an_upload_arrives(relay, peer):
    def refuse(connection):
        connection.recv(1)
        connection.sendall(b"too much")  # and closes with something unread, which is a reset

    middle = relay("tcp://127.0.0.1:0", peer(refuse).endpoint)
    with middle.connect(timeout=20) as client:
        with contextlib.suppress(ConnectionError):
            while True:
                client.sendall(b"x" * 65536)
        assert client.recv(100) == b"too much"


def test_a_client_is_reset_when_there_is_nobody_to_reach(relay, refused):
    middle = relay("tcp://127.0.0.1:0", refused)
    for _ in range(3):
        with pytest.raises(ConnectionResetError), middle.connect(timeout=20) as client:
            client.recv(100)
    middle.wait_for_counters("relay", accepted=3, active=0, errors_other=3)
    middle.wait_for_text(rf"^weir: warning: tcp://127\.0\.0\.1:\d+: connect {refused}: connection refused$")
    assert middle.text.count("connection refused") <= 3
    middle.wait_for_text(rf"^weir: relay to {refused}: unreached=3$")
    assert run_weir("ask", middle.endpoint(), "hello").returncode in (1, 4)  # it may hear of it before it knows it stands


def test_verbose_tells_of_each_client(relay, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    middle = relay("tcp://127.0.0.1:0", echo.endpoint(), "--verbose")
    assert run_weir("ask", middle.endpoint(), "hello").stdout == b"hello"
    middle.wait_for_text(r"^weir: tcp://127\.0\.0\.1:\d+: 5 bytes there, 5 bytes back, \d+\.\d{3} s: ended$")


def test_limits_hold_for_both_sides(relay, peer):
    gone = threading.Event()

    def listen(connection):
        with contextlib.suppress(ConnectionResetError):
            connection.recv(100)
        gone.set()

    middle = relay("tcp://127.0.0.1:0", peer(listen).endpoint, "--idle-timeout", "200ms")
    with middle.connect(timeout=20) as client, pytest.raises(ConnectionResetError):
        client.recv(100)
    assert gone.wait(seconds(20))
    middle.wait_for_counters("relay", accepted=1, active=0, errors_idle=1)


def test_who_takes_nothing_is_cut_on_either_side(relay, peer):
    done = threading.Event()
    silent = peer(lambda connection: done.wait(seconds(30)))
    middle = relay("tcp://127.0.0.1:0", silent.endpoint, "--write-timeout", "200ms")
    with middle.connect(timeout=20) as client, pytest.raises(ConnectionError):
        while True:
            client.sendall(b"x" * 65536)
    middle.wait_for_counters("relay", accepted=1, active=0, errors_write_timeout=1)
    done.set()


def test_a_client_that_is_silent_after_its_end_has_its_answer_waited_for_within_the_idle_time(relay, peer):
    done = threading.Event()
    silent = peer(lambda connection: done.wait(seconds(30)))
    middle = relay("tcp://127.0.0.1:0", silent.endpoint, "--idle-timeout", "200ms")
    with middle.connect(timeout=20) as client, pytest.raises(ConnectionResetError):
        client.shutdown(socket.SHUT_WR)
        client.recv(100)
    middle.wait_for_counters("relay", accepted=1, active=0, errors_idle=1)
    done.set()


def test_no_more_clients_than_allowed(relay, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    middle = relay("tcp://127.0.0.1:0", echo.endpoint(), "--max-connections", "2", "--deny", "127.0.0.9")
    with contextlib.ExitStack() as stack:
        for _ in range(2):
            one = stack.enter_context(middle.connect(timeout=20))
            one.sendall(b"hi")
            assert one.recv(10) == b"hi"
        three = stack.enter_context(middle.connect(timeout=20))
        three.sendall(b"wait")
        middle.wait_for_counters("relay", active=2, refused_limit=1)
        one.close()
        assert three.recv(10) == b"wait"
    with socket.socket() as denied:
        denied.settimeout(seconds(20))
        denied.bind(("127.0.0.9", 0))
        denied.connect(middle.address())
        with contextlib.suppress(ConnectionResetError):
            assert denied.recv(10) == b""
    middle.wait_for_counters("relay", refused_rule=1)


def wait_until_refused(server):
    """One that comes at the very moment of closing may meet a reset instead: the next will tell."""
    with pytest.raises(ConnectionRefusedError):
        while True:
            with contextlib.suppress(ConnectionResetError):
                server.connect(timeout=20).close()


def test_clients_may_finish_when_it_is_told_to_stop(relay, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    middle = relay("tcp://127.0.0.1:0", echo.endpoint())
    with middle.connect(timeout=20) as client:
        client.sendall(b"before")
        assert client.recv(10) == b"before"
        middle.signal(signal.SIGTERM)
        wait_until_refused(middle)
        client.sendall(b"after")
        assert client.recv(10) == b"after"
    assert middle.wait() == 0


def test_several_processes_count_together(relay, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    middle = relay("tcp://127.0.0.1:0", echo.endpoint(), "--processes", "2")
    for _ in range(6):
        assert run_weir("ask", middle.endpoint(), "hello").stdout == b"hello"
    middle.wait_for_counters("relay", accepted=6, active=0, bytes_in=30, bytes_out=30)
    middle.wait_for_text(rf"^weir: relay to {echo.endpoint()}: nothing yet$")


@pytest.mark.parametrize("arguments, complaint", [
    ([], b"FROM and TO are needed"),
    (["tcp://:1"], b"FROM and TO are needed"),
    (["tcp://:0", "tcp://:1", "tcp://:2"], b"relay tcp://:2: two endpoints are all it takes"),
    (["tcp://:0", "tcp://:99999"], b"port 99999 is above 65535"),
    (["tcp://:0", "udp://:1"], b"a stream cannot go to datagrams"),
    (["udp://:0", "tcp://:1"], b"datagrams cannot go to a stream"),
    (["tcp://:8000", "localhost:8000"], b"this is where it listens itself"),
    (["tcp://*:8000", ":8000"], b"this is where it listens itself"),
    (["unix:/tmp/a", "unix:/tmp/a"], b"this is where it listens itself"),
    (["tcp://:0", "tcp://*:1"], b"a host and a port to connect to"),
    (["tcp://:0", "tcp://localhost:0"], b"a host and a port to connect to"),
    (["-46", "tcp://:0", "tcp://:1"], b"-4 and -6 exclude each other"),
    (["-4", "tcp://:0", "unix:/tmp/a"], b"-4, -6 and -s are for IP addresses"),
    (["udp://:0", "udp://:1", "--model", "iterative"], b"one client after the other is for streams"),
])
def test_what_makes_no_sense_is_said(arguments, complaint):
    result = run_weir("relay", *arguments)
    assert result.returncode == 2
    assert complaint in result.stderr and result.stderr.count(b"\n") == 1


def test_an_address_that_is_taken_is_said(serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = run_weir("relay", echo.endpoint(), "tcp://127.0.0.1:1")
    assert result.returncode == 1 and b"in use" in result.stderr

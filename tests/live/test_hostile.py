"""Clients that do what they should not, or nothing at all: each is its own affair, and nobody else's."""
import socket
import threading
import time

import pytest

from conftest import BACKENDS, seconds
from talk import fill, is_cut, is_echoed, pattern, read_exactly, reset

MODES = [(backend, model) for backend in BACKENDS for model in ("fiber", "thread")]


@pytest.fixture(params=MODES, ids="-".join)
def start(request, serve):
    """Starts an echo server in every mode in which clients are served at once: start("--idle-timeout", "1s")"""
    backend, model = request.param

    def begin(*options, endpoint="tcp://127.0.0.1:0"):
        return serve("echo", endpoint, "--backend", backend, "--model", model, *options)

    return begin


class Others:
    """Clients that talk to the server all the while, and whom nothing may disturb."""

    def __init__(self, server, count=3):
        self.stop = threading.Event()
        self.failures = []
        self.rounds = 0
        self.threads = [threading.Thread(target=self._talk, args=(server,)) for _ in range(count)]

    def _talk(self, server):
        try:
            with server.connect() as client:
                while not self.stop.is_set():
                    data = pattern(1000, self.rounds)
                    client.sendall(data)
                    assert read_exactly(client, len(data)) == data
                    self.rounds += 1
                    time.sleep(0.002)
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        assert not self.failures
        assert self.rounds


# --- clients that do not read ---

def test_one_that_never_reads_and_then_does(start):
    """A zero window: the server holds what it has, reads no more, and delivers all of it in the end."""
    server = start()
    with Others(server), server.connect() as client:
        sent = fill(client)
        assert sent > 100_000
        client.settimeout(seconds(20))
        assert read_exactly(client, sent) == bytes(sent)
        assert is_echoed(client, pattern(200_000))


def test_those_that_never_read_do_not_fill_the_memory(start):
    server = start()
    with server.connect() as client:
        assert is_echoed(client, b"warm")
    before = resident(server)
    clients = [server.connect() for _ in range(20)]
    for client in clients:
        client.setblocking(False)
    for _ in range(5):
        for client in clients:
            while True:
                try:
                    client.send(bytes(65536))
                except BlockingIOError:
                    break
        time.sleep(0.05)
    grown = resident(server) - before
    for client in clients:
        client.close()
    assert grown < 20 * 65536 + 8_000_000, f"{grown} bytes more"


def resident(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096


def test_one_that_never_reads_meets_the_write_timeout(start):
    server = start("--write-timeout", "300ms")
    with Others(server), server.connect() as client:
        fill(client)
        server.wait_for_counters(errors_write_timeout=1)
        assert is_cut(client)


def test_a_slow_reader_is_no_idle_one(serve, backend):
    """Each bit of progress counts: only who takes nothing at all is cut."""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--write-timeout", "1s")
    data = pattern(6_000_000)
    with server.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        answer = bytearray()
        began = time.monotonic()
        while time.monotonic() - began < 1.5:
            answer += read_exactly(client, 100_000)
            time.sleep(0.05)
        answer += read_exactly(client, len(data) - len(answer))
        sender.join()
        assert answer == data
    assert server.wait_for_counters(active=0)["errors_write_timeout"] == 0


def test_unix_one_that_never_reads(start, tmp_path):
    server = start("--write-timeout", "300ms", endpoint=f"unix:{tmp_path}/s")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/s")
        fill(client)
        server.wait_for_counters(errors_write_timeout=1)
        assert is_cut(client)


# --- resets, at every stage ---

def test_reset_before_it_is_accepted(serve, backend):
    """In the queue of a server that is busy with another."""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", "iterative")
    with server.connect() as first:
        assert is_echoed(first, b"first")
        for _ in range(20):
            waiting = server.connect()
            waiting.send(b"not for long")
            reset(waiting)
        assert is_echoed(first, b"first again")
    with server.connect() as last:
        assert is_echoed(last, b"last")


def test_reset_after_it_was_accepted(start):
    server = start()
    with Others(server):
        for number in range(30):
            client = server.connect()
            if number % 2:
                client.send(b"x")
            reset(client)
    assert server.wait_for_counters(active=0)["accepted"] == 33


def test_reset_while_it_waits_to_read(start):
    server = start()
    with Others(server):
        for _ in range(10):
            client = server.connect()
            assert is_echoed(client, b"hello")
            reset(client)
    assert server.wait_for_counters(active=0)["errors_reset"] == 10


def test_reset_in_the_middle_of_sending(start):
    """With the server's answers unread, and the server stuck in its send."""
    server = start()
    with Others(server):
        for _ in range(2):
            client = server.connect()
            fill(client)
            reset(client)
    assert server.wait_for_counters(active=0)["errors_reset"] == 2


def test_close_in_the_middle_of_sending(start):
    """Without SO_LINGER: answers unread make a reset of it as well."""
    server = start()
    with Others(server):
        client = server.connect()
        fill(client)
        client.close()
        server.wait_for_counters(errors_reset=1)


def test_half_close_in_the_middle_of_sending(start):
    """The client ends its side while the server is stuck in its send: all of it still comes, then the end."""
    server = start()
    with server.connect() as client:
        sent = fill(client)
        client.settimeout(seconds(20))
        client.shutdown(socket.SHUT_WR)
        assert read_exactly(client, sent + 1) == bytes(sent)


def test_resets_from_everywhere_at_once(start):
    server = start()

    def harass():
        for number in range(60):
            client = server.connect()
            if number % 3:
                client.send(pattern(1000 * (number % 5) + 1))
            if number % 3 == 2:
                client.recv(100)
            reset(client)

    with Others(server):
        threads = [threading.Thread(target=harass) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    server.wait_for_counters(active=0)


# --- time limits ---

def test_who_says_nothing_is_closed(start):
    server = start("--idle-timeout", "300ms")
    with server.connect() as silent:
        assert silent.recv(1) == b""
    assert server.wait_for_counters(active=0)["errors_idle"] == 1


def test_who_says_little_is_not(serve, backend):
    """Longer than the limit in all, never that long without a word."""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--idle-timeout", "1500ms")
    with server.connect() as client:
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            assert is_echoed(client, b"still here")
            time.sleep(0.1)
    assert server.wait_for_counters(active=0)["errors_idle"] == 0


def test_a_lifetime_ends_for_the_busy_too(start):
    server = start("--lifetime", "300ms")
    with server.connect() as client:
        client.settimeout(seconds(10))
        with pytest.raises(ConnectionError):
            while True:
                client.sendall(b"busy")
                if not client.recv(100):
                    raise ConnectionResetError
    assert server.wait_for_counters(active=0)["errors_lifetime"] == 1


def test_limits_can_be_switched_off(start):
    server = start("--idle-timeout", "never", "--write-timeout", "0", "--lifetime", "0")
    with server.connect() as client:
        time.sleep(0.3)
        assert is_echoed(client, b"hello")


def test_iterative_the_silent_do_not_hold_up_the_queue(serve, backend):
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", "iterative", "--idle-timeout",
                   "300ms")
    with server.connect() as silent, server.connect() as waiting:
        assert is_echoed(waiting, b"at last")
        assert is_cut(silent)


# --- too many ---

def test_beyond_the_limit_they_wait(start):
    """Accepting pauses, those in the queue are served as others leave, and one line says so."""
    server = start("--max-connections", 5)
    clients = [server.connect() for _ in range(5)]
    for client in clients:
        assert is_echoed(client, b"in")
    clients += [server.connect() for _ in range(3)]
    clients[5].sendall(b"out")
    clients[5].settimeout(0.3)
    with pytest.raises(TimeoutError):
        clients[5].recv(10)
    for client in clients[:3]:
        client.close()
    clients[5].settimeout(seconds(10))
    assert read_exactly(clients[5], 3) == b"out"
    for client in clients[6:]:
        assert is_echoed(client, b"in as well")
    for client in clients[3:]:
        client.close()
    assert server.wait_for_counters(active=0)["accepted"] == 8
    assert server.text.count("the most there may be") == 1

"""weir relay of datagrams: a session for each client, its end, its bounds."""
import contextlib
import os
import re
import signal
import socket
import threading

import pytest

from conftest import BACKENDS, MODELS, Server, end_all, run_weir, seconds


@pytest.fixture
def relay():
    """Starts relays of datagrams. Stopped and checked after the test: a session is no client that must finish."""
    relays = []

    def start(*arguments):
        relays.append(Server("relay", *arguments, "--drain-timeout", "100ms"))
        return relays[-1]

    yield start
    end_all(relays)


class Other:
    """The other end: a socket that answers each datagram as it is told, and remembers whom it heard."""

    def __init__(self, answers, family=socket.AF_INET, address=("127.0.0.1", 0)):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.name = self.socket.getsockname()
        self.endpoint = f"udp://127.0.0.1:{self.name[1]}" if address[0] != "/" else f"unix:{self.name}?type=datagram"
        self.heard = []
        self.thread = threading.Thread(target=self._answer, args=(answers,), daemon=True)
        self.thread.start()

    def _answer(self, answers):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self.socket.recvfrom(65536)
                if data == b"" and peer == self.socket.getsockname():
                    return
                self.heard.append((data, peer))
                for answer in answers(data):
                    self.socket.sendto(answer, peer)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(seconds(5))
        self.socket.close()


@pytest.fixture
def other():
    """Starts other ends: other(lambda data: [data])"""
    others = []

    def start(answers=lambda data: [data], **options):
        others.append(Other(answers, **options))
        return others[-1]

    yield start
    for each in others:
        each.close()


@contextlib.contextmanager
def client_of(endpoint, source=None):
    family = socket.AF_UNIX if endpoint.startswith("unix:") else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(20))
        if source is not None:
            client.bind(source)
        if family == socket.AF_UNIX:
            client.connect(endpoint.removeprefix("unix:").partition("?")[0])
        else:
            client.connect(("127.0.0.1", int(endpoint.rpartition(":")[2])))
        yield client


def ask(client, question):
    """The answer to a question that is asked again until it comes, as a datagram may be lost."""
    client.settimeout(seconds(1))
    for _ in range(20):
        client.send(question)
        with contextlib.suppress(TimeoutError):
            while client.recv(65536) != question:
                pass  # a late answer to an earlier question
            return question
    raise AssertionError("no answer")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("model", [model for model in MODELS if model != "iterative"])
def test_each_client_has_a_socket_of_its_own(relay, other, backend, model):
    end = other()
    middle = relay("udp://127.0.0.1:0", end.endpoint, "--backend", backend, "--model", model)
    with client_of(middle.endpoint()) as one, client_of(middle.endpoint()) as two:
        for question in (b"1", b"x" * 60000):
            assert ask(one, question) == question
            assert ask(two, question + b"!") == question + b"!"
    peers = {data[-1:] == b"!": set() for data, _ in end.heard}
    for data, peer in end.heard:
        peers[data[-1:] == b"!"].add(peer)
    assert len(peers[True]) == len(peers[False]) == 1 and peers[True] != peers[False]


def test_several_answers_late_ones_too(relay, other):
    end = other(lambda data: [data + b"1", data + b"2", data + b"3"])
    middle = relay("udp://127.0.0.1:0", end.endpoint)
    with client_of(middle.endpoint()) as client:
        client.send(b"a")
        assert [client.recv(10) for _ in range(3)] == [b"a1", b"a2", b"a3"]
        end.socket.sendto(b"late", end.heard[0][1])
        assert client.recv(10) == b"late"


def test_what_comes_while_the_session_is_connected_waits(relay, other):
    end = other()
    port = end.name[1]
    middle = relay("udp://127.0.0.1:0", f"udp://localhost:{port}", "-4")  # a name: it is looked up first
    with client_of(middle.endpoint()) as client:
        for number in range(20):
            client.send(b"%d" % number)
        assert [int(client.recv(10)) for _ in range(20)] == list(range(20))
    assert len({peer for _, peer in end.heard}) == 1


def test_a_silent_session_ends_and_a_new_one_begins(relay, other):
    end = other()
    middle = relay("udp://127.0.0.1:0", end.endpoint, "--session-timeout", "200ms", "--verbose")
    with client_of(middle.endpoint()) as client:
        assert ask(client, b"one") == b"one"
        middle.wait_for_text(r"^weir: 127\.0\.0\.1:\d+: its session has ended$")
        assert ask(client, b"two") == b"two"
    assert len({peer for _, peer in end.heard}) == 2
    assert len(re.findall("a session begins", middle.text)) == 2


@pytest.mark.parametrize("model, processes", [("fiber", "2"), ("thread", "1")])
def test_at_its_end_it_does_not_wait_until_silent_sessions_are_over(other, model, processes):
    end = other()
    middle = Server("relay", "udp://127.0.0.1:0", end.endpoint, "--model", model, "--processes", processes,
                    "--session-timeout", "1h", "--drain-timeout", "1h")
    try:
        with contextlib.ExitStack() as stack:
            for number in range(10):
                client = stack.enter_context(client_of(middle.endpoint()))
                assert ask(client, b"%d" % number) == b"%d" % number
            middle.stop()
    finally:
        middle.kill()


def test_no_more_sessions_than_allowed(relay, other):
    end = other()
    middle = relay("udp://127.0.0.1:0", end.endpoint, "--max-sessions", "2")
    with contextlib.ExitStack() as stack:
        for number in range(2):
            client = stack.enter_context(client_of(middle.endpoint()))
            assert ask(client, b"%d" % number) == b"%d" % number
        third = stack.enter_context(client_of(middle.endpoint()))
        third.send(b"refused")
        middle.wait_for_text(r"^weir: warning: udp://\S+: session 127\.0\.0\.1:\d+: there are as many sessions, in all")
        assert ask(client, b"still") == b"still"
        middle.signal(signal.SIGUSR1)
        middle.wait_for_text(rf"^weir: relay to {end.endpoint}: sessions=2 sessions_open=2 sessions_refused=1$")
    assert b"refused" not in [data for data, _ in end.heard]


def test_an_other_end_that_comes_later_is_reached(relay, other):
    holder = socket.socket(type=socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", 0))
    port = holder.getsockname()[1]
    holder.close()
    middle = relay("udp://127.0.0.1:0", f"udp://127.0.0.1:{port}")
    with client_of(middle.endpoint()) as client:
        client.send(b"lost")
        middle.wait_for_text(rf"^weir: warning: udp://127\.0\.0\.1:{port}: .*connection refused")
        other(address=("127.0.0.1", port))
        assert ask(client, b"found") == b"found"


@pytest.mark.parametrize("source, target", [("unix", "udp"), ("udp", "unix"), ("unix", "unix")])
def test_from_any_datagrams_to_any(relay, other, tmp_path, source, target):
    end = other(**({"family": socket.AF_UNIX, "address": f"{tmp_path}/other"} if target == "unix" else {}))
    middle = relay(f"unix:{tmp_path}/relay?type=datagram" if source == "unix" else "udp://127.0.0.1:0", end.endpoint)
    with client_of(middle.endpoint(), f"{tmp_path}/client" if source == "unix" else None) as client:
        for number in range(5):
            assert ask(client, b"%d" % number) == b"%d" % number


def test_unix_datagrams_wait_for_a_slow_other_end(relay, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as slow:
        slow.settimeout(seconds(20))
        slow.bind(f"{tmp_path}/slow")
        middle = relay(f"unix:{tmp_path}/relay?type=datagram", f"unix:{tmp_path}/slow?type=datagram")
        with client_of(middle.endpoint(), f"{tmp_path}/client") as client:
            for number in range(1000):  # more than the queues of both sockets hold
                client.send(b"%d" % number)
            assert [int(slow.recv(10)) for _ in range(1000)] == list(range(1000))


def test_an_other_end_that_was_started_anew_is_found(relay, other, tmp_path):
    first = other(family=socket.AF_UNIX, address=f"{tmp_path}/other")
    middle = relay(f"unix:{tmp_path}/relay?type=datagram", first.endpoint)
    with client_of(middle.endpoint(), f"{tmp_path}/client") as client:
        assert ask(client, b"one") == b"one"
        first.close()
        os.unlink(first.name)
        other(family=socket.AF_UNIX, address=f"{tmp_path}/other")
        assert ask(client, b"two") == b"two"


def test_a_sender_without_a_name_is_passed_on(relay, other, tmp_path):
    end = other(lambda data: [])
    middle = relay(f"unix:{tmp_path}/relay?type=datagram", end.endpoint)
    with client_of(middle.endpoint()) as client:
        client.send(b"one way")
        middle.wait_for_counters("relay", datagrams_in=1)
    with client_of(end.endpoint) as waker:  # what was sent before has been heard once this has
        waker.send(b"end")
        while end.heard[-1:] != [(b"end", waker.getsockname())]:
            end.thread.join(0.01)
    assert b"one way" in [data for data, _ in end.heard]


def test_weir_asks_through_it(relay, serve):
    echo = serve("echo", "udp://127.0.0.1:0")
    middle = relay("udp://127.0.0.1:0", echo.endpoint())
    assert run_weir("ask", middle.endpoint(), "hello").stdout == b"hello"
    middle.wait_for_counters("relay", datagrams_in=1, datagrams_out=1)

"""io_uring and epoll: the same to whoever talks to them, chosen by themselves, and epoll where io_uring is refused."""
import re
import socket
import subprocess

import pytest

from conftest import BACKENDS, MODELS, WEIR, environment, seconds
from talk import LAUNCH, is_echoed, pattern, read_exactly, read_to_end, reset

IO_URING_SETUP = 425  # on every architecture
DENIED = [*LAUNCH, "--deny", str(IO_URING_SETUP), "--"]


# --- the same conversation ---

def converse(server, transcript):
    """A scripted conversation; all that came back goes into the transcript, with how each connection ended."""
    def note(what, data=b""):
        transcript.append((what, data))

    with server.connect() as client:
        for size in (1, 100, 70_000):
            client.sendall(pattern(size))
            note("echo", read_exactly(client, size))
        client.shutdown(socket.SHUT_WR)
        note("end", read_to_end(client))
    with server.connect() as client:
        client.shutdown(socket.SHUT_WR)
        note("silent end", read_to_end(client))
    with server.connect() as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        note("last words", read_to_end(client))
    client = server.connect()
    client.sendall(b"x")
    note("before a reset", client.recv(100))
    reset(client)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(10))
        for size in (0, 1, 1000, 65507):
            client.sendto(pattern(size), server.address("udp"))
            note("datagram", client.recv(65536))
    with server.connect() as client:
        client.settimeout(seconds(10))
        note("idle", client.recv(10))
    counters = server.wait_for_counters(active=0, accepted=5, datagrams_out=4)
    note("counters", dict(counters))
    server.stop()
    lines = [line for line in server.text.splitlines() if "accepted=" not in line]
    note("said", re.sub(r":\d+", ":PORT", "\n".join(lines)))


def test_identical_transcripts(serve):
    transcripts = {}
    for backend in BACKENDS:
        for model in MODELS:
            server = serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--backend", backend, "--model", model,
                           "--idle-timeout", "500ms")
            transcripts[backend, model] = []
            converse(server, transcripts[backend, model])
    first = transcripts["uring", "fiber"]
    assert first[0] == ("echo", pattern(1))
    for mode, transcript in transcripts.items():
        assert transcript == first, mode


def test_identical_complaints(weir):
    """Errors say the same whatever the backend; so do clients."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        refused = f"tcp://127.0.0.1:{holder.getsockname()[1]}"
        results = set()
        for backend in BACKENDS:
            result = weir("ask", refused, "hello", env={"WEIR_BACKEND": backend})
            results.add((result.returncode, result.stdout, result.stderr))
        assert len(results) == 1


# --- which one it is ---

def runs_on_uring(server):
    return any("io_uring" in name for name in server.descriptors())


@pytest.mark.parametrize("wanted", ["uring", "epoll"])
@pytest.mark.parametrize("how", ["option", "environment"])
def test_the_one_that_was_asked_for(serve, wanted, how):
    if how == "option":
        server = serve("echo", "tcp://127.0.0.1:0", "--backend", wanted)
    else:
        server = serve("echo", "tcp://127.0.0.1:0", env={"WEIR_BACKEND": wanted})
    assert runs_on_uring(server) == (wanted == "uring")
    with server.connect() as client:
        assert is_echoed(client, b"hello")


def test_uring_by_itself(serve):
    assert runs_on_uring(serve("echo", "tcp://127.0.0.1:0", env={"WEIR_BACKEND": ""}))


def test_a_backend_that_there_is_not(weir):
    assert weir("serve", "echo", "--backend", "kqueue").returncode == 2
    result = weir("serve", "echo", "tcp://127.0.0.1:0", env={"WEIR_BACKEND": "kqueue"})
    assert result.returncode != 0
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("options", [("--workers", 1), ("--workers", 4), ("--processes", 2)],
                         ids=["one", "workers", "processes"])
def test_where_io_uring_is_refused(serve, options):
    """epoll, and exactly one line that says so, however many loops there are."""
    server = serve("echo", "tcp://127.0.0.1:0", *options, wrapper=DENIED, env={"WEIR_BACKEND": ""})
    assert not runs_on_uring(server)
    for number in range(20):
        with server.connect() as client:
            assert is_echoed(client, b"%d" % number)
    server.stop()
    assert sum("io_uring" in line for line in server.text.splitlines()) == 1, server.text
    assert "using epoll" in server.text


def test_where_it_is_refused_and_was_asked_for():
    """Then it fails, rather than be something else."""
    result = subprocess.run([*DENIED, WEIR, "serve", "echo", "tcp://127.0.0.1:0", "--backend", "uring"],
                            stderr=subprocess.PIPE, env=environment(), timeout=seconds(10))
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert b"uring" in result.stderr


def test_ask_where_it_is_refused(serve):
    server = serve("echo", "tcp://127.0.0.1:0")
    result = subprocess.run([*DENIED, WEIR, "ask", server.endpoint(), "hello"], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(), timeout=seconds(10))
    assert (result.returncode, result.stdout) == (0, b"hello")
    assert len(result.stderr.splitlines()) <= 1

"""weir bench: what it counts is what happened, whatever the server does."""
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import WEIR, environment, seconds

TABLE = ["messages", "each way", "least", "mean", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "most", "errors"]


@pytest.fixture
def echo(serve):
    return serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", f"unix:@weir-bench-{os.getpid()}", "--workers", "1")


def bench(weir, endpoint, *arguments, duration="300ms", **options):
    """Runs it, and returns the result of --json with its exit status as `status` and stderr as `said`."""
    result = weir("bench", endpoint, "--json", "--duration", duration, *arguments, timeout=60, **options)
    figures = json.loads(result.stdout) if result.stdout else {}
    return figures | {"status": result.returncode, "said": result.stderr.decode()}


def echoing(change=lambda data: data):
    """A server that sends back what comes, changed."""
    def talk(connection):
        while data := connection.recv(65536):
            connection.sendall(change(data))
    return talk


# --- it works ---

@pytest.mark.parametrize("scheme", ["tcp", "udp", "unix"])
@pytest.mark.parametrize("arguments", [
    [],
    ["--connections", "1"],
    ["--size", "8", "--depth", "16"],
    ["--size", "8k", "--depth", "2", "--connections", "10"],
    ["--rate", "2000"],
    ["--rate", "10", "--connections", "20"],
    ["--workers", "2", "--connections", "3"],
], ids=" ".join)
def test_every_message_comes_back(weir, echo, backend, scheme, arguments):
    arguments = [*arguments, "--backend", backend]
    if scheme == "udp":
        arguments += ["--timeout", "5s"]
        if "--depth" in arguments:  # no more than the server's socket holds at once
            arguments += ["--connections", "4"]
    result = bench(weir, echo.endpoint(scheme), *arguments)
    assert result["status"] == 0, result
    assert result["said"] == ""
    assert result["messages"] > 0 and result["errors"] == 0 and result["late"] == 0
    assert result["backend"] == backend
    latency = result["latency_ns"]
    order = [latency[k] for k in ("least", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "most")]
    assert order == sorted(order) and order[0] > 0


@pytest.mark.parametrize("arguments", [["--churn"], ["--churn", "--rate", "500"], ["--idle"]], ids=" ".join)
def test_churn_and_idle(weir, echo, backend, arguments):
    result = bench(weir, echo.endpoint("tcp"), *arguments, "--connections", "20", "--backend", backend)
    assert result["status"] == 0, result
    assert result["messages"] >= 40 if "--idle" in arguments else result["messages"] > 20


def test_messages_larger_than_every_buffer(weir, echo, backend):
    result = bench(weir, echo.endpoint("tcp"), "--size", "8M", "--depth", "2", "--connections", "2", "--backend", backend)
    assert result["status"] == 0, result
    assert result["messages"] >= 4


def test_a_rate_is_kept(weir, echo):
    """Each message is sent at its time: in the measured time as many as the rate says, no more and no less."""
    result = bench(weir, echo.endpoint("tcp"), "--rate", "1000", duration="1s")
    assert result["messages"] + result["behind"] == 1000
    assert result["status"] == 0


def test_unix_datagrams(weir, serve, tmp_path):
    path = tmp_path / "s"
    serve("echo", f"unix:{path}?type=datagram", "--workers", "1")
    assert bench(weir, f"unix:{path}?type=datagram", "--connections", "4", "--timeout", "5s")["status"] == 0


def test_thousands_of_connections(weir, echo):
    result = bench(weir, echo.endpoint("tcp"), "--connections", "3000", "--idle", duration="100ms")
    assert result["status"] == 0, result
    assert result["messages"] == 6000


def test_connections_come_from_several_addresses(weir, peer):
    """One address has too few ports for a churn, or for very many connections."""
    seen = set()

    def talk(connection):
        seen.add(connection.getpeername()[0])
        echoing()(connection)

    assert bench(weir, peer(talk).endpoint, "--churn")["status"] == 0
    assert len(seen) > 2


def test_a_name_is_resolved_once(weir, echo):
    port = echo.address("tcp")[1]
    assert bench(weir, f"localhost:{port}", "--connections", "2")["endpoint"] == f"tcp://127.0.0.1:{port}"


# --- what it shows ---

def test_the_table(weir, echo):
    result = weir("bench", echo.endpoint("tcp"), "--duration", "200ms")
    assert (result.returncode, result.stderr) == (0, b"")
    text = result.stdout.decode()
    for name in TABLE:
        assert re.search(rf"^ +{re.escape(name)} +\S", text, re.MULTILINE), name
    assert text.startswith(f"{echo.endpoint('tcp')}: 64 connections, messages of 64 B, depth 1, 0.2 s, ")


def test_a_live_line_on_a_terminal(echo):
    primary, secondary = pty.openpty()
    process = subprocess.Popen([WEIR, "bench", echo.endpoint("tcp"), "--duration", "1500ms"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=secondary, env=environment(),
                               start_new_session=True)
    os.close(secondary)
    shown = b""
    try:
        while chunk := os.read(primary, 65536):
            shown += chunk
    except OSError:
        pass
    os.close(primary)
    result = process.stdout.read()
    assert process.wait(seconds(10)) == 0
    process.stdout.close()
    assert b"messages/s" in shown and shown.endswith(b"\r\033[K")
    assert b"\033" not in result and b"latency" in result


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("arguments", [[], ["--rate", "3"], ["--churn", "--rate", "3"], ["--idle"]], ids=" ".join)
def test_a_signal_ends_it_with_the_result_so_far(echo, number, arguments):
    process = subprocess.Popen([WEIR, "bench", echo.endpoint("tcp"), "--json", "--duration", "1h", *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(), start_new_session=True)
    time.sleep(1)
    process.send_signal(number)
    out, err = process.communicate(timeout=seconds(10))
    assert (process.returncode, err) == (0, b"")
    result = json.loads(out)
    assert result["messages"] > 0 and 0 < result["seconds"] < 60


# --- what goes wrong is counted and told ---

def test_nobody_there_is_1(weir, refused):
    result = weir("bench", refused)
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode() == f"weir: connect {refused}: connection refused\n"


@pytest.mark.parametrize("change", [
    lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    lambda data: b"echo -> " + data,
    lambda data: data + data,
    lambda data: data[1:] + data[:1],
], ids=["a bit", "a prefix", "twice", "turned"])
@pytest.mark.parametrize("arguments", [[], ["--churn"], ["--rate", "100"]], ids=" ".join)
def test_wrong_bytes_are_found(weir, peer, change, arguments):
    result = bench(weir, peer(echoing(change)).endpoint, "--connections", "4", "--timeout", "1s", *arguments)
    assert result["status"] == 1
    assert result["wrong_bytes"] >= 4
    assert re.search(r"^weir: check tcp://\S+: (what came back|more came back)", result["said"])
    assert result["said"].count("check") == 1


def test_bytes_of_another_connection_are_wrong(weir, peer):
    """Two connections whose answers are exchanged: each is right in itself."""
    clients = []
    both = threading.Event()

    def talk(connection):
        data = connection.recv(65536)
        if not data:  # it only looked whether somebody is there
            return
        clients.append(connection)
        if len(clients) == 2:
            both.set()
        both.wait(seconds(5))
        other = clients[1] if connection is clients[0] else clients[0]
        while data:
            other.sendall(data)
            data = connection.recv(65536)

    result = bench(weir, peer(talk).endpoint, "--connections", "2", "--timeout", "1s")
    assert result["status"] == 1 and result["wrong_bytes"] >= 1


def test_a_cut_connection_is_counted(weir, peer):
    def talk(connection):
        for _ in range(10):
            connection.sendall(connection.recv(65536))

    result = bench(weir, peer(talk).endpoint, "--connections", "3")
    assert (result["status"], result["cut"], result["errors"]) == (1, 3, 3)
    assert result["messages"] == 30
    assert len(result["said"].splitlines()) == 1


def test_a_reset_is_counted(weir, peer):
    def talk(connection):
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    result = bench(weir, peer(talk).endpoint, "--connections", "3")
    assert (result["status"], result["cut"]) == (1, 3)
    assert "reset" in result["said"]


def test_silence_is_counted(weir, peer):
    result = bench(weir, peer(lambda connection: time.sleep(3)).endpoint, "--connections", "3", "--timeout", "300ms")
    assert (result["status"], result["timed_out"], result["messages"]) == (1, 3, 0)


def test_lost_datagrams_are_counted(weir):
    """A server that answers every other datagram, and each answer twice."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(seconds(10))
    stop = threading.Event()

    def talk():
        count = 0
        while not stop.is_set():
            try:
                data, sender = server.recvfrom(65536)
            except OSError:
                return
            count += 1
            for _ in range(2 if count % 2 else 0):
                server.sendto(data, sender)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        result = bench(weir, f"udp://127.0.0.1:{server.getsockname()[1]}", "--connections", "1", "--timeout", "50ms")
    finally:
        stop.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()
        server.close()
    assert result["status"] == 1
    assert result["lost"] > 0 and result["late"] > 0 and result["messages"] > 0 and result["wrong_bytes"] == 0
    assert len(result["said"].splitlines()) == 1


def test_udp_refused_is_counted(weir):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    result = bench(weir, f"udp://127.0.0.1:{port}", "--connections", "1")
    assert result["status"] == 1 and result["messages"] == 0 and result["errors"] == 1
    assert "refused" in result["said"]


def test_a_stall_is_charged_to_every_message_it_held_up(weir, peer):
    """With --rate, latency is counted from when a message was due: no coordinated omission."""
    stalled = threading.Event()

    def talk(connection):
        count = 0
        while data := connection.recv(64):
            count += 1
            if count == 20 and not stalled.is_set():
                stalled.set()
                time.sleep(0.5)
            connection.sendall(data)

    result = bench(weir, peer(talk).endpoint, "--connections", "1", "--rate", "200", duration="1s")
    assert result["status"] == 0, result
    assert result["messages"] + result["behind"] == 200
    # Of 200 messages the stall of 0.5 s held up 100, half of them by more than 250 ms.
    assert result["latency_ns"]["p90"] > 200_000_000
    assert result["latency_ns"]["p75"] > 50_000_000


@pytest.mark.parametrize("arguments, said", [
    ([], "no endpoint"),
    (["127.0.0.1:1", "127.0.0.1:2"], "one endpoint"),
    (["127.0.0.1:1", "--size", "0"], "at least one byte"),
    (["127.0.0.1:1", "--size", "2G"], "1 GiB"),
    (["127.0.0.1:1", "--connections", "0"], "connections"),
    (["127.0.0.1:1", "--idle", "--churn"], "exclude"),
    (["127.0.0.1:1", "--idle", "--rate", "5"], "exclude"),
    (["127.0.0.1:1", "--churn", "--depth", "5"], "depth"),
    (["127.0.0.1:1", "--workers", "65"], "workers"),
    (["udp://127.0.0.1:1", "--churn"], "streams"),
    (["udp://127.0.0.1:1", "--size", "7"], "8 bytes"),
    (["udp://127.0.0.1:1", "--size", "65508"], "65,507"),
])
def test_wrong_usage_is_2(weir, arguments, said):
    result = weir("bench", *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert said in result.stderr.decode() and result.stderr.count(b"\n") == 1


def test_more_connections_than_descriptors_is_1(weir, echo):
    result = weir("bench", echo.endpoint("tcp"), "--connections", "10000000")
    assert (result.returncode, result.stdout) == (1, b"")
    assert "descriptors" in result.stderr.decode()


def test_leaves_nothing_at_the_server(weir, echo):
    def sockets():
        return sum(name.startswith("socket:") for name in echo.descriptors())

    before = sockets()
    for arguments in ([], ["--churn"], ["--idle"]):
        assert bench(weir, echo.endpoint("tcp"), *arguments)["status"] == 0
    end = time.monotonic() + seconds(10)
    while sockets() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert sockets() <= before

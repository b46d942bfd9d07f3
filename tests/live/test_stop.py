"""Stopping: transfers that are under way are completed, the exit status is 0, a second signal ends at once; starting again."""
import hashlib
import signal
import socket
import threading
import time

import pytest

from conftest import BACKENDS, Server, group_members, seconds
from talk import eventually, is_cut, is_echoed, pattern, read_exactly, read_to_end

MODES = [(backend, model) for backend in BACKENDS for model in ("fiber", "thread")]


@pytest.fixture(params=MODES, ids="-".join)
def start(request, serve):
    backend, model = request.param

    def begin(*options, endpoint="tcp://127.0.0.1:0"):
        return serve("echo", endpoint, "--backend", backend, "--model", model, *options)

    return begin


def refuses(server):
    """Whether new clients are refused. One that comes at the very moment of closing may meet a reset instead."""
    try:
        server.connect().close()
    except ConnectionResetError:
        pass
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_without_clients(start, number):
    server = start()
    server.signal(number)
    assert server.wait() == 0
    server.stop()


@pytest.mark.parametrize("options", [(), ("--workers", 2), ("--processes", 2)], ids=["one", "workers", "processes"])
def test_under_load_every_transfer_is_completed(start, options):
    """Clients in the middle of their transfers when it is told to stop: each gets all of it."""
    server = start(*options)
    size, moved, answers = 1_500_000, threading.Semaphore(0), {}

    def transfer(number):
        data = pattern(size, number)

        def send():
            for at in range(0, size, 50_000):
                client.sendall(data[at:at + 50_000])
                time.sleep(0.01)  # under way for a while
            client.shutdown(socket.SHUT_WR)

        with server.connect() as client:
            sender = threading.Thread(target=send)
            sender.start()
            answer = read_exactly(client, 100_000)
            moved.release()
            answer += read_to_end(client)
            sender.join()
        answers[number] = hashlib.sha256(answer).digest() == hashlib.sha256(data).digest()

    threads = [threading.Thread(target=transfer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert moved.acquire(timeout=seconds(20))  # pylint: disable=consider-using-with
    server.signal(signal.SIGTERM)
    eventually(lambda: refuses(server))
    for thread in threads:
        thread.join()
    assert answers == {number: True for number in range(8)}
    assert server.wait() == 0
    server.stop()


def test_who_waits_in_the_queue_is_served(serve, backend):
    """Accepted by the kernel is accepted: an iterative server serves them before it ends."""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", "iterative")
    first = server.connect()
    assert is_echoed(first, b"first")
    waiting = [server.connect() for _ in range(10)]
    for number, client in enumerate(waiting):
        client.sendall(b"client %d" % number)
        client.shutdown(socket.SHUT_WR)
    server.signal(signal.SIGTERM)
    time.sleep(0.1)
    assert is_echoed(first, b"first still")
    first.close()
    for number, client in enumerate(waiting):
        with client:
            assert read_to_end(client) == b"client %d" % number
    assert server.wait() == 0
    server.stop()


def test_after_the_drain_time_the_rest_is_cut(start):
    server = start("--drain-timeout", "300ms")
    clients = [server.connect() for _ in range(5)]
    for client in clients:
        assert is_echoed(client, b"hello")
    server.signal(signal.SIGTERM)
    for client in clients:
        assert is_cut(client)
        client.close()
    assert server.wait() == 0
    server.stop()


def test_clients_that_take_nothing_are_cut_too(start):
    server = start("--drain-timeout", "300ms")
    with server.connect() as client:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                client.send(bytes(65536))
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
@pytest.mark.parametrize("options", [(), ("--processes", 2)], ids=["one", "processes"])
def test_a_second_signal_ends_it_at_once(start, options, number):
    server = start("--drain-timeout", "1h", *options)
    with server.connect() as client:
        assert is_echoed(client, b"hello")
        server.signal(number)
        eventually(lambda: refuses(server))
        assert server.process.poll() is None
        server.signal(number)
        assert server.wait() == 128 + number
        assert is_cut(client)
    eventually(lambda: not group_members(server.process.pid))
    assert "again: ending at once" in server.text
    server.stop(status=128 + number)


def test_a_handler_in_the_middle_of_its_answer_finishes_it(start):
    """A client that reads only after the stop gets all that it was owed."""
    server = start()
    data = pattern(1_000_000)
    with server.connect() as client:
        sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        eventually(lambda: server.counters()["bytes_in"] > 0)
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        assert read_to_end(client) == data
        sender.join()
    assert server.wait() == 0
    server.stop()


def test_datagrams_under_way_are_answered(serve, backend):
    server = serve("echo", "udp://127.0.0.1:0", "--backend", backend)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(10))
        client.connect(server.address("udp"))
        for number in range(100):
            client.send(b"%d" % number)
        server.signal(signal.SIGTERM)
        assert [client.recv(100) for _ in range(100)] == [b"%d" % number for number in range(100)]
    assert server.wait() == 0
    server.stop()


# --- starting again ---

@pytest.mark.parametrize("options", [(), ("--workers", 2)], ids=["one", "workers"])
def test_a_hundred_times_on_one_port(backend, options):
    """With connections of the time before in TIME_WAIT, which the server closed first."""
    port = None
    for number in range(100):
        server = Server("serve", "echo", f"tcp://127.0.0.1:{port or 0}", "--backend", backend, "--drain-timeout",
                        "1ms", *options)
        try:
            port = server.address()[1]
            with server.connect() as client:
                assert is_echoed(client, b"%d" % number)
                server.stop()
                assert is_cut(client)
        finally:
            server.kill()


def test_ended_by_force_and_started_again(backend):
    """Without a chance to clean up: neither the port nor the socket's file stands in the way."""
    endpoint = "tcp://127.0.0.1:0"
    for number in range(10):
        server = Server("serve", "echo", endpoint, "--backend", backend)
        try:
            endpoint = server.endpoint()
            with server.connect() as client:
                assert is_echoed(client, b"%d" % number)
                server.signal(signal.SIGKILL)
                assert server.wait() == -signal.SIGKILL
                assert is_cut(client)
        finally:
            server.kill()

"""weir serve echo, by Python's sockets as clients: what comes back, in which order, to how many at once."""
import socket
import threading

import pytest

from conftest import BACKENDS, MODELS, seconds
from talk import eventually, is_echoed, pattern, read_exactly, read_to_end

EVERY_MODE = [(backend, model) for backend in BACKENDS for model in MODELS]
AT_ONCE = [(backend, model) for backend, model in EVERY_MODE if model != "iterative"]


@pytest.fixture(params=EVERY_MODE, ids="-".join)
def echo(request, serve):
    """An echo server in every mode."""
    backend, model = request.param
    return serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", model)


@pytest.fixture(params=AT_ONCE, ids="-".join)
def echo_at_once(request, serve):
    """An echo server in every mode in which clients are served at once."""
    backend, model = request.param
    return serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", model)


@pytest.mark.parametrize("size", [1, 64, 4096, 65535, 65536, 65537, 5_000_000])
def test_sizes(echo, size):
    with echo.connect() as client:
        assert is_echoed(client, pattern(size))


def test_client_after_client(echo):
    for number in range(50):
        with echo.connect() as client:
            assert is_echoed(client, pattern(100, number))


def test_byte_by_byte(echo):
    data = pattern(3000)
    with echo.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sender = threading.Thread(target=lambda: [client.send(data[at:at + 1]) for at in range(len(data))])
        sender.start()
        assert read_exactly(client, len(data)) == data
        sender.join()


def test_a_byte_at_a_time_there_and_back(echo):
    with echo.connect() as client:
        for byte in pattern(500):
            client.send(bytes([byte]))
            assert client.recv(10) == bytes([byte])


def test_the_reader_is_slower_than_the_sender(echo):
    """The server stops reading while its answers are not taken, and loses nothing."""
    data = pattern(8_000_000)
    with echo.connect() as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        answer = bytearray()
        while len(answer) < 200_000:
            answer += client.recv(500)
        answer += read_exactly(client, len(data) - len(answer))
        sender.join()
    assert answer == data


# --- the end of each side ---

def test_half_close_by_the_client_first(echo):
    """What was sent before is answered; then the server closes its side."""
    data = pattern(300_000)
    with echo.connect() as client:
        sender = threading.Thread(target=lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
        sender.start()
        assert read_to_end(client) == data
        sender.join()


def test_half_close_at_once(echo):
    with echo.connect() as client:
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_the_client_stops_reading_first(echo):
    """A client that reads no more, but sends: the server gets a reset at most, and serves others."""
    with echo.connect() as client:
        client.shutdown(socket.SHUT_RD)
        client.sendall(b"to nobody")
        client.shutdown(socket.SHUT_WR)
    with echo.connect() as other:
        assert is_echoed(other, b"still here")


def test_close_without_reading(echo):
    """Closed with answers unread, which is a reset: nobody else notices."""
    with echo.connect() as client:
        client.sendall(pattern(100_000))
    with echo.connect() as other:
        assert is_echoed(other, b"still here")


def test_close_without_a_word(echo):
    for _ in range(20):
        echo.connect().close()
    with echo.connect() as other:
        assert is_echoed(other, b"still here")


# --- many at once ---

def test_one_after_the_other(serve, backend):
    """The iterative model: a client waits until the one before it has gone."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", "iterative")
    with echo.connect() as first, echo.connect() as second:
        assert is_echoed(first, b"first")
        second.sendall(b"second")
        second.settimeout(0.3)
        with pytest.raises(TimeoutError):
            second.recv(10)
        first.close()
        second.settimeout(seconds(10))
        assert read_exactly(second, 6) == b"second"


def talk_to_many(server, count, rounds=2):
    """Has that many clients connected at once, and each get its own bytes back in every round."""
    clients = []
    address = server.address()
    try:
        for _ in range(count):
            clients.append(socket.create_connection(address, timeout=seconds(20)))
        for turn in range(rounds):
            expected = {client: pattern(64, (turn, at)) for at, client in enumerate(clients)}
            for client, data in expected.items():
                client.sendall(data)
            for client, data in expected.items():
                assert read_exactly(client, 64) == data
    finally:
        for client in clients:
            client.close()


def test_thousands_at_once(echo_at_once):
    talk_to_many(echo_at_once, 2500)
    echo_at_once.wait_for_counters(accepted=2500, active=0, bytes_in=320_000, bytes_out=320_000)


def test_thousands_on_two_workers(serve, backend):
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--workers", 2)
    talk_to_many(echo, 2500)
    echo.wait_for_counters(accepted=2500, active=0)


def test_thousands_wait_their_turn(serve, backend):
    """One after the other, as they come and go: nobody is forgotten in the queue."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", "iterative")
    clients = [echo.connect() for _ in range(1000)]
    for number, client in enumerate(clients):
        client.sendall(pattern(20, number))
    for number, client in enumerate(clients):
        with client:
            assert read_exactly(client, 20) == pattern(20, number)
    echo.wait_for_counters(accepted=1000, active=0)


def test_busy_clients_beside_a_flood(echo_at_once):
    """Clients that only send, as fast as they can, do not keep another from its answers."""
    stop = threading.Event()

    def flood():
        with echo_at_once.connect() as client:
            client.settimeout(seconds(20))
            while not stop.is_set():
                client.sendall(bytes(65536))
                read_exactly(client, 65536)

    flooding = [threading.Thread(target=flood) for _ in range(4)]
    for thread in flooding:
        thread.start()
    with echo_at_once.connect() as client:
        for number in range(100):
            assert is_echoed(client, pattern(100, number))
    stop.set()
    for thread in flooding:
        thread.join()


# --- where and how it listens ---

def test_both_families_on_one_port(serve, backend):
    echo = serve("echo", ":0", "--backend", backend)
    if len(echo.endpoints) == 1:
        pytest.skip("this machine has no IPv6")
    assert len({endpoint.rpartition(":")[2] for endpoint in echo.endpoints}) == 1
    for family in ("tcp://127.0.0.1", "tcp://[::1]"):
        with echo.connect(family) as client:
            assert is_echoed(client, family.encode())


def test_every_address(serve, backend):
    echo = serve("echo", "*:0", "--backend", backend)
    assert [endpoint.startswith("tcp://*:") for endpoint in echo.endpoints] == [True]
    port = int(echo.endpoints[0].rpartition(":")[2])
    for host in ("127.0.0.1", "127.0.0.9"):
        with socket.create_connection((host, port), timeout=seconds(10)) as client:
            assert is_echoed(client, b"hello")


def test_several_endpoints_of_each_kind(serve, backend, model, tmp_path):
    echo = serve("echo", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", f"unix:{tmp_path}/s",
                 "--backend", backend, "--model", model)
    assert len(echo.endpoints) == 4
    ports = [int(endpoint.rpartition(":")[2]) for endpoint in echo.endpoints[:2]]
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds(10)) as client:
            assert is_echoed(client, b"tcp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(10))
        client.sendto(b"udp", echo.address("udp"))
        assert client.recv(100) == b"udp"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds(10))
        client.connect(f"{tmp_path}/s")
        assert is_echoed(client, b"unix")


def test_the_prefix_goes_before_each_chunk(serve, backend, model):
    echo = serve("echo", "tcp://127.0.0.1:0", "--prefix", "echo -> ", "--backend", backend, "--model", model)
    with echo.connect() as client:
        for word in (b"one", b"two", b"three"):
            client.sendall(word)
            assert read_exactly(client, 8 + len(word)) == b"echo -> " + word
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


def test_out_of_band_bytes_do_no_harm(echo):
    with echo.connect() as client:
        client.sendall(b"before ")
        client.send(b"!", socket.MSG_OOB)
        client.sendall(b"after")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"before after"


def test_nothing_is_left_open(echo_at_once):
    """As many descriptors after five hundred clients as before."""
    with echo_at_once.connect() as client:
        assert is_echoed(client, b"warm")
    echo_at_once.wait_for_counters(active=0)
    eventually(lambda: sum("socket:" in name for name in echo_at_once.descriptors()) <= 2)
    before = len(echo_at_once.descriptors())
    talk_to_many(echo_at_once, 500, rounds=1)
    eventually(lambda: len(echo_at_once.descriptors()) <= before)

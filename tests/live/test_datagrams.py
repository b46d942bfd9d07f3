"""weir serve echo over datagrams: every size, many senders, whom it does not answer, and how often it answers one."""
import os
import socket
import struct
import time

import pytest

from conftest import BACKENDS, MODELS, seconds
from talk import foreign_address, pattern

LONGEST = 65507  # of IPv4's 65535 bytes, headers off


@pytest.fixture(params=[(backend, model) for backend in BACKENDS for model in MODELS], ids="-".join)
def echo(request, serve):
    backend, model = request.param
    return serve("echo", "udp://127.0.0.1:0", "--backend", backend, "--model", model)


@pytest.fixture
def client():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds(10))
        one.bind(("127.0.0.1", 0))
        yield one


def is_silent(connection):
    connection.settimeout(0.3)
    try:
        connection.recv(65536)
        return False
    except TimeoutError:
        return True
    finally:
        connection.settimeout(seconds(10))


@pytest.mark.parametrize("size", [0, 1, 508, 1472, 1473, 9000, 65000, LONGEST])
def test_sizes(echo, client, size):
    client.sendto(pattern(size), echo.address("udp"))
    answer, sender = client.recvfrom(65536)
    assert answer == pattern(size)
    assert sender == echo.address("udp")


def test_the_longest_ones_many_times(echo, client):
    for number in range(50):
        client.sendto(pattern(LONGEST, number), echo.address("udp"))
        assert client.recv(65536) == pattern(LONGEST, number)


def test_in_order_in_bursts(echo, client):
    for burst in range(10):
        sent = [b"%d.%d" % (burst, number) for number in range(60)]
        for data in sent:
            client.sendto(data, echo.address("udp"))
        assert [client.recv(100) for _ in sent] == sent


def test_of_different_lengths_in_a_burst(echo, client):
    """Equal ones could be answered as one message for the kernel to cut; these must keep their borders."""
    sizes = [1, 1000, 1000, 1000, 3, 0, 1400, 1400, 2, 9000, 1, 1, 1]
    for size in sizes:
        client.sendto(pattern(size, size), echo.address("udp"))
    assert [client.recv(65536) for _ in sizes] == [pattern(size, size) for size in sizes]


def test_each_sender_gets_its_own(echo):
    clients = []
    for _ in range(100):
        clients.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        clients[-1].settimeout(seconds(10))
    for turn in range(3):
        for number, one in enumerate(clients):
            one.sendto(b"%d.%d" % (turn, number), echo.address("udp"))
        for number, one in enumerate(clients):
            assert one.recvfrom(100) == (b"%d.%d" % (turn, number), echo.address("udp"))
    for one in clients:
        one.close()


def test_a_sender_is_told_of_once(echo, client):
    for _ in range(10):
        client.sendto(b"hello", echo.address("udp"))
        client.recv(100)
    host, port = client.getsockname()
    echo.wait_for_text("Echoing data back")
    assert echo.text.count("Echoing data back") == 1
    assert f"Echoing data back to {host}:{port}\n" in echo.text


def test_counted(echo, client):
    for size in range(10):
        client.sendto(bytes(size), echo.address("udp"))
        client.recv(100)
    counters = echo.wait_for_counters(datagrams_in=10, datagrams_out=10)
    assert (counters["bytes_in"], counters["bytes_out"]) == (45, 45)


@pytest.mark.parametrize("options", [("--workers", 2), ("--processes", 2), ("--receive-packed",)],
                         ids=["workers", "processes", "packed"])
def test_served_otherwise(serve, backend, client, options):
    echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend, *options)
    for size in (0, 1, 1400, LONGEST):
        client.sendto(pattern(size), echo.address("udp"))
        assert client.recv(65536) == pattern(size)
    sent = [b"%03d" % number for number in range(100)]
    for data in sent:
        client.sendto(data, echo.address("udp"))
    assert sorted(client.recv(100) for _ in sent) == sent


def test_segments_of_one_message(serve, backend, client):
    """Sent as one message for the kernel to cut (UDP_SEGMENT), received as one where it may be: answered one by one."""
    echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend, "--receive-packed")
    try:
        client.setsockopt(socket.IPPROTO_UDP, 103, 100)
    except OSError:
        pytest.skip("this kernel has no UDP_SEGMENT")
    client.sendto(pattern(1050), echo.address("udp"))
    client.setsockopt(socket.IPPROTO_UDP, 103, 0)
    data = pattern(1050)
    expected = [data[at:at + 100] for at in range(0, 1050, 100)]
    assert [client.recv(65536) for _ in expected] == expected


def test_ipv6(serve, backend):
    echo = serve("echo", "udp://:0", "--backend", backend)
    six = next((endpoint for endpoint in echo.endpoints if "[::1]" in endpoint), None)
    if not six:
        pytest.skip("this machine has no IPv6")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds(10))
        one.sendto(b"six", ("::1", int(six.rpartition(":")[2])))
        assert one.recv(100) == b"six"


def test_every_address(serve, backend, client):
    """On *, the answer comes from the address that was asked."""
    echo = serve("echo", "udp://*:0", "--backend", backend)
    port = int(echo.endpoints[0].rpartition(":")[2])
    client.sendto(b"hello", ("127.0.0.1", port))
    assert client.recvfrom(100) == (b"hello", ("127.0.0.1", port))


# --- whom it does not answer ---

def test_ports_that_are_servers(serve, backend):
    """Below 1024 another service could be made to answer our answers, for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as service:
        try:
            service.bind(("127.0.0.1", next(port for port in range(600, 1023) if can_bind(port))))
        except (PermissionError, StopIteration):
            pytest.skip("may not bind such a port")
        echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend)
        service.sendto(b"hello", echo.address("udp"))
        assert is_silent(service)
        assert echo.wait_for_counters(datagrams_in=1)["replies_refused"] == 1
        echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend, "--reply-to-any")
        service.sendto(b"hello", echo.address("udp"))
        assert service.recv(100) == b"hello"


def can_bind(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except PermissionError:
            raise
        except OSError:
            return False


def forge(source, target, data):
    """Sends a datagram that says that it comes from `source`. Only root may."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        udp = struct.pack("!HHHH", source[1], target[1], 8 + len(data), 0) + data
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0,
                         socket.inet_aton(source[0]), socket.inet_aton(target[0]))
        raw.sendto(ip + udp, (target[0], 0))


def test_its_own_sockets(serve, backend):
    """A datagram with the server's own address as its sender would go round for ever, and so between two of its sockets."""
    echo = serve("echo", "udp://127.0.0.1:0", "udp://127.0.0.1:0", "--backend", backend)
    one, other = (("127.0.0.1", int(endpoint.rpartition(":")[2])) for endpoint in echo.endpoints)
    try:
        forge(one, one, b"to myself")
        forge(other, one, b"to my brother")
    except PermissionError:
        pytest.skip("may not forge")
    counters = echo.wait_for_counters(datagrams_in=2, replies_refused=2)
    assert counters["datagrams_out"] == 0


def test_broadcast_and_multicast(serve, backend):
    echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend)
    try:
        forge(("224.0.0.1", 5000), echo.address("udp"), b"multicast")
        forge(("255.255.255.255", 5000), echo.address("udp"), b"broadcast")
    except PermissionError:
        pytest.skip("may not forge")
    time.sleep(0.2)  # the kernel may drop them itself, which is as good
    assert echo.counters()["datagrams_out"] == 0


def test_so_many_a_second(serve, backend):
    """A source that is not loopback gets its answers of a second and no more; one line tells of it."""
    address = foreign_address()
    if not address:
        pytest.skip("this machine has no address but loopback")
    echo = serve("echo", f"udp://{address}:0", "--backend", backend, "--replies-per-second", 20)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((address, 0))
        for number in range(200):
            one.sendto(b"%d" % number, echo.address("udp"))
        counters = echo.wait_for_counters(datagrams_in=200)
    assert 20 <= counters["datagrams_out"] <= 60, "the sending may have lasted a second or two"
    assert counters["datagrams_out"] + counters["replies_limited"] == 200
    assert echo.text.count("not answered") == 1


def test_loopback_is_answered_without_limit(serve, backend, client):
    echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend, "--replies-per-second", 1)
    for number in range(100):
        client.sendto(b"%d" % number, echo.address("udp"))
        assert client.recv(100) == b"%d" % number


def test_a_sender_that_is_gone_is_nobodys_loss(echo, client):
    """Its answers meet a closed port, whose complaint comes back to the server's socket."""
    for _ in range(50):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.sendto(b"bye", echo.address("udp"))
    client.sendto(b"hello", echo.address("udp"))
    assert client.recv(100) == b"hello"


# --- through Unix sockets ---

def test_unix(serve, backend, model, tmp_path):
    serve("echo", f"unix:{tmp_path}/s?type=datagram", "--backend", backend, "--model", model)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds(10))
        one.bind(f"{tmp_path}/c")
        one.connect(f"{tmp_path}/s")
        for size in (0, 1, 5000, 65536):
            one.send(pattern(size))
            assert one.recv(100_000) == pattern(size)


def test_unix_without_a_name_cannot_be_answered(serve, backend, tmp_path):
    """There is no address to answer to: counted, and nothing else happens."""
    echo = serve("echo", f"unix:{tmp_path}/s?type=datagram", "--backend", backend)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.connect(f"{tmp_path}/s")
        nameless.send(b"who am I")
        echo.wait_for_counters(datagrams_in=1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds(10))
        one.bind(f"\0weir-test-{os.getpid()}")
        one.connect(f"{tmp_path}/s")
        one.send(b"hello")
        assert one.recv(100) == b"hello"


def test_unix_one_that_does_not_read_holds_up_nobody(serve, backend, tmp_path):
    """Its queue is full (ten datagrams by default): answers to it are dropped and counted, others have theirs."""
    echo = serve("echo", f"unix:{tmp_path}/s?type=datagram", "--backend", backend)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        deaf.bind(f"{tmp_path}/deaf")
        deaf.settimeout(seconds(10))
        one.bind(f"{tmp_path}/one")
        one.settimeout(seconds(10))
        for _ in range(300):
            deaf.sendto(b"hello", f"{tmp_path}/s")
        one.sendto(b"hello", f"{tmp_path}/s")
        assert one.recv(100) == b"hello"
        assert echo.wait_for_counters(datagrams_in=301)["replies_failed"] > 0

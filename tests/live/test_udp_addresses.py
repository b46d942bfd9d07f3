"""weir serve echo on udp://*: each answer comes from the address that was asked, and what was sent to a group has none."""
import signal
import socket

import pytest

from conftest import seconds

LOOPBACK = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.77.1.9"]


def asker(host, port):
    """A socket that hears one address and port, whatever its family."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        one = socket.socket(family, socket.SOCK_DGRAM)
        one.settimeout(seconds(10))
        one.connect((host, port))
    except OSError:
        pytest.skip("this machine has no IPv6")
    return one


def port_of(server):
    return int(server.endpoints[0].rpartition(":")[2])


@pytest.mark.parametrize("host", [*LOOPBACK, "::1", "::ffff:127.0.0.5"])
def test_the_address_that_was_asked_answers(serve, backend, model, host):
    echo = serve("echo", "udp://*:0", "--backend", backend, "--model", model)
    with asker(host, port_of(echo)) as one:
        for number in range(10):
            one.send(b"%d" % number)
            assert one.recv(100) == b"%d" % number


@pytest.mark.parametrize("endpoint, hosts", [("udp://0.0.0.0:0", LOOPBACK), ("udp://[::]:0", ["::1"])],
                         ids=["IPv4", "IPv6"])
def test_one_family(serve, backend, endpoint, hosts):
    if "[" in endpoint:
        asker("::1", 9).close()
    echo = serve("echo", endpoint, "--backend", backend)
    for host in hosts:
        with asker(host, port_of(echo)) as one:
            one.send(b"hello")
            assert one.recv(100) == b"hello"


@pytest.mark.parametrize("options", [("--workers", 1), ("--workers", 2), ("--processes", 2), ("--receive-packed",)],
                         ids=["one worker", "workers", "processes", "packed"])
def test_many_addresses_at_once(serve, backend, options):
    echo = serve("echo", "udp://*:0", "--backend", backend, *options)
    clients = [asker(host, port_of(echo)) for host in LOOPBACK * 5]
    for burst in range(20):
        for number, one in enumerate(clients):
            one.send(b"%d.%d" % (burst, number))
        for number, one in enumerate(clients):
            assert one.recv(100) == b"%d.%d" % (burst, number)
    for one in clients:
        one.close()
    assert echo.wait_for_counters(datagrams_out=400)["replies_failed"] == 0


def test_while_it_was_stopped(serve, backend):
    """What queues meanwhile is received as one batch."""
    echo = serve("echo", "udp://*:0", "--backend", backend, "--workers", 1)
    clients = [asker(host, port_of(echo)) for host in LOOPBACK * 5]
    echo.signal(signal.SIGSTOP)
    for number, one in enumerate(clients):
        one.send(b"%d" % number)
    echo.signal(signal.SIGCONT)
    for number, one in enumerate(clients):
        assert one.recv(100) == b"%d" % number
        one.close()


# --- groups ---

@pytest.fixture
def caller():
    """A socket that may call groups on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds(10))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        yield one


@pytest.mark.parametrize("endpoint, group", [("udp://*:0", "127.255.255.255"), ("udp://0.0.0.0:0", "127.255.255.255"),
                                             ("udp://0.0.0.0:0", "224.0.0.1")],
                         ids=["broadcast", "broadcast of IPv4", "multicast of IPv4"])
def test_a_group_is_not_answered(serve, backend, caller, endpoint, group):
    """The answer to what is asked after it comes first."""
    echo = serve("echo", endpoint, "--backend", backend, "--workers", 1)
    caller.sendto(b"everybody", (group, port_of(echo)))
    caller.sendto(b"you", ("127.0.0.1", port_of(echo)))
    assert caller.recvfrom(100) == (b"you", ("127.0.0.1", port_of(echo)))
    counters = echo.wait_for_counters(datagrams_in=2, datagrams_out=1)
    assert (counters["replies_refused"], counters["replies_failed"]) == (1, 0)


def test_a_group_is_answered_where_that_is_wanted(serve, backend, caller):
    """By this machine's own address: nobody may send from a group's."""
    echo = serve("echo", "udp://*:0", "--backend", backend, "--workers", 1, "--reply-to-any")
    caller.sendto(b"everybody", ("127.255.255.255", port_of(echo)))
    assert caller.recvfrom(100) == (b"everybody", ("127.0.0.1", port_of(echo)))

"""At the descriptor limit: accepting pauses and goes on, whoever is connected is served, nothing spins, one line tells."""
import resource
import select
import socket
import time

import pytest

from conftest import seconds
from talk import is_echoed, read_exactly

LIMIT = 64


@pytest.fixture(params=["fiber", "thread"])
def start(request, serve, backend):
    """Starts an echo server that has few descriptors."""
    def begin(*options):
        return serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--model", request.param, "--workers", 1,
                     *options, wrapper=["prlimit", f"--nofile={LIMIT}:{LIMIT}"])
    return begin


def answered(clients, first=0.5):
    """Those that are answered, once no more are for a while: each was sent something before."""
    waiting, done = list(clients), []
    while waiting and (readable := select.select(waiting, [], [], 0.2 if done else first)[0]):
        for client in readable:
            waiting.remove(client)
            assert read_exactly(client, 5) == b"hello"
        done += readable
    return done


def connect_and_send(server, count):
    clients = [server.connect() for _ in range(count)]
    for client in clients:
        client.sendall(b"hello")
    return clients


def close_all(clients):
    for client in clients:
        client.close()


@pytest.mark.parametrize("options", [(), ("--max-connections", 0)], ids=["limited", "unlimited"])
def test_as_many_as_can_be_and_then_the_rest(start, options):
    """Without a limit of its own the server meets the system's (EMFILE); with the default it stops before."""
    server = start(*options)
    clients = connect_and_send(server, 100)
    served = answered(clients)
    assert 20 <= len(served) < LIMIT
    waiting = [client for client in clients if client not in served]
    for client in served[:5]:
        assert is_echoed(client, b"still served")
    while waiting:
        close_all(served)
        served = answered(waiting, first=seconds(10))
        assert served, f"{len(waiting)} are never served:\n{server.text}"
        waiting = [client for client in waiting if client not in served]
    close_all(served)
    assert server.wait_for_counters(active=0)["accepted"] == 100
    with server.connect() as client:
        assert is_echoed(client, b"as before")


def test_one_more_for_one_less(start):
    """Each that goes lets one in."""
    server = start("--max-connections", 10)
    clients = connect_and_send(server, 30)
    for _ in range(20):
        served = answered(clients[:1], first=seconds(10))
        assert served
        close_all(served)
        clients = [client for client in clients if client not in served]
    close_all(clients)
    server.wait_for_counters(accepted=30, active=0)


@pytest.mark.parametrize("options", [(), ("--max-connections", 0)], ids=["limited", "unlimited"])
def test_it_neither_spins_nor_floods_the_log(start, options):
    server = start(*options)
    clients = connect_and_send(server, 100)
    served = answered(clients)
    used, said = server.cpu_seconds(), server.text.count("\n")
    time.sleep(0.6)
    assert server.cpu_seconds() - used < 0.2
    assert server.text.count("\n") == said
    # The limit may be met as well as the system's, where threads take descriptors of their own: a line of each.
    lines = [line for line in server.text.splitlines() if "accepting" in line]
    assert len(lines) in (1, 2) and all(line.endswith("(1 times)") for line in lines), server.text
    for client in served[:5]:
        assert is_echoed(client, b"served all the while")
    close_all(clients)
    server.wait_for_counters(active=0)


def test_it_can_still_be_stopped(start):
    """With clients in the queue that it could not accept: they are served before it ends."""
    server = start("--max-connections", 0)
    clients = connect_and_send(server, 90)
    served = answered(clients)
    server.process.terminate()
    waiting = [client for client in clients if client not in served]
    close_all(served)
    while waiting:
        served = answered(waiting, first=seconds(10))
        assert served, f"{len(waiting)} were not served"
        close_all(served)
        waiting = [client for client in waiting if client not in served]
    assert server.wait() == 0
    server.stop()


def test_the_soft_limit_is_raised(serve):
    """To the hard one, as far as this machine grants it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 500:
        pytest.skip("the hard limit is too low to tell")
    server = serve("echo", "tcp://127.0.0.1:0", wrapper=["prlimit", f"--nofile=50:{hard}"])
    clients = [server.connect() for _ in range(200)]
    for client in clients:
        assert is_echoed(client, b"hello")
    close_all(clients)
    with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as limits:
        row = next(line.split() for line in limits if line.startswith("Max open files"))
    assert row[3] == row[4] == str(hard)


def test_datagrams_do_not_care(serve, backend):
    """The same process' datagrams are answered while it has no descriptor for another client."""
    server = serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--backend", backend, "--workers", 1,
                   "--max-connections", 0, wrapper=["prlimit", f"--nofile={LIMIT}:{LIMIT}"])
    clients = connect_and_send(server, 100)
    answered(clients)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(10))
        client.sendto(b"hello", server.address("udp"))
        assert client.recv(100) == b"hello"
    close_all(clients)

"""weir serve --processes N: supervised processes behind one port."""
import os
import pathlib
import signal
import socket
import time

import pytest

from conftest import group_members, seconds
from talk import LAUNCH, eventually, is_cut, is_echoed, pattern


@pytest.fixture(params=["fiber", "thread"])
def echo(request, serve, backend):
    return serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--backend", backend, "--model", request.param,
                 "--processes", 3)


def children(server):
    return sorted(pid for pid in group_members(server.process.pid) if pid != server.process.pid)


def sockets_of(pid):
    """The inodes of a process' sockets."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if link.startswith("socket:"):
            found.add(int(link[8:-1]))
    return found


def servers_of(server, clients):
    """The child that serves each connection."""
    owners = {inode: pid for pid in children(server) for inode in sockets_of(pid)}
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    port = server.address()[1]
    inodes = {int(row[2].rpartition(":")[2], 16): int(row[9]) for row in rows if row[3] == "01" and
              row[1].endswith(f":{port:04X}")}
    return [owners[inodes[client.getsockname()[1]]] for client in clients]


def test_clients_are_spread(echo):
    """Over all of them, as the kernel hashes."""
    assert len(children(echo)) == 3
    clients = [echo.connect() for _ in range(60)]
    for client in clients:
        assert is_echoed(client, b"hello")
    servers = set(servers_of(echo, clients))
    for client in clients:
        client.close()
    assert len(servers) == 3


def test_one_that_is_killed_comes_back(echo):
    """Its clients are cut, the others' go on; another takes its place, and nothing queued is lost."""
    clients = [echo.connect() for _ in range(30)]
    for client in clients:
        assert is_echoed(client, b"hello")
    servers = servers_of(echo, clients)
    victim = servers[0]
    its = [client for client, pid in zip(clients, servers) if pid == victim]
    others = [client for client in clients if client not in its]
    before = children(echo)
    os.kill(victim, signal.SIGKILL)
    for client in its:
        assert is_cut(client)
    for client in others:
        assert is_echoed(client, b"not concerned")
    eventually(lambda: len(children(echo)) == 3 and victim not in children(echo))
    assert len(set(before) & set(children(echo))) == 2
    time.sleep(0.2)  # until the kernel has taken the dead one's ring apart, which accepts till then
    for number in range(50):
        with echo.connect() as client:
            assert is_echoed(client, b"%d" % number)
    assert f"process {victim} was ended by SIGKILL" in echo.text
    for client in clients:
        client.close()
    counters = echo.wait_for_counters(active=0)
    assert counters["accepted"] == 80, "what the dead one had counted is kept"


def test_who_had_sigchld_ignored_is_told_of_ends_too(serve):
    """What is ignored is inherited; and then there is neither a signal nor a status, unless the program sees to it."""
    server = serve("echo", "tcp://127.0.0.1:0", "--processes", 2,
                   wrapper=[*LAUNCH, "--ignore", str(int(signal.SIGCHLD)), "--"])
    before = children(server)
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(children(server)) == 2 and before[0] not in children(server))
    assert f"process {before[0]} was ended by SIGKILL" in server.text


def test_those_in_its_queue_are_served_by_the_next(serve):
    """
    The parent holds the listeners: who connects while a child is dead waits, and is served. On epoll, since the kernel goes
    on accepting for a ring some milliseconds after its process was killed, and then cuts whom it accepted.
    """
    echo = serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--backend", "epoll", "--processes", 3)
    for pid in children(echo):
        os.kill(pid, signal.SIGKILL)
    clients = [echo.connect() for _ in range(20)]
    for number, client in enumerate(clients):
        with client:
            assert is_echoed(client, b"%d" % number)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(10))
        client.sendto(b"hello", echo.address("udp"))
        assert client.recv(100) == b"hello"


def test_who_dies_again_and_again_waits_longer(serve):
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2)
    survivor, victim = children(echo)
    for pause in ("0.1", "0.2", "0.4"):
        os.kill(victim, signal.SIGKILL)
        echo.wait_for_text(rf"process {victim} was ended by SIGKILL: another starts in {pause} s")
        eventually(lambda: len(children(echo)) == 2)
        victim = next(pid for pid in children(echo) if pid != survivor)
        with echo.connect() as client:
            assert is_echoed(client, b"hello")


def test_it_does_not_spin_meanwhile(serve):
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2)
    before = echo.cpu_seconds()
    os.kill(children(echo)[0], signal.SIGKILL)
    time.sleep(0.5)
    assert echo.cpu_seconds() - before < 0.3


def test_the_parents_death_is_its_childrens_end(serve):
    """Nobody would restart or stop them: they drain and go."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2)
    with echo.connect() as client:
        assert is_echoed(client, b"hello")
        echo.signal(signal.SIGKILL)
        assert echo.process.wait(seconds(10)) == -signal.SIGKILL
        assert is_echoed(client, b"a client may finish")
    eventually(lambda: not group_members(echo.process.pid))
    echo.kill()


def test_none_that_can_start(weir):
    """Where no child comes up (io_uring is asked for and refused) the parent says so, and waits for nobody."""
    result = weir("serve", "echo", "tcp://127.0.0.1:0", "--backend", "uring", "--processes", 3,
                  wrapper=[*LAUNCH, "--deny", "425", "--"])
    assert result.returncode == 1
    lines = result.stderr.decode().splitlines()
    assert "3 of 3 processes could not start" in lines[-1], lines
    assert sum("loop uring: operation not permitted" in line for line in lines) == 3, lines


def test_told_to_stop_while_a_child_is_dead(serve):
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2)
    os.kill(children(echo)[0], signal.SIGKILL)
    echo.wait_for_text("another starts")
    echo.stop()


def test_a_child_that_is_told_to_stop_stops_all(serve):
    """It ends well, so it was meant to: see weir_server_stop."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2)
    os.kill(children(echo)[0], signal.SIGTERM)
    assert echo.wait() == 0
    echo.stop()


def test_a_stuck_child_does_not_keep_it_from_ending(serve):
    """A child that is stopped (SIGSTOP) cannot drain: a second signal ends all at once."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2)
    os.kill(children(echo)[0], signal.SIGSTOP)
    echo.signal(signal.SIGTERM)
    time.sleep(0.2)
    assert echo.process.poll() is None
    echo.signal(signal.SIGTERM)
    assert echo.wait() == 128 + signal.SIGTERM
    eventually(lambda: not group_members(echo.process.pid))
    echo.stop(status=128 + signal.SIGTERM)


def test_signals_are_passed_on_to_those_who_serve(echo):
    """SIGTERM with clients in each: all drain, and the parent ends last with 0."""
    clients = [echo.connect() for _ in range(12)]
    for client in clients:
        assert is_echoed(client, b"hello")
    echo.signal(signal.SIGTERM)
    time.sleep(0.2)
    for number, client in enumerate(clients):
        with client:
            assert is_echoed(client, pattern(100_000, number))
    assert echo.wait() == 0
    echo.stop()


def test_each_has_its_workers(serve):
    echo = serve("echo", "tcp://127.0.0.1:0", "--processes", 2, "--workers", 2)
    for pid in children(echo):
        names = [pathlib.Path(f"/proc/{pid}/task/{task}/comm").read_text().strip()
                 for task in os.listdir(f"/proc/{pid}/task")]
        assert names.count("weir-worker") == 2
    for number in range(20):
        with echo.connect() as client:
            assert is_echoed(client, b"%d" % number)
    assert echo.wait_for_counters(active=0)["accepted"] == 20

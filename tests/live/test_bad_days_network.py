"""A network that loses and doubles packets, of a real kernel's: a BPF program on the loopback of a network of its own."""
import pathlib
import shutil
import socket
import subprocess
import threading
import time

import pytest

from conftest import ROOT, Server, seconds
from namespace import Namespace
from talk import is_echoed, pattern, read_to_end

LOSE, TWICE = 20, 20  # one in so many


@pytest.fixture(scope="module")
def lossy(tmp_path_factory):
    """The compiled BPF program; see lossy.c."""
    for program in ("clang", "tc"):
        if not shutil.which(program):
            pytest.skip(f"no {program} for a network that loses packets")
    target = tmp_path_factory.mktemp("bpf") / "lossy.o"
    machine = subprocess.run(["cc", "-print-multiarch"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    command = ["clang", "-target", "bpf", "-O2", f"-DLOSE={LOSE}", f"-DTWICE={TWICE}", f"-I/usr/include/{machine}",
               "-c", ROOT / "tests" / "live" / "lossy.c", "-o", target]
    built = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if built.returncode != 0:
        pytest.skip(f"clang makes no BPF here: {built.stderr}")
    return target


@pytest.fixture
def network(lossy):
    """With packets as small as a real network's."""
    namespace = Namespace()
    with namespace:
        subprocess.run(["ip", "link", "set", "lo", "mtu", "1500", "gso_max_segs", "1"], check=True)
        # A packet that is delivered again is routed anew, and comes from an address of this machine's.
        pathlib.Path("/proc/sys/net/ipv4/conf/all/accept_local").write_text("1", encoding="ascii")
        subprocess.run(["tc", "qdisc", "add", "dev", "lo", "clsact"], check=True)
        loaded = subprocess.run(["tc", "filter", "add", "dev", "lo", "ingress", "bpf", "direct-action", "object-file",
                                 lossy, "section", "classifier"], stderr=subprocess.PIPE, text=True, check=False)
    if loaded.returncode != 0:
        namespace.close()
        pytest.skip(f"the kernel takes no BPF program from tc: {loaded.stderr}")
    yield namespace
    namespace.close()


@pytest.fixture
def echo(network, backend):
    with network:
        server = Server("serve", "echo", "tcp://10.77.0.1:0", "udp://10.77.0.1:0", "--backend", backend,
                        "--workers", 2, "--replies-per-second", "never")
    yield server
    try:
        server.stop()
    finally:
        server.kill()


def in_threads(function, count):
    """Calls function(0) to function(count - 1) at once. Returns what they return."""
    results = [None] * count

    def call(number):
        results[number] = function(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_streams_lose_nothing(network, echo):
    """TCP sends again what was lost; here that no byte is missing, doubled or out of order when it does."""
    size = 300_000

    def talk(number):
        with network, socket.create_connection(echo.address("tcp"), timeout=seconds(60)) as client:
            return is_echoed(client, pattern(size, number))

    assert in_threads(talk, 20) == [True] * 20
    counters = echo.wait_for_counters(active=0, timeout=30)
    assert counters["accepted"] == 20
    assert counters["bytes_in"] == counters["bytes_out"] == 20 * size
    assert network.counts("Tcp")["RetransSegs"] > 100, "nothing was lost"


def test_streams_end_as_they_should(network, echo):
    """Half-closes and ends are packets too."""

    def talk(number):
        data = pattern(5000, number)
        with network, socket.create_connection(echo.address("tcp"), timeout=seconds(60)) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            return read_to_end(client) == data

    assert in_threads(lambda number: all(talk(10 * number + turn) for turn in range(3)), 20) == [True] * 20
    assert echo.wait_for_counters(active=0, timeout=30)["accepted"] == 60


def test_datagrams_are_answered_one_for_one(network, echo):
    """What came is answered, once for each time that it came: some are lost, some are there twice, none is another's."""
    count, answers = 2000, {}
    with network, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        client.settimeout(seconds(0.5))
        client.connect(echo.address("udp"))
        for number in range(count):
            client.send(b"%d:" % number + pattern(number % 1000, number))
            if number % 50 == 49:
                time.sleep(0.002)
        try:
            while True:
                answer = client.recv(2000)
                answers.setdefault(int(answer.partition(b":")[0]), []).append(answer)
        except TimeoutError:
            pass
    for number, found in answers.items():
        assert set(found) == {b"%d:" % number + pattern(number % 1000, number)}
    counters = echo.counters()
    assert counters["datagrams_in"] == counters["datagrams_out"]
    assert count // 4 < len(answers) < count, "nothing was lost"
    assert sum(map(len, answers.values())) > len(answers), "nothing was doubled"

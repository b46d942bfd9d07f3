"""Handlers that crash in one of several processes: the others serve on, it comes back, and the log says whose handler it was."""
import contextlib
import signal
import subprocess

import pytest

from conftest import Server, end_all, group_members
from programs import TRIAL
from talk import eventually, is_cut

# A sanitizer has handlers of its own for these, and prints pages in place of a line.
sanitized = b"__asan_init" in subprocess.run(["nm", TRIAL], stdout=subprocess.PIPE, check=False).stdout
CRASHES = {
    "overflow": ("SIGSEGV", r'stack overflow in the handler of fiber "trial" \(\d+ bytes; stack_size sets more\)'),
    "crash": ("SIGSEGV", 'SIGSEGV in the handler of fiber "trial"'),
    "abort": ("SIGABRT", 'SIGABRT in the handler of fiber "trial"'),
}


@pytest.fixture
def trial():
    servers = []

    def start(*options):
        servers.append(Server("tcp://127.0.0.1:0", *options, program=TRIAL))
        return servers[-1]

    yield start
    end_all(servers)


def ask(client, line):
    """The line that comes back."""
    client.sendall(line.encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n") and (more := client.recv(1000)):
        answer += more
    return answer.decode().strip()


def who_serves(client):
    return int(ask(client, "pid"))


def clients_of_each(server, processes):
    """Connections by the process that serves them: at least two of each."""
    found = {}
    clients = []
    while len(found) < processes or min(map(len, found.values())) < 2:
        clients.append(server.connect())
        found.setdefault(who_serves(clients[-1]), []).append(clients[-1])
        assert len(clients) < 500
    return found


def children(server):
    return {pid for pid in group_members(server.process.pid) if pid != server.process.pid}


def crash(client, line):
    client.sendall(line.encode() + b"\n")
    assert is_cut(client)


@pytest.mark.skipif(sanitized, reason="a sanitizer tells it in its own words")
@pytest.mark.parametrize("line", CRASHES)
def test_the_others_serve_on(trial, backend, line):
    name, told = CRASHES[line]
    server = trial("--backend", backend, "--processes", 3)
    clients = clients_of_each(server, 3)
    victim, its = next(iter(clients.items()))
    crash(its[0], line)
    assert is_cut(its[1])
    for pid, others in clients.items():
        for number, client in enumerate(others if pid != victim else []):
            assert who_serves(client) == pid
            assert ask(client, f"not concerned {number}") == f"not concerned {number}"
    server.wait_for_text(f"^weir: error: {told}$")
    server.wait_for_text(f"process {victim} was ended by {name}: another starts in 0.1 s")
    eventually(lambda: len(children(server)) == 3 and victim not in children(server))
    successors = clients_of_each(server, 3)
    assert len(set(clients) & set(successors)) == 2 and victim not in successors


@pytest.mark.skipif(sanitized, reason="a sanitizer tells it in its own words")
def test_it_comes_back_more_and_more_slowly(trial, backend):
    """One handler that crashes whenever it is asked to does not have its process started without end."""
    server = trial("--backend", backend, "--processes", 2)
    survivor = max(children(server))
    for pause in ("0.1", "0.2", "0.4", "0.8"):
        eventually(lambda: len(children(server)) == 2)
        clients = clients_of_each(server, 2)
        victim = next(pid for pid in clients if pid != survivor)
        crash(clients[victim][0], "overflow")
        server.wait_for_text(f"process {victim} was ended by SIGSEGV: another starts in {pause} s")
        assert who_serves(clients[survivor][0]) == survivor
    assert server.text.count("stack overflow in the handler") == 4


def test_one_that_exits_comes_back(trial, model):
    server = trial("--model", model, "--processes", 2)
    with server.connect() as client:
        victim = who_serves(client)
        crash(client, "exit 7")
    server.wait_for_text(f"process {victim} ended with status 7: another starts in 0.1 s")
    eventually(lambda: len(children(server)) == 2)
    with server.connect() as client:
        assert ask(client, "hello") == "hello"


def ask_until_served(server, line):
    """As clients do that come again when they were cut. Returns how often this one came."""
    for tries in range(1, 100):
        with contextlib.suppress(ConnectionError), server.connect(timeout=30) as client:
            if ask(client, line) == line:
                return tries
    raise AssertionError("it was never served")


def test_they_crash_one_after_the_other(trial, backend):
    """While clients crash it as fast as it comes back, the rest are served, at once or when it has come back."""
    server = trial("--backend", backend, "--processes", 3)
    came = 0
    for turn in range(18):
        came += ask_until_served(server, f"hello {turn}")
        if turn % 3 == 0:
            with contextlib.suppress(ConnectionError), server.connect(timeout=30) as client:
                crash(client, "exit 1")
    eventually(lambda: len(children(server)) == 3, timeout=30)
    counters = server.wait_for_counters("trial", active=0)
    assert 18 <= counters["accepted"] <= came + 6
    assert 1 <= server.text.count("ended with status 1") <= 6


@pytest.mark.parametrize("processes", [1, 3])
def test_told_to_reload(trial, processes):
    """SIGHUP reaches all who serve, where the program has asked for it."""
    server = trial("--processes", processes)
    serving = children(server) if processes > 1 else {server.process.pid}
    server.signal(signal.SIGHUP)
    for pid in serving:
        server.wait_for_text(f"trial: process {pid} was told to reload")
    assert server.text.count("told to reload") == processes
    with server.connect() as client:
        assert ask(client, "hello") == "hello"


def test_alone_it_dies_as_it_should(trial, backend):
    """Without --processes nobody restarts it: whoever started it learns of the signal, and clients of the end."""
    if sanitized:
        pytest.skip("a sanitizer tells it in its own words")
    server = trial("--backend", backend)
    with server.connect() as client:
        crash(client, "overflow")
    assert server.wait() == -signal.SIGSEGV
    assert 'stack overflow in the handler of fiber "trial"' in server.text
    server.kill()

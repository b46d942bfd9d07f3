"""Thousands of connections at once: each is answered, and when they have gone so has what they cost."""
import contextlib
import resource

import pytest

from conftest import PATIENCE
from namespace import Namespace
from programs import Crowd, descriptors, resident
from talk import eventually, is_echoed

FEWER = 10 if PATIENCE > 1 else 1  # under a sanitizer each costs many times the memory and the time
# What may stay, in bytes: of a process the stacks of a thousand fibers, for the next clients; of each that was there what
# malloc keeps of its small pieces. While it is there a connection costs some 4,600.
KEPT_BY_PROCESS = 6_000_000
KEPT_OF_EACH = 700
# AddressSanitizer keeps up to 256 MB of what was freed: what stays then says nothing.
MEMORY_TELLS = PATIENCE == 1


@pytest.fixture(autouse=True)
def apart():
    """
    A network of its own, where one may be had: where a hundred thousand connections have just ended the kernel remembers no
    more of them, and ends those of other tests by resets.
    """
    try:
        namespace = Namespace()
    except pytest.skip.Exception:
        yield
        return
    with contextlib.closing(namespace), namespace:
        yield


@pytest.fixture
def crowd(apart):
    crowds = []

    def gather(server, count):
        crowds.append(Crowd(server.endpoint("tcp"), count))
        return crowds[-1]

    yield gather
    for each in crowds:
        each.kill()


def need_descriptors(count):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < count:
        pytest.skip(f"a process may have {hard} descriptors here, {count} are needed")


def come_and_go(server, crowd, how):
    """All come, are held, are answered again, and go; so does what they cost."""
    open_before = descriptors(server)
    crowd.open()
    crowd.ask()
    count = sum(crowd.shares)
    assert server.counters()["active"] == count
    crowd.go(how)
    counters = server.wait_for_counters(active=0, timeout=30)
    eventually(lambda: descriptors(server) == open_before)
    assert counters["refused_limit"] == counters["refused_resources"] == counters["errors_other"] == 0
    return counters


def greet(server):
    """What the first client costs once and for all."""
    with server.connect() as client:
        assert is_echoed(client, b"the first")
    server.wait_for_counters(active=0)
    return resident(server)


def test_19000_held_by_one_process(serve, backend, crowd):
    """Twice: what is there when the second crowd has gone is what was there after the first."""
    need_descriptors(20000)
    count = 19000 // FEWER
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--max-connections", 19900)
    before = greet(server)
    people = crowd(server, count)
    come_and_go(server, people, "close")
    once = resident(server)
    assert come_and_go(server, people, "reset")["accepted"] == 2 * count + 1
    twice = resident(server)
    people.end()
    if MEMORY_TELLS:
        assert once - before < KEPT_BY_PROCESS + KEPT_OF_EACH * count, f"{before} bytes before, {once} after"
        # Its two workers share the clients anew each time.
        assert twice - once < 100 * count, f"{once} bytes after the first crowd, {twice} after the second"


def test_50000_held_by_several_processes(serve, backend, crowd):
    need_descriptors(20000)
    count = 50000 // FEWER
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--processes", 4, "--max-connections", 19900)
    before = greet(server)
    people = crowd(server, count)
    assert come_and_go(server, people, "close")["accepted"] == count + 1
    people.end()
    after = resident(server)
    if MEMORY_TELLS:
        assert after - before < 4 * KEPT_BY_PROCESS + KEPT_OF_EACH * count, f"{before} bytes before, {after} after"

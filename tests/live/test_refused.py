"""
The real program where the kernel refuses: calls that strace has fail (strace -e inject), and a seccomp filter. It goes on as
well as it can, and says so once. What fails inside of the library, call by call, is tests/inject's.
"""
import errno
import os
import shutil
import subprocess

import pytest

from conftest import BACKENDS, WEIR, environment, seconds
from talk import LAUNCH, is_echoed

IO_URING_SETUP = 425  # on every architecture
# The sanitizer looks for leaks by ptrace, which strace uses already.
TRACED = {"ASAN_OPTIONS": "detect_leaks=0", "WEIR_BACKEND": ""}
# Of waiting, the one that an architecture or a C library does not have is passed over.
WAITS = {"epoll": ["?epoll_wait", "?epoll_pwait", "?epoll_pwait2"], "uring": ["io_uring_enter"]}


def injecting(calls, failure):
    """
    What stands before a program so that system calls of it fail: of EPERM, "EPERM:when=2+3". It stays the child of who
    started it, and strace has a session of its own (-DDD).
    """
    if not shutil.which("strace"):
        pytest.skip("there is no strace")
    calls = ",".join(calls)
    wrapper = ["strace", "-DDD", "-f", "-qq", "-o", os.devnull, "-e", f"trace={calls}", "-e",
               f"inject={calls}:error={failure}", "--"]
    tried = subprocess.run([*wrapper[:-1], "true"], stderr=subprocess.PIPE, timeout=seconds(20))
    if tried.returncode != 0:
        pytest.skip(f"strace may not trace here: {tried.stderr.decode().strip()}")
    return wrapper


def check_echo(server, clients=5):
    for number in range(clients):
        with server.connect() as client:
            assert is_echoed(client, b"client %d" % number)


def lines(server):
    """What it said, beside the endpoints it serves."""
    return [line for line in server.text.splitlines() if " on tcp://" not in line]


# --- accepting ---

@pytest.mark.parametrize("failure", ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS"])
def test_accepting_for_want_of_resources(serve, failure):
    """Accepting pauses, says so once, and goes on: no client is lost. (io_uring accepts without a call.)"""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", "epoll", "--workers", 1,
                   wrapper=injecting(["accept4"], f"{failure}:when=1..4"), env=TRACED)
    check_echo(server)
    server.stop()
    said = lines(server)
    assert len(said) == 1 and "accepting pauses" in said[0], server.text
    assert os.strerror(getattr(errno, failure)).lower() in said[0].lower()


@pytest.mark.parametrize("failure", ["ECONNABORTED", "EINTR", "EPROTO", "EPERM"])
def test_a_client_that_cannot_be_accepted_is_passed_over(serve, failure):
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", "epoll", "--workers", 1,
                   wrapper=injecting(["accept4"], f"{failure}:when=1..4"), env=TRACED)
    check_echo(server)
    server.stop()
    assert lines(server) == []


# --- waiting ---

@pytest.mark.parametrize("backend", BACKENDS)
def test_interrupted_waits(serve, backend):
    """Every second wait is cut short by a signal: nobody notices."""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend,
                   wrapper=injecting(WAITS[backend], "EINTR:when=2+2"), env=TRACED)
    check_echo(server)
    server.stop()
    assert lines(server) == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_memory_to_wait_with(serve, backend):
    """The server says so once, and serves on."""
    server = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--workers", 1,
                   wrapper=injecting(WAITS[backend], "ENOMEM:when=5..8"), env=TRACED)
    check_echo(server)
    server.stop()
    said = lines(server)
    assert len(said) == 1 and "cannot allocate memory" in said[0].lower(), server.text


# --- io_uring ---

def check_fallback(server):
    assert not any("io_uring" in name for name in server.descriptors())
    check_echo(server)
    server.stop()
    said = lines(server)
    assert len(said) == 1 and "io_uring" in said[0] and "using epoll" in said[0], server.text


@pytest.mark.parametrize("failure", ["EPERM", "ENOSYS", "ENOMEM", "EMFILE"])
def test_no_ring_to_be_had(serve, failure):
    check_fallback(serve("echo", "tcp://127.0.0.1:0", "--workers", 2,
                         wrapper=injecting(["io_uring_setup"], failure), env=TRACED))


def test_a_filter_that_refuses_io_uring(serve):
    check_fallback(serve("echo", "tcp://127.0.0.1:0", "--workers", 2,
                         wrapper=[*LAUNCH, "--deny", str(IO_URING_SETUP), "--"], env={"WEIR_BACKEND": ""}))


@pytest.mark.parametrize("failure", ["EPERM", "ENOSYS"])
def test_no_ring_where_one_was_asked_for(failure):
    """It fails with one line, rather than be something else."""
    result = subprocess.run([*injecting(["io_uring_setup"], failure), WEIR, "serve", "echo", "tcp://127.0.0.1:0",
                             "--backend", "uring"], stderr=subprocess.PIPE, env=environment(TRACED),
                            timeout=seconds(20))
    assert result.returncode == 1
    said = result.stderr.decode().splitlines()
    assert len(said) == 1 and "uring" in said[0], said

"""Started by somebody: sockets from systemd, being told when it is ready and when it stops, closed standard descriptors."""
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from conftest import BACKENDS, WEIR, environment, run_weir, seconds
from talk import LAUNCH, eventually, is_echoed

SHAPES = [(), ("--workers", 2), ("--processes", 2)]
IDS = ["one", "workers", "processes"]


# --- sockets that were passed ---

@contextlib.contextmanager
def passed(*sockets):
    """What has the sockets passed as systemd would."""
    numbers = [one.fileno() for one in sockets]
    yield {"wrapper": [*LAUNCH, "--listen", ",".join(map(str, numbers)), "--"], "pass_fds": numbers}


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_a_listening_socket(serve, backend, options):
    """It is used in place of one of its own, and clients who came before the start are served."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        early = socket.create_connection(listener.getsockname(), timeout=seconds(10))
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with passed(listener) as special:
            echo = serve("echo", endpoint, "--backend", backend, *options, **special)
        assert echo.endpoints == [endpoint]
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "its connections have it from here"
        with early:
            assert is_echoed(early, b"early")
        with echo.connect() as client:
            assert is_echoed(client, b"hello")
        echo.stop()
        # It was only lent: the socket still listens, as systemd wants it.
        socket.create_connection(listener.getsockname(), timeout=seconds(10)).close()


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_several_of_several_kinds(serve, tmp_path, options):
    with socket.create_server(("127.0.0.1", 0)) as tcp, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket(socket.AF_UNIX) as unix:
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"{tmp_path}/s")
        unix.listen()
        endpoints = [f"unix:{tmp_path}/s", f"udp://127.0.0.1:{udp.getsockname()[1]}",
                     f"tcp://127.0.0.1:{tcp.getsockname()[1]}"]
        with passed(tcp, udp, unix) as special:
            echo = serve("echo", *endpoints, *options, **special)
        assert echo.endpoints == endpoints
        for endpoint in endpoints:
            assert run_weir("ask", endpoint, "hello").stdout == b"hello"
        echo.signal(signal.SIGTERM)
        assert echo.wait() == 0
        assert os.path.exists(f"{tmp_path}/s"), "the file is whose socket it is"
        os.unlink(f"{tmp_path}/s")


@pytest.mark.parametrize("bound, host", [("0.0.0.0", "*"), ("127.0.0.1", "localhost"), ("127.0.0.1", "")])
def test_one_for_every_address_or_a_name(serve, bound, host):
    """An endpoint says what a socket is for: all addresses, a name's, or none, which is loopback."""
    with socket.create_server((bound, 0)) as listener:
        port = listener.getsockname()[1]
        with passed(listener) as special:
            echo = serve("echo", f"tcp://{host}:{port}", **special)
        assert echo.endpoints == [f"tcp://{bound}:{port}"]
        assert run_weir("ask", f"tcp://127.0.0.1:{port}", "hello").stdout == b"hello"


@pytest.mark.parametrize("endpoint", ["*", "127.0.0.2", "localhost"])
def test_one_for_something_else_is_not_taken(serve, endpoint):
    """It is on another address of loopback's than those asked for, which are opened beside it."""
    with socket.create_server(("127.0.0.3", 0)) as listener:
        port = listener.getsockname()[1]
        with passed(listener) as special:
            echo = serve("echo", f"tcp://{endpoint}:0", **special)
        assert f"tcp://127.0.0.3:{port}" not in echo.endpoints
        with echo.connect("tcp://") if endpoint != "*" else socket.create_connection(
                ("127.0.0.1", int(echo.endpoints[0].rpartition(":")[2]))) as client:
            assert is_echoed(client, b"hello")


def test_one_that_was_not_passed_is_opened(serve):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with passed(listener) as special:
            echo = serve("echo", endpoint, "tcp://127.0.0.1:0", **special)
        for one in echo.endpoints:
            assert run_weir("ask", one, "hello").stdout == b"hello"


def test_somebody_elses_are_left_alone(serve):
    """LISTEN_PID is another process: the descriptors are not ours."""
    echo = serve("echo", "tcp://127.0.0.1:0", env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
    with echo.connect() as client:
        assert is_echoed(client, b"hello")


@pytest.mark.parametrize("number", ["x", "-1", "99999999999999999999", ""])
def test_nonsense_in_the_environment(serve, number):
    echo = serve("echo", "tcp://127.0.0.1:0", env={"LISTEN_FDS": number, "LISTEN_PID": number})
    with echo.connect() as client:
        assert is_echoed(client, b"hello")


# --- telling ---

@pytest.fixture(params=["file", "abstract"])
def manager(request, tmp_path):
    """A socket such as systemd's; returns it and its name for NOTIFY_SOCKET."""
    name = f"{tmp_path}/notify" if request.param == "file" else f"@weir-test-notify-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.settimeout(seconds(10))
        one.bind(name.replace("@", "\0"))
        yield one, name


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_systemd_is_told(serve, manager, options):
    receiver, name = manager
    echo = serve("echo", "tcp://127.0.0.1:0", *options, env={"NOTIFY_SOCKET": name})
    assert receiver.recv(1000) == b"READY=1"
    with echo.connect() as client:
        assert is_echoed(client, b"hello")
        echo.signal(signal.SIGTERM)
        assert receiver.recv(1000) == b"STOPPING=1"
        assert is_echoed(client, b"a client that is still served")
    assert echo.wait() == 0
    receiver.settimeout(0.1)
    with pytest.raises(TimeoutError):
        receiver.recv(1000)  # once, and by the parent alone


@pytest.mark.parametrize("name", ["/nowhere/at/all", "@nobody-there", "nonsense", "", "/" + "x" * 300])
def test_a_manager_that_is_not_there(serve, name):
    echo = serve("echo", "tcp://127.0.0.1:0", env={"NOTIFY_SOCKET": name})
    with echo.connect() as client:
        assert is_echoed(client, b"hello")


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_the_ready_descriptor(serve, options):
    """A newline and the end, when clients are served; Server waits for it. Nobody keeps it open."""
    reading, writing = os.pipe()
    process = subprocess.Popen([WEIR, "serve", "echo", "tcp://127.0.0.1:0", *map(str, options), "--ready-fd",
                                str(writing)], stderr=subprocess.PIPE, pass_fds=[writing], env=environment(),
                               start_new_session=True)
    os.close(writing)
    try:
        assert os.read(reading, 10) == b"\n"
        assert os.read(reading, 10) == b""
        line = process.stderr.readline().decode()
        assert run_weir("ask", line.split()[-1], "hello").stdout == b"hello"
    finally:
        os.close(reading)
        process.terminate()
        assert process.wait(seconds(10)) == 0
        process.stderr.close()


def test_a_ready_descriptor_that_is_none(weir):
    """It serves nevertheless, and says what was wrong."""
    process = subprocess.Popen([WEIR, "serve", "echo", "tcp://127.0.0.1:0", "--ready-fd", "77"], env=environment(),
                               stderr=subprocess.PIPE, start_new_session=True)
    try:
        said = process.stderr.readline() + process.stderr.readline()
        assert b"ready descriptor 77" in said
    finally:
        process.terminate()
        assert process.wait(seconds(10)) == 0
        process.stderr.close()
    assert weir("serve", "echo", "--ready-fd", "1").returncode == 2


# --- standard descriptors, signals ---

@pytest.mark.parametrize("closed", ["0", "1", "2", "0,1,2"])
def test_closed_standard_descriptors(tmp_path, backend, closed):
    """No socket takes their numbers, so nobody prints to a client."""
    reading, writing = os.pipe()
    path = tmp_path / "s"
    process = subprocess.Popen([*LAUNCH, "--close", closed, "--", WEIR, "serve", "echo", f"unix:{path}", "--backend",
                                backend, "--log-level", "debug", "--ready-fd", str(writing)], pass_fds=[writing],
                               env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    os.close(writing)
    try:
        assert os.read(reading, 10) == b"\n"
        for number in (0, 1, 2):
            name = os.readlink(f"/proc/{process.pid}/fd/{number}")
            assert name == "/dev/null", name
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(seconds(10))
            client.connect(str(path))
            process.send_signal(signal.SIGUSR1)
            assert is_echoed(client, b"nothing but the echo")
    finally:
        os.close(reading)
        process.terminate()
        assert process.wait(seconds(10)) == 0
    assert not path.exists()


def test_a_stderr_whose_reader_is_gone(backend):
    """Logs are lost, SIGPIPE is not fatal, clients are served."""
    reading, writing = os.pipe()
    process = subprocess.Popen([WEIR, "serve", "echo", "tcp://127.0.0.1:0", "--backend", backend, "--ready-fd",
                                str(writing)], pass_fds=[writing], env=environment(), stderr=subprocess.PIPE,
                               start_new_session=True)
    os.close(writing)
    try:
        assert os.read(reading, 10) == b"\n"
        endpoint = process.stderr.readline().decode().split()[-1]
        process.stderr.close()
        for _ in range(5):
            process.send_signal(signal.SIGUSR1)
            assert run_weir("ask", endpoint, "hello").stdout == b"hello"
        process.send_signal(signal.SIGPIPE)
        assert run_weir("ask", endpoint, "hello").stdout == b"hello"
    finally:
        os.close(reading)
        process.terminate()
        assert process.wait(seconds(10)) == 0


def test_a_stderr_that_nobody_reads(backend):
    """Its pipe is full: records are lost, and nobody waits for it."""
    reading, writing = os.pipe()
    full, stderr = os.pipe()
    process = subprocess.Popen([WEIR, "serve", "echo", "tcp://127.0.0.1:0", "--backend", backend, "--ready-fd",
                                str(writing)], pass_fds=[writing], env=environment(), stderr=stderr,
                               start_new_session=True)
    os.close(writing)
    try:
        assert os.read(reading, 10) == b"\n"
        endpoint = os.read(full, 1000).decode().split()[3]
        os.set_blocking(stderr, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(stderr, bytes(4096))
        for _ in range(5):
            process.send_signal(signal.SIGUSR1)
            assert run_weir("ask", endpoint, "hello").stdout == b"hello"
    finally:
        os.set_blocking(stderr, True)
        os.close(reading)
        process.terminate()
        assert process.wait(seconds(10)) == 0
        os.close(full)
        os.close(stderr)


@pytest.mark.parametrize("options", SHAPES, ids=IDS)
def test_signals_that_were_blocked_or_ignored_by_the_parent(serve, options):
    """nohup and careless parents: SIGTERM is listened to all the same."""
    wrapper = ["python3", "-c", "import os, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
               "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1}); "
               "os.execv(sys.argv[1], sys.argv[1:])"]
    echo = serve("echo", "tcp://127.0.0.1:0", *options, wrapper=wrapper)
    with echo.connect() as client:
        assert is_echoed(client, b"hello")
    assert echo.wait_for_counters(active=0)["accepted"] == 1
    echo.stop()


def test_stopped_and_continued(serve, backend):
    """Ctrl-Z and fg, by a debugger as well: what came meanwhile is served."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, "--idle-timeout", "10s")
    with echo.connect() as client:
        assert is_echoed(client, b"before")
        echo.signal(signal.SIGSTOP)
        client.sendall(b"meanwhile")
        with echo.connect() as other:
            other.sendall(b"another")
            time.sleep(0.3)
            echo.signal(signal.SIGCONT)
            assert client.recv(100) == b"meanwhile"
            assert other.recv(100) == b"another"


def test_its_parents_death_is_not_its_own(tmp_path):
    """A shell that starts it in the background and ends."""
    path = tmp_path / "s"
    subprocess.run(["sh", "-c", f"exec 2>&1; setsid '{WEIR}' serve echo unix:{path} >{tmp_path}/log & "
                    f"echo $! >{tmp_path}/pid"], check=True, env=environment(), stdin=subprocess.DEVNULL)
    eventually(path.exists)
    pid = int((tmp_path / "pid").read_text())
    try:
        assert run_weir("ask", f"unix:{path}", "hello").stdout == b"hello"
    finally:
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not path.exists())
        eventually(lambda: not pathlib.Path(f"/proc/{pid}").exists() or
                   pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z")

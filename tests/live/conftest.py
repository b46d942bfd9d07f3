"""Fixtures for the live tests: the built program, and servers that are known to have ended well.

The program is the one WEIR names, build/weir without it. Everything listens on loopback, on ports that the system
chooses, and nothing is left running: every process is in a session of its own, which is killed after its test.
"""
import collections
import contextlib
import fcntl
import os
import pathlib
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEIR = os.environ.get("WEIR") or str(ROOT / "build" / "weir")
PATIENCE = float(os.environ.get("WEIR_TEST_PATIENCE", "1"))  # sanitizers and valgrind are slow

BACKENDS = ["uring", "epoll"]
MODELS = ["fiber", "thread", "iterative"]

# The same as text and as JSON.
READY = re.compile(r'^(?:weir: |\{.*"message":")(\S+) on ([^\s"]+)(?:"\})?$', re.MULTILINE)

# Thousands of clients want as many descriptors as this machine grants.
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_soft, min(_hard, 20000)), _hard))


def seconds(number):
    return number * PATIENCE


def environment(extra=None):
    """The environment of every program: without what would have it behave as under a terminal or a service manager."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "COLUMNS")}
    return kept | (extra or {})


def run_weir(*arguments, input=b"", timeout=20, env=None, wrapper=(), **options):
    """Runs the program to its end. Returns a CompletedProcess with bytes; fails the test where it does not end."""
    if "stdin" not in options:
        options["input"] = input
    return subprocess.run([*wrapper, WEIR, *map(str, arguments)], stdout=options.pop("stdout", subprocess.PIPE),
                          stderr=options.pop("stderr", subprocess.PIPE), timeout=seconds(timeout),
                          env=environment(env), start_new_session=True, **options)


def moved_up(descriptor, least=20):
    """The descriptor under a higher number, which leaves the low ones to those that systemd would pass."""
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    os.close(descriptor)
    return higher


class Server:
    """
    A running `weir serve ...` or `weir run`, or another program that serves. `endpoints` are those that it said it
    listens on, unless it is `quiet`.
    """

    def __init__(self, *arguments, program=WEIR, env=None, quiet=False, wrapper=(), pass_fds=(),
                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE):
        reading, writing = os.pipe()
        writing = moved_up(writing)
        self.text = ""
        words = [str(word) for word in arguments]
        end = words.index("--") if "--" in words else len(words)  # behind it they are another program's
        self.process = subprocess.Popen(
            [*wrapper, program, *words[:end], "--ready-fd", str(writing), *words[end:]], stdin=stdin, stdout=stdout,
            stderr=subprocess.PIPE, env=environment(env), start_new_session=True,
            pass_fds=[writing, *pass_fds])
        os.close(writing)
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._gone = False
        try:
            self._wait_until_ready(reading)
            assert quiet or self.endpoints, f"the server says no endpoints:\n{self.text}"
        except BaseException:
            self.kill()
            raise
        finally:
            os.close(reading)
        self._reader.start()

    def _read_some(self):
        data = os.read(self.process.stderr.fileno(), 65536)
        self.text += data.decode("utf-8", "replace")
        return len(data) > 0

    def _read_stderr(self):
        while self._read_some():
            pass

    def _wait_until_ready(self, descriptor):
        """Reads what it says until it is ready, and all of that: from then on a thread goes on reading."""
        stderr = self.process.stderr.fileno()
        end = time.monotonic() + seconds(15)
        readable = []
        while descriptor not in readable and time.monotonic() < end:
            readable, _, _ = select.select([descriptor, stderr], [], [], seconds(1))
            if stderr in readable and not self._read_some():
                break
        ready = descriptor in readable and os.read(descriptor, 1) == b"\n"
        while select.select([stderr], [], [], 0)[0] and self._read_some():
            pass
        assert ready, f"the server did not become ready:\n{self.text}"

    @property
    def endpoints(self):
        return [match.group(2) for match in READY.finditer(self.text)]

    def endpoint(self, beginning=""):
        """The first endpoint that begins so."""
        return next(e for e in self.endpoints if e.startswith(beginning))

    def address(self, beginning="tcp://127.0.0.1"):
        """HOST and PORT of an endpoint, for Python's sockets."""
        host, _, port = self.endpoint(beginning).partition("://")[2].rpartition(":")
        return host.strip("[]"), int(port)

    def connect(self, beginning="tcp://127.0.0.1", timeout=10):
        """A connection by Python's sockets."""
        return socket.create_connection(self.address(beginning), timeout=seconds(timeout))

    def wait_for_text(self, pattern, timeout=10, since=0):
        """Waits until stderr, from its character `since` on, has a match, and returns it."""
        end = time.monotonic() + seconds(timeout)
        while time.monotonic() < end:
            match = re.search(pattern, self.text[since:], re.MULTILINE)
            if match:
                return match
            time.sleep(0.01)
        raise AssertionError(f"no {pattern!r} in:\n{self.text}")

    def signal(self, number):
        self.process.send_signal(number)

    def descriptors(self):
        """What its descriptors are."""
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"{folder}/{name}"))
        return found

    def cpu_seconds(self):
        """The processor time that it has used, its threads included."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def counters(self, name="echo"):
        """What SIGUSR1 has it print, as numbers; what it does not name is 0."""
        before = len(self.text)
        self.signal(signal.SIGUSR1)
        line = self.wait_for_text(rf"^weir: {name}: (nothing yet|[a-z_]+=\d.*)$", since=before).group(1)
        pairs = (word.split("=") for word in line.split() if "=" in word)
        return collections.Counter({key: int(value) for key, value in pairs})

    def wait_for_counters(self, name="echo", timeout=10, **expected):
        """Waits until counters are what they are to be, and returns all."""
        end = time.monotonic() + seconds(timeout)
        while True:
            counters = self.counters(name)
            if all(counters[key] == value for key, value in expected.items()):
                return counters
            assert time.monotonic() < end, f"{expected} in {dict(counters)}"
            time.sleep(0.02)

    def wait(self, timeout=20):
        """Waits for its end. Returns the exit status."""
        status = self.process.wait(seconds(timeout))
        self._end_reading()
        return status

    def stop(self, status=0, timeout=20):
        """Has it end as an operator would, and checks that it did so well and left nothing."""
        if self._gone:
            return
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        ended = self.wait(timeout)
        assert ended == status, f"exit status {ended}:\n{self.text}"
        assert not group_members(self.process.pid), "it left a process behind"
        for endpoint in self.endpoints:
            path = endpoint.removeprefix("unix:").partition("?")[0]
            if endpoint.startswith("unix:/"):
                assert not os.path.exists(path), f"it left {path}"
        complaints = [line for line in self.text.splitlines() if "Sanitizer" in line or "runtime error" in line]
        assert not complaints, self.text
        self._gone = True

    def _end_reading(self):
        if self._reader.ident:
            self._reader.join(seconds(5))
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def kill(self):
        """Ends it whatever it does; for what is left after a failure."""
        if self._gone:
            return
        self._gone = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._end_reading()


def group_members(group):
    """The processes of a group, zombies apart: what a program left behind."""
    members = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                members.append(int(name))
    return members


def end_all(servers):
    """Has servers end well, checked; and whatever comes, none of them is left."""
    try:
        for server in servers:
            server.stop()
    finally:
        for server in servers:
            server.kill()


@pytest.fixture
def weir():
    """Runs the program: weir("ask", endpoint, "hello").stdout"""
    return run_weir


@pytest.fixture
def serve():
    """Starts servers: serve("echo", "tcp://:0", "--model", "thread"). They are stopped and checked after the test."""
    servers = []

    def start(service, *arguments, **options):
        server = Server("serve", service, *arguments, **options)
        servers.append(server)
        return server

    yield start
    end_all(servers)


@pytest.fixture(params=BACKENDS)
def backend(request):
    """Each backend in turn, for --backend or WEIR_BACKEND."""
    return request.param


@pytest.fixture(params=MODELS)
def model(request):
    """Each model in turn, for --model."""
    return request.param


class Peer:
    """A server of Python's, for clients that are tested: `talk(connection)` runs in a thread for each client."""

    def __init__(self, talk, family=socket.AF_INET, address=("127.0.0.1", 0)):
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(address)
        self.listener.listen()
        self.name = self.listener.getsockname()
        self.endpoint = f"unix:{self.name}" if family == socket.AF_UNIX else f"tcp://{self.name[0]}:{self.name[1]}"
        self.thread = threading.Thread(target=self._accept, args=(talk,), daemon=True)
        self.thread.start()

    def _accept(self, talk):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._talk, args=(talk, connection), daemon=True).start()

    @staticmethod
    def _talk(talk, connection):
        connection.settimeout(seconds(20))
        with connection, contextlib.suppress(OSError):
            talk(connection)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(seconds(5))


@pytest.fixture
def peer():
    """Starts servers of Python's: peer(lambda connection: connection.sendall(b"hello"))"""
    peers = []

    def start(talk, **options):
        peers.append(Peer(talk, **options))
        return peers[-1]

    yield start
    for each in peers:
        each.close()


@pytest.fixture
def refused():
    """An endpoint that nobody listens on, and nobody else can take meanwhile."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    yield f"tcp://127.0.0.1:{holder.getsockname()[1]}"
    holder.close()

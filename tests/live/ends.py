"""How two sides may end, and what must come of it: the stage on which a case is played, for weir and for others.

A case has two actors. The peer is at the far end of the connection, with a socket of Python's; the user is at the
program's stdin and stdout. What the program did is an Outcome, and what was wrong with it a list of words. Cases know
no program: ends_pipes.py and ends_servers.py have them, test_ends.py plays them with weir, scripts/ends with the others
as well.
"""
import contextlib
import dataclasses
import fcntl
import os
import pty
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time
import typing

from conftest import environment
from talk import pattern, reset

QUESTION = b"a question\n"
ANSWER = b"an answer\n"
LARGE = 8_000_000
LATE = 1.2
DONE, EARLY = 0, 4


def large(seed):
    return pattern(LARGE, seed)


class Over(Exception):
    """The play is over for an actor: what it waited for did not come."""


class Peer:
    """The far end of a connection. What it was sent is in `taken`, and in `sees` how that ended: "end" or "cut"."""

    def __init__(self, connection, limit):
        self.connection = connection
        self.taken = bytearray()
        self.sees = None
        connection.settimeout(limit)

    def _call(self, call, argument):
        try:
            return call(argument)
        except ConnectionError:
            self.sees = "cut"
            raise

    def send(self, data):
        self._call(self.connection.sendall, data)

    def _receive(self, size):
        chunk = self._call(self.connection.recv, size)
        self.taken += chunk
        if not chunk:
            self.sees = self.sees or "end"  # of a reset one call is told, and others see an end
        return len(chunk)

    def read(self, size):
        """Reads until it has that many bytes more."""
        wanted = len(self.taken) + size
        while len(self.taken) < wanted:
            if not self._receive(min(65536, wanted - len(self.taken))):
                raise Over("the end came before")

    def await_more(self):
        """Waits until there is something to read, and leaves it there."""
        self.connection.recv(1, socket.MSG_PEEK)

    def read_to_end(self):
        while self._receive(65536):
            pass

    def read_and_return(self, most=float("inf")):
        """Sends back what comes, as it comes, to the end or so many bytes."""
        at = 0
        while len(self.taken) < most and self._receive(65536):
            self.send(self.taken[at:])
            at = len(self.taken)

    def await_acknowledged(self):
        """Waits until the other side's system has all that was sent."""
        end, queued = time.monotonic() + self.connection.gettimeout(), 1
        while queued and time.monotonic() < end:
            queued = struct.unpack("i", fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4)))[0]
            time.sleep(0.01)

    def half_close(self):
        self.connection.shutdown(socket.SHUT_WR)

    def close(self):
        self.connection.close()

    def reset(self):
        """Cuts it. A Unix socket has no reset but that of a peer who closes without having read."""
        reset(self.connection)


class Nobody:
    """In the place of a peer whom nothing ever reached."""
    taken, sees = b"", None


class User:
    """Who sits at stdin and stdout of the program. What was printed is in `printed`."""

    def __init__(self, stdin, stdout, limit):
        self.stdin, self.stdout, self.limit = stdin, stdout, limit
        self.printed = bytearray()
        self.changed = threading.Condition()
        self.reader = None

    def read_along(self):
        """Reads stdout from here on, whatever else is done."""
        if not self.reader:
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()

    def _read(self):
        while chunk := os.read(self.stdout, 65536):
            with self.changed:
                self.printed += chunk
                self.changed.notify_all()

    def await_output(self, size):
        self.read_along()
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.printed) >= size, self.limit):
                raise Over("nothing is printed")

    def read_no_more(self, size):
        """Reads that many bytes of stdout and goes away."""
        while len(self.printed) < size:
            self.printed += os.read(self.stdout, size - len(self.printed))
        os.close(self.stdout)
        self.stdout = None

    def write(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self.stdin, view):]

    def end(self):
        """Ends stdin."""
        if self.stdin is None:
            return
        if os.isatty(self.stdin):
            os.write(self.stdin, b"\x04")
        else:
            os.close(self.stdin)
            self.stdin = None

    def leave(self):
        for descriptor in filter(None, (self.stdin, self.stdout)):
            os.close(descriptor)
        self.stdin = self.stdout = None


def asks(play):
    """What a user does mostly: writes a question, ends stdin, reads what is printed."""
    play.user.read_along()
    play.user.write(QUESTION)
    play.user.end()


@dataclasses.dataclass(frozen=True)
class Case:
    """
    What is done at either end, and what must come of it; `None` where it does not matter. A user who is a client has a
    socket as well, and no stdin.
    """
    name: str
    title: str
    peer: typing.Callable
    user: typing.Callable = asks
    stdin: str = "pipe"
    program: typing.Optional[str] = None  # in a shell, in the place of the peer; what it takes goes to the file "taken"
    question: typing.Optional[bytes] = QUESTION
    answer: typing.Optional[bytes] = ANSWER
    status: typing.Optional[int] = DONE
    user_sees: typing.Optional[str] = None  # on TCP: "end" or "cut"
    peer_sees: typing.Optional[str] = None
    commands: tuple = ("connect", "listen")
    transports: tuple = ("tcp", "unix")
    options: tuple = ()  # of weir


@dataclasses.dataclass
class Outcome:
    status: typing.Optional[int]  # None: it had to be killed
    printed: bytes = dataclasses.field(repr=False)
    taken: bytes = dataclasses.field(repr=False)
    said: str
    user_sees: typing.Optional[str] = None
    peer_sees: typing.Optional[str] = None


class Play:
    """A case while it is played: its actors, and events by which each tells the other what it has done."""

    def __init__(self, limit):
        self.limit = limit
        self.peer = self.user = None
        self._told = {}
        self._lock = threading.Lock()

    def _event(self, name):
        with self._lock:
            return self._told.setdefault(name, threading.Event())

    def tell(self, name):
        self._event(name).set()

    def await_told(self, name):
        if not self._event(name).wait(self.limit):
            raise Over(f"nobody tells {name}")


def act(script, play):
    """Plays a part as far as it goes: that the other side is gone, or nothing comes, is an outcome."""
    with contextlib.suppress(OSError, Over):
        script(play)


# --- the program's stdin ---

def open_stdin(kind, folder):
    """What the program gets as stdin (None: closed), and what the user writes to (None: nothing)."""
    if kind == "pipe":
        return os.pipe()
    if kind == "terminal":
        control, terminal = pty.openpty()
        return terminal, control
    if kind == "file":
        path = os.path.join(folder, "question")
        with open(path, "wb") as file:
            file.write(QUESTION)
        return os.open(path, os.O_RDONLY), None
    return (os.open("/dev/null", os.O_RDONLY) if kind == "null" else None), None


def start(command, stdin):
    """Starts a program in a session of its own. Returns it and the reading end of its stdout."""
    reading, writing = os.pipe()
    if stdin is None:
        command = ["sh", "-c", 'exec "$0" "$@" <&-', *command]
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=writing,
                                   stderr=subprocess.PIPE, start_new_session=True, env=environment())
    finally:
        os.close(writing)
        if stdin is not None:
            os.close(stdin)
    return process, reading


# --- the connection ---

def endpoint_of(transport, folder):
    """An address for Python's sockets."""
    if transport == "unix":
        return socket.AF_UNIX, os.path.join(folder, "socket")
    return socket.AF_INET, ("127.0.0.1", 0)


def listen(transport, folder):
    family, address = endpoint_of(transport, folder)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(8)
    return listener


def dial(family, address, limit):
    """Connects as soon as somebody listens."""
    end = time.monotonic() + limit
    while True:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.connect(address)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# --- playing ---

def finish(process, limit):
    """Waits for its end, and makes it. Returns its status, None where it had to be killed."""
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def said_by(process):
    with process.stderr:
        return process.stderr.read().decode("utf-8", "replace")


class Thread(threading.Thread):
    def __init__(self, target, *arguments):
        super().__init__(target=target, args=arguments, daemon=True)
        self.start()


def play_part(script, play, role, get_connection):
    """Gets a connection, plays the part of the peer, or of a user who is a client, and closes."""
    try:
        connection = get_connection()
    except OSError:
        return
    with connection:
        setattr(play, role, Peer(connection, play.limit))
        act(script, play)


def play_pipes(case, command, get_connection, limit, folder):
    """Plays a case with a program that joins stdin and stdout with a connection: that of get_connection(process)."""
    play = Play(limit)
    theirs, ours = open_stdin(case.stdin, folder)
    process, stdout = start(command, theirs)
    play.user = User(ours, stdout, limit)
    peer = Thread(play_part, case.peer, play, "peer", lambda: get_connection(process))
    user = Thread(act, case.user, play)
    status = finish(process, limit)
    peer.join(limit)
    user.join(limit)
    if play.user.reader:
        play.user.reader.join(limit)
    play.user.leave()
    taken = bytes(play.peer.taken) if play.peer else b""
    return Outcome(status, bytes(play.user.printed), taken, said_by(process))


@contextlib.contextmanager
def folder_of_play():
    with tempfile.TemporaryDirectory(prefix="ends-") as folder:
        yield folder


def play_relayed(case, command, dial_relay, get_server, limit):
    """Plays one with a program between a client and a server: the sockets of dial_relay(process) and get_server()."""
    play = Play(limit)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               start_new_session=True, env=environment())
    try:
        server = Thread(play_part, case.peer, play, "peer", get_server)  # who is not there gets no connection
        play_part(case.user, play, "user", lambda: dial_relay(process))
        server.join(limit)
    finally:
        process.terminate()
        status = finish(process, limit)
    user, peer = play.user or Nobody, play.peer or Nobody
    return Outcome(status, bytes(user.taken), bytes(peer.taken), said_by(process), user.sees, peer.sees)


def running(folder):
    """The number of the program that wrote it down in its folder, where it is still there, or else None."""
    with contextlib.suppress(OSError, ValueError):
        with open(os.path.join(folder, "number"), encoding="ascii") as file:
            number = int(file.read())
        if os.readlink(f"/proc/{number}/cwd") == folder:
            return number
    return None


def await_program(case, folder, limit):
    """
    Waits for what the program is to take, and its end. Returns both as a peer's: one that goes on was not told of the
    client's end.
    """
    path, end, taken = os.path.join(folder, "taken"), time.monotonic() + limit, b""
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            with open(path, "rb") as file:
                taken = file.read()
        if not running(folder) and case.question in (None, taken):
            break
        time.sleep(0.02)
    return taken, None if running(folder) else case.peer_sees


def play_served(case, command, dial_server, limit, folder):
    """Plays one with a server that runs `sh FOLDER/program` for a client; the program writes its number down first."""
    play = Play(limit)
    play.folder = folder
    with open(os.path.join(folder, "program"), "w", encoding="ascii") as file:
        file.write(f"cd {folder}\necho $$ > new && mv new number\n{case.program}\n")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               start_new_session=True, env=environment())
    try:
        play_part(case.user, play, "user", lambda: dial_server(process))
        taken, peer_sees = await_program(case, folder, limit)
    finally:
        process.terminate()
        status = finish(process, limit)
        end_program(folder)
    user = play.user or Nobody
    return Outcome(status, bytes(user.taken), taken, said_by(process), user.sees, peer_sees)


def end_program(folder):
    """What a server has left running goes as well."""
    number = running(folder)
    if number:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, 9)


# --- judging ---

def amount(size):
    return f"{size:,} bytes" if size < 1_000_000 else f"{size / 1e6:.1f} MB"


def missing(what, wanted, got):
    if wanted is None or got == wanted:
        return []
    if wanted.startswith(got):
        lost = len(wanted) - len(got)
        return [f"the {what} is lost" if not got else f"{amount(lost)} of the {what} are lost"]
    return [f"another {what} than was sent"]


def wrong_end(who, wanted, seen):
    if wanted is None or seen == wanted:
        return []
    if who == "program":
        return ["the program goes on"]
    return [{None: f"the {who} never sees an end", "end": f"the {who} sees an end, not a cut",
             "cut": f"the {who} is cut"}[seen]]


def faults(case, outcome, transport="unix"):
    """What is wrong, in words; nothing where all is right. Of a failure any status but 0 tells."""
    found = missing("answer", case.answer, outcome.printed) + missing("question", case.question, outcome.taken)
    if transport == "tcp" or case.program:  # a Unix socket has no reset
        found += wrong_end("client", case.user_sees, outcome.user_sees)
        found += wrong_end("program" if case.program else "server", case.peer_sees, outcome.peer_sees)
    if outcome.status is None:
        found.append("never ends")
    elif case.status is None:
        pass
    elif case.status == DONE and outcome.status != 0:
        found.append("SIGPIPE" if outcome.status == -13 else f"status {outcome.status}")
    elif case.status != DONE and outcome.status == 0:
        found.append("status 0")
    return found

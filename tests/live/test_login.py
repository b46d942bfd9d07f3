"""weir serve login and weir user: who is let in, what others are told, and that nobody learns a password from us."""
import contextlib
import os
import pathlib
import pty
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest

from conftest import PATIENCE, WEIR, environment, run_weir, seconds
from talk import eventually, foreign_address, read_to_end
from test_greet import converse, program

WRONG = b"wrong user or password"
CANARY = "canary-5f1d-in-a-mine"


class Users:
    """A file of accounts, of a folder of its own."""

    def __init__(self, folder):
        self.file = folder / "state" / "users.db"

    def run(self, *words, password=None):
        given = ["--password-stdin"] if password is not None else []
        return run_weir("user", *words, "--users", self.file, *given, input=f"{password or ''}\n".encode())

    def do(self, *words, password=None):
        result = self.run(*words, password=password)
        assert (result.returncode, result.stderr) == (0, b""), words
        return result.stdout.decode()


@pytest.fixture(scope="module")
def first_users(tmp_path_factory):
    """Of bob, whose password is secret. Made once, since that takes its time."""
    made = Users(tmp_path_factory.mktemp("users"))
    made.do("add", "bob", password="secret")
    return made


@pytest.fixture
def users(first_users, tmp_path):
    """A copy for each test."""
    made = Users(tmp_path)
    made.file.parent.mkdir()
    shutil.copy(first_users.file, made.file)
    return made


@pytest.fixture
def login(serve, users):
    """Starts a login for these accounts."""
    def start(*options, endpoint="tcp://127.0.0.1:0", **more):
        return serve("login", endpoint, "--users", users.file, *options, **more)
    return start


def say(server, *messages, host=None):
    """What is answered to messages that are sent at once, and the end of them."""
    source = (host, 0) if host else None
    with socket.create_connection(server.address(), timeout=seconds(60), source_address=source) as client:
        client.sendall(b"".join(messages))
        client.shutdown(socket.SHUT_WR)
        return read_to_end(client)


def read_until(client, end):
    """Everything up to what is expected."""
    data = b""
    while not data.endswith(end):
        more = client.recv(4096)
        assert more, data
        data += more
    return data


# --- the conversation ---

def test_a_name_and_a_password_in_a_greeting_out(login):
    server = login()
    assert say(server, b"bob\r\nsecret\r\n") == b"hi bob\r\n"
    assert say(server, b"  bob \t secret\n") == b"hi bob\n"
    assert say(server, b"bob secret") == b"hi bob"
    server.wait_for_text(r"login: 127\.0\.0\.1:\d+: bob$")


@pytest.mark.parametrize("model", ["thread", "iterative"])
def test_in_every_model(login, model):
    assert say(login("--model", model), b"bob\nsecret\n") == b"hi bob\n"


def test_blanks_at_the_end_are_the_passwords(login, users):
    users.do("add", "anna", password=" open  sesame ")
    users.do("add", "otto", password="sesame ")
    server = login("--retry-delay", "never", "--tries", 1)
    assert say(server, b"anna\n open  sesame \n") == b"hi anna\n"
    assert say(server, b"otto   sesame \n") == b"hi otto\n"
    assert say(server, b"otto sesame\n") == WRONG + b"\n"
    assert say(server, b"bob \nsecret\n") == b"hi bob\n"


def test_who_is_silent_is_asked(login):
    """As at nc and telnet; and it may try three times."""
    server = login()
    with server.connect(timeout=60) as client:
        assert read_until(client, b": ") == b"user: "
        for number in range(3):
            client.sendall(b"bob\n")
            assert read_until(client, b": ") == b"password: "
            client.sendall(b"guess\n")
            expected = WRONG + b"\n" + (b"user: " if number < 2 else b"")
            assert read_until(client, expected) == expected
        assert client.recv(100) == b""


def test_messages_without_newlines(login):
    """As a program sends them: name, question, password, greeting, end."""
    server = login()
    with server.connect(timeout=60) as client:
        client.sendall(b"bob")
        assert read_until(client, b": ") == b"password: "
        client.sendall(b"secret")
        assert read_to_end(client) == b"hi bob"


@pytest.mark.parametrize("tool", ["nc", "telnet"])
def test_at_a_tool_of_others(login, tool):
    """As a person has it there: questions, answers."""
    converse(program(tool, *login().address()), (b"", b"user: "), (b"bob\n", b"password: "), (b"secret\n", b"hi bob\n"))


def test_wrong_and_unknown_are_told_the_same(login):
    server = login("--tries", 1, "--retry-delay", "never")
    for attempt in (b"bob wrong\n", b"eve secret\n", b"\n\n", b"bo\0b secret\n", b"'OR'1'='1\n' OR 1=1 --\n",
                    b"x" * 300 + b" secret\n"):
        assert say(server, attempt) == WRONG + b"\n", attempt
    assert say(server, b"bob secret\n") == b"hi bob\n"
    assert "secret" not in server.text and "wrong\n" not in server.text


def test_what_is_too_long_ends_it(login):
    server = login()
    with server.connect(timeout=60) as client:
        client.sendall(b"\n" + b"x" * 2000 + b"\n")
        assert read_to_end(client) == b"no name and no password are that long\n"
    with server.connect(timeout=60) as client:
        client.sendall(b"x" * 200_000)  # of which much is still to be read: no reset that could overtake the answer
        assert read_to_end(client) == b"no name and no password are that long"
    assert say(server, b"bob secret\n") == b"hi bob\n"


def test_on_a_unix_socket(login, tmp_path):
    server = login(endpoint=f"unix:{tmp_path}/s")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds(60))
        client.connect(f"{tmp_path}/s")
        client.sendall(b"bob secret\n")
        assert read_to_end(client) == b"hi bob\n"
    server.wait_for_text(rf"login: user {os.getuid()}: bob$")


def test_what_is_changed_holds_at_once(login, users):
    server = login("--retry-delay", "never")
    users.do("greeting", "bob", "good to see you")
    assert say(server, b"bob secret\n") == b"good to see you\n"
    users.do("passwd", "bob", password="other")
    assert say(server, b"bob secret\n") == WRONG + b"\n"
    assert say(server, b"bob other\n") == b"good to see you\n"
    users.do("add", "alice", "--greeting", "welcome back, Alice", password="her own")
    assert say(server, b"alice her own\n") == b"welcome back, Alice\n"
    users.do("greeting", "bob")
    assert users.do("list") == "alice\twelcome back, Alice\nbob\thi bob\n"
    users.do("remove", "bob")
    assert say(server, b"bob other\n") == WRONG + b"\n"


def test_without_accounts_it_says_how_to_add_one(serve, tmp_path):
    server = serve("login", "tcp://127.0.0.1:0", env={"XDG_STATE_HOME": str(tmp_path)})
    server.wait_for_text(rf"login: there is no account in {tmp_path}/weir/users.db; to add one: weir user add NAME$")
    assert not list(tmp_path.iterdir())
    assert say(server, b"bob secret\n") == WRONG + b"\n"
    result = run_weir("user", "add", "bob", "--password-stdin", input=b"secret\n",
                      env={"XDG_STATE_HOME": str(tmp_path)})
    assert result.returncode == 0
    assert say(server, b"bob secret\n") == b"hi bob\n"


def test_a_password_that_cannot_be_read_is_told(users, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    result = run_weir("user", "add", "another", "--password-stdin", "--users", users.file, stdin=folder)
    os.close(folder)
    assert (result.returncode, result.stderr.lower()) == (1, b"weir: read stdin: is a directory\n")


def test_several_processes(login):
    server = login("--processes", 2)
    assert {say(server, b"bob secret\n") for _ in range(2)} == {b"hi bob\n"}


# --- who may come ---

def test_beyond_this_machine_it_wants_to_be_told_so(users, login):
    for endpoint in ("tcp://*:0", f"tcp://{foreign_address() or '*'}:0"):
        result = run_weir("serve", "login", endpoint, "--users", users.file)
        assert result.returncode == 2
        assert b"--allow-plaintext" in result.stderr and result.stderr.count(b"\n") == 1
    server = login("--allow-plaintext", endpoint="tcp://*:0")
    port = int(server.endpoint().rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=seconds(60)) as client:
        client.sendall(b"bob secret\n")
        assert read_to_end(client) == b"hi bob\n"


def test_a_file_that_others_can_read_is_refused(users):
    users.file.chmod(0o644)
    for words in (["serve", "login", ":0"], ["user", "list"]):
        result = run_weir(*words, "--users", users.file)
        assert result.returncode == 1 and b"chmod 600" in result.stderr


# --- floods ---

def test_all_that_fail_are_told_the_last_of_them_at_the_end(login):
    server = login("--retry-delay", "never", "--tries", 4)
    assert say(server, b"bob wrong\n" * 4) == (WRONG + b"\n") * 4
    server.wait_for_text(r"login: 127\.0\.0\.1:\d+: wrong user or password, tries: 1$")
    server.stop()
    server.wait_for_text(r"login: 127\.0\.0\.1: wrong user or password, tries: 3$")


def flood(server, hosts):
    """A wrong try from each of many addresses, all under way together. Returns how many got which answer."""
    clients, answers = [], {}
    try:
        for host in hosts:
            clients.append(socket.create_connection(server.address(), timeout=seconds(60), source_address=(host, 0)))
            clients[-1].sendall(b"bob wrong\n")
        for client in clients:
            with contextlib.suppress(ConnectionResetError):
                line = client.makefile("rb").readline()
                answers[line] = answers.get(line, 0) + 1
    finally:
        for client in clients:
            client.close()
    return answers


def test_a_thousand_tries_from_one_address(login):
    """All but a few are turned away; who comes from elsewhere is let in meanwhile."""
    server = login("--tries-at-once", 2, "--retry-delay", "100ms", "--max-retry-delay", "100ms")
    answers = flood(server, ["127.0.0.2"] * 1000)
    turned_away = answers.pop(b"too many tries at once from your address: come back later\n")
    assert set(answers) == {WRONG + b"\n"}
    assert turned_away + answers[WRONG + b"\n"] == 1000 and turned_away > 500
    assert say(server, b"bob secret\n", host="127.0.0.3") == b"hi bob\n"
    server.wait_for_counters("login", active=0, accepted=1001)


def test_a_thousand_tries_from_as_many_addresses(login):
    """So many wait for the one that is judged; the others are turned away, and the server is as it was."""
    server = login("--max-waiting", 5)
    answers = flood(server, [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(1000)])
    turned_away = answers.pop(b"too busy: come back later\n")
    assert set(answers) == {WRONG + b"\n"}
    assert turned_away + answers[WRONG + b"\n"] == 1000 and answers[WRONG + b"\n"] >= 6
    assert say(server, b"bob secret\n") == b"hi bob\n"
    server.wait_for_counters("login", active=0, accepted=1001)


@pytest.mark.skipif(PATIENCE != 1, reason="sanitizers want all the address space there is")
def test_that_nothing_can_be_judged_is_told_and_logged(login):
    """There is no memory for one more thread, of the pool or of the judge's."""
    server = login()
    pid = server.process.pid
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[0])
    _, most = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + (4 << 20), most))
    assert say(server, b"bob secret\n") == b"too busy: come back later\n"
    server.wait_for_text("error: offload: ")
    resource.prlimit(pid, resource.RLIMIT_AS, (most, most))
    assert say(server, b"bob secret\n") == b"hi bob\n"


# --- secrets ---

def command_lines():
    """Of every process there is."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:
            yield file.read()


def dumps_core(core_folder):
    """Whether a program that crashes here leaves a core."""
    crash = subprocess.Popen([sys.executable, "-c", "import os; os.abort()"], cwd=core_folder,
                             preexec_fn=unlimited_cores, start_new_session=True)
    return os.WCOREDUMP(os.waitpid(crash.pid, 0)[1])


def unlimited_cores():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # which a shell has its background ignore


def test_a_password_is_found_nowhere(login, users, tmp_path):
    """In no log, on no command line, in no file: a password that was set, tried rightly, wrongly, and as a name."""
    users.do("add", "canary", password=CANARY)
    server = login("--log-level", "debug", "--retry-delay", "never")
    secret = CANARY.encode()
    assert say(server, b"canary " + secret + b"\n") == b"hi canary\n"
    with server.connect(timeout=60) as client:
        for attempt in (b"bob " + secret, secret + b"\nx", b"canary\nnot-" + secret):
            client.sendall(attempt + b"\n")
            expected = WRONG + b"\n"
            assert read_until(client, expected).endswith(expected)
        assert not any(secret in line for line in command_lines())
    server.stop()
    assert CANARY not in server.text
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or secret not in path.read_bytes(), path


def is_in_memory(pid, data):
    """Whether bytes are anywhere in the memory of a process that it can write to."""
    found = False
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, permissions = line.split()[:2]
        begin, end = (int(number, 16) for number in span.split("-"))
        if permissions.startswith("rw") and end - begin <= 1 << 28:
            with open(f"/proc/{pid}/mem", "rb") as memory:
                memory.seek(begin)
                found = found or data in memory.read(end - begin)
    return found


@pytest.mark.skipif(os.geteuid() != 0 or PATIENCE != 1, reason="root alone reads it; sanitizers have their own")
def test_a_password_is_not_left_in_memory(login, users):
    users.do("add", "anna", password=CANARY)
    server = login("--retry-delay", "never", "--tries", 1)
    assert say(server, b"anna " + CANARY.encode() + b"\n") == b"hi anna\n"
    assert say(server, b"anna\nnot-" + CANARY.encode() + b"\n") == WRONG + b"\n"
    assert is_in_memory(server.process.pid, str(users.file).encode())
    assert not is_in_memory(server.process.pid, CANARY.encode()[:12])


def test_a_crash_leaves_no_core(users, tmp_path):
    """Not the server's: it is killed by a signal that would have it leave one."""
    cores = tmp_path / "cores"
    cores.mkdir()
    if not dumps_core(cores):
        pytest.skip("no program leaves a core here")
    reading, writing = os.pipe()
    words = [WEIR, "serve", "login", "tcp://127.0.0.1:0", "--users", users.file, "--ready-fd", str(writing)]
    process = subprocess.Popen(words, cwd=cores, env=environment(), stderr=subprocess.DEVNULL, pass_fds=[writing],
                               preexec_fn=unlimited_cores, start_new_session=True)
    os.close(writing)
    assert os.read(reading, 1) == b"\n"
    os.close(reading)
    process.send_signal(signal.SIGQUIT)
    try:
        eventually(lambda: os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG), timeout=20)
    finally:
        os.kill(process.pid, signal.SIGKILL)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = status
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)


# --- weir user at a terminal ---

class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execve(WEIR, [WEIR, *map(str, words)], environment())
        self.shown = b""

    def wait_for(self, text):
        end = time.monotonic() + seconds(20)
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.terminal], [], [], 0.2)[0]:
                self.shown += os.read(self.terminal, 4096)

    def type(self, text):
        os.write(self.terminal, text)

    def shows_what_is_typed(self):
        return bool(termios.tcgetattr(self.terminal)[3] & termios.ECHO)

    def end(self):
        """Its status, as waitpid has it, and all that was shown."""
        with contextlib.suppress(OSError):
            while data := os.read(self.terminal, 4096):
                self.shown += data
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return status


def test_the_password_is_asked_for_and_not_shown(users, login):
    terminal = Terminal("user", "add", "alice", "--users", users.file)
    terminal.wait_for(b"password: ")
    assert not terminal.shows_what_is_typed()
    terminal.type(b"her own\n")
    terminal.wait_for(b"again: ")
    terminal.type(b"her own\n")
    assert terminal.end() == 0
    assert b"her own" not in terminal.shown
    assert say(login(), b"alice her own\n") == b"hi alice\n"


def test_two_that_differ_are_refused(users):
    terminal = Terminal("user", "passwd", "bob", "--users", users.file)
    terminal.wait_for(b"password: ")
    terminal.type(b"one\n")
    terminal.wait_for(b"again: ")
    terminal.type(b"other\n")
    assert os.waitstatus_to_exitcode(terminal.end()) == 2
    assert b"the two passwords differ" in terminal.shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_terminal_back_as_it_was(users, number):
    terminal = Terminal("user", "passwd", "bob", "--users", users.file)
    terminal.wait_for(b"password: ")
    if number == signal.SIGINT:
        terminal.type(b"sec\x03")
    else:
        os.kill(terminal.pid, number)
    eventually(terminal.shows_what_is_typed)
    status = terminal.end()
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number


def test_whoever_stopped_it_is_asked_again(users):
    """Of a process group that no shell looks after the system lets nobody be stopped: it goes on at once."""
    terminal = Terminal("user", "passwd", "bob", "--users", users.file)
    terminal.wait_for(b"password: ")
    os.kill(terminal.pid, signal.SIGTSTP)
    terminal.wait_for(b"password: \r\npassword: ")
    assert not terminal.shows_what_is_typed()
    terminal.type(b"other\n")
    terminal.wait_for(b"again: ")
    terminal.type(b"other\n")
    assert terminal.end() == 0


# --- wrong usage of weir user ---

@pytest.mark.parametrize("words, said", [
    ([], b"what is to be done?"),
    (["frob"], b"frob: unknown action"),
    (["add"], b"no NAME is given"),
    (["add", "a b"], b"a name has no blanks"),
    (["add", "a\nb"], b"control characters"),
    (["list", "bob"], b"list takes no more words"),
    (["remove", "bob", "--greeting", "x"], b"--greeting is of add"),
    (["list", "--password-stdin"], b"--password-stdin is of add and passwd"),
    (["greeting", "bob", "two\nlines"], b"a greeting is a line"),
    (["add", "eve", "--password-stdin"], b"a password is not empty"),
    (["add", "eve"], b"--password-stdin reads it from stdin"),
])
def test_wrong_usage(users, words, said):
    result = run_weir("user", *words, "--users", users.file, input=b"\n")
    assert result.returncode == 2, result.stderr
    assert said in result.stderr and result.stderr.count(b"\n") == 1 and result.stdout == b""


def test_what_cannot_be_done(users):
    for words, said in [(["add", "bob"], b"there is an account of that name"),
                        (["passwd", "eve"], b"there is no account of that name"),
                        (["remove", "eve"], b"there is no account of that name")]:
        result = users.run(*words)
        assert result.returncode == 1 and said in result.stderr and result.stderr.count(b"\n") == 1
    result = run_weir("user", "list", "--users", users.file.parent / "none")
    assert result.returncode == 1 and b"none: no such file or directory" in result.stderr


def test_passwords_of_a_script(users, login):
    """Each takes its line of stdin, and leaves the others."""
    script = 'for name in anna otto; do "$0" user add $name --password-stdin --users "$1" || exit; done; cat'
    result = subprocess.run(["sh", "-c", script, WEIR, users.file], input=b"one\r\ntwo\nrest", capture_output=True,
                            timeout=seconds(60), env=environment(), check=True)
    assert result.stdout == b"rest"
    server = login()
    assert say(server, b"anna one\n") == b"hi anna\n"
    assert say(server, b"otto two\n") == b"hi otto\n"

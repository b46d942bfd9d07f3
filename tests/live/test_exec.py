"""serve exec: a program for each client. What is delivered, what is told, and that no program is left behind."""
import contextlib
import os
import pathlib
import re
import select
import signal
import socket

import pytest

from conftest import PATIENCE, run_weir, seconds
from talk import LAUNCH, eventually, is_echoed, pattern, read_to_end, reset

READS_ALL_THEN_ANSWERS = "size=$(wc -c); sleep 0.3; echo got $size"


def programs_of(server):
    """The processes that a server has started, zombies apart: they are in its session."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == server.process.pid and int(name) != server.process.pid and fields[0] != "Z":
                found.append(int(name))
    return found


def is_running(process):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
def run(serve):
    """Starts `serve exec`: run("cat"), run("sh", "-c", ..., options=["--grace", "1s"]). No program outlives its test."""
    servers = []

    def start(*command, endpoints=("tcp://:0",), options=(), **rest):
        servers.append(serve("exec", *endpoints, *options, "--", *command, **rest))
        return servers[-1]

    # The words behind -- are the program's, so what the fixture adds must come before them.
    yield start
    for server in servers:
        server.stop()
        eventually(lambda stopped=server: not programs_of(stopped))  # one that was killed may take a moment


def shell(run, script, **options):
    return run("sh", "-c", script, **options)


def ask(connection, data=b""):
    """Sends, ends its side, and reads to the end."""
    connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)
    return read_to_end(connection)


def started(connection):
    """The process that a program names first."""
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    return int(line)


# --- what is delivered ---

def test_a_client_talks_to_its_program(run, backend, model):
    server = run("cat", options=["--backend", backend, "--model", model])
    for word in (b"one", b"two"):
        with server.connect() as connection:
            connection.sendall(word)
            assert connection.recv(10) == word
            assert ask(connection, b"more") == b"more"
    server.wait_for_counters("exec", accepted=2, active=0, bytes_in=14, bytes_out=14)


def test_all_comes_after_the_clients_half_close(run, model):
    server = shell(run, READS_ALL_THEN_ANSWERS, options=["--model", model])
    with server.connect() as connection:
        assert ask(connection, pattern(300_000)) == b"got 300000\n"


def test_a_large_answer_is_whole(run, backend):
    data = pattern(8 << 20)
    server = run("cat", options=["--backend", backend])
    with server.connect() as connection:
        assert is_echoed(connection, data)
        assert ask(connection) == b""


def test_a_unix_socket_too(run, tmp_path):
    server = run("cat", endpoints=[f"unix:{tmp_path}/exec"])
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds(10))
        connection.connect(f"{tmp_path}/exec")
        data = pattern(1 << 20)
        assert is_echoed(connection, data)
        assert ask(connection) == b""


def test_what_a_unix_client_sent_before_it_closed_is_read(run, tmp_path):
    server = shell(run, "read line; echo had $line >&2", endpoints=[f"unix:{tmp_path}/exec"])
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{tmp_path}/exec")
        connection.sendall(b"a job\n")
    server.wait_for_text(r"sh\[\d+\]: had a job$")


def test_input_that_is_not_read_costs_no_output(run):
    """The kernel resets a connection that is closed with bytes unread, and what was sent on it is lost."""
    server = run("head", "-c", "5")
    with server.connect() as connection:
        connection.sendall(b"hello" + bytes(1 << 20))
        assert read_to_end(connection) == b"hello"
    server.wait_for_counters("exec", errors_reset=0, active=0)


def test_a_program_that_closes_its_input_goes_on(run):
    server = shell(run, "exec <&-; sleep 0.2; echo still here")
    with server.connect() as connection:
        connection.sendall(bytes(1 << 20))
        assert read_to_end(connection) == b"still here\n"


def test_the_end_of_its_output_is_passed_on_while_it_reads_on(run):
    server = shell(run, "echo bye; exec >&-; echo had $(wc -c) >&2")
    with server.connect() as connection:
        assert read_to_end(connection) == b"bye\n"
        connection.sendall(b"12345")
        connection.shutdown(socket.SHUT_WR)
        server.wait_for_text(r"had 5$")


def test_when_both_sides_have_ended_it_may_go_on(run):
    server = shell(run, "exec >&-; cat >/dev/null; sleep 2.5; echo done >&2")
    with server.connect() as connection:
        assert ask(connection, b"a job") == b""
    server.wait_for_text(r"sh\[\d+\]: done$")
    server.wait_for_text(r"exited with status 0$")


def test_what_it_leaves_in_its_group_ends_with_it(run):
    server = shell(run, "sleep 1000 & echo $!")
    with server.connect() as connection:
        left = int(read_to_end(connection))
    eventually(lambda: not is_running(left))


def test_what_it_leaves_elsewhere_holds_up_no_client(run):
    server = shell(run, "setsid sh -c 'echo $$; exec sleep 1000' & read line")
    with server.connect() as connection:
        left = started(connection)  # elsewhere: it says so itself
        try:
            connection.sendall(b"end\n")
            assert read_to_end(connection) == b""
        finally:
            os.kill(left, signal.SIGKILL)


def test_who_does_not_end_its_side_is_let_go_all_the_same(run):
    server = shell(run, "echo all of it")
    with server.connect() as connection:
        assert read_to_end(connection) == b"all of it\n"
        server.wait_for_counters("exec", active=0, timeout=30)


# --- what the program is told ---

def variables(text):
    return dict(line.split("=", 1) for line in text.decode().splitlines() if "=" in line)


STALE = {"TCPREMOTEHOST": "another", "UNIXREMOTEPID": "1", "TCPREMOTEIP": "192.0.2.1"}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_its_environment_tells_of_the_client(run, host):
    server = run("env", endpoints=[f"tcp://[{host}]:0" if ":" in host else f"tcp://{host}:0"], env=STALE)
    with server.connect("tcp://") as connection:
        local, remote = connection.getpeername(), connection.getsockname()
        found = variables(read_to_end(connection))
    wanted = {"PROTO": "TCP", "TCPLOCALIP": host, "TCPLOCALPORT": str(local[1]), "TCPREMOTEIP": host,
              "TCPREMOTEPORT": str(remote[1]), "NCAT_PROTO": "TCP", "NCAT_LOCAL_ADDR": host,
              "NCAT_LOCAL_PORT": str(local[1]), "NCAT_REMOTE_ADDR": host, "NCAT_REMOTE_PORT": str(remote[1])}
    assert {name: found.get(name) for name in wanted} == wanted
    assert not {"TCPREMOTEHOST", "TCPREMOTEINFO", "UNIXREMOTEPID"} & set(found)


def test_its_environment_tells_of_a_unix_client(run, tmp_path):
    run("env", endpoints=[f"unix:{tmp_path}/exec"], env=STALE)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds(10))
        connection.connect(f"{tmp_path}/exec")
        found = variables(read_to_end(connection))
    wanted = {"PROTO": "UNIX", "UNIXLOCALPATH": f"{tmp_path}/exec", "UNIXREMOTEPID": str(os.getpid()),
              "UNIXREMOTEEUID": str(os.getuid()), "UNIXREMOTEEGID": str(os.getgid()), "NCAT_REMOTE_ADDR": "localhost",
              "NCAT_REMOTE_PORT": ""}
    assert {name: found.get(name) for name in wanted} == wanted
    assert "TCPREMOTEIP" not in found


def test_it_is_called_as_it_was_named_and_there_is_no_shell(run):
    server = run("sh", "-c", 'echo "$0 $1"', "a b", "$HOME;c")
    with server.connect() as connection:
        assert ask(connection) == b"a b $HOME;c\n"


# --- what is logged ---

def test_its_end_and_its_errors_are_logged(run):
    server = shell(run, "printf 'one\\ntwo\\033[2J\\rthree\\nlast' >&2; exit 7")
    with server.connect() as connection:
        client = "tcp://%s:%d" % connection.getsockname()
        assert ask(connection) == b""
    server.wait_for_text(rf"^weir: {re.escape(client)}: sh\[\d+\]: exited with status 7$")
    said = re.findall(r"sh\[\d+\]: (.*)$", server.text, re.MULTILINE)
    assert said[:3] == ["one", r"two\x1b[2J\x0dthree", "last"]


def test_its_end_is_told_where_sigchld_was_ignored(run):
    """Which is inherited: then the kernel has no status for anybody, unless the service sees to it."""
    server = run("sh", "-c", "echo hello; exit 7", wrapper=[*LAUNCH, "--ignore", str(int(signal.SIGCHLD)), "--"])
    with server.connect() as connection:
        assert ask(connection) == b"hello\n"
    server.wait_for_text(r"sh\[\d+\]: exited with status 7$")


def test_a_long_line_on_stderr_is_logged_in_pieces(run):
    server = shell(run, "head -c 5000 /dev/zero | tr '\\0' x >&2")
    with server.connect() as connection:
        assert ask(connection) == b""
    server.wait_for_text(r"exited with status 0$")
    assert sum(map(len, re.findall(r"sh\[\d+\]: (x+)$", server.text, re.MULTILINE))) == 5000


def test_the_signal_that_ended_it_is_logged(run):
    server = shell(run, "echo before; kill -SEGV $$")
    with server.connect() as connection:
        assert read_to_end(connection) == b"before\n"
    server.wait_for_text(r"sh\[\d+\]: was ended by SIGSEGV$")


# --- the client goes ---

def test_a_reset_ends_it_with_its_group(run, model):
    server = shell(run, "sleep 1000 & echo $!; cat >/dev/null; wait", options=["--model", model])
    connection = server.connect()
    grandchild = started(connection)
    reset(connection)
    server.wait_for_text(r"was ended by SIGTERM: the client has gone$")
    eventually(lambda: not is_running(grandchild))


def test_one_that_reads_nothing_is_ended_too(run):
    server = shell(run, "echo $$; exec sleep 1000")
    connection = server.connect()
    program = started(connection)
    with contextlib.suppress(TimeoutError):
        connection.settimeout(seconds(1))
        connection.sendall(bytes(64 << 20))
    reset(connection)
    eventually(lambda: not is_running(program))


def test_a_reset_after_the_half_close_is_noticed(run):
    server = shell(run, "echo $$; exec sleep 1000")
    connection = server.connect()
    program = started(connection)
    connection.shutdown(socket.SHUT_WR)
    server.wait_for_counters("exec", active=1)
    reset(connection)
    eventually(lambda: not is_running(program))


def test_a_client_that_takes_no_more_is_noticed(run):
    server = shell(run, "echo $$; while echo more; do sleep 0.01; done")
    connection = server.connect()
    program = started(connection)
    connection.close()
    eventually(lambda: not is_running(program))


def test_one_that_ignores_sigterm_is_killed(run):
    server = shell(run, "trap '' TERM; echo $$; while :; do sleep 1000; done", options=["--grace", "200ms"])
    connection = server.connect()
    program = started(connection)
    reset(connection)
    server.wait_for_text(r"was ended by SIGKILL: the client has gone$")
    eventually(lambda: not is_running(program))


def test_it_may_end_in_its_own_way(run):
    server = shell(run, "trap 'echo cleaned up >&2; exit 3' TERM; echo $$; while :; do sleep 0.01; done",
                   options=["--grace", "60s"])
    connection = server.connect()
    started(connection)
    reset(connection)
    server.wait_for_text(r"exited with status 3: the client has gone$")


def test_a_silent_program_passes_the_idle_limit(run):
    server = shell(run, "echo $$; exec sleep 1000", options=["--idle-timeout", "300ms"])
    with server.connect() as connection:
        program = started(connection)
        connection.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            read_to_end(connection)
    server.wait_for_text(r"was ended by SIGTERM: idle for too long$")
    eventually(lambda: not is_running(program))


def test_the_limits_of_the_server_hold(run):
    server = run("cat", options=["--lifetime", "300ms"])
    with server.connect() as connection:
        with pytest.raises(ConnectionResetError):
            read_to_end(connection)
    server.wait_for_text(r"was ended by SIGTERM: the connection has lasted too long$")
    server.wait_for_counters("exec", errors_lifetime=1)


# --- how many ---

def test_one_too_many_waits_for_anothers_end(run, model):
    server = run("cat", options=["--max-programs", "1", "--model", model])
    with server.connect() as first:
        first.sendall(b"1")
        assert first.recv(1) == b"1"
        with server.connect() as second:
            second.sendall(b"2")
            if model != "iterative":
                server.wait_for_text(r"exec: 1 programs run, as many as may \(--max-programs\): tcp://\S+ waits$")
            assert ask(first) == b""
            assert second.recv(1) == b"2"
            assert ask(second) == b""


def test_more_than_may_wait_are_refused(run):
    server = run("cat", options=["--max-programs", "1", "--max-waiting", "0"])
    with server.connect() as first:
        first.sendall(b"1")
        assert first.recv(1) == b"1"
        with server.connect() as second:
            with pytest.raises(ConnectionResetError):
                read_to_end(second)
        server.wait_for_text(r"exec: 0 clients wait already \(--max-waiting\): tcp://\S+ is refused$")
        assert ask(first, b"2") == b"2"


def test_who_waits_too_long_is_told(run):
    server = run("cat", options=["--max-programs", "1", "--idle-timeout", "2s"])
    with server.connect() as first:
        first.sendall(b"1")
        assert first.recv(1) == b"1"
        with server.connect() as second:
            while not select.select([second], [], [], 0.1)[0]:
                first.sendall(b"1")
                assert first.recv(1) == b"1"
            with pytest.raises(ConnectionResetError):
                second.recv(1)
    server.wait_for_text(r"tcp://\S+: has waited too long for a program to end$")


def test_many_at_once(run):
    server = run("cat", options=["--max-programs", "8"])
    connections = [server.connect(timeout=60) for _ in range(60)]
    for number, connection in enumerate(connections):
        connection.sendall(b"%d" % number)
        connection.shutdown(socket.SHUT_WR)
    answers = [read_to_end(connection) for connection in connections]
    for connection in connections:
        connection.close()
    assert answers == [b"%d" % number for number in range(60)]
    server.wait_for_counters("exec", accepted=60, active=0)


# --- the start and the end ---

@pytest.mark.parametrize("arguments, sentence", [
    (["exec"], 'serve exec: the program to run is to follow "--"'),
    (["exec", "--"], 'serve exec: the program to run is to follow "--"'),
    (["exec", "--", "no-such-program"], "exec no-such-program: there is no such program"),
    (["exec", "--", "/etc/passwd"], "exec /etc/passwd: permission denied"),
    (["exec", "tcp://*:0", "--", "cat"],
     "serve tcp://*:0: others than this machine could run cat there: say whom to let in, by --allow"),
    (["exec", "tcp://192.0.2.1:0", "--deny", "10.0.0.0/8", "--", "cat"],
     "serve tcp://192.0.2.1:0: others than this machine could run cat there: say whom to let in, by --allow"),
    (["exec", "udp://:0", "--", "cat"], "udp://:0: exec is not served on udp"),
])
def test_what_is_no_service_is_told(arguments, sentence):
    ended = run_weir("serve", *arguments)
    assert (ended.returncode, ended.stderr.decode().lower()) == (2, f"weir: {sentence}\n".lower())


def test_beyond_this_machine_with_an_allow(run):
    server = run("cat", endpoints=["tcp://*:0"], options=["--allow", "127.0.0.0/8"])
    port = int(server.endpoints[0].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=seconds(10)) as connection:
        assert ask(connection, b"let in") == b"let in"


def test_one_that_vanishes_is_told_and_cuts_its_client(run, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho here\n")
    program.chmod(0o700)
    server = run(program)
    with server.connect() as connection:
        assert ask(connection) == b"here\n"
    program.unlink()
    with pytest.raises(ConnectionResetError), server.connect() as connection:  # which may come that soon
        read_to_end(connection)
    server.wait_for_text(rf"tcp://\S+: exec {program}: No such file or directory$".replace("No", "[Nn]o"))
    server.wait_for_counters("exec", active=0)


def test_a_stop_lets_it_finish(run):
    server = shell(run, "echo $$; read line; echo had $line")
    with server.connect() as connection:
        started(connection)
        server.signal(signal.SIGTERM)
        connection.sendall(b"a line\n")
        assert read_to_end(connection) == b"had a line\n"
    assert server.wait() == 0


@pytest.mark.parametrize("model", ["fiber", "thread"])
def test_a_stop_that_takes_too_long_ends_it(run, model):
    server = shell(run, "trap 'echo told >&2; exit 0' TERM; echo $$; while :; do sleep 0.01; done",
                   options=["--drain-timeout", "100ms", "--model", model, "--grace", "60s"])
    with server.connect() as connection:
        program = started(connection)
        server.signal(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            while connection.recv(100):
                pass
        assert server.wait() == 0
    assert "told" in server.text
    assert not is_running(program)


def test_at_a_second_signal_it_dies_too(run):
    server = shell(run, "trap '' TERM; echo $$; exec sleep 1000")
    with server.connect() as connection:
        program = started(connection)
        server.signal(signal.SIGTERM)
        eventually(lambda: refuses(server))
        server.signal(signal.SIGTERM)
        assert server.process.wait(seconds(20)) == 128 + signal.SIGTERM
        eventually(lambda: not is_running(program))
    server.kill()


def refuses(server):
    try:
        server.connect().close()
    except OSError:
        return True
    return False


def test_several_processes(run):
    server = run("cat", options=["--processes", "2"])
    for _ in range(4):
        with server.connect() as connection:
            assert ask(connection, b"which") == b"which"


@pytest.mark.skipif(PATIENCE > 1, reason="sanitizers keep memory")
def test_nothing_is_kept_of_those_that_have_ended(run):
    server = run("true")

    def one():
        with server.connect() as connection:
            assert read_to_end(connection) == b""

    one()
    server.wait_for_counters("exec", active=0)
    before = len(server.descriptors())
    for _ in range(100):
        one()
    server.wait_for_counters("exec", active=0)
    eventually(lambda: len(server.descriptors()) <= before)

"""weir listen: one client or one after the other, both directions to their own ends, and an exit status for every end."""
import hashlib
import json
import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import Server, environment, group_members, seconds
from talk import eventually, pattern, read_exactly, read_to_end, reset


@pytest.fixture
def listen():
    """Starts listeners: listen("tcp://127.0.0.1:0", input=b"..."). Whatever a test has not waited for is killed after it."""
    listeners = []

    def start(*arguments, input=None, **options):
        if input is not None:
            options["stdin"] = subprocess.PIPE
        listener = Server("listen", *arguments, **options)
        listeners.append(listener)
        if input is not None:
            write(listener, input)
            listener.process.stdin.close()
        return listener

    yield start
    for listener in listeners:
        if listener.process.poll() is not None:
            assert not group_members(listener.process.pid), "it left a process behind"
        listener.kill()


def write(listener, data):
    listener.process.stdin.write(data)
    listener.process.stdin.flush()


def heard(listener, size):
    """Exactly so many bytes that it printed."""
    data, descriptor = b"", listener.process.stdout.fileno()
    while len(data) < size:
        assert select.select([descriptor], [], [], seconds(30))[0], data
        chunk = os.read(descriptor, size - len(data))
        assert chunk, (data, listener.text)
        data += chunk
    return data


def end(listener, status=0):
    """Waits for its end. Returns what it printed on stdout, little as it must be, and what it said after it listened."""
    listener.process.wait(seconds(20))
    printed = listener.process.stdout.read()
    assert listener.wait() == status, listener.text
    said = [line for line in listener.text.splitlines() if not line.startswith("weir: listen on ")]
    return printed, said


# --- one client ---

def test_a_client_sends_and_is_sent_to(listen):
    listener = listen("tcp://127.0.0.1:0", input=b"from stdin")
    with listener.connect() as client:
        client.sendall(b"from the client")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"from stdin"
    assert end(listener) == (b"from the client", [])


@pytest.mark.parametrize("name", ["unix:{0}", "unix:@{0}", "tcp://[::1]:0", "localhost:0"])
def test_other_endpoints(listen, weir, name, tmp_path):
    listener = listen(name.format(tmp_path / "socket"), input=b"hello")
    result = weir("connect", listener.endpoint(), input=b"there")
    assert (result.returncode, result.stdout) == (0, b"hello")
    assert end(listener)[0] == b"there"
    assert not (tmp_path / "socket").exists()


def test_much_in_both_directions(listen, weir, tmp_path):
    there, back = pattern(5_000_000, "there"), pattern(7_000_000, "back")
    (tmp_path / "back").write_bytes(back)
    with open(tmp_path / "back", "rb") as stdin, open(tmp_path / "there", "wb") as stdout:
        listener = listen("tcp://127.0.0.1:0", stdin=stdin, stdout=stdout)
        result = weir("connect", listener.endpoint(), input=there)
    assert (result.returncode, listener.wait()) == (0, 0)
    assert result.stdout == back
    assert (tmp_path / "there").read_bytes() == there


def test_without_stdin_the_client_goes_on(listen):
    """/dev/null has ended before anybody comes: that is passed on, and cuts nothing."""
    listener = listen("tcp://127.0.0.1:0")
    with listener.connect() as client:
        assert client.recv(10) == b""
        client.sendall(b"all the same")
    assert end(listener) == (b"all the same", [])


def is_refused(listener):
    try:
        listener.connect().close()
    except ConnectionError:
        return True
    return False


def test_with_the_first_client_the_door_is_shut(listen, weir):
    listener = listen("tcp://127.0.0.1:0")
    with listener.connect() as client:
        client.sendall(b"x")
        assert heard(listener, 1) == b"x"
        eventually(lambda: is_refused(listener), 30)  # who came a moment before waits, and is cut when the first has gone
    assert end(listener)[0] == b""


@pytest.mark.skipif(not shutil.which("nc"), reason="needs nc")
def test_nc_on_the_other_side(listen):
    listener = listen("tcp://127.0.0.1:0", input=b"from weir")
    host, port = listener.address()
    result = subprocess.run(["nc", "-N", host, str(port)], input=b"from nc", capture_output=True, timeout=seconds(20))
    assert result.stdout == b"from weir"
    assert end(listener) == (b"from nc", [])


# --- naming where to listen ---

@pytest.mark.parametrize("arguments, begins", [
    (["-4", ":0"], "tcp://127.0.0.1:"), (["-6", ":0"], "tcp://[::1]:"), (["-4", "*:0"], "tcp://0.0.0.0:"),
    (["-6", "*:0"], "tcp://[::]:"), (["-p", "0", "-s", "127.0.0.2"], "tcp://127.0.0.2:"),
    (["-p", "0", "-s", "::1"], "tcp://[::1]:"), (["-4", "-p", "0"], "tcp://127.0.0.1:"),
    (["127.0.0.3", "0"], "tcp://127.0.0.3:"),
])
def test_naming(listen, arguments, begins):
    listener = listen(*arguments)
    assert [endpoint[:len(begins)] for endpoint in listener.endpoints] == [begins]


def test_four_is_not_six(listen):
    listener = listen("-6", "*:0")
    port = int(listener.endpoint().rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=seconds(10))


@pytest.mark.parametrize("arguments, reason", [
    ([], "no endpoint is named"),
    ([":1", "word"], "one endpoint is all it takes"),
    (["-4", "-6", ":1"], "-4 and -6 exclude each other"),
    (["-4", "localhost:1"], "-4 and -6 are for addresses"),
    (["-4", "[::1]:1"], "the address is not of that family"),
    (["-p", "1", ":1"], "-s and -p are for where no endpoint is named"),
    (["-n", "localhost:1"], "with -n the host must be an address"),
    (["-p", "http"], "http"),
    (["--allow", "10.0.0.0/33", ":0"], "10.0.0.0/33"),
    (["--sha256", ":1"], "it is part of --summary"),
    (["--quiet", "1s", ":1"], "--quiet is for --prompt"),
    (["--quiet", "1s", "-u", ":1"], "--quiet is for --prompt"),
    (["--quiet", "1s", "--all", ":1"], "--quiet is for --prompt"),
])
def test_wrong_usage(weir, arguments, reason):
    result = weir("listen", *arguments)
    assert result.returncode == 2, result.stderr
    said = result.stderr.decode().splitlines()
    assert len(said) == 1 and reason in said[0]


def test_a_port_that_is_taken(weir, peer):
    endpoint = peer(lambda connection: None).endpoint
    result = weir("listen", endpoint)
    assert result.returncode == 1
    assert result.stderr.decode() == f"weir: listen {endpoint}: address already in use\n"


# --- how it ends ---

def test_a_reset_is_an_early_end(listen):
    listener = listen("tcp://127.0.0.1:0")
    client = listener.connect()
    client.sendall(b"the beginning")
    assert heard(listener, 13) == b"the beginning"
    reset(client)
    printed, said = end(listener, 4)
    assert printed == b"" and len(said) == 1 and "reset" in said[0]


def test_a_signal_before_anybody_came_is_an_early_end(listen):
    listener = listen("tcp://127.0.0.1:0")
    listener.signal(signal.SIGTERM)
    _, said = end(listener, 4)
    assert said == ["weir: listen tcp://127.0.0.1:0: ended by a signal before anybody came"]


@pytest.mark.parametrize("ended", [False, True], ids=["it sends", "it has ended"])
def test_a_signal_cuts_the_client(listen, ended):
    """Whether it waits for the client, or for stdin after the client has ended its side."""
    listener = listen("--drain-timeout", "50ms", "tcp://127.0.0.1:0", stdin=subprocess.PIPE)
    with listener.connect() as client:
        client.sendall(b"x")
        if ended:
            client.shutdown(socket.SHUT_WR)
        assert heard(listener, 1) == b"x"
        listener.signal(signal.SIGINT)
        printed, said = end(listener, 4)
    assert printed == b"" and len(said) == 1
    assert said[0].endswith("ended by a signal before both directions had ended")


def test_a_client_may_finish_after_a_signal(listen):
    listener = listen("--drain-timeout", "1m", "-k", "tcp://127.0.0.1:0")
    with listener.connect() as client:
        client.sendall(b"x")
        assert heard(listener, 1) == b"x"
        listener.signal(signal.SIGTERM)
        client.sendall(b"the rest")
    assert end(listener)[0] == b"the rest"


@pytest.mark.parametrize("more", [["tcp://127.0.0.1:0"], ["-k", "tcp://127.0.0.1:0"], ["--all", "tcp://127.0.0.1:0"],
                                  ["udp://127.0.0.1:0"]], ids=" ".join)
def test_who_does_not_come_in_time(listen, more):
    listener = listen("--wait", "100ms", *more)
    _, said = end(listener, 3)
    assert len(said) == 1 and said[0].endswith(": nobody came in time")


@pytest.mark.parametrize("more", [["tcp://127.0.0.1:0"], ["--all", "tcp://127.0.0.1:0"], ["udp://127.0.0.1:0"]],
                         ids=" ".join)
def test_who_came_may_take_its_time(listen, more):
    listener = listen("--wait", "1s", "-v", *more)
    kind = socket.SOCK_DGRAM if more[-1].startswith("udp") else socket.SOCK_STREAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.connect(listener.address(more[-1][:6]))
        client.sendall(b"early\n")
        assert heard(listener, 6) == b"early\n"
        time.sleep(1.2)
        client.sendall(b"late\n")
        assert heard(listener, 5) == b"late\n"


def test_silence_times_out_where_asked(listen):
    listener = listen("--timeout", "200ms", "tcp://127.0.0.1:0")
    with listener.connect():
        _, said = end(listener, 3)
    assert len(said) == 1 and "no byte in either direction for too long" in said[0]


def test_silence_after_a_prompt_times_out_too(listen):
    """Be it that the peer does not answer, or that nobody types the next line."""
    for quiet in ("20s", "10ms"):
        listener = listen("--prompt", "?", "--quiet", quiet, "--timeout", "300ms", "tcp://127.0.0.1:0",
                          stdin=subprocess.PIPE)
        write(listener, b"question\n")
        with listener.connect() as client:
            assert read_exactly(client, 9) == b"question\n"
            _, said = end(listener, 3)
        assert len(said) == 1 and "no byte in either direction for too long" in said[0]


@pytest.mark.parametrize("more", [[], ["--summary", "--sha256"]], ids=["unseen", "looked at"])
def test_a_connection_may_last_so_long(listen, more):
    listener = listen("--lifetime", "200ms", *more, "tcp://127.0.0.1:0", stdin=subprocess.PIPE)
    with listener.connect():
        _, said = end(listener, 3)
    assert "the connection has lasted too long" in said[0]


def test_a_connection_by_prompts_may_last_so_long(listen):
    """What the peer does not answer is silence, but not for ever."""
    listener = listen("--prompt", "?", "--quiet", "50ms", "--lifetime", "200ms", "tcp://127.0.0.1:0",
                      input=b"question\n" * 500)
    with listener.connect():
        assert listener.wait(60) == 3
    assert "the connection has lasted too long" in listener.text


def test_a_reader_of_stdout_that_goes_is_no_failure(listen):
    listener = listen("tcp://127.0.0.1:0")
    with listener.connect() as client:
        client.sendall(b"first")
        assert heard(listener, 5) == b"first"
        listener.process.stdout.close()
        client.sendall(b"second")
        assert listener.wait() == 0
    assert "second" not in listener.text and len(listener.text.splitlines()) == 1


# --- one after the other ---

def test_k_serves_one_after_the_other(listen):
    listener = listen("-k", "tcp://127.0.0.1:0", stdin=subprocess.PIPE)
    first, second = listener.connect(), listener.connect()
    with first, second:
        second.sendall(b"second")
        first.sendall(b"first ")
        first.shutdown(socket.SHUT_WR)
        assert heard(listener, 6) == b"first "
        write(listener, b"for the first")
        assert read_exactly(first, 13) == b"for the first"
        listener.process.stdin.close()
        assert read_to_end(first) == b""
        second.shutdown(socket.SHUT_WR)
        assert read_to_end(second) == b""  # stdin has ended
    with listener.connect() as third:
        third.sendall(b" third")
    assert heard(listener, 12) == b"second third"
    listener.stop()


def test_k_goes_on_after_a_client_that_is_cut(listen):
    listener = listen("-k", "tcp://127.0.0.1:0")
    client = listener.connect()
    client.sendall(b"first ")
    assert heard(listener, 6) == b"first "
    reset(client)
    with listener.connect() as client:
        client.sendall(b"second")
    assert heard(listener, 6) == b"second"
    listener.wait_for_text("reset")
    listener.stop()


def test_rules(listen):
    listener = listen("-k", "--deny", "127.0.0.9", "--allow", "127.0.0.0/8", "tcp://127.0.0.1:0")
    with socket.socket() as refused:
        refused.bind(("127.0.0.9", 0))
        refused.settimeout(seconds(10))
        refused.connect(listener.address())
        with pytest.raises(ConnectionError):
            if refused.recv(1) == b"":
                raise ConnectionAbortedError("closed at once")
    with listener.connect() as client:
        client.sendall(b"let in")
    assert heard(listener, 6) == b"let in"
    listener.stop()


# --- what it can do besides ---

def test_prompt(listen):
    listener = listen("--prompt", "?:", "tcp://127.0.0.1:0", input=b"one\ntwo\n\nthree\n")
    with listener.connect() as client:
        for word in (b"one\n", b"two\n"):
            assert read_exactly(client, 4) == word
            client.sendall(b"<" + word)
        assert client.recv(10) == b""
    printed, _ = end(listener)
    assert printed == b"<one\n<two\n"
    assert listener.text.endswith("?:?:?:")


def test_a_record_and_a_summary_of_each(listen, tmp_path):
    listener = listen("-k", "--summary", "--hex", tmp_path / "record", "-C", "tcp://127.0.0.1:0", input=b"a\n")
    sent = []
    for word in (b"one", b"two"):
        with listener.connect() as client:
            sent.append(read_to_end(client))
            client.sendall(word)
    assert sent == [b"a\r\n", b""]
    listener.wait_for_text(r'"received":3.*\n(.*\n)*.*"received":3')
    listener.stop()
    summaries = [json.loads(line) for line in listener.text.splitlines() if line.startswith("{")]
    assert [(one["sent"], one["received"], one["status"]) for one in summaries] == [(3, 3, 0), (0, 3, 0)]
    assert [line[:1] + line[60:] for line in (tmp_path / "record").read_text().splitlines()] == [
        ">  |a..|", "<  |one|", "<  |two|"]


def test_verbose_says_each_step(listen):
    listener = listen("-v", "tcp://127.0.0.1:0")
    with listener.connect() as client:
        host, port = client.getsockname()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    _, said = end(listener)
    steps = [line.partition(" s: ")[2] for line in said]
    assert steps[0] == f"connected from tcp://{host}:{port}"
    assert sorted(steps[1:]) == ["stdin has ended", "the peer ended its side"]


def test_stdin_may_be_closed(listen, tmp_path):
    listener = listen("tcp://127.0.0.1:0", wrapper=("sh", "-c", 'exec "$@" <&-', "sh"))
    with listener.connect() as client:
        client.sendall(b"heard")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert end(listener)[0] == b"heard"


# --- datagrams ---

def udp_peer(listener):
    """A socket that talks to a listener from an address of its own."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.settimeout(seconds(10))
    peer.connect(listener.address("udp://"))
    return peer


def test_datagrams_of_three_peers_and_stdin_to_the_last(listen):
    listener = listen("-u", "127.0.0.1:0", stdin=subprocess.PIPE)
    with udp_peer(listener) as first, udp_peer(listener) as second, udp_peer(listener) as third:
        for peer, text in ((first, b"first"), (second, b"second"), (third, b"third")):
            peer.send(text)
            assert heard(listener, len(text)) == text
        write(listener, b"to the third")
        assert third.recv(100) == b"to the third"
        first.send(b"first again")
        assert heard(listener, 11) == b"first again"
        write(listener, b"to the first")
        assert first.recv(100) == b"to the first"
        second.send(b"x" * 20000)
        assert heard(listener, 20000) == b"x" * 20000
    listener.stop()


def test_datagrams_without_stdin(listen):
    """/dev/null is no reason to end."""
    listener = listen("udp://127.0.0.1:0")
    with udp_peer(listener) as peer:
        for _ in range(3):
            peer.send(b"datagram")
            assert heard(listener, 8) == b"datagram"
    listener.stop()


def test_what_stdin_has_waits_for_somebody(listen):
    listener = listen("udp://127.0.0.1:0", input=b"waits")
    with udp_peer(listener) as peer:
        peer.send(b"here")
        assert peer.recv(100) == b"waits"
    listener.stop()


def test_local_datagrams(listen, tmp_path):
    listener = listen("-u", "-U", tmp_path / "socket", stdin=subprocess.PIPE, quiet=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
        peer.settimeout(seconds(10))
        peer.sendto(b"nameless", str(tmp_path / "socket"))
        assert heard(listener, 8) == b"nameless"
        peer.bind(str(tmp_path / "peer"))
        peer.sendto(b"named", str(tmp_path / "socket"))
        assert heard(listener, 5) == b"named"
        write(listener, b"answer")
        assert peer.recv(100) == b"answer"
    write(listener, b"lost")
    listener.wait_for_text("connection refused")
    listener.stop()


def test_datagrams_are_recorded_and_summed_up(listen, tmp_path):
    listener = listen("udp://127.0.0.1:0", "--summary", "--sha256", "--hex", tmp_path / "record", "-C", input=b"a\n")
    with udp_peer(listener) as peer:
        peer.send(b"one")
        assert peer.recv(100) == b"a\r\n"
        peer.send(b"two")
        assert heard(listener, 6) == b"onetwo"
        name = "udp://{}:{}".format(*peer.getsockname())
    listener.signal(signal.SIGTERM)
    _, said = end(listener)
    summary = json.loads(said[0])
    assert (summary["sent"], summary["received"], summary["status"], summary["peer"]) == (3, 6, 0, name)
    assert summary["received_sha256"] == hashlib.sha256(b"onetwo").hexdigest()
    assert len((tmp_path / "record").read_text().splitlines()) == 3


def test_silence_ends_datagrams_where_asked(listen):
    listener = listen("--timeout", "200ms", "udp://127.0.0.1:0")
    with udp_peer(listener) as peer:
        peer.send(b"x")
        printed, said = end(listener, 3)
    assert printed == b"x" and "no byte in either direction for too long" in said[0]


def test_datagrams_end_with_the_reader_of_stdout(listen):
    listener = listen("udp://127.0.0.1:0")
    listener.process.stdout.close()
    with udp_peer(listener) as peer:
        peer.send(b"x")
        assert listener.wait() == 0
    assert len(listener.text.splitlines()) == 1


def test_many_datagrams_are_printed_in_their_order(listen):
    """By a Unix socket, which loses none, to a reader who begins when more has come than the pipe holds."""
    listener = listen(f"unix:@weir-listen-{os.getpid()}?type=datagram", stdin=subprocess.PIPE)
    datagrams = [b"%0199d\n" % number for number in range(1000)]
    sent = []

    def send():
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
            peer.settimeout(seconds(60))
            peer.connect(f"\0weir-listen-{os.getpid()}")
            for datagram in datagrams:
                peer.send(datagram)
                sent.append(datagram)

    sender = threading.Thread(target=send)
    sender.start()
    eventually(lambda: len(sent) > 500, timeout=60)
    assert heard(listener, 200 * len(datagrams)) == b"".join(datagrams)
    sender.join(seconds(60))
    listener.stop()


@pytest.mark.parametrize("endpoint", ["udp://127.0.0.1:0", "unix:/tmp/weir-test?type=datagram"])
@pytest.mark.parametrize("arguments", [
    ["--prompt", "?"], ["--end-with-peer"], ["--lifetime", "1s"], ["--write-timeout", "1s"], ["--backlog", "5"],
    ["--delay"], ["--keepalive"],
], ids=" ".join)
def test_what_is_for_streams_alone(weir, endpoint, arguments):
    result = weir("listen", *arguments, endpoint)
    assert result.returncode == 2
    assert result.stderr.decode().startswith(f"weir: listen {endpoint}: {arguments[0]} is for streams: ")
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("option", ["--max-connections", "--max-per-address", "--line-limit"])
@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:0", "udp://127.0.0.1:0"])
def test_what_is_for_everybody_at_once_alone(weir, endpoint, option):
    result = weir("listen", option, "5", endpoint)
    assert result.returncode == 2 and f"{endpoint}: {option} is for --all" in result.stderr.decode()


# --- on a terminal ---

def test_by_hand(listen):
    """What is typed goes to the client line by line; Ctrl-D ends one's own side, and the client's end is the end."""
    control, terminal = pty.openpty()
    try:
        listener = listen("tcp://127.0.0.1:0", stdin=terminal, stdout=terminal)
        with listener.connect() as client:
            for line in (b"first\n", b"second\n"):
                os.write(control, line)
                assert read_exactly(client, len(line)) == line
            client.sendall(b"shown\n")
            shown = b""
            while b"shown" not in shown:
                assert select.select([control], [], [], seconds(10))[0], shown
                shown += os.read(control, 1000)
            os.write(control, b"\x04")
            assert client.recv(1) == b""
        assert listener.wait() == 0
    finally:
        os.close(control)
        os.close(terminal)


def test_by_hand_the_end_of_the_client_is_the_end(listen):
    control, terminal = pty.openpty()
    try:
        listener = listen("tcp://127.0.0.1:0", stdin=terminal)
        listener.connect().close()
        assert end(listener) == (b"", [])
    finally:
        os.close(control)
        os.close(terminal)


def test_by_hand_the_next_client_gets_the_next_line(listen):
    """What is typed while one client is there is his; the wait for a line goes on to the next one."""
    control, terminal = pty.openpty()
    try:
        listener = listen("-k", "tcp://127.0.0.1:0", stdin=terminal)
        for line in (b"first\n", b"second\n", b"third\n"):
            with listener.connect() as client:
                client.sendall(line)
                assert heard(listener, len(line)) == line
                os.write(control, line)
                assert read_exactly(client, len(line)) == line
        listener.stop()
    finally:
        os.close(control)
        os.close(terminal)

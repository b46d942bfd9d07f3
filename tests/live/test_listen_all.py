"""weir listen --all: whole lines of everybody to stdout, stdin to everybody, and what is lost is told."""
import hashlib
import json
import os
import pty
import random
import re
import signal
import socket
import subprocess
import threading

import pytest

from conftest import Server, seconds
from talk import eventually, is_cut, read_exactly, read_to_end, reset

TCP = "tcp://127.0.0.1:0"


@pytest.fixture
def listen():
    """Starts listeners with --all; stdin is a pipe that stays open, unless a test says otherwise. Killed after the test."""
    listeners = []
    watchdog = threading.Timer(seconds(120), lambda: [listener.process.kill() for listener in listeners])
    watchdog.start()  # or whoever reads what does not come would wait for ever

    def start(*arguments, **options):
        options.setdefault("stdin", subprocess.PIPE)
        listener = Server("listen", "--all", "-v", *(arguments or [TCP]), **options)
        listeners.append(listener)
        return listener

    yield start
    watchdog.cancel()
    for listener in listeners:
        listener.kill()
        if listener.process.stdin:
            listener.process.stdin.close()


def say(listener, data):
    listener.process.stdin.write(data)
    listener.process.stdin.flush()


def printed(listener, size):
    """The next that stdout has."""
    return listener.process.stdout.read(size)


def gone(listener, count=1):
    """Waits until so many clients have been told to have ended their side, or been cut."""
    eventually(lambda: len(re.findall(r": (?:it has ended its side|cut), \d+ bytes$", listener.text, re.M)) >= count, 30)


def end(listener, status=0):
    """Ends it by a signal. Returns the rest of its output."""
    listener.signal(signal.SIGTERM)
    rest = listener.process.stdout.read() if listener.process.stdout else b""
    assert listener.wait() == status, listener.text
    return rest


# --- lines of everybody ---

def line(name, number):
    return b"%02d %05d %s\n" % (name, number, hashlib.md5(b"%d %d" % (name, number)).hexdigest().encode() * (number % 4))


def send_cut(address, data, cut):
    """Sends in pieces that end anywhere."""
    with socket.create_connection(address, seconds(30)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        while at < len(data):
            size = cut.choice([1, 33, 500, 2000, 9000])
            client.sendall(data[at:at + size])
            at += size
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


@pytest.mark.parametrize("where", ["file", "pipe"])
def test_a_hundred_thousand_lines_of_a_hundred_clients_are_whole(listen, tmp_path, where):
    with open(tmp_path / "out", "wb") as file:
        listener = listen(TCP, stdin=subprocess.DEVNULL, stdout=file if where == "file" else subprocess.PIPE)
    reader = None
    if where == "pipe":
        out = open(tmp_path / "out", "wb")
        reader = threading.Thread(target=lambda: [out.write(chunk) for chunk in iter(
            lambda: listener.process.stdout.read1(1 << 20), b"")])
        reader.start()
    address = listener.address()
    said = {name: [line(name, number) for number in range(1000)] for name in range(100)}
    senders = [threading.Thread(target=send_cut, args=(address, b"".join(lines), random.Random(name)))
               for name, lines in said.items()]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join(seconds(60))
    listener.signal(signal.SIGTERM)
    assert listener.process.wait(seconds(20)) == 0
    if reader:
        reader.join(seconds(20))
        out.close()
    heard = {name: [] for name in said}
    with open(tmp_path / "out", "rb") as file:
        for each in file:
            heard[int(each[:2])].append(each)
    assert heard == said
    assert "warning" not in listener.text


def test_a_single_client_is_written_byte_for_byte(listen, tmp_path):
    data = random.Random(1).randbytes(3_000_000)
    with open(tmp_path / "out", "wb") as file:
        listener = listen(TCP, stdin=subprocess.DEVNULL, stdout=file)
    send_cut(listener.address(), data, random.Random(2))
    gone(listener)
    listener.signal(signal.SIGTERM)
    assert listener.wait() == 0
    assert (tmp_path / "out").read_bytes() == data


def test_an_unfinished_line_is_kept_to_itself(listen):
    """It is written when its client has ended, and what another sends begins on a line of its own."""
    listener = listen()
    with listener.connect() as first, listener.connect() as second:
        first.sendall(b"unfinished")
        second.sendall(b"a line\n")
        assert printed(listener, 7) == b"a line\n"
        first.close()
        assert printed(listener, 10) == b"unfinished"
        second.sendall(b"another\n")
        assert printed(listener, 9) == b"\nanother\n"
    assert end(listener) == b""


def test_lines_beyond_the_limit_are_whole(listen):
    listener = listen(TCP, "--line-limit", "1000", stdin=subprocess.DEVNULL)
    said = [bytes([name]) * 200_000 + b"\n" for name in b"abcde"]
    senders = [threading.Thread(target=send_cut, args=(listener.address(), each, random.Random(each[0])))
               for each in said]
    for sender in senders:
        sender.start()
    assert sorted(listener.process.stdout.readline() for _ in said) == said
    for sender in senders:
        sender.join(seconds(30))
    assert end(listener) == b""


def test_a_long_line_whose_client_falls_silent_is_broken_and_told(listen):
    listener = listen(TCP, "--line-limit", "1000")
    with listener.connect() as first, listener.connect() as second:
        first.sendall(b"x" * 2000)
        assert printed(listener, 2000) == b"x" * 2000
        second.sendall(b"a line\n")
        assert printed(listener, 8) == b"\na line\n"
        first.sendall(b"the rest\n")
        assert printed(listener, 9) == b"the rest\n"
        first.close()
        listener.wait_for_text(r"^weir: warning: tcp://.*: 1 lines of it are broken, since it was silent within them$")


def test_what_was_held_is_written_at_the_end(listen):
    listener = listen(TCP, "--drain-timeout", "50ms")
    with listener.connect() as first, listener.connect() as second:
        first.sendall(b"first\nhalf a line")
        assert printed(listener, 6) == b"first\n"
        second.sendall(b"second\nhalf another")
        assert printed(listener, 7) == b"second\n"
        assert sorted(end(listener).splitlines()) == [b"half a line", b"half another"]
    assert "not written" not in listener.text


def test_a_client_that_is_cut_is_told(listen):
    listener = listen()
    with listener.connect() as client:
        client.sendall(b"half a line")
        listener.wait_for_counters("listen", bytes_in=11)
        reset(client)
    listener.wait_for_text(r"^weir: warning: tcp://127.0.0.1:\d+: connection reset by peer$")
    assert end(listener) == b"half a line"


# --- stdin to everybody ---

def test_stdin_goes_to_everybody(listen):
    listener = listen()
    say(listener, b"kept until somebody is there\n")
    with listener.connect() as first:
        assert read_exactly(first, 29) == b"kept until somebody is there\n"
        with listener.connect() as second:
            listener.wait_for_counters("listen", active=2)
            say(listener, b"to both, ")
            assert read_exactly(first, 9) == read_exactly(second, 9) == b"to both, "
            say(listener, b"in pieces\nand half")
            assert read_exactly(first, 18) == read_exactly(second, 18) == b"in pieces\nand half"
            with listener.connect() as third:
                listener.wait_for_counters("listen", active=3)
                say(listener, b" a line\nwhole\n")
                assert read_exactly(third, 6) == b"whole\n"
            assert read_exactly(second, 14) == b" a line\nwhole\n"
    assert end(listener) == b""


def test_while_nobody_is_there_nothing_is_read_away(listen):
    """What was read when the last had gone is the next one's."""
    listener = listen()
    with listener.connect() as client:
        say(listener, b"one\n")
        assert read_exactly(client, 4) == b"one\n"
        reset(client)
    gone(listener)
    say(listener, b"two\n")
    say(listener, b"three\n")
    listener.process.stdin.close()
    with listener.connect() as client:
        assert read_to_end(client) == b"two\nthree\n"
    listener.process.stdin = None
    end(listener)


def test_the_end_of_stdin_is_passed_on(listen):
    listener = listen()
    with listener.connect() as first, listener.connect() as second:
        listener.wait_for_counters("listen", active=2)
        say(listener, b"the last\n")
        listener.process.stdin.close()
        assert read_to_end(first) == read_to_end(second) == b"the last\n"
        first.sendall(b"an answer\n")  # which is heard all the same
        assert printed(listener, 10) == b"an answer\n"
        with listener.connect() as late:
            assert read_to_end(late) == b""
    listener.process.stdin = None
    end(listener)


def test_an_empty_stdin_has_no_end_to_pass_on(listen):
    listener = listen(TCP, stdin=subprocess.DEVNULL)
    with listener.connect() as client:
        client.sendall(b"one\n")
        assert printed(listener, 4) == b"one\n"
        client.settimeout(seconds(0.3))
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(seconds(10))
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    end(listener)


def test_who_has_ended_its_side_goes_on_hearing(listen):
    listener = listen()
    with listener.connect() as client:
        client.shutdown(socket.SHUT_WR)
        gone(listener)
        say(listener, b"still here\n")
        assert read_exactly(client, 11) == b"still here\n"
        listener.process.stdin.close()
        assert client.recv(1) == b""
    listener.process.stdin = None
    end(listener)


def test_unless_end_with_peer_is_given(listen):
    listener = listen(TCP, "--end-with-peer")
    with listener.connect() as client:
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    end(listener)


def test_who_has_gone_altogether_is_let_go(listen, tmp_path):
    listener = listen(f"unix:{tmp_path}/socket")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/socket")
        client.sendall(b"hello\n")
        assert printed(listener, 6) == b"hello\n"
    listener.wait_for_counters("listen", active=0, timeout=20)
    end(listener)


def test_a_client_that_does_not_read_loses_whole_lines_and_that_is_told(listen):
    """The others get everything; of what it gets every line is whole, and what lacks is counted."""
    count = 220_000
    lines = [b"%06d %s\n" % (number, b"." * (number % 60)) for number in range(count)]
    listener = listen(TCP, "--summary")
    with socket.socket() as slow, listener.connect(timeout=60) as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(listener.address())
        listener.wait_for_counters("listen", active=2)
        writer = threading.Thread(target=lambda: (say(listener, b"".join(lines)), listener.process.stdin.close()))
        writer.start()
        assert read_exactly(quick, sum(map(len, lines))) == b"".join(lines)
        writer.join(seconds(30))
        listener.wait_for_text(r"^weir: warning: tcp://.* does not keep up: lines for it are dropped$")
        slow.settimeout(seconds(30))
        heard = read_to_end(slow).splitlines(keepends=True)
        slow.close()
        quick.close()
        told = listener.wait_for_text(r"^weir: warning: tcp://.*: (\d+) lines were dropped for it$")
    whole = set(lines)
    cut = [each for each in heard if each not in whole]
    # A line whose beginning had been sent when its rest was dropped is ended where it was, and counts as dropped.
    assert all(any(each.startswith(begun[:-1]) for each in lines) for begun in cut)
    assert len(heard) - len(cut) + int(told.group(1)) == count
    assert 0 < len(heard) < count
    listener.process.stdin = None
    end(listener)
    assert json.loads(listener.text.splitlines()[-1])["dropped_lines"] == int(told.group(1))


def test_a_client_that_resets_while_it_is_waited_for(listen):
    listener = listen()
    with socket.socket() as slow, listener.connect(timeout=60) as quick:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(listener.address())
        listener.wait_for_counters("listen", active=2)
        data = b"l" * 99 + b"\n"
        writer = threading.Thread(target=lambda: (say(listener, data * 100_000), listener.process.stdin.close()))
        writer.start()
        assert read_exactly(quick, 5_000_000) == data * 50_000
        reset(slow)
        assert read_to_end(quick) == data * 50_000
        writer.join(seconds(30))
    listener.process.stdin = None
    end(listener)


# --- the options ---

def test_lines_end_with_cr_lf(listen):
    listener = listen(TCP, "-C")
    with listener.connect() as client:
        say(listener, b"one\ntwo\r\n\nthree")
        assert read_exactly(client, 17) == b"one\r\ntwo\r\n\r\nthree"
    end(listener)


def test_summary_digests_and_record(listen, tmp_path):
    listener = listen(TCP, "--summary", "--sha256", "--hex", tmp_path / "record")
    with listener.connect() as client:
        say(listener, b"from stdin\n")
        assert read_exactly(client, 11) == b"from stdin\n"
        client.sendall(b"from a client\n")
        assert printed(listener, 14) == b"from a client\n"
    end(listener)
    summary = json.loads(listener.text.splitlines()[-1])
    assert summary.pop("seconds") >= 0
    assert summary == {"clients": 1, "sent": 11, "received": 14, "dropped_lines": 0, "lost": 0, "status": 0,
                       "sent_sha256": hashlib.sha256(b"from stdin\n").hexdigest(),
                       "received_sha256": hashlib.sha256(b"from a client\n").hexdigest()}
    record = (tmp_path / "record").read_text()
    assert "> 00000000  66 72 6f 6d" in record and "|from stdin.|" in record and "|from a client.|" in record


def test_silence_for_the_timeout_is_the_end_of_a_client(listen):
    listener = listen(TCP, "--timeout", "200ms")
    with listener.connect() as client:
        assert is_cut(client)
    listener.wait_for_text(r"^weir: warning: tcp://127.0.0.1:\d+: idle for too long$")
    end(listener)


@pytest.mark.parametrize("arguments, said", [
    (["-u", ":0"], "--all is for streams"),
    (["unix:/tmp/weir-test?type=datagram"], "--all is for streams"),
    (["--prompt", "?", ":0"], "--prompt is for one client"),
])
def test_wrong_usage(weir, arguments, said):
    result = weir("listen", "--all", *arguments)
    assert result.returncode == 2
    assert said in result.stderr.decode()


# --- the output, and the end ---

def test_the_reader_of_stdout_goes_away(listen):
    reading, writing = os.pipe()
    listener = listen(TCP, stdout=writing)
    os.close(writing)
    with listener.connect() as client, listener.connect() as other:
        client.sendall(b"first\n")
        assert os.read(reading, 100) == b"first\n"
        os.close(reading)
        client.sendall(b"second\n")
        assert is_cut(client) and is_cut(other)
    assert listener.wait() == 0
    assert "error" not in listener.text


def test_a_full_disk_is_1(listen):
    with open("/dev/full", "wb") as full:
        listener = listen(TCP, "--summary", stdout=full)
    with listener.connect() as client:
        client.sendall(b"a line\n")
        assert is_cut(client)
    assert listener.wait() == 1
    assert "weir: write stdout: no space left on device" in listener.text
    assert "weir: warning: 7 bytes that had arrived were not written" in listener.text
    assert json.loads(listener.text.splitlines()[-1])["lost"] == 7


def test_a_record_that_cannot_be_written_is_1(listen):
    listener = listen(TCP, "--hex", "/dev/full")
    with listener.connect() as client:
        client.sendall(b"a line\n")
        assert is_cut(client)
    assert listener.wait() == 1
    assert "weir: write /dev/full: no space left on device" in listener.text


def test_on_a_terminal(listen):
    """Typed lines go to everybody, and Ctrl-C ends it."""
    primary, secondary = pty.openpty()
    listener = listen(TCP, stdin=secondary)
    os.close(secondary)
    with listener.connect() as first, listener.connect() as second:
        listener.wait_for_counters("listen", active=2)
        os.write(primary, b"typed\n")
        assert read_exactly(first, 6) == read_exactly(second, 6) == b"typed\n"
        first.sendall(b"said\n")
        assert printed(listener, 5) == b"said\n"
        first.shutdown(socket.SHUT_WR)
        assert first.recv(1) == b""
        listener.signal(signal.SIGINT)
        assert is_cut(second)
    assert listener.wait() == 0
    os.close(primary)


def test_a_stdin_that_cannot_be_read(listen, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    listener = listen(stdin=folder)
    os.close(folder)
    with listener.connect():
        assert listener.wait() == 1
    assert "weir: read stdin: is a directory" in listener.text.splitlines()

"""weir connect: both directions to their own ends, prompts, records, summaries, and an exit status for every end."""
import hashlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import WEIR, environment, seconds
from talk import pattern, read_to_end, reset


@pytest.fixture
def echo(serve):
    return serve("echo", "tcp://127.0.0.1:0").endpoint()


def line(result):
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def keeps(peer, answer=b""):
    """A server that reads to the end, then answers, and what it has read."""
    received = []

    def talk(connection):
        received.append(read_to_end(connection))
        connection.sendall(answer)

    server = peer(talk)
    server.received = received
    return server


# --- both directions, each to its own end ---

def test_a_pipe_goes_there_and_back(weir, echo):
    data = pattern(3_000_000)
    result = weir("connect", echo, input=data)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == data


def test_the_end_of_stdin_is_passed_on_and_the_answer_waited_for(weir, peer):
    def talk(connection):
        assert read_to_end(connection) == b"question"
        time.sleep(1.5)
        connection.sendall(b"late answer")

    result = weir("connect", peer(talk).endpoint, input=b"question")
    assert (result.returncode, result.stdout) == (0, b"late answer")


@pytest.mark.parametrize("options", [{"stdin": subprocess.DEVNULL}, {"input": b""}])
def test_without_input_what_comes_is_printed(weir, peer, options):
    def talk(connection):
        assert connection.recv(10) == b""
        connection.sendall(b"greeting")

    result = weir("connect", peer(talk).endpoint, **options)
    assert (result.returncode, result.stdout) == (0, b"greeting")


def test_stdin_may_be_closed(peer):
    server = keeps(peer, b"answer")
    result = subprocess.run(["sh", "-c", 'exec "$0" connect "$1" <&-', WEIR, server.endpoint], capture_output=True,
                            timeout=seconds(20), env=environment())
    assert (result.returncode, result.stdout) == (0, b"answer")


def test_a_file_as_stdin(weir, echo, tmp_path):
    data = pattern(1_000_000)
    (tmp_path / "data").write_bytes(data)
    with open(tmp_path / "data", "rb") as file:
        result = weir("connect", echo, stdin=file)
    assert (result.returncode, result.stdout) == (0, data)


def test_the_end_of_the_peer_does_not_cut_what_is_sent(peer):
    """A peer that says all it has and then listens: it gets everything."""
    received = []

    def talk(connection):
        connection.sendall(b"that is all")
        connection.shutdown(socket.SHUT_WR)
        received.append(read_to_end(connection))

    server = peer(talk)
    process = subprocess.Popen([WEIR, "connect", server.endpoint], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=environment())
    assert process.stdout.read(11) == b"that is all"
    process.stdin.write(b"but not from here")
    process.stdin.close()
    assert process.wait(seconds(10)) == 0
    assert received == [b"but not from here"]


def test_end_with_peer_ends_with_it(peer):
    def talk(connection):
        connection.sendall(b"bye")

    process = subprocess.Popen([WEIR, "connect", "--end-with-peer", peer(talk).endpoint], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=environment())
    assert process.wait(seconds(10)) == 0
    assert process.stdout.read() == b"bye"
    process.stdin.close()


def test_a_reader_of_stdout_that_goes_is_no_failure(echo):
    process = subprocess.Popen([WEIR, "connect", echo], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    process.stdin.write(b"first\n")
    process.stdin.flush()
    assert process.stdout.read(6) == b"first\n"
    process.stdout.close()
    process.stdin.write(b"second\n")
    process.stdin.flush()
    assert process.wait(seconds(10)) == 0
    assert process.stderr.read() == b""


# --- ends that are failures ---

def test_a_reset_is_told_after_what_had_come(weir, peer):
    def talk(connection):
        connection.sendall(b"the beginning")
        connection.recv(1)
        reset(connection)

    result = weir("connect", peer(talk).endpoint, input=b"x")
    assert (result.returncode, result.stdout) == (4, b"the beginning")
    assert "reset" in line(result)


def test_a_peer_that_does_not_take_all_is_an_early_end(weir, peer):
    def talk(connection):
        connection.recv(10)
        connection.sendall(b"enough")

    result = weir("connect", peer(talk).endpoint, input=bytes(20_000_000))
    assert result.returncode == 4
    assert b"enough".startswith(result.stdout)  # a reset may overtake it, and often does
    assert line(result)


@pytest.mark.parametrize("more", [[], ["--timeout", "1h"]], ids=["unseen", "looked at"])
def test_a_disk_that_is_full(weir, echo, more):
    with open("/dev/full", "wb") as full:
        result = weir("connect", "--summary", *more, echo, input=b"x", stdout=full)
    told, summary = result.stderr.decode().splitlines()
    assert (result.returncode, told) == (1, "weir: write stdout: no space left on device")
    assert json.loads(summary)["first_end"] in ("input", "output") and json.loads(summary)["status"] == 1


@pytest.mark.parametrize("more", [[], ["--timeout", "1h"]], ids=["unseen", "looked at"])
def test_a_stdin_that_cannot_be_read(weir, echo, more, tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        result = weir("connect", *more, echo, stdin=folder)
    finally:
        os.close(folder)
    assert (result.returncode, line(result)) == (1, "weir: read stdin: is a directory")


def test_the_summary_counts_what_nobody_looks_at(weir, echo):
    data = pattern(2_000_000)
    summary = json.loads(line(weir("connect", "--summary", echo, input=data)))
    assert (summary["sent"], summary["received"], summary["status"]) == (len(data), len(data), 0)


def test_refused(weir, refused):
    result = weir("connect", refused)
    assert result.returncode == 1
    assert line(result) == f"weir: connect {refused}: connection refused"


def test_silence_times_out_where_asked(weir, peer):
    result = weir("connect", "--timeout", "300ms", peer(lambda connection: time.sleep(2)).endpoint)
    assert result.returncode == 3
    assert "no byte in either direction for too long" in line(result)


def test_silence_after_a_prompt_times_out_too(weir, peer):
    result = weir("connect", "--prompt", "?:", "--quiet", "20s", "--timeout", "300ms",
                  peer(lambda connection: connection.recv(100) and time.sleep(2)).endpoint, input=b"one\ntwo\n")
    assert result.returncode == 3
    assert result.stderr.startswith(b"?:weir: ") and b"no byte in either direction for too long" in result.stderr


@pytest.mark.parametrize("arguments, reason", [
    ([], "no endpoint is named"),
    (["127.0.0.1:1", "word"], "one endpoint is all it takes"),
    (["--sha256", ":1"], "it is part of --summary"),
    (["-4", "-6", ":1"], "-4 and -6 exclude each other"),
    (["--hex"], "--hex"),
    (["--end-with-peer", "-u", ":1"], "--end-with-peer is for streams"),
    (["--quiet", "1s", ":1"], "--quiet is for --prompt and for datagrams"),
])
def test_wrong_usage(weir, arguments, reason):
    result = weir("connect", *arguments)
    assert result.returncode == 2
    assert reason in line(result)


# --- what it can do besides ---

def test_crlf(weir, peer):
    server = keeps(peer)
    assert weir("connect", "-C", server.endpoint, input=b"a\nb\r\nc\n\n").returncode == 0
    assert server.received == [b"a\r\nb\r\nc\r\n\r\n"]


def test_prompt_asks_until_an_empty_line(weir, echo):
    result = weir("connect", "--prompt", "?:", echo, input=b"one\ntwo\n\nthree\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"one\ntwo\n", b"?:?:?:")


def test_prompt_ends_with_stdin_and_with_the_peer(weir, echo, peer):
    assert weir("connect", "--prompt", "?:", echo, input=b"unfinished").stdout == b"unfinished\n"

    def talk(connection):
        connection.recv(10)
        connection.sendall(b"go away\n")

    result = weir("connect", "--prompt", "?:", peer(talk).endpoint, input=b"a\nb\nc\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"go away\n", b"?:")


def test_summary_and_digests(weir, peer):
    server = keeps(peer, b"the answer")
    result = weir("connect", "--summary", "--sha256", server.endpoint, input=b"the question")
    summary = json.loads(line(result))
    assert summary["sent"] == 12 and summary["received"] == 10 and summary["status"] == 0
    assert summary["first_end"] == "input" and summary["how"] == "stdin has ended"
    assert summary["sent_sha256"] == hashlib.sha256(b"the question").hexdigest()
    assert summary["received_sha256"] == hashlib.sha256(b"the answer").hexdigest()
    assert summary["peer"] == server.endpoint and 0 < summary["seconds"] < seconds(20)


def test_hex_records_both_directions(weir, peer, tmp_path):
    server = keeps(peer, bytes(range(20)))
    assert weir("connect", "--hex", tmp_path / "record", server.endpoint, input=b"hello, world\n").returncode == 0
    assert (tmp_path / "record").read_text().splitlines() == [
        "> 00000000  68 65 6c 6c 6f 2c 20 77  6f 72 6c 64 0a           |hello, world.|",
        "< 00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  |................|",
        "< 00000010  10 11 12 13                                       |....|",
    ]


def test_hex_that_cannot_be_written(weir, echo):
    result = weir("connect", "--hex", "/nowhere/record", echo)
    assert result.returncode == 1
    assert line(result) == "weir: open /nowhere/record: no such file or directory"
    result = weir("connect", "--hex", "/dev/full", echo, input=b"x")
    assert result.returncode == 1
    assert line(result) == "weir: write /dev/full: no space left on device"


def test_verbose_says_each_step_with_its_time(weir, echo):
    result = weir("connect", "-v", echo, input=b"x")
    steps = result.stderr.decode().splitlines()
    assert all(re.match(r"weir: \d+\.\d{3} s: ", step) for step in steps), steps
    assert [re.sub(r"^weir: \S+ s: ", "", step).split()[0] for step in steps] == ["connecting", "connected", "stdin", "the"]


def test_datagrams(weir, serve):
    echo = serve("echo", "udp://127.0.0.1:0").endpoint("udp://")
    result = weir("connect", echo, input=b"a datagram")
    assert (result.returncode, result.stdout) == (0, b"a datagram")


def test_unix(weir, serve, tmp_path):
    serve("echo", f"unix:{tmp_path}/socket", quiet=True)
    assert weir("connect", f"unix:{tmp_path}/socket", input=b"hello").stdout == b"hello"
    assert weir("connect", "-U", tmp_path / "socket", input=b"hello").stdout == b"hello"


# --- on a terminal ---

class Terminal:
    """weir connect under a terminal of its own."""

    def __init__(self, *arguments):
        self.control, terminal = pty.openpty()
        self.process = subprocess.Popen([WEIR, "connect", *arguments], stdin=terminal, stdout=terminal,
                                        stderr=subprocess.PIPE, env=environment(), start_new_session=True)
        os.close(terminal)

    def read_until(self, text, timeout=10):
        end, shown = time.monotonic() + seconds(timeout), b""
        while text not in shown:
            assert select.select([self.control], [], [], max(0, end - time.monotonic()))[0], shown
            shown += os.read(self.control, 1000)
        return shown

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stderr.close()
        os.close(self.control)


@pytest.fixture
def terminal():
    made = []

    def start(*arguments):
        made.append(Terminal(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.end()


def test_by_hand_a_line_is_a_line_and_control_d_the_end(terminal, peer):
    pieces = []

    def talk(connection):
        while chunk := connection.recv(100):
            pieces.append(chunk)
            connection.sendall(b"<" + chunk.strip() + b">\n")
        connection.sendall(b"farewell\n")

    session = terminal(peer(talk).endpoint)
    os.write(session.control, b"first\n")
    session.read_until(b"<first>")
    os.write(session.control, b"second\n")
    session.read_until(b"<second>")
    os.write(session.control, b"\x04")
    session.read_until(b"farewell")
    assert session.process.wait(seconds(10)) == 0
    assert pieces == [b"first\n", b"second\n"]


def test_by_hand_the_end_of_the_peer_is_the_end(terminal, peer):
    said = threading.Event()

    def talk(connection):
        connection.sendall(b"bye\n")
        said.set()

    session = terminal(peer(talk).endpoint)
    assert session.process.wait(seconds(10)) == 0
    session.read_until(b"bye")

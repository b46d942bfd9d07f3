"""weir ask: what is sent, when the answer is complete, and an exit status for every end."""
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from talk import read_to_end, reset


def answers(text):
    """A server that reads one chunk, answers and closes."""
    def talk(connection):
        connection.recv(65536)
        connection.sendall(text)
    return talk


def line(result):
    """The one line that an error is."""
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


# --- what is sent ---

@pytest.fixture
def listener(peer):
    """A server that keeps what it is sent and answers to it once it was silent."""
    received = []

    def talk(connection):
        data = b""
        connection.settimeout(0.3)
        try:
            while chunk := connection.recv(65536):
                data += chunk
        except TimeoutError:
            pass
        received.append(data)
        connection.sendall(b"thanks")

    server = peer(talk)
    server.received = received
    return server


def test_sends_the_text_as_it_is(weir, listener):
    result = weir("ask", listener.endpoint, "hello")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"thanks", b"")
    assert listener.received == [b"hello"]


def test_joins_texts_by_a_space(weir, listener):
    assert weir("ask", listener.endpoint, "hello", "", "world").returncode == 0
    assert listener.received == [b"hello  world"]


def test_line_adds_a_newline(weir, listener):
    assert weir("ask", "--line", listener.endpoint, "hello").returncode == 0
    assert listener.received == [b"hello\n"]


def test_host_and_port_as_two_words(weir, listener):
    assert weir("ask", "127.0.0.1", listener.name[1], "hello", "80").returncode == 0
    assert listener.received == [b"hello 80"]


def test_a_number_first_is_a_port(weir, listener):
    assert weir("ask", listener.name[1], "80").returncode == 0
    assert listener.received == [b"80"]


def test_host_with_port_is_one_word(weir, listener):
    assert weir("ask", f"127.0.0.1:{listener.name[1]}", "443", "x").returncode == 0
    assert listener.received == [b"443 x"]


def test_text_after_dashes_is_no_option(weir, listener):
    assert weir("ask", listener.endpoint, "--", "--line").returncode == 0
    assert listener.received == [b"--line"]


def test_sends_stdin_without_text(weir, listener):
    assert weir("ask", listener.endpoint, input=b"a\0b\n").returncode == 0
    assert listener.received == [b"a\0b\n"]


def test_stdin_may_come_slowly(weir, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    reading, writing = os.pipe()

    def write():
        for part in (b"one ", b"two"):
            os.write(writing, part)
            time.sleep(0.5)
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    result = weir("ask", echo.endpoint(), stdin=reading)
    writer.join()
    os.close(reading)
    assert (result.returncode, result.stdout) == (0, b"one two")


@pytest.mark.parametrize("source", ["null", "closed", "file"])
def test_stdin_of_every_kind(weir, peer, tmp_path, source):
    """What there is to send is sent; the answer counts, whatever stdin was."""
    def talk(connection):
        time.sleep(0.2)
        if source == "file":
            assert connection.recv(100) == b"what?"
        connection.sendall(b"hello")

    server = peer(talk)
    if source == "null":
        result = weir("ask", server.endpoint, stdin=subprocess.DEVNULL)
    elif source == "closed":
        result = weir("ask", server.endpoint, stdin=subprocess.DEVNULL, preexec_fn=lambda: os.close(0))
    else:
        (tmp_path / "question").write_bytes(b"what?")
        with open(tmp_path / "question", "rb") as file:
            result = weir("ask", server.endpoint, stdin=file)
    assert (result.returncode, result.stdout) == (0, b"hello")


def test_a_question_larger_than_all_buffers(weir, serve, backend):
    """The answer is read while the question is still being sent, or both sides would wait for each other."""
    echo = serve("echo", "tcp://127.0.0.1:0", "--backend", backend)
    data = os.urandom(30_000_000)
    result = weir("ask", echo.endpoint(), input=data, timeout=60, env={"WEIR_BACKEND": backend})
    assert result.returncode == 0, result.stderr
    assert result.stdout == data


def test_does_not_half_close(weir, peer):
    ends = []

    def talk(connection):
        connection.recv(100)
        connection.settimeout(0.5)
        try:
            ends.append(connection.recv(100))
        except TimeoutError:
            ends.append("still open")
        connection.settimeout(5)
        connection.sendall(b"answer")

    result = weir("ask", peer(talk).endpoint, "hello")
    assert (result.returncode, result.stdout) == (0, b"answer")
    assert ends == ["still open"]


# --- when the answer is complete ---

def test_the_peer_closing_completes_it(weir, peer):
    begun = time.monotonic()
    result = weir("ask", "--quiet", "60s", "--timeout", "60s", peer(answers(b"done\n")).endpoint, "hello")
    assert (result.returncode, result.stdout) == (0, b"done\n")
    assert time.monotonic() - begun < 50


def test_quiet_completes_it(weir, peer):
    def talk(connection):
        connection.recv(100)
        connection.sendall(b"first ")
        time.sleep(0.3)
        connection.sendall(b"second")
        connection.recv(100)

    assert weir("ask", "--quiet", "2s", peer(talk).endpoint, "hello").stdout == b"first second"
    assert weir("ask", "--quiet", "20ms", peer(talk).endpoint, "hello").stdout == b"first "


def test_an_answer_may_begin_late(weir, peer):
    """Quiet counts from the first byte on; until then it is the time-out."""
    def talk(connection):
        connection.recv(100)
        time.sleep(1)
        connection.sendall(b"late")

    result = weir("ask", "--quiet", "50ms", peer(talk).endpoint, "hello")
    assert (result.returncode, result.stdout) == (0, b"late")


# --- every end has its status ---

def test_refused_is_1(weir, refused):
    result = weir("ask", refused, "hello")
    assert (result.returncode, result.stdout) == (1, b"")
    assert line(result) == f"weir: connect {refused}: connection refused"


def test_no_such_host_is_1(weir):
    result = weir("ask", "tcp://nosuch.invalid:80", "hello")
    assert result.returncode == 1
    assert line(result).startswith("weir: resolve tcp://nosuch.invalid:80: ")


def test_no_answer_in_time_is_3(weir, peer):
    server = peer(lambda connection: connection.recv(100) and connection.recv(100))
    result = weir("ask", "--timeout", "300ms", server.endpoint, "hello")
    assert (result.returncode, result.stdout) == (3, b"")
    assert line(result) == f"weir: ask {server.endpoint}: timed out without an answer"


def test_no_room_for_the_question_in_time_is_3(weir, peer):
    server = peer(lambda connection: time.sleep(5))
    result = weir("ask", "--timeout", "500ms", server.endpoint, input=bytes(50_000_000))
    assert (result.returncode, result.stdout) == (3, b"")
    assert line(result).startswith(f"weir: send {server.endpoint}: ")


def test_closed_without_an_answer_is_4(weir, peer):
    server = peer(lambda connection: connection.recv(100))
    result = weir("ask", server.endpoint, "hello")
    assert (result.returncode, result.stdout) == (4, b"")
    assert line(result) == f"weir: ask {server.endpoint}: closed without an answer"


def test_a_reset_is_4(weir, peer):
    server = peer(lambda connection: (connection.recv(100), reset(connection)))
    result = weir("ask", server.endpoint, "hello")
    assert (result.returncode, result.stdout) == (4, b"")
    assert "reset" in line(result)


def test_a_reset_after_the_answer_is_4_and_the_answer_is_printed(weir, peer):
    def talk(connection):
        connection.recv(100)
        connection.sendall(b"half an ans")
        time.sleep(0.2)
        reset(connection)

    result = weir("ask", "--quiet", "5s", peer(talk).endpoint, "hello")
    assert (result.returncode, result.stdout) == (4, b"half an ans")
    assert "reset" in line(result)


def test_a_question_that_was_cut_is_4_and_the_answer_is_printed(weir, peer):
    """The peer answers and closes without having read it all."""
    def talk(connection):
        connection.recv(10)
        connection.sendall(b"too long")
        connection.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
        reset(connection)

    result = weir("ask", "--quiet", "5s", peer(talk).endpoint, input=bytes(50_000_000))
    assert (result.returncode, result.stdout) == (4, b"too long")


@pytest.mark.parametrize("arguments, reason", [
    ([], "no endpoint"),
    (["tcp://127.0.0.1:99999", "x"], "port 99999 is above 65535"),
    (["tcp://127.0.0.1", "x"], ""),
    (["nosuch://127.0.0.1:1", "x"], "nosuch"),
    (["--timeout", "soon", "127.0.0.1:1", "x"], "not a duration"),
    (["--frob", "127.0.0.1:1", "x"], "unknown option --frob"),
    (["-4", "-6", "127.0.0.1:1", "x"], "exclude"),
    (["-u", "tcp://127.0.0.1:1", "x"], "udp"),
    (["-n", "localhost", "1", "x"], "address"),
    (["-p", "http", "127.0.0.1:1", "x"], "port"),
    (["-s", "127.0.0.1", "unix:/nowhere", "x"], "IP"),
    (["--line", "127.0.0.1:1"], "TEXT"),
])
def test_wrong_usage_is_2(weir, arguments, reason):
    result = weir("ask", *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert reason in line(result)


def test_a_reader_that_went_away_is_0(weir, peer):
    def talk(connection):
        connection.recv(100)
        while True:
            connection.sendall(bytes(65536))

    reading, writing = os.pipe()
    process = threading.Timer(0.3, os.close, [reading])
    process.start()
    result = weir("ask", peer(talk).endpoint, "hello", stdout=writing)
    process.join()
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


def test_a_full_disk_is_1(weir, peer):
    with open("/dev/full", "wb") as full:
        result = weir("ask", peer(answers(b"hello")).endpoint, "hello", stdout=full)
    assert result.returncode == 1
    assert line(result) == "weir: write stdout: no space left on device"


def test_a_closed_stdout_is_1(weir, peer):
    result = weir("ask", peer(answers(b"hello")).endpoint, "hello", preexec_fn=lambda: os.close(1))
    assert result.returncode == 1
    assert line(result) == "weir: write stdout: bad file descriptor"


# --- other ways to reach the peer ---

def test_ipv6(weir, serve):
    echo = serve("echo", ":0")
    if not any(endpoint.startswith("tcp://[::1]") for endpoint in echo.endpoints):
        pytest.skip("this machine has no IPv6")
    port = echo.address()[1]
    assert weir("ask", f"[::1]:{port}", "six").stdout == b"six"
    assert weir("ask", "::1", port, "six").stdout == b"six"
    assert weir("ask", "-6", "localhost", port, "six").stdout == b"six"
    assert weir("ask", "-4", "localhost", port, "four").stdout == b"four"
    assert weir("ask", f":{port}", "either").stdout == b"either"


def test_from_an_address_and_a_port(weir, peer):
    seen = []

    def talk(connection):
        seen.append(connection.getpeername())
        answers(b"yes")(connection)

    with socket.socket() as other:
        other.bind(("127.0.0.3", 0))
        free = other.getsockname()[1]
    server = peer(talk)
    assert weir("ask", "-s", "127.0.0.2", server.endpoint, "hello").stdout == b"yes"
    assert weir("ask", "-s", "127.0.0.3", "-p", free, server.endpoint, "hello").stdout == b"yes"
    assert seen[0][0] == "127.0.0.2"
    assert seen[1] == ("127.0.0.3", free)


def test_a_source_that_is_not_ours_is_1(weir, peer):
    result = weir("ask", "-s", "192.0.2.1", peer(answers(b"x")).endpoint, "hello")
    assert result.returncode == 1
    assert line(result).startswith("weir: ")


@pytest.mark.parametrize("option", [True, False])
def test_unix(weir, serve, tmp_path, option):
    path = tmp_path / "echo.socket"
    serve("echo", f"unix:{path}")
    arguments = ["-U", path] if option else [f"unix:{path}"]
    assert weir("ask", *arguments, "hello").stdout == b"hello"


def test_unix_without_a_server_is_1(weir, tmp_path):
    result = weir("ask", f"unix:{tmp_path}/none", "hello")
    assert result.returncode == 1
    assert line(result).startswith(f"weir: connect unix:{tmp_path}/none: ")


def test_unix_datagrams(weir, serve, tmp_path):
    path = tmp_path / "echo.socket"
    serve("echo", f"unix:{path}?type=datagram")
    assert weir("ask", f"unix:{path}?type=datagram", "hello").stdout == b"hello"
    assert weir("ask", "-u", "-U", path, "hello").stdout == b"hello"


def test_udp(weir, serve, backend):
    echo = serve("echo", "udp://127.0.0.1:0", "--backend", backend)
    port = echo.address("udp")[1]
    assert weir("ask", echo.endpoint("udp"), "hello").stdout == b"hello"
    assert weir("ask", "-u", "127.0.0.1", port, "hello").stdout == b"hello"
    assert weir("ask", "-u", f":{port}", "hello").stdout == b"hello"
    assert weir("ask", echo.endpoint("udp"), input=bytes(65507)).stdout == bytes(65507)


def test_udp_an_empty_answer_is_an_answer(weir, serve):
    echo = serve("echo", "udp://127.0.0.1:0")
    result = weir("ask", echo.endpoint("udp"), "")
    assert (result.returncode, result.stdout) == (0, b"")


def test_udp_too_long_is_1(weir, serve):
    echo = serve("echo", "udp://127.0.0.1:0")
    result = weir("ask", echo.endpoint("udp"), input=bytes(65508))
    assert result.returncode == 1
    assert "65507" in line(result)


def test_udp_refused_is_1(weir):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    result = weir("ask", f"udp://127.0.0.1:{port}", "hello")
    assert result.returncode == 1
    assert "refused" in line(result)


def test_udp_silence_is_3(weir):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        result = weir("ask", "--timeout", "200ms", f"udp://127.0.0.1:{silent.getsockname()[1]}", "hello")
    assert result.returncode == 3


def test_verbose_says_each_step(weir, serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = weir("ask", "-v", echo.endpoint(), "hello")
    assert result.stdout == b"hello"
    said = [re.sub(r"^weir: \d+\.\d{3} s: ", "weir: ", step) for step in result.stderr.decode().splitlines()]
    assert said[0] == f"weir: connecting to {echo.endpoint()}"
    assert said[1].startswith(f"weir: connected to {echo.endpoint()} from tcp://127.0.0.1:")
    assert "weir: sent 5 bytes" in said
    assert "weir: received 5 bytes" in said
    assert said[-1] == "weir: quiet: the answer is complete"

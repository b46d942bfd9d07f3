"""weir serve print: who connects is told, and the text of many clients is printed in whole lines, whatever it was cut into."""
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import threading
import unicodedata

import pytest

from conftest import Server, seconds
from talk import eventually, is_cut, reset

TCP = "tcp://127.0.0.1:0"


class Output:
    """What a server prints, read by a thread as it comes."""

    def __init__(self, server):
        self.data = bytearray()
        self._server = server
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        with contextlib.suppress(ValueError):  # closed by a server that was killed
            while chunk := self._server.process.stdout.read1(65536):
                self.data += chunk

    def wait_for(self, data):
        eventually(lambda: self.data.endswith(data))

    def whole(self):
        """All of it, once the server has been told to stop."""
        self._server.signal(signal.SIGTERM)
        self._thread.join(seconds(20))
        assert not self._thread.is_alive()
        return bytes(self.data)


@pytest.fixture
def printer(serve):
    """Starts a server; gives it and its output: printer("tcp://127.0.0.1:0", "--pause", "1m")"""
    def start(*arguments, **options):
        server = serve("print", *(arguments or [TCP]), **options)
        return server, Output(server)

    return start


def shown(data):
    """What bytes are shown as, by Python's decoder, which replaces maximal parts as the Unicode Standard recommends."""
    text = data.decode("utf-8", "replace").replace("\r\n", "\n")
    turns = {*range(0x2028, 0x202f), *range(0x2066, 0x206a)}

    def one(character):
        if character in "\n\t" or not (unicodedata.category(character) == "Cc" or ord(character) in turns):
            return character
        return "".join(f"\\x{byte:02x}" for byte in character.encode())

    return "".join(map(one, text)).encode()


def send_and_end(server, data):
    with server.connect() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""


# --- one client ---

def test_a_single_client_is_printed_as_it_types(printer):
    server, output = printer(TCP, "--pause", "1h")
    with server.connect() as client:
        for part in [b"no", b" newline", b" yet", b"\nand ", b"on"]:
            client.sendall(part)
            output.wait_for(part)
    assert output.whole() == b"no newline yet\nand on\n"


def test_connections_and_their_ends_are_told(printer, tmp_path):
    server, _ = printer(TCP, f"unix:{tmp_path}/socket")
    with server.connect() as client:
        name = "{}:{}".format(*client.getsockname())
        server.wait_for_text(rf"^weir: Connection from {name}$")
        client.sendall(b"hello")
    server.wait_for_text(rf"^weir: Connection from {name} ended, 5 bytes$")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/socket")
        server.wait_for_text(rf"^weir: Connection from unix:{tmp_path}/socket$")
    server.wait_for_text(rf"^weir: Connection from unix:{tmp_path}/socket ended, 0 bytes$")
    with server.connect() as client:
        client.sendall(b"and")
        server.wait_for_counters("print", bytes_in=8)
        reset(client)
    server.wait_for_text(r"^weir: Connection from 127.0.0.1:\d+ was cut after 3 bytes: connection reset by peer$")


def test_a_client_reads_an_end_when_it_has_ended(printer):
    server, output = printer()
    for number in range(3):
        send_and_end(server, b"line %d" % number)
    assert output.whole() == b"line 0\nline 1\nline 2\n"


def test_bytes_are_shown_as_python_decodes_them(printer):
    """Half of it text, half of it what looks nearly like text, in pieces of all sizes."""
    choice = random.Random(4)
    pieces = ["plain ASCII, ", "Grüße ", "€", "😀", "\r\n", "\n", "\t", "\\", "\x1b[2J", "\x85", "\u202e", "漢字", "\r"]
    edges = [b"\xc2", b"\xe0", b"\xe0\xa0", b"\xed\xa0", b"\xf0\x90", b"\xf4\x8f\xbf", b"\xf5", b"\x80", b"\xff", b"\0"]
    data = b"".join(choice.choice(pieces).encode() if choice.random() < 0.7 else choice.choice(edges)
                    for _ in range(60000))
    server, output = printer()
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        while at < len(data):
            size = choice.choice([1, 2, 3, 7, 1000, 100000])
            client.sendall(data[at:at + size])
            at += size
    server.wait_for_text("ended")
    expected = shown(data)
    assert output.whole() == expected + (b"" if expected.endswith(b"\n") else b"\n")


def test_a_character_that_was_cut_on_its_way(printer):
    server, output = printer(TCP, "--pause", "1h")
    with server.connect() as client:
        for number, byte in enumerate("a€😀ü".encode()):
            client.sendall(bytes([byte]))
            server.wait_for_counters("print", bytes_in=number + 1)
        output.wait_for("a€😀ü".encode())
        client.sendall(b"\xe2\x82")
    server.wait_for_text("ended")
    assert output.whole() == "a€😀ü\ufffd\n".encode()


@pytest.mark.parametrize("errors, expected", [("ignore", "aöb\n"), ("backslashreplace", "aö\\x81b\n")])
def test_what_becomes_of_bytes_that_are_no_text(printer, errors, expected):
    server, output = printer(TCP, "--encoding", "Windows-1252", "--errors", errors)
    send_and_end(server, b"a\xf6\x81b\n")
    server.wait_for_text("ended")
    assert output.whole() == expected.encode()


def test_strict_ends_a_connection_and_says_why(printer):
    server, output = printer(TCP, "--errors", "strict")
    with server.connect() as client:
        client.sendall(b"fine\nnot\xff fine\n")
        server.wait_for_text("byte 0xff at offset 8 is part of no character")
        assert is_cut(client)
    send_and_end(server, "good ö\n".encode())
    server.wait_for_text("ended")
    assert output.whole() == "fine\nnot\ngood ö\n".encode()


def test_text_in_another_encoding(printer):
    server, output = printer(TCP, "--encoding", "cp1252")
    send_and_end(server, "Grüße für 5 €\r\n".encode("cp1252") + b"\x81\n")
    assert output.whole() == "Grüße für 5 €\n\ufffd\n".encode()


@pytest.mark.parametrize("encoding", ["utf-16", "klingon"])
def test_an_encoding_that_cannot_be_shown_is_wrong_usage(weir, encoding):
    result = weir("serve", "print", TCP, "--encoding", encoding)
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr.startswith(b"weir: ") and encoding in result.stderr.decode()


# --- several ---

def send_lines(server, name, lines, cut):
    """Sends lines, not caring where they are cut."""
    data = b"".join(lines)
    with server.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        at = 0
        while at < len(data):
            size = cut.choice([1, 10, 40, 1000])
            client.sendall(data[at:at + size])
            at += size


@pytest.mark.parametrize("options", [["--model", "fiber"], ["--model", "thread"], ["--processes", "2"]], ids=" ".join)
def test_lines_of_many_are_whole(printer, options):
    server, output = printer(TCP, "--pause", "10m", *options)
    lines = {name: [b"client %d says line %d %s\n" % (name, number, b"x" * (number % 70)) for number in range(300)]
             for name in range(16)}
    with server.connect() as another:  # nobody else is ever alone, once it has been heard
        another.sendall(b"here\n")
        output.wait_for(b"here\n")
        senders = [threading.Thread(target=send_lines, args=(server, name, said, random.Random(name)))
                   for name, said in lines.items()]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(seconds(30))
        eventually(lambda: server.text.count(" ended, ") >= 16, timeout=30)
    printed = output.whole().splitlines(keepends=True)
    for name, said in lines.items():
        assert [line for line in printed if line.startswith(b"client %d " % name)] == said
    assert len(printed) == 1 + 16 * 300


def test_others_wait_for_a_line_that_has_begun(printer):
    server, output = printer(TCP, "--pause", "1h")
    with server.connect() as first, server.connect() as second:
        server.wait_for_counters("print", active=2)
        second.close()
        server.wait_for_text("ended")
        first.sendall(b"begun ")  # alone, so it is shown
        output.wait_for(b"begun ")
        with server.connect() as third:
            third.sendall(b"another line\n")
            server.wait_for_counters("print", bytes_in=len(b"begun another line\n"))
            assert output.data == b"begun "
            first.sendall(b"and ended\n")
            output.wait_for(b"begun and ended\nanother line\n")


def test_a_silent_client_holds_nobody_up(printer):
    server, output = printer(TCP, "--pause", "50ms")
    with server.connect() as first, server.connect() as second:
        server.wait_for_counters("print", active=2)
        first.sendall(b"unfinished")
        output.wait_for(b"unfinished")
        second.sendall(b"a line\n")
        output.wait_for(b"unfinished\na line\n")
        first.sendall(b" goes on\n")
        output.wait_for(b"unfinished\na line\n goes on\n")
        first.sendall(b"again")
        output.wait_for(b"again")
        first.sendall(b" and nobody between\n")
        output.wait_for(b"again and nobody between\n")


@pytest.mark.parametrize("size", [1024, 40_000, 300_000])
def test_lines_beyond_the_limit_are_whole_too(printer, size):
    server, output = printer(TCP, "--pause", "10m", "--line-limit", "1k")
    said = {bytes([name]): [bytes([name]) * (size + number) + b"\n" for number in range(5)] for name in b"abcdef"}
    with server.connect():
        senders = [threading.Thread(target=send_and_end, args=(server, b"".join(lines))) for lines in said.values()]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(seconds(30))
    printed = output.whole().splitlines(keepends=True)
    assert sorted(printed) == sorted(line for lines in said.values() for line in lines)


# --- datagrams ---

def test_a_datagram_is_a_line(printer, tmp_path):
    server, output = printer("udp://127.0.0.1:0", f"unix:{tmp_path}/socket?type=datagram")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server.address("udp://"))
        for message in [b"one", b"two\n", b"three\nfour", "fünf\xe2".encode("latin-1"), b"", b"\x1b[2J"]:
            client.send(message)
        output.wait_for("one\ntwo\nthree\nfour\nf\ufffdnf\ufffd\n\n\\x1b[2J\n".encode())
        server.wait_for_text("^weir: Datagrams from {}:{}$".format(*client.getsockname()))
        client.settimeout(seconds(0.2))
        with pytest.raises(TimeoutError):
            client.recv(100)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(f"{tmp_path}/socket")
        client.send(b"from a Unix socket")
        output.wait_for(b"from a Unix socket\n")


# --- the output ---

def test_the_reader_of_stdout_goes_away(printer):
    reading, writing = os.pipe()
    server = Server("serve", "print", TCP, stdout=writing)
    os.close(writing)
    try:
        with server.connect() as client:
            client.sendall(b"first\n")
            assert os.read(reading, 100) == b"first\n"
            os.close(reading)
            client.sendall(b"second\n")
            assert is_cut(client)
        assert server.wait() == 0
    finally:
        server.kill()


def test_with_run_the_others_go_on():
    """`weir run` whose stdout is closed prints nothing, says so, and serves what else there is."""
    server = Server("run", wrapper=["sh", "-c", 'exec "$0" "$@" >&-'], quiet=True)
    try:
        if "weir: print on" not in server.text or "weir: echo on" not in server.text:
            pytest.skip("a port of theirs is taken")
        send_and_end_at = re.search(r"print on tcp://127.0.0.1:(\d+)", server.text)
        with socket.create_connection(("127.0.0.1", int(send_and_end_at.group(1))), seconds(10)) as client:
            client.sendall(b"to nobody\n")
            server.wait_for_text("write stdout: bad file descriptor: what arrives is dropped")
        with server.connect("tcp://127.0.0.1") as client:
            client.sendall(b"echo")
            assert client.recv(10) == b"echo"
        server.stop()
        assert "weir: warning: 10 bytes of text were not printed" in server.text
    finally:
        server.kill()


def test_a_full_disk_is_told_once_and_counted(serve):
    with open("/dev/full", "wb") as full:
        server = serve("print", TCP, stdout=full)
    for _ in range(3):
        send_and_end(server, b"a line\n")
    server.stop()
    assert server.text.count("weir: error: write stdout: no space left on device: what arrives is dropped") == 1
    assert "weir: warning: 21 bytes of text were not printed" in server.text


def test_a_slow_reader_of_stdout_slows_the_senders_down(printer):
    """Nothing is lost, however much comes: more than all buffers on the way hold."""
    server = Server("serve", "print", TCP)
    try:
        line = b"y" * 99 + b"\n"
        senders = [threading.Thread(target=send_and_end, args=(server, line * 40_000)) for _ in range(3)]
        for sender in senders:
            sender.start()
        watchdog = threading.Timer(seconds(60), server.process.kill)
        watchdog.start()
        taken = bytearray()
        while len(taken) < 3 * 40_000 * 100:
            chunk = os.read(server.process.stdout.fileno(), random.Random(len(taken)).choice([100, 5000, 200_000]))
            assert chunk, server.text
            taken += chunk
        watchdog.cancel()
        for sender in senders:
            sender.join(seconds(30))
        assert taken == line * 120_000
        server.stop()
    finally:
        server.kill()


def test_waiting_for_stdout_is_not_idling(printer):
    """What has arrived is printed though stdout took nothing for longer than a client may idle."""
    server = Server("serve", "print", TCP, "--idle-timeout", "300ms")
    try:
        size = 3_000_000
        with server.connect() as client:
            sender = threading.Thread(target=client.sendall, args=(b"z" * (size - 1) + b"\n",))
            sender.start()
            eventually(lambda: server.counters("print")["bytes_in"] > 60_000)
            before = -1
            while before != (before := server.counters("print")["bytes_in"]):
                threading.Event().wait(1)  # until it stands still, for more than the limit
            output = Output(server)
            sender.join(seconds(30))
            eventually(lambda: len(output.data) == size)
        server.stop()
    finally:
        server.kill()


# --- the end ---

@pytest.mark.parametrize("where", ["file", "pipe"])
def test_what_was_held_of_a_line_is_printed_at_the_end(where, tmp_path):
    """Two clients within a line when the server ends: what they had sent is not lost."""
    with open(tmp_path / "out", "wb") as file:
        server = Server("serve", "print", TCP, "--pause", "1h", "--drain-timeout", "100ms",
                        stdout=file if where == "file" else subprocess.PIPE)
    try:
        with server.connect() as first, server.connect() as second:
            server.wait_for_counters("print", active=2)
            first.sendall(b"begun\nhalf a line\xe2")
            second.sendall(b"half another")
            server.wait_for_counters("print", bytes_in=30)
            server.signal(signal.SIGTERM)
            printed = b"" if where == "file" else server.process.stdout.read()
            assert server.wait() == 0
        printed = printed or (tmp_path / "out").read_bytes()
        assert printed.startswith(b"begun\n")
        assert sorted(printed.decode().splitlines()[1:]) == ["half a line\ufffd", "half another"]
        assert "were not printed" not in server.text
    finally:
        server.kill()


def test_what_a_stuck_output_does_not_take_is_told():
    server = Server("serve", "print", TCP, "--drain-timeout", "100ms")
    try:
        with server.connect() as client:
            sender = threading.Thread(target=lambda: is_sent(client, b"s" * 2_000_000), daemon=True)
            sender.start()
            eventually(lambda: server.counters("print")["bytes_in"] > 60_000)
            server.signal(signal.SIGTERM)
            assert server.process.wait(seconds(20)) == 0
            sender.join(seconds(20))
        printed = server.process.stdout.read()
        told = server.wait_for_text(r"weir: warning: (\d+) bytes of text were not printed")
        received = server.wait_for_text(r"was cut after (\d+) bytes")
        assert int(told.group(1)) + len(printed.rstrip(b"\n")) == int(received.group(1)), server.text
    finally:
        server.kill()


def is_sent(client, data):
    with contextlib.suppress(OSError):
        client.sendall(data)
        return True
    return False

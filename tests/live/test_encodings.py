"""--encoding and --errors of weir connect and weir listen: text of any encoding on the wire, UTF-8 on stdin and stdout."""
import json
import signal
import socket
import subprocess

import pytest

from conftest import WEIR, Server, environment, seconds
from talk import eventually, read_exactly, read_to_end

TEXT = "Grüße für 5 €, \t\x1b[1m und 日本\r\n\n" * 3
EURO = "Grüße für 5 €\n"


def answers(peer, answer, pieces=None):
    """A server that reads to the end and then answers, in pieces of that many bytes each; and what it has read."""
    received = []

    def talk(connection):
        received.append(read_to_end(connection))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(answer), pieces or max(1, len(answer))):
            connection.sendall(answer[at:at + (pieces or len(answer))])

    server = peer(talk)
    server.received = received
    return server


# --- connect ---

@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16", "utf-32-be", "gb18030"])
@pytest.mark.parametrize("pieces", [None, 1])
def test_both_directions_are_converted_however_they_are_cut(weir, peer, encoding, pieces):
    server = answers(peer, TEXT.encode(encoding), pieces)
    result = weir("connect", "--encoding", encoding, server.endpoint, input=TEXT.encode())
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode() == TEXT
    assert server.received[0].decode(encoding) == TEXT


def test_a_long_text(weir, peer):
    text = TEXT * 20_000
    server = answers(peer, text.encode("utf-16-be"))
    result = weir("connect", "--encoding", "utf-16-be", server.endpoint, input=text.encode())
    assert result.returncode == 0
    assert result.stdout.decode() == text
    assert server.received == [text.encode("utf-16-be")]


def test_returns_are_added_before_it_is_encoded(weir, peer):
    server = answers(peer, b"")
    assert weir("connect", "-C", "--encoding", "utf-16-le", server.endpoint, input=b"a\nb\r\n\n").returncode == 0
    assert server.received == ["a\r\nb\r\n\r\n".encode("utf-16-le")]


def test_without_input_nothing_goes_out_not_even_a_mark(weir, peer):
    server = answers(peer, b"")
    assert weir("connect", "--encoding", "utf-16", server.endpoint, stdin=subprocess.DEVNULL).returncode == 0
    assert server.received == [b""]


@pytest.mark.parametrize("errors, sent, printed", [
    ([], b"5 ?\n", "\ufffdA\ufffd"),
    (["--errors", "replace"], b"5 ?\n", "\ufffdA\ufffd"),
    (["--errors", "ignore"], b"5 \n", "A"),
    (["--errors", "backslashreplace"], b"5 \\u20ac\n", "\\xffA\\xe2\\x82"),
])
def test_what_cannot_be_converted(weir, peer, errors, sent, printed):
    server = answers(peer, b"\xffA\xe2\x82")
    assert weir("connect", "--encoding", "utf-8", *errors, server.endpoint).stdout.decode() == printed
    server = answers(peer, b"")
    assert weir("connect", "--encoding", "latin-1", *errors, server.endpoint, input="5 €\n".encode()).returncode == 0
    assert server.received == [sent]


@pytest.mark.parametrize("answer, reason", [(b"good \xff bad", "0xff"), (b"good \xe2\x82", "0xe2")])
def test_strict_prints_what_is_text_and_ends_early(weir, peer, answer, reason):
    server = answers(peer, answer)
    result = weir("connect", "--encoding", "utf-8", "--errors", "strict", server.endpoint, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout) == (4, b"good ")
    assert result.stderr.startswith(b"weir: decode utf-8: ") and reason in result.stderr.decode()
    assert result.stderr.count(b"\n") == 1


def test_strict_sends_what_the_encoding_has_and_ends_early(weir, peer):
    server = answers(peer, b"")
    result = weir("connect", "--encoding", "latin-1", "--errors", "strict", server.endpoint, input=EURO.encode())
    assert (result.returncode, result.stdout) == (4, b"")
    assert result.stderr.startswith(b"weir: encode ") and b"U+20AC" in result.stderr
    eventually(lambda: server.received)
    assert server.received == ["Grüße für 5 ".encode("latin-1")]


def test_a_conversation_with_prompts(weir, peer):
    def talk(connection):
        while line := connection.recv(100):
            connection.sendall(line.decode("cp1252").upper().encode("cp1252"))

    result = weir("connect", "--prompt", "?", "--encoding", "cp1252", peer(talk).endpoint, input="für\n€\n\n".encode())
    assert (result.returncode, result.stdout.decode()) == (0, "FÜR\n€\n")


def test_records_and_summaries_are_of_the_wire(weir, peer, tmp_path):
    record = tmp_path / "record"
    result = weir("connect", "--encoding", "latin-1", "--summary", "--hex", record, answers(peer, b"\xfc\n").endpoint,
                  input="ä\n".encode())
    assert result.stdout.decode() == "ü\n"
    summary = json.loads(result.stderr)
    assert (summary["sent"], summary["received"]) == (2, 2)
    assert "> 00000000  e4 0a" in record.read_text() and "< 00000000  fc 0a" in record.read_text()


@pytest.mark.parametrize("arguments, reason", [
    (["connect", "--errors", "strict", ":1"], "--errors is for --encoding"),
    (["listen", "--errors", "ignore", ":0"], "--errors is for --encoding"),
    (["connect", "--encoding", "klingon", ":1"], "klingon"),
    (["listen", "--encoding", "klingon", ":0"], "klingon"),
    (["listen", "--all", "--encoding", "klingon", ":0"], "klingon"),
    (["listen", "--all", "--encoding", "utf-16", ":0"], "newline is not a byte"),
])
def test_wrong_usage(weir, arguments, reason):
    result = weir(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert reason in result.stderr.decode() and result.stderr.count(b"\n") == 1


# --- datagrams: each is a text of its own ---

def test_each_datagram_is_a_text_of_its_own(weir):
    text = "€" * 3000 + "\n"  # which two pieces of stdin hold, cut within a character
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))
        there.settimeout(seconds(20))
        client = subprocess.Popen([WEIR, "connect", "-u", "--encoding", "utf-16", "--quiet", "30s",
                                   f"127.0.0.1:{there.getsockname()[1]}"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        try:
            client.stdin.write(text.encode())
            client.stdin.flush()
            received = ""
            while not received.endswith("\n"):
                data, client_address = there.recvfrom(65536)
                assert data.startswith(("\ufeff").encode("utf-16-le"))
                received += data.decode("utf-16")
            assert received == text
            for answer in "ä".encode("utf-16"), "half ".encode("utf-16") + b"\x3d", "ö\n".encode("utf-16"):
                there.sendto(answer, client_address)
            expected = "ähalf \ufffdö\n".encode()
            assert client.stdout.read(len(expected)) == expected
        finally:
            client.kill()
            client.communicate()


# --- listen ---

@pytest.fixture
def listen():
    listeners = []

    def start(*arguments):
        listeners.append(Server("listen", "-v", *arguments, stdin=subprocess.PIPE))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.kill()
        if listener.process.stdin:
            listener.process.stdin.close()


def say(listener, text):
    listener.process.stdin.write(text.encode())
    listener.process.stdin.flush()


def test_listen_converts_as_connect_does(listen):
    listener = listen("--encoding", "cp1252", "tcp://127.0.0.1:0")
    with listener.connect() as client:
        client.sendall(EURO.encode("cp1252"))
        assert listener.process.stdout.read(len(EURO.encode())).decode() == EURO
        say(listener, EURO)
        assert read_exactly(client, len(EURO)).decode("cp1252") == EURO


def test_listen_to_all_keeps_lines_whole_and_control_characters(listen):
    listener = listen("--all", "--encoding", "cp1252", "tcp://127.0.0.1:0")
    with listener.connect() as first, listener.connect() as second:
        eventually(lambda: listener.text.count("connected from") == 2, 30)
        first.sendall("ein".encode("cp1252"))
        second.sendall("zwei \x1b € \x81\r\n".encode("latin-1", "replace").replace(b"?", b"\x80"))
        expected = "zwei \x1b € \ufffd\r\n".encode()
        assert listener.process.stdout.read(len(expected)) == expected
        first.sendall("s für\n".encode("cp1252"))
        assert listener.process.stdout.read(len("eins für\n".encode())).decode() == "eins für\n"
        say(listener, EURO)
        for client in first, second:
            assert read_exactly(client, len(EURO)).decode("cp1252") == EURO
        first.sendall("Ende ohne Zeile: ü".encode("cp1252"))
        first.shutdown(socket.SHUT_WR)
        expected = "Ende ohne Zeile: ü".encode()
        assert listener.process.stdout.read(len(expected)) == expected
    listener.signal(signal.SIGTERM)
    assert listener.process.stdout.read() == b""


def test_a_client_of_many_that_sends_no_text_is_cut_alone(listen):
    listener = listen("--all", "--encoding", "utf-8", "--errors", "strict", "tcp://127.0.0.1:0")
    with listener.connect() as bad, listener.connect() as good:
        eventually(lambda: listener.text.count("connected from") == 2, 30)
        bad.sendall(b"so \xff\n")
        eventually(lambda: "part of no character" in listener.text, 30)
        good.sendall("gut\n".encode())
        expected = b"so \ngut\n"
        assert listener.process.stdout.read(len(expected)) == expected


def test_a_datagram_that_is_no_text_is_told_and_the_next_heard(listen):
    listener = listen("-u", "--encoding", "utf-8", "--errors", "strict", "udp://127.0.0.1:0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(20))
        client.connect(listener.address("udp://127.0.0.1"))
        client.send(b"\xff\n")
        eventually(lambda: "part of no character" in listener.text, 30)
        client.send("gut ü\n".encode())
        expected = "gut ü\n".encode()
        assert listener.process.stdout.read(len(expected)) == expected
        say(listener, EURO)
        assert client.recv(100) == EURO.encode()


def test_a_character_is_never_in_two_datagrams(listen):
    """Though stdin brings it in halves."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(seconds(20))
        address = f"udp://127.0.0.1:{other.getsockname()[1]}"
        client = subprocess.Popen([WEIR, "connect", address, "--encoding", "latin-1"], stdin=subprocess.PIPE,
                                  env=environment())
        try:
            for half in (b"so \xc3", b"\xbc"):
                client.stdin.write(half)
                client.stdin.flush()
                if half.startswith(b"so"):
                    assert other.recv(100) == b"so "
            assert other.recv(100) == b"\xfc"
        finally:
            client.kill()
            client.communicate()

"""weir serve greet: names in, greetings out, as people and programs send them."""
import os
import select
import shutil
import socket
import subprocess

import pytest

from conftest import BACKENDS, MODELS, seconds
from talk import is_cut, read_exactly, read_to_end


@pytest.fixture
def greet(serve):
    return serve("greet", "tcp://127.0.0.1:0")


def answered(client, sent, answer):
    """Whether that is what comes for it. The next thing is sent when it has come, as people and the seeds do."""
    client.sendall(sent)
    return read_exactly(client, len(answer)) == answer


def program(*command):
    """Other people's programs, whose stdin stays open until their answer has come."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True)


def converse(process, *pairs):
    """Tells it lines, and reads until each one's answer has come. What it says itself is passed over."""
    with process:
        try:
            for line, answer in pairs:
                process.stdin.write(line)
                process.stdin.flush()
                heard = b""
                while answer not in heard:
                    readable = select.select([process.stdout], [], [], seconds(10))[0]
                    more = os.read(process.stdout.fileno(), 4096) if readable else b""
                    assert more, heard
                    heard += more
        finally:
            process.kill()


# --- whatever serves ---

@pytest.mark.parametrize("backend,model", [(backend, model) for backend in BACKENDS for model in MODELS])
def test_without_newlines_as_the_seeds_have_it(serve, backend, model):
    """s.send(b"bob") and s.recv(2048): a pause ends the name, and the answer has no newline."""
    server = serve("greet", "tcp://127.0.0.1:0", "--backend", backend, "--model", model)
    with server.connect() as client:
        assert answered(client, b"bob", b"hi bob")
        assert answered(client, b"\r\n", b"")
        assert answered(client, b"anna\n", b"hi anna")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b""


def test_lines(greet):
    with greet.connect() as client:
        client.sendall(b"bob\nanna\r\n\nlast")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"hi bob\nhi anna\na name, please\nhi last\n"


def test_a_name_in_pieces(greet):
    """Once it is known that lines end messages, a pause in one ends nothing."""
    with greet.connect() as client:
        assert answered(client, b"bob\r\n", b"hi bob\r\n")
        client.sendall(b"an")
        with pytest.raises(TimeoutError):
            client.settimeout(0.3)
            client.recv(1)
        client.settimeout(seconds(10))
        assert answered(client, b"na\r\n", b"hi anna\r\n")


def test_a_name_and_the_end(greet):
    with greet.connect() as client:
        client.sendall(b"bob")
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"hi bob"


def test_on_a_unix_socket(serve, tmp_path):
    serve("greet", f"unix:{tmp_path}/s")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(seconds(10))
        client.connect(f"{tmp_path}/s")
        assert answered(client, b"bob\n", b"hi bob\n")


def test_nc(greet):
    converse(program("nc", *greet.address()), (b"bob\n", b"hi bob\n"), (b"anna\n", b"hi anna\n"))


def test_telnet(greet):
    """Which sends CR LF, and shows what it gets as lines of this machine."""
    converse(program("telnet", *greet.address()), (b"bob\n", b"hi bob\n"), (b"anna\n", b"hi anna\n"))


def test_ask(greet, weir):
    assert weir("ask", greet.endpoint(), "anna").stdout == b"hi anna"
    assert weir("ask", greet.endpoint(), "--line", "anna").stdout == b"hi anna\n"


# --- names ---

def greeting(server, name):
    with server.connect() as client:
        client.sendall(name + b"\n")
        client.shutdown(socket.SHUT_WR)
        return read_to_end(client)


def test_control_characters_are_left_out(greet):
    names = {
        "Änne": "Änne",
        "丽 \U0001f600": "丽 \U0001f600",
        "\x1b[31mred\x07\t": "[31mred",
        "a\x00b\x7fc\x85d\x9be\u2028f\u2029g": "abcdefg",
        "a\u00a0b": "a\u00a0b",
    }
    assert greeting(greet, "\n".join(names).encode()).decode() == "".join(f"hi {shown}\n" for shown in names.values())


def test_what_is_no_utf8_stays_unless_it_could_be_a_control(greet):
    assert greeting(greet, b"J\xfcrgen\x9b\xc2") == b"hi J\xfcrgen\xc2\n"


def test_no_name(greet):
    assert greeting(greet, "\n   \n\x1b\x07\n\u2028".encode()) == b"a name, please\n" * 4


def test_long_names(greet):
    assert greeting(greet, b"n" * 1024) == b"hi " + b"n" * 1024 + b"\n"
    assert greeting(greet, b"n" * 1025 + b"\nbob") == b"a name may have at most 1024 bytes\nhi bob\n"


def test_what_is_longer_than_a_message(serve):
    """One line says so, and is not lost to what is still under way."""
    server = serve("greet", "tcp://127.0.0.1:0", "--line-limit", "2k")
    with server.connect() as client:
        client.sendall(b"bob\n")
        assert read_exactly(client, 7) == b"hi bob\n"
        client.sendall(b"n" * 100_000)
        client.shutdown(socket.SHUT_WR)
        assert read_to_end(client) == b"a message may have at most 2048 bytes\n"


# --- replies of one's own ---

@pytest.mark.parametrize("reply,expected", [
    ("{}, {}!", b"bob, bob!\n"),
    ("always the same", b"always the same\n"),
    ("%s {}{", b"%s bob{\n"),
])
def test_reply(serve, reply, expected):
    assert greeting(serve("greet", "tcp://127.0.0.1:0", "--reply", reply), b"bob") == expected


def test_a_long_reply(serve):
    reply = "{}, " * 500
    name = b"n" * 1000
    assert greeting(serve("greet", "tcp://127.0.0.1:0", "--reply", reply), name) == (name + b", ") * 500 + b"\n"


# --- who does not behave ---

def test_a_name_that_is_never_whole(serve):
    server = serve("greet", "tcp://127.0.0.1:0", "--message-timeout", "100ms")
    with server.connect() as client:
        assert answered(client, b"bob\n", b"hi bob\n")
        client.sendall(b"never whole")
        assert is_cut(client)
    server.wait_for_counters("greet", errors_message_timeout=1)


def test_names_of_newlines_alone_are_not_answered_between_pauses(greet):
    with greet.connect() as client:
        assert answered(client, b"bob", b"hi bob")
        client.sendall(b"\n\n\r\n")
        assert answered(client, b"anna", b"hi anna")

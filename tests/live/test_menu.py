"""weir serve menu: R, T, L, E, anything else, and entries of one's own."""
import collections
import datetime
import re
import socket

import pytest

from talk import read_exactly, read_to_end
from test_greet import converse, program


@pytest.fixture
def menu(serve):
    return serve("menu", "tcp://127.0.0.1:0")


def answers(server, *options):
    """The lines that a client is answered for lines."""
    with server.connect() as client:
        client.sendall("".join(f"{option}\n" for option in options).encode())
        client.shutdown(socket.SHUT_WR)
        return read_to_end(client).decode().splitlines()


def test_random_numbers_are_even(menu):
    """1 to 10; of 5,000 each comes 350 to 650 times, which fails once in 10^11 (seven standard deviations)."""
    counts = collections.Counter()
    for _ in range(5):
        counts.update(answers(menu, *["R", "r"] * 500))
    assert set(counts) == {str(number) for number in range(1, 11)}
    assert all(350 < count < 650 for count in counts.values()), counts


def test_time(menu):
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    told = [datetime.datetime.fromisoformat(text) for text in answers(menu, "T", "t")]
    after = datetime.datetime.now(datetime.timezone.utc)
    assert before <= told[0] <= told[1] <= after


def test_time_is_local(serve):
    server = serve("menu", "tcp://127.0.0.1:0", env={"TZ": "NPT-5:45"})
    assert answers(server, "T")[0].endswith("+05:45")


def test_what_serves(menu, weir):
    version = weir("--version").stdout.decode().split()[1]
    assert re.fullmatch(rf"weir {re.escape(version)}, C17, (gcc|clang) \d.*", answers(menu, "l")[0])


@pytest.mark.parametrize("option", ["E", "e", " e "])
def test_the_end(menu, option):
    """What is sent after it is not answered; what was answered arrives."""
    with menu.connect() as client:
        client.sendall(f"L\n{option}\n".encode())
        assert read_to_end(client).splitlines()[1:] == [b"goodbye"]


def test_a_newline_that_comes_late_is_no_part_of_the_next_message(menu):
    with menu.connect() as client:
        client.sendall(b"zzz")
        assert read_exactly(client, len(b"wrong option selected")) == b"wrong option selected"
        client.sendall(b"\r\nE")
        assert read_to_end(client) == b"goodbye"


def test_other_options(menu):
    assert answers(menu, "X", "", "RR", "R T") == ["wrong option selected"] * 4


def test_without_newlines_as_the_seeds_have_it(menu):
    with menu.connect() as client:
        client.sendall(b"x")
        assert read_exactly(client, 21) == b"wrong option selected"
        client.sendall(b"R")
        assert 1 <= int(client.recv(2048)) <= 10
        client.sendall(b"E")
        assert read_to_end(client) == b"goodbye"


def test_nc_and_telnet(menu):
    converse(program("nc", *menu.address()), (b"q\n", b"wrong option selected\n"), (b"e\n", b"goodbye\n"))
    converse(program("telnet", *menu.address()), (b"q\n", b"wrong option selected\n"), (b"e\n", b"goodbye\n"))


def test_entries_of_ones_own(serve):
    server = serve("menu", "tcp://127.0.0.1:0", "--reply", "H=R, T = or E", "--reply", "l=first", "--reply", "L=last",
                   "--reply", "nothing=", "--reply", "two words={}")
    assert answers(server, "h", "l", "NOTHING", "Two Words", "x") == ["R, T = or E", "last", "", "{}",
                                                                     "wrong option selected"]


@pytest.mark.parametrize("reply", ["foo", "=foo", " =foo", "a =foo", "\tb=foo", "a\nb=foo"])
def test_what_is_no_entry(weir, reply):
    result = weir("serve", "menu", "tcp://127.0.0.1:0", "--reply", "H=help", "--reply", reply)
    assert result.returncode == 2
    assert result.stderr.decode().startswith("weir: serve menu: --reply '")
    assert "not OPTION=TEXT, such as H=hello" in result.stderr.decode()


def test_time_zone_of_nobody(serve):
    """A zone that is not known is UTC, and no reason to fail."""
    server = serve("menu", "tcp://127.0.0.1:0", env={"TZ": ":no/such/zone"})
    assert answers(server, "T")[0].endswith("+00:00")

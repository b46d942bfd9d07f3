"""The contract of ends: each case of ends_pipes.py, played with weir; docs/ends.md tells them all."""
import socket

import pytest

from conftest import WEIR, seconds
from ends import EARLY, dial, faults, folder_of_play, listen, play_pipes
from ends_pipes import ASK_CASES, CASES


def each(cases, command):
    return [pytest.param(case, transport, id=f"{case.name}-{transport}") for case in cases
            for transport in case.transports if command in case.commands]


def check(case, outcome):
    """All is right: what was said and taken, the exact status, and one line about a failure."""
    told = f"status {outcome.status}: {outcome.said}"
    assert not faults(case, outcome), told
    assert outcome.status == case.status, told
    assert len(outcome.said.splitlines()) == (1 if case.status == EARLY else 0), told


def dialled(command, case, transport, folder):
    """A program that connects to the peer."""
    with listen(transport, folder) as listener:
        name = listener.getsockname()
        endpoint = f"unix:{name}" if transport == "unix" else f"tcp://127.0.0.1:{name[1]}"
        listener.settimeout(seconds(20))
        return play_pipes(case, [WEIR, command, *case.options, endpoint], lambda process: listener.accept()[0],
                          seconds(30), folder)


def listening(case, transport, folder):
    """A program that the peer connects to, once it has said where it listens."""
    def connect(process):
        where = process.stderr.readline().decode().split()[-1]
        if transport == "unix":
            return dial(socket.AF_UNIX, where.removeprefix("unix:"), seconds(20))
        host, port = where.removeprefix("tcp://").split(":")
        return dial(socket.AF_INET, (host, int(port)), seconds(20))

    endpoint = f"unix:{folder}/socket" if transport == "unix" else "tcp://127.0.0.1:0"
    return play_pipes(case, [WEIR, "listen", *case.options, endpoint], connect, seconds(30), folder)


@pytest.mark.parametrize("case, transport", each(CASES, "connect"))
def test_connect(case, transport):
    with folder_of_play() as folder:
        check(case, dialled("connect", case, transport, folder))


@pytest.mark.parametrize("case, transport", each(CASES, "listen"))
def test_listen(case, transport):
    with folder_of_play() as folder:
        check(case, listening(case, transport, folder))


@pytest.mark.parametrize("case, transport", each(ASK_CASES, "ask"))
def test_ask(case, transport):
    with folder_of_play() as folder:
        check(case, dialled("ask", case, transport, folder))

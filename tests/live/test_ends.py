"""The contract of ends: each case of ends_pipes.py and ends_servers.py, played with weir; docs/ends.md has them all."""
import concurrent.futures
import functools
import os
import socket
import subprocess

import pytest

from conftest import ROOT, WEIR, environment, seconds
from ends import EARLY, dial, faults, folder_of_play, listen, play_pipes, play_relayed, play_served
from ends_pipes import ASK_CASES, CASES
from ends_servers import EXEC, RELAY

LIMIT = seconds(30)
AT_ONCE = 4  # most of what they do is to wait

# With this option sessions look at what goes by; without it they need not see the bytes.
LOOKING = ("--timeout", "1h")


def each(cases):
    return [pytest.param(case.name, transport, id=f"{case.name}-{transport}") for case in cases
            for transport in case.transports]


def endpoint(transport, address):
    return f"unix:{address}" if transport == "unix" else f"tcp://127.0.0.1:{address[1]}"


def dial_what_it_says(process, transport):
    """Connects to what the line on stderr says that the program listens on."""
    where = process.stderr.readline().decode().split()[-1]
    if transport == "unix":
        return dial(socket.AF_UNIX, where.removeprefix("unix:"), LIMIT)
    host, port = where.removeprefix("tcp://").split(":")
    return dial(socket.AF_INET, (host, int(port)), LIMIT)


def own_endpoint(transport, folder):
    return f"unix:{folder}/own" if transport == "unix" else "tcp://127.0.0.1:0"


def weir(transport, *words, options=()):
    """The program, on each backend in turn."""
    backend = "epoll" if (transport == "unix") == (options == LOOKING) else "uring"
    return ["env", f"WEIR_BACKEND={backend}", WEIR, *words]


# --- a case, played with a program ---

def dialling(command, options, case, transport, folder):
    """One that connects to the peer."""
    with listen(transport, folder) as listener:
        listener.settimeout(LIMIT)
        words = weir(transport, command, *options, *case.options, endpoint(transport, listener.getsockname()),
                     options=options)
        return play_pipes(case, words, lambda process: listener.accept()[0], LIMIT, folder)


def listening(options, case, transport, folder):
    """One that the peer connects to, once it has said where it listens."""
    words = weir(transport, "listen", *options, *case.options, own_endpoint(transport, folder), options=options)
    return play_pipes(case, words, lambda process: dial_what_it_says(process, transport), LIMIT, folder)


def relaying(case, transport, folder):
    """One between a client and a server, or nobody."""
    with listen(transport, folder) as listener:
        listener.settimeout(LIMIT)
        to = listener.getsockname()
        if not case.peer:
            listener.close()
        return play_relayed(case, weir(transport, "relay", own_endpoint(transport, folder), endpoint(transport, to)),
                            lambda process: dial_what_it_says(process, transport), lambda: listener.accept()[0], LIMIT)


def serving(case, transport, folder):
    """One that serves a client by a program."""
    words = weir(transport, "serve", "exec", own_endpoint(transport, folder), "--", "sh", f"{folder}/program")
    return play_served(case, words, lambda process: dial_what_it_says(process, transport), LIMIT, folder)


# The kinds of tests: the cases, and how each is played.
KINDS = {
    "connect": (CASES, functools.partial(dialling, "connect", ())),
    "connect-looking": (CASES, functools.partial(dialling, "connect", LOOKING)),
    "listen": (CASES, functools.partial(listening, ())),
    "listen-looking": (CASES, functools.partial(listening, LOOKING)),
    "ask": (ASK_CASES, functools.partial(dialling, "ask", ())),
    "relay": (RELAY, relaying),
    "exec": (EXEC, serving),
}


def play_one(play, case, transport):
    with folder_of_play() as folder:
        return play(case, transport, folder)


POOLS = []


@pytest.fixture(scope="module", autouse=True)
def nothing_goes_on():
    """What was begun is played to its end, and nothing more begun, when the last test of this file is over."""
    yield
    for pool in POOLS:
        pool.shutdown(cancel_futures=True)


@functools.cache
def playing(kind):
    """Plays all cases of a kind, some at once. Each is a future."""
    pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
    POOLS.append(pool)
    cases, play = KINDS[kind]
    return {(case.name, transport): (case, pool.submit(play_one, play, case, transport)) for case in cases
            for transport in case.transports}


def check(kind, name, transport):
    """All is right: what was said and taken, and how it ended, with the exact status, and one line about a failure."""
    case, future = playing(kind)[name, transport]
    outcome = future.result()
    told = f"status {outcome.status}: {outcome.said}"
    assert not faults(case, outcome, transport), told
    if case.status is None:
        assert outcome.status == 0, told  # a server, on SIGTERM
    else:
        assert outcome.status == case.status, told
        assert len(outcome.said.splitlines()) == (1 if case.status == EARLY else 0), told


@pytest.mark.parametrize("kind, cases", [("connect", CASES), ("listen", CASES), ("ask", ASK_CASES), ("relay", RELAY),
                                         ("exec", EXEC)])
def test_the_documentation_tells_each_case(kind, cases):
    """And that weir is right in each."""
    document = (ROOT / "docs" / "ends.md").read_text(encoding="utf-8")
    table = document.partition(f"<!-- {kind} -->")[2].partition("<!-- -->")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][2:]
    assert [row[:len(f"| {case.title} | ✓ |")] for row, case in zip(rows, cases, strict=True)] == \
        [f"| {case.title} | ✓ |" for case in cases]


@pytest.mark.parametrize("looking", ["", "-looking"])
@pytest.mark.parametrize("name, transport", each(CASES))
def test_connect(name, transport, looking):
    check("connect" + looking, name, transport)


@pytest.mark.parametrize("looking", ["", "-looking"])
@pytest.mark.parametrize("name, transport", each(CASES))
def test_listen(name, transport, looking):
    check("listen" + looking, name, transport)


@pytest.mark.parametrize("name, transport", each(ASK_CASES))
def test_ask(name, transport):
    check("ask", name, transport)


@pytest.mark.parametrize("name, transport", each(RELAY))
def test_relay(name, transport):
    check("relay", name, transport)


@pytest.mark.parametrize("name, transport", each(EXEC))
def test_exec(name, transport):
    check("exec", name, transport)


@pytest.mark.parametrize("options", [(), LOOKING])
@pytest.mark.parametrize("flags, reason", [(os.O_WRONLY, "bad file descriptor"), (os.O_DIRECTORY, "is a directory")])
def test_a_stdin_that_cannot_be_read(tmp_path, peer, options, flags, reason):
    """That is the file's failure, not the connection's."""
    path = tmp_path if flags == os.O_DIRECTORY else tmp_path / "file"
    stdin = os.open(path, flags | (os.O_CREAT if flags == os.O_WRONLY else 0))
    words = [WEIR, "connect", *options, peer(lambda connection: connection.recv(1)).endpoint]
    result = subprocess.run(words, stdin=stdin, capture_output=True, timeout=LIMIT, check=False, env=environment())
    os.close(stdin)
    assert (result.returncode, result.stderr.decode()) == (1, f"weir: read stdin: {reason}\n")

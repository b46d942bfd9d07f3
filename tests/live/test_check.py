"""weir check: what answers and what does not, for people and for scripts."""
import json
import os
import re
import socket

import pytest

from conftest import run_weir


def rows(result):
    """The table as lists of cells, without its heading."""
    lines = result.stdout.decode().splitlines()
    assert lines[0].split()[:4] == ["ENDPOINT", "ADDRESS", "FAMILY", "RESULT"]
    return [re.split(r" {2,}", line) for line in lines[1:]]


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def silent():
    """An address that takes datagrams and says nothing."""
    with socket.socket(type=socket.SOCK_DGRAM) as taker:
        taker.bind(("127.0.0.1", 0))
        yield f"udp://127.0.0.1:{taker.getsockname()[1]}"


def test_all_answer(serve, tmp_path):
    echo = serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", f"unix:{tmp_path}/stream",
                 f"unix:{tmp_path}/datagram?type=datagram")
    result = run_weir("check", *echo.endpoints)
    assert result.returncode == 0 and result.stderr == b""
    table = rows(result)
    assert [row[0] for row in table] == echo.endpoints
    assert [row[2] for row in table] == ["IPv4", "IPv4", "Unix", "Unix"]
    assert {row[3] for row in table} == {"answers"}
    assert all(re.fullmatch(r"[\d.]+ (ns|us|ms|s)", row[4]) for row in table)
    assert table[0][1] == echo.endpoint("tcp").removeprefix("tcp://")


def test_some_do_not(serve, refused, tmp_path):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = run_weir("check", echo.endpoint(), refused, f"unix:{tmp_path}/nobody", "tcp://nobody.invalid:80")
    assert result.returncode == 1
    assert [row[3] for row in rows(result)] == ["answers", "refused", "refused", "no address"]
    assert f"weir: connect {refused}: connection refused\n".encode() in result.stderr
    assert result.stderr.count(b"\n") == 3


def test_host_and_port_may_be_two_words(serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    port = echo.address()[1]
    result = run_weir("check", "127.0.0.1", port, f":{port}", "localhost", port)
    assert result.returncode == 0
    assert [row[0] for row in rows(result)] == [f"tcp://127.0.0.1:{port}", f"tcp://:{port}", f"tcp://localhost:{port}"]


def test_every_address_of_a_name(serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    port = echo.address()[1]
    with socket.socket(socket.AF_INET6) as holder:  # so that nobody else listens there
        holder.bind(("::1", port))
        result = run_weir("check", "--all-addresses", f"localhost:{port}")
    assert result.returncode == 1
    assert [row[1:4] for row in rows(result)] == [[f"127.0.0.1:{port}", "IPv4", "answers"],
                                                  [f"[::1]:{port}", "IPv6", "refused"]]
    one = run_weir("check", "-a4", f"localhost:{port}")
    assert one.returncode == 0 and [row[2] for row in rows(one)] == ["IPv4"]
    assert run_weir("check", f"localhost:{port}").returncode == 0  # one that answers is enough for the name


def test_several_tries(serve, refused):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = run_weir("check", "-c", "5", "-i", "1ms", echo.endpoint(), refused)
    assert result.returncode == 1
    table = rows(result)
    assert result.stdout.split()[4:7] == [b"SHORTEST", b"MEDIAN", b"LONGEST"]
    assert len(table[0]) == 7 and table[1][3:] == ["refused", "-", "-", "-"]
    echo.wait_for_counters(accepted=5)


def test_for_scripts(serve, refused):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = run_weir("check", "--json", "-c", "3", "-i", "1ms", echo.endpoint(), refused)
    assert result.returncode == 1 and result.stderr == b""
    good, bad = objects(result)
    assert good["endpoint"] == echo.endpoint() and good["address"] == echo.endpoint().removeprefix("tcp://")
    assert good["family"] == "IPv4" and good["result"] == "answers" and good["tries"] == good["answered"] == 3
    assert 0 < good["seconds"]["shortest"] <= good["seconds"]["median"] <= good["seconds"]["longest"]
    assert bad["result"] == "refused" and bad["tries"] == 3 and bad["answered"] == 0 and "seconds" not in bad
    assert bad["reason"] == f"connect {refused}: connection refused"


def test_a_name_that_steers_a_terminal_is_escaped(tmp_path):
    name = f'unix:{tmp_path}/a"b\u009b31m'
    result = run_weir("check", name)
    assert result.returncode == 1 and "\u009b" not in (result.stdout + result.stderr).decode()
    scripted = run_weir("check", "--json", name)
    assert "\u009b" not in scripted.stdout.decode() and 'a"b' in objects(scripted)[0]["endpoint"]


def test_datagrams_answered_refused_and_not_answered(serve, silent):
    echo = serve("echo", "udp://127.0.0.1:0")
    with socket.socket(type=socket.SOCK_DGRAM) as holder:  # a port that is taken, but by a socket that hears another alone
        holder.bind(("127.0.0.1", 0))
        holder.connect(("127.0.0.1", holder.getsockname()[1]))
        deaf = f"udp://127.0.0.1:{holder.getsockname()[1]}"
        result = run_weir("check", "--timeout", "300ms", "--text", "hello", deaf, silent)
    assert result.returncode == 1
    assert [row[3] for row in rows(result)] == ["refused", "silent"]
    assert b"it may not care for such a datagram, or be filtered, or not be there" in result.stderr
    answered = run_weir("check", "--text", "hello", echo.endpoint())
    assert answered.returncode == 0
    echo.wait_for_counters(datagrams_in=1, bytes_in=5)


def test_more_than_are_tried_at_once(serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    result = run_weir("check", "--json", *[echo.endpoint()] * 200)
    assert result.returncode == 0 and len(objects(result)) == 200
    echo.wait_for_counters(accepted=200)


@pytest.mark.parametrize("arguments, complaint", [
    ([], b"no endpoint is named"),
    (["localhost"], b"the port is missing"),
    (["tcp://*:80"], b"a host and a port are needed"),
    (["localhost:0"], b"a host and a port are needed"),
    (["-46", "localhost:80"], b"-4 and -6 exclude each other"),
    (["--count", "0", ":80"], b"--count 0"),
    (["-n", "localhost:80"], b"with -n the host must be an address"),
])
def test_what_makes_no_sense_is_said(arguments, complaint):
    result = run_weir("check", *arguments)
    assert result.returncode == 2
    assert complaint in result.stderr and result.stderr.count(b"\n") == 1 and result.stdout == b""


def test_a_full_disk_is_a_failure_and_a_reader_that_goes_away_is_none(serve):
    echo = serve("echo", "tcp://127.0.0.1:0")
    with open("/dev/full", "wb") as full:
        assert run_weir("check", echo.endpoint(), stdout=full).returncode == 1
    reading, writing = os.pipe()
    os.close(reading)
    assert run_weir("check", echo.endpoint(), stdout=writing).returncode == 0
    os.close(writing)

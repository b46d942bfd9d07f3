"""--via: through SOCKS and HTTP proxies, by every command that connects; and what is said where there is no way."""
import json
import os
import re

import pytest

from certificates import Authority
from conftest import Server, end_all
from proxies import Http, Socks, read_head, ssh_dynamic, tinyproxy
from sshd import sshd, start_sshd  # noqa: F401: fixtures


def port_of(endpoint):
    return endpoint.rpartition(":")[2]


def echoed(result):
    return result.returncode, result.stdout, result.stderr


@pytest.fixture
def echo(serve):
    return serve("echo", "tcp://127.0.0.1:0")


@pytest.fixture(params=["socks5", "http"])
def via(request, peer, echo):
    """A proxy of either kind that knows far.invalid, the echo server, which has an address nowhere else: URL, proxy."""
    proxy = {"socks5": Socks, "http": Http}[request.param](names={"far.invalid": echo.address()})
    return f"{request.param}://127.0.0.1:{peer(proxy).name[1]}", proxy


# --- every command ---

def test_ask_has_names_looked_up_by_the_proxy(weir, via):
    url, proxy = via
    assert echoed(weir("ask", "--via", url, "tcp://far.invalid:7", "hello")) == (0, b"hello", b"")
    assert proxy.asked == [("far.invalid", 7)]


def test_addresses_go_through_as_they_are(weir, via, echo):
    url, proxy = via
    assert weir("ask", "--via", url, echo.endpoint(), "hello").stdout == b"hello"
    assert proxy.asked == [("127.0.0.1", echo.address()[1])]
    assert weir("ask", "--via", url, f":{echo.address()[1]}", "hello").stdout == b"hello"
    assert proxy.asked[1] == ("localhost", echo.address()[1])


def test_connect_passes_everything_both_ways(weir, via):
    data = bytes(range(256)) * 8000
    result = weir("connect", "--via", via[0], "far.invalid", "7", input=data)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr


def test_check_tells_what_answers_there(weir, via, refused):
    result = weir("check", "--json", "--via", via[0], "far.invalid:7")
    found = json.loads(result.stdout)
    assert result.returncode == 0 and found["result"] == "answers"
    result = weir("check", "--json", "--via", via[0], refused)
    assert result.returncode == 1
    assert json.loads(result.stdout)["result"] == ("refused" if via[0].startswith("socks") else "unreachable")


def test_relay_goes_to_the_other_end_through_it(weir, via):
    relay = Server("relay", "--via", via[0], "tcp://127.0.0.1:0", "tcp://far.invalid:7")
    try:
        assert weir("ask", relay.endpoint(), "by way of both").stdout == b"by way of both"
    finally:
        end_all([relay])


def test_bench_connects_through_it(weir, via):
    result = weir("bench", "--via", via[0], "far.invalid:7", "--connections", "3", "--duration", "100ms", "--json")
    assert result.returncode == 0, result.stderr
    assert len(via[1].asked) >= 4


def test_pull_gets_what_there_is_behind_it(weir, via, peer):
    def answer(connection):
        assert b"\r\nHost: far.invalid:7\r\n" in read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

    via[1].names["far.invalid"] = peer(answer).name
    result = weir("pull", "--via", via[0], "http://far.invalid:7/file")
    assert (result.returncode, result.stdout) == (0, b"hello"), result.stderr


def test_tls_is_with_the_other_end(serve, weir, via, tmp_path):
    authority = Authority(tmp_path)
    certificate = authority.issue("far", subject="far.invalid", names="DNS:far.invalid")
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate)
    via[1].names["far.invalid"] = server.address("tls://127.0.0.1")
    result = weir("ask", "-v", "--ca", authority.file, "--via", via[0], "tls://far.invalid:7", "hello")
    assert (result.returncode, result.stdout) == (0, b"hello"), result.stderr
    assert b"with far.invalid" in result.stderr


# --- chains, passwords ---

def test_one_goes_through_several_in_their_order(weir, peer, echo):
    inner = Http(names={"far.invalid": echo.address()})
    inner_port = peer(inner).name[1]
    outer = Socks(names={"inner.invalid": ("127.0.0.1", inner_port)})
    outer_port = peer(outer).name[1]
    result = weir("ask", "-v", "--via", f"socks5://127.0.0.1:{outer_port}", "--via", "http://inner.invalid:3128",
                  "far.invalid:7", "hello")
    assert (result.returncode, result.stdout) == (0, b"hello"), result.stderr
    assert (outer.asked, inner.asked) == ([("inner.invalid", 3128)], [("far.invalid", 7)])
    through = rb"connecting to tcp://far\.invalid:7 through socks5://127\.0\.0\.1:\d+, http://inner\.invalid:3128"
    assert re.search(through, result.stderr)


@pytest.mark.parametrize("order", ["ssh first", "ssh last"])
def test_proxies_and_ssh_go_one_behind_the_other(weir, via, sshd, echo, order):
    vias = [sshd.url, via[0]] if order == "ssh first" else [via[0], sshd.url]
    target = "tcp://far.invalid:7" if order == "ssh first" else echo.endpoint()
    data = bytes(range(256)) * 2000
    result = weir("connect", "--via", vias[0], "--via", vias[1], target, input=data)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr
    assert via[1].asked == [("far.invalid", 7) if order == "ssh first" else ("127.0.0.1", sshd.port)]


SECRET = "open sesame:%"


@pytest.fixture(params=[Socks, Http])
def guarded(request, peer, echo):
    """A proxy that lets in one alone: the scheme, and where."""
    proxy = request.param(names={"far.invalid": echo.address()}, user=("aladdin", SECRET))
    return "socks5" if request.param is Socks else "http", f"127.0.0.1:{peer(proxy).name[1]}"


def test_a_password_comes_from_the_url_a_file_or_the_environment(weir, guarded, tmp_path):
    scheme, where = guarded
    (tmp_path / "password").write_text(SECRET + "\nnot this line\n")
    ways = [(f"{scheme}://aladdin:open%20sesame%3A%25@{where}", {}),
            (f"{scheme}://aladdin@{where}?password-file={tmp_path}/password", {}),
            (f"{scheme}://aladdin@{where}", {"WEIR_PROXY_PASSWORD": SECRET})]
    for url, env in ways:
        result = weir("ask", "-v", "--via", url, "far.invalid:7", "hello", env=env)
        assert (result.returncode, result.stdout) == (0, b"hello"), (url, result.stderr)
        assert b"sesame" not in result.stderr and b"aladdin" not in result.stderr


def test_a_wrong_password_is_told_and_not_shown(weir, guarded):
    scheme, where = guarded
    result = weir("ask", "-v", "--via", f"{scheme}://aladdin:hushhush@{where}", "far.invalid:7", "hello")
    assert result.returncode == 1 and result.stdout == b""
    assert b"does not take this user and password" in result.stderr
    assert b"hush" not in result.stderr
    result = weir("ask", "--via", f"{scheme}://{where}", "far.invalid:7", "hello")
    assert result.returncode == 1
    assert b"wants a user and a password" in result.stderr


# --- what goes wrong ---

def test_what_the_proxy_cannot_reach_is_told(weir, via, refused):
    result = weir("ask", "--via", via[0], refused, "hello")
    said = {"socks5": b"says: connection refused", "http": b"answers 502 No Way: it could not connect"}
    assert result.returncode == 1
    line = f"weir: connect {refused}: {via[0]} ".encode() + said[via[0].partition(":")[0]] + b"\n"
    assert result.stderr == line


def test_a_proxy_that_is_not_there_is_named(weir, refused):
    proxy = refused.replace("tcp:", "socks5:")
    result = weir("ask", "--via", proxy, "example.invalid:7", "hello")
    assert result.returncode == 1
    assert result.stderr.decode() == f"weir: connect tcp://example.invalid:7: {proxy}: connection refused\n"


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_a_silent_proxy_is_not_waited_for_for_ever(weir, peer, scheme):
    silent = peer(lambda connection: connection.recv(1) and connection.makefile("rb").read())
    url = f"{scheme}://127.0.0.1:{silent.name[1]}"
    result = weir("ask", "--timeout", "300ms", "--via", url, "a.invalid:7", "hello")
    assert result.returncode == 3
    assert b"did not answer in time" in result.stderr


def test_a_proxy_that_never_ends_its_head_is_left(weir, peer):
    def endless(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-More: more\r\n" * 100)

    flooding = peer(endless)
    result = weir("ask", "--via", f"http://127.0.0.1:{flooding.name[1]}", "a.invalid:7", "hello")
    assert result.returncode == 1
    assert b"answers with a head of more than 16 KiB" in result.stderr


def test_of_a_proxys_words_nothing_acts_on_a_terminal(weir, peer):
    def rude(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 500 \x1b[2J\x07\xff no\r\n\r\n")

    shouting = peer(rude)
    result = weir("ask", "--via", f"http://127.0.0.1:{shouting.name[1]}", "a.invalid:7", "hello")
    assert result.returncode == 1 and b"answers 500 ?[2J?? no: it could not connect" in result.stderr


@pytest.mark.parametrize("words, reason", [
    (["ask", "--via", "socks5://a", "udp://b:1", "hello"], "--via is for connections to a host and a port"),
    (["connect", "--via", "socks5://a", "unix:/tmp/a"], "--via is for connections to a host and a port"),
    (["check", "--all-addresses", "--via", "socks5://a", "b:1"], "--all-addresses is not for --via"),
    (["relay", "--via", "http://a", "udp://:0", "udp://b:1"], "--via is for connections to a host and a port"),
    (["bench", "--via", "gopher://a", "b:1"], "gopher"),
    (["ask", "--via", "socks5://me:hushhush@", "b:1", "hello"], "host"),
])
def test_what_makes_no_sense_is_refused(weir, words, reason):
    result = weir(*words)
    assert result.returncode == 2, result.stderr
    assert reason in result.stderr.decode() and b"hush" not in result.stderr
    assert result.stderr.count(b"\n") == 1


# --- other people's ---

def test_tinyproxy_lets_through(weir, peer, tmp_path):
    """It passes no half-close on, and drops what is under way at the first end: so stdin stays open."""
    data = bytes(range(256)) * 4000
    giving = peer(lambda connection: connection.recv(5) == b"hello" and connection.sendall(data))
    reading, writing = os.pipe()
    with os.fdopen(reading), os.fdopen(writing, "wb", buffering=0) as stdin, tinyproxy(tmp_path) as where:
        stdin.write(b"hello")
        result = weir("connect", "--end-with-peer", "--via", f"http://{where}", giving.endpoint, stdin=reading)
    assert (result.returncode, result.stdout == data) == (0, True), result.stderr


def test_tinyproxy_wants_a_password(weir, echo, tmp_path):
    with tinyproxy(tmp_path, "BasicAuth aladdin sesame") as where:
        assert weir("ask", "--via", f"http://aladdin:sesame@{where}", echo.endpoint(), "hello").stdout == b"hello"
        result = weir("ask", "--via", f"http://aladdin:wrong@{where}", echo.endpoint(), "hello")
    assert result.returncode == 1
    assert re.search(rb"answers 40[17] .*", result.stderr)


def test_tinyproxy_does_not_allow_every_port(weir, echo, refused, tmp_path):
    with tinyproxy(tmp_path, f"ConnectPort {port_of(refused)}") as where:
        result = weir("ask", "--via", f"http://{where}", echo.endpoint(), "hello")
        assert result.returncode == 1
        assert b"answers 403 Access violation: it does not allow this connection" in result.stderr
        result = weir("ask", "--via", f"http://{where}", refused, "hello")
    assert result.returncode == 1
    assert b"answers 5" in result.stderr and b"it could not connect" in result.stderr


def test_ssh_lets_through_as_a_proxy(weir, sshd, echo, refused):
    """It knows no word for a target that refuses: it closes, sometimes after a yes."""
    data = bytes(range(256)) * 4000
    with ssh_dynamic(sshd) as where:
        result = weir("connect", "--via", f"socks5://{where}", echo.endpoint(), input=data)
        assert (result.returncode, result.stdout == data) == (0, True), result.stderr
        result = weir("ask", "--via", f"socks5://{where}", refused, "hello")
    assert result.returncode in (1, 4) and result.stdout == b"" and refused.encode() in result.stderr

"""weir pull: bodies of every kind, bare streams, redirects, playlists, players, and an exit status for every end."""
import base64
import socket
import subprocess
import threading

import pytest

from certificates import Authority, server_context
from conftest import WEIR, environment, run_weir, seconds
from proxies import Http, Socks
from sites import answer, chunked, head, site  # pylint: disable=unused-import
from talk import pattern, read_to_end, reset

DATA = pattern(3_000_000)


def pull(*arguments, **options):
    return run_weir("pull", *arguments, **options)


def line(result):
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def fails(result, status, reason):
    """That it ended so, and said so in one line."""
    assert result.returncode == status, result.stderr
    assert line(result).endswith(reason), line(result)


# --- what comes ---

BODIES = {
    "length": answer(DATA),
    "until close": head("200 OK") + DATA,
    "chunked": head("200 OK", "Transfer-Encoding: chunked") + chunked(DATA[:7], DATA[7:100_000], DATA[100_000:]),
    "HTTP/1.0": head("200 OK", version="HTTP/1.0") + DATA,
    "empty": answer(b""),
    "no content": head("204 No Content"),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body(site, kind):
    result = pull(site(BODIES[kind]).url)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == (b"" if kind in ("empty", "no content") else DATA)


@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_a_body_goes_to_a_file(site, tmp_path, kind):
    file = tmp_path / "file"
    file.write_bytes(b"an older one")
    result = pull(site(BODIES[kind]).url, "-o", file)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert file.read_bytes() == DATA


def test_what_is_asked(site):
    server = site(answer(b""))
    assert pull(f"{server.url}/a/b?c=d%20e#part").returncode == 0
    request = server.requests[0]
    assert (request.method, request.target, request.version) == ("GET", "/a/b?c=d%20e", "HTTP/1.1")
    assert request.field("Host") == server.url.removeprefix("http://")
    assert request.field("Connection") == "close" and request.field("Icy-MetaData") == "1"
    assert request.field("User-Agent").startswith("weir/") and not request.field("Authorization")


def test_credentials_of_the_url(site):
    server = site(answer(b"secret"))
    result = pull(server.url.replace("http://", "http://bob:pass%20word@"))
    assert result.stdout == b"secret"
    assert server.requests[0].field("Authorization") == "Basic " + base64.b64encode(b"bob:pass word").decode()


def test_by_https(site, tmp_path):
    authority = Authority(tmp_path)
    server = site(answer(DATA), context=server_context(authority.issue("server")))
    result = pull(server.url, "--ca", authority.file)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == DATA
    result = pull(server.url)
    assert result.returncode == 1 and "certificate" in line(result)


@pytest.mark.parametrize("words", ["endpoint", "two words"])
def test_a_bare_stream(peer, words):
    server = peer(lambda connection: connection.sendall(DATA))
    result = pull(*([server.endpoint] if words == "endpoint" else ["127.0.0.1", server.name[1]]))
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == DATA


def test_a_unix_socket(peer, tmp_path):
    server = peer(lambda connection: connection.sendall(DATA), family=socket.AF_UNIX, address=str(tmp_path / "socket"))
    assert pull(server.endpoint).stdout == DATA
    assert pull("-U", tmp_path / "socket").stdout == DATA


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_through_a_proxy(site, peer, tmp_path, kind):
    """Names are looked up there, certificates are those of the host behind it, and redirects go through it as well."""
    authority = Authority(tmp_path)
    plain = site(lambda request: answer(b"", f"Location: {secure_url}/b", status="302 Found"))
    secure = site(answer(DATA), context=server_context(authority.issue("server", names="DNS:far.invalid")))
    port = secure.peer.name[1]
    secure_url = f"https://far.invalid:{port}"
    proxy = {"socks5": Socks, "http": Http}[kind](names={"far.invalid": ("127.0.0.1", port),
                                                          "near.invalid": ("127.0.0.1", plain.peer.name[1])})
    via = f"{kind}://127.0.0.1:{peer(proxy).name[1]}"
    result = pull("--via", via, f"{secure_url}/a", "--ca", authority.file)
    assert (result.returncode, result.stdout, result.stderr) == (0, DATA, b"")
    assert pull("--via", via, "http://near.invalid/a").returncode == 1  # whose redirect leads to an unknown CA
    assert proxy.asked == [("far.invalid", port), ("near.invalid", 80), ("far.invalid", port)]


# --- where it leads ---

@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site, status):
    def reply(request):
        if request.target == "/there/file":
            return answer(b"found")
        return answer(b"moved", "Location: there/file", status=f"{status} Moved")

    server = site(reply)
    assert pull(f"{server.url}/here").stdout == b"found"
    assert [request.target for request in server.requests] == ["/here", "/there/file"]


def test_credentials_stay_where_they_belong(site):
    elsewhere = site(answer(b"found"))

    def reply(request):
        place = "/here" if request.target == "/" else elsewhere.url
        return answer(b"", f"Location: {place}", status="302 Found")

    server = site(reply)
    assert pull(server.url.replace("http://", "http://bob:word@")).stdout == b"found"
    assert [bool(request.field("Authorization")) for request in server.requests] == [True, True]
    assert elsewhere.requests[0].field("Authorization") is None


def test_redirects_without_an_end(site):
    server = site(answer(b"", "Location: /again", status="302 Found"))
    fails(pull(server.url), 1, "more than 10 redirects")
    assert len(server.requests) == 11


@pytest.mark.parametrize("place, reason", [("ftp://x/", "read ftp://x/: not a URL of http:// or https://"), ("//", "")])
def test_redirects_to_what_is_no_url(site, place, reason):
    server = site(answer(b"", f"Location: {place}", status="302 Found"))
    result = pull(server.url)
    fails(result, 1, reason)
    assert line(result).startswith(f"weir: receive {server.url}: its redirect: ")


def test_https_does_not_lead_to_http(site, tmp_path):
    authority = Authority(tmp_path)
    plain = site(answer(b"open"))
    server = site(answer(b"", f"Location: {plain.url}", status="301 Moved"),
                  context=server_context(authority.issue("server")))
    fails(pull(server.url, "--ca", authority.file), 1, "it redirects from https to http, which is not followed")
    assert not plain.requests


PLAYLISTS = {
    "audio/x-mpegurl": "#EXTM3U\r\n#EXTINF:-1,A radio\r\n{}\r\nhttp://127.0.0.1:9/second\r\n",
    "audio/mpegurl; charset=utf-8": "\ufeff\n\n/radio?a=b\n",
    "audio/x-scpls": "[playlist]\nNumberOfEntries=2\nTitle1=A radio\nFile1={}\nFile2=http://127.0.0.1:9/second\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_leads_to_its_first_entry(site, tmp_path, kind):
    def reply(request):
        if request.target.startswith("/radio"):
            return answer(b"music")
        return answer(PLAYLISTS[kind].format(f"{server.url}/radio").encode(), f"Content-Type: {kind}")

    server = site(reply)
    result = pull(f"{server.url}/list")
    assert (result.returncode, result.stdout) == (0, b"music")
    assert f"is a playlist; it leads to {server.url}/radio" in line(result)
    assert pull(f"{server.url}/list", "-o", tmp_path / "list").returncode == 0
    assert (tmp_path / "list").read_bytes() == PLAYLISTS[kind].format(f"{server.url}/radio").encode()


@pytest.mark.parametrize("entry", ["a b.mp3?from=http://else/", "/caf\u00e9.mp3", "%s/c.mp3", "http://eve:x%%2fy@%s/d"])
def test_a_playlist_leads_on_as_the_same_user(site, entry):
    """As a redirect does; and what no URL may have is escaped. Who is named in the list is the one."""
    def reply(request):
        if request.target == "/list":
            return answer(entry.replace("%s", place).replace("%%", "%").encode(), "Content-Type: audio/x-mpegurl")
        return answer(b"music")

    server = site(reply)
    place = server.url.removeprefix("http://") if "eve" in entry else server.url
    result = pull(server.url.replace("http://", "http://b%3Fb:pass%20wo:rd@") + "/list")
    assert (result.returncode, result.stdout) == (0, b"music"), result.stderr
    user = b"eve:x/y" if "eve" in entry else b"b?b:pass wo:rd"
    assert server.requests[1].field("Authorization") == "Basic " + base64.b64encode(user).decode()
    assert server.requests[1].target in ("/a%20b.mp3?from=http://else/", "/caf%C3%A9.mp3", "/c.mp3", "/d")
    assert "rd@" not in line(result)


def test_a_playlist_leads_elsewhere_as_nobody(site):
    elsewhere = site(answer(b"music"))
    server = site(answer(f"{elsewhere.url}/x".encode(), "Content-Type: audio/x-mpegurl"))
    assert pull(server.url.replace("http://", "http://bob:word@")).stdout == b"music"
    assert elsewhere.requests[0].field("Authorization") is None


def test_a_playlist_that_does_not_come(site):
    def stalls(connection):
        connection.sendall(head("200 OK", "Content-Type: audio/x-mpegurl", "Content-Length: 100") + b"http://")
        read_to_end(connection)

    assert pull(site(lambda _: stalls).url, "--connect-timeout", "300ms").returncode == 3


@pytest.mark.parametrize("text,reason", [
    ("#EXTM3U\n", "a playlist without an entry"),
    ("#EXTM3U\n#EXT-X-VERSION:3\na.ts\n", "an HLS playlist, of which weir pull plays nothing; -o FILE keeps it"),
    ("file:///etc/passwd\n", "its first entry: read file:///etc/passwd: not a URL of http:// or https://"),
    ("#" * 70_000, "a playlist of more than 65535 bytes"),
])
def test_playlists_that_lead_nowhere(site, text, reason):
    result = pull(site(answer(text.encode(), "Content-Type: audio/x-mpegurl")).url)
    assert result.stdout == b""
    fails(result, 1, reason)


# --- how it ends ---

def test_a_status_that_is_an_error(site, tmp_path):
    server = site(answer(b"a page for people", status="404 Not Found"))
    result = pull(f"{server.url}/x")
    assert (result.returncode, result.stdout) == (1, b"")
    assert line(result) == f"weir: get {server.url}/x: 404 Not Found"
    (tmp_path / "kept").write_bytes(b"what was there")
    assert pull(server.url, "-o", tmp_path / "kept").returncode == 1
    assert (tmp_path / "kept").read_bytes() == b"what was there"


def test_fewer_bytes_than_announced(site):
    server = site(head("200 OK", "Content-Length: 1000") + b"x" * 10)
    result = pull(server.url)
    assert (result.returncode, result.stdout) == (4, b"x" * 10)
    assert line(result).endswith("it ended after 10 bytes, and 1000 were announced")


def test_chunks_without_an_end(site):
    result = pull(site(head("200 OK", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n").url)
    assert (result.returncode, result.stdout) == (4, b"hello")
    assert "receive http://" in line(result)


def test_chunks_that_are_none(site):
    result = pull(site(head("200 OK", "Transfer-Encoding: chunked") + b"what?\r\nhello\r\n").url)
    assert result.returncode == 1 and "receive http://" in line(result)


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
                                   b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx"])
def test_what_is_no_answer(site, reply):
    server = site(reply)
    result = pull(server.url)
    assert result.returncode in (1, 4) and result.stdout == b""
    assert line(result).startswith(f"weir: receive {server.url}: ")


def test_a_reset(peer):
    seen = threading.Event()

    def talk(connection):
        connection.sendall(b"beginning")
        assert seen.wait(seconds(20))
        reset(connection)

    process = subprocess.Popen([WEIR, "pull", peer(talk).endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    assert process.stdout.read(9) == b"beginning"
    seen.set()
    _, said = process.communicate(timeout=seconds(20))
    assert process.returncode == 4 and b"connection reset" in said


def test_nobody_there(refused):
    assert pull(refused).returncode == 1
    result = pull(refused.replace("tcp:", "http:"))
    assert result.returncode == 1 and "connection refused" in line(result)


def test_silence(site, peer):
    def begins(connection):
        connection.sendall(head("200 OK", "Content-Length: 1000") + b"x")
        read_to_end(connection)

    result = pull(site(lambda _: begins).url, "--timeout", "200ms")
    assert (result.returncode, result.stdout) == (3, b"x")
    assert line(result).endswith("nothing has come for 0.2 s")
    result = pull(peer(read_to_end).endpoint, "--timeout", "200ms")
    assert (result.returncode, result.stdout) == (3, b"")
    assert pull(site(lambda _: read_to_end).url, "--connect-timeout", "200ms").returncode == 3


def test_a_duration_is_an_end_like_any(site):
    def endless(connection):
        connection.sendall(head("200 OK") + b"some")
        read_to_end(connection)

    result = pull(site(lambda _: endless).url, "--duration", "300ms")
    assert (result.returncode, result.stdout, result.stderr) == (0, b"some", b"")


def test_a_reader_that_goes_away(site):
    def endless(connection):
        connection.sendall(head("200 OK"))
        while True:
            connection.sendall(DATA)

    process = subprocess.Popen([WEIR, "pull", site(lambda _: endless).url], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=environment())
    assert process.stdout.read(1000) == DATA[:1000]
    process.stdout.close()
    assert process.wait(seconds(20)) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_full_disk(site):
    with open("/dev/full", "wb") as full:
        fails(pull(site(answer(DATA)).url, stdout=full), 1, "no space left on device")


@pytest.mark.parametrize("words,reason", [
    ([], "no endpoint is named; see weir pull --help"),
    (["http://"], ""),
    (["http://h/a", "b"], "one endpoint is all it takes"),
    (["-u", "h", "9"], "datagrams have no end; see weir connect -u"),
    (["--resume", "http://h/a"], "--resume needs the file: --output FILE"),
    (["--resume", "tcp://h:9", "-o", "x"], "--resume is for http:// and https://"),
    (["--play", "-o", "x", "http://h/a"], "--play and --output exclude each other"),
    (["--player", " ", "http://h/a"], "--player names no command"),
    (["--ca", "x", "http://h/a"], "--ca is for tls:// and https:// endpoints"),
    (["http://h/" + "x" * 3000], ""),
])
def test_wrong_usage(words, reason):
    fails(pull(*words), 2, reason)


# --- players ---

def test_a_player_gets_it(site, tmp_path):
    result = pull(site(answer(DATA)).url, "--player", f"dd of={tmp_path}/heard status=none")
    assert (result.returncode, result.stderr) == (0, b"")
    assert (tmp_path / "heard").read_bytes() == DATA


def test_a_player_is_found(site, tmp_path):
    """The first that there is, and of other audio than MPEG's only one that plays it."""
    for name in "mpg123", "ffplay":
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} \"$@\" > {tmp_path}/called\nexec /bin/cat > {tmp_path}/heard\n")
        program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/nowhere"}
    calls = {"audio/mpeg": "mpg123 -q -", "application/ogg": "ffplay -nodisp -autoexit -loglevel error -"}
    for kind, called in calls.items():
        assert pull(site(answer(b"music", f"Content-Type: {kind}")).url, "--play", env=env).returncode == 0
        assert (tmp_path / "called").read_text().strip() == called
        assert (tmp_path / "heard").read_bytes() == b"music"
    fails(pull(site(answer(b"music")).url, "--play", env={"PATH": "/nowhere"}), 1,
          "no player is installed that plays it: mpv, mpg123, madplay or ffplay")


def test_a_player_that_quits_ends_it(site):
    """Also while nothing comes."""
    def begins(connection):
        connection.sendall(head("200 OK", "Content-Type: audio/mpeg") + b"x")
        read_to_end(connection)

    for command in "head -c 1", "true":
        result = pull(site(lambda _: begins).url, "--player", command, "--timeout", "never")
        assert (result.returncode, result.stderr) == (0, b"")
        assert result.stdout == (b"x" if command == "head -c 1" else b"")


def test_a_player_that_fails(site):
    fails(pull(site(answer(b"music")).url, "--player", "false"), 1, "play false: it ended with status 1")
    assert pull(site(answer(b"music")).url, "--player", "no-such-player").returncode == 1
    for command in "true " * 33, "true " + "x" * 1100:
        fails(pull(site(answer(b"music")).url, "--player", command), 2, "more than 32 words, or 1023 characters")

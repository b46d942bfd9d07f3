"""weir serve stream's /files/: the media by HTTP, in ranges and by condition, and nothing else of this machine."""
import email.utils
import hashlib
import html
import http.client
import os
import re
import urllib.parse

import pytest

from certificates import Authority
from conftest import seconds
from streaming import Talk, get
from talk import pattern

DATA = pattern(3_000_000)  # more than a socket takes at once
LONG = 1 << 30  # of nothing; more than all buffers on the way
NAMES = ["1.mp3", "2.mp3", "album/eins & zwei.mp3", "album/inner/3.mp3", "a:b<i>\"'%41?#.mp3", "b\\c.mp3"]


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "media"
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "big.mp3").write_bytes(DATA)
    (folder / "empty.mp3").write_bytes(b"")
    (folder / ".hidden.mp3").write_bytes(b"secret")
    (tmp_path / "outside.mp3").write_bytes(b"secret")
    (folder / "link.mp3").symlink_to("../outside.mp3")
    (folder / "folder").symlink_to("..")
    (folder / "inside.mp3").symlink_to("1.mp3")
    return folder


@pytest.fixture
def address(serve, media):
    return serve("stream", "http://127.0.0.1:0", "--media", media).address("http")


def ask(address, path, **fields):
    return get(address, path, fields={name.replace("_", "-"): value for name, value in fields.items()})


def test_whole(address):
    status, fields, body = ask(address, "/files/big.mp3")
    assert status == 200 and body == DATA
    assert fields["content-type"] == "audio/mpeg" and fields["accept-ranges"] == "bytes"
    assert fields["x-content-type-options"] == "nosniff"
    assert get(address, "/files/big.mp3", "HEAD")[1]["content-length"] == str(len(DATA))
    assert get(address, "/files/big.mp3", "HEAD")[2] == b""
    assert ask(address, "/files/empty.mp3")[2] == b""


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=1000-1999999", 1000, 1999999), ("bytes=2999999-", 2999999, 2999999),
    ("bytes=-1", 2999999, 2999999), ("bytes=-9999999", 0, 2999999), ("bytes=5-99999999999999999999", 5, 2999999)])
def test_a_range(address, asked, first, last):
    status, fields, body = ask(address, "/files/big.mp3", Range=asked)
    assert (status, fields["content-range"]) == (206, f"bytes {first}-{last}/{len(DATA)}")
    assert body == DATA[first:last + 1]


def test_several_ranges(address):
    status, fields, body = ask(address, "/files/big.mp3", Range="bytes=0-9, 2000000-2000099,-5")
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", fields["content-type"]).group(1)
    assert status == 206 and "content-range" not in fields
    head, *parts, tail = body.split(b"--" + boundary.encode())
    assert (head, tail) == (b"\r\n", b"--\r\n")
    found = []
    for part in parts:
        fields, data = part.split(b"\r\n\r\n", 1)
        assert b"Content-Type: audio/mpeg" in fields
        first, last, size = map(int, re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", fields).groups())
        assert size == len(DATA) and data == DATA[first:last + 1] + b"\r\n"
        found.append((first, last))
    assert found == [(0, 9), (2000000, 2000099), (2999995, 2999999)]


@pytest.mark.parametrize("asked", ["bytes=0-,0-", "bytes=" + ",".join(f"{n}-{n}" for n in range(17)), "bytes=2-1",
                                   "lines=0-1", "bytes=x", "bytes=0-1;2-3"])
def test_what_is_no_range_is_the_whole(address, asked):
    status, _, body = ask(address, "/files/big.mp3", Range=asked)
    assert status == 200 and body == DATA


@pytest.mark.parametrize("name, asked", [("big.mp3", "bytes=3000000-"), ("big.mp3", "bytes=-0"),
                                         ("empty.mp3", "bytes=0-")])
def test_a_range_beyond_the_end(address, name, asked):
    status, fields, _ = ask(address, "/files/" + name, Range=asked)
    assert status == 416
    assert fields["content-range"] == ("bytes */3000000" if name == "big.mp3" else "bytes */0")


def test_conditions(address, media):
    os.utime(media / "1.mp3", (1_000_000_000, 1_000_000_000))
    _, fields, _ = ask(address, "/files/1.mp3")
    tag, date = fields["etag"], fields["last-modified"]
    assert date == "Sun, 09 Sep 2001 01:46:40 GMT" and not tag.startswith("W/")
    earlier, later = (email.utils.formatdate(1_000_000_000 + more, usegmt=True) for more in (-1, 1))
    expected = [
        (304, {"If_None_Match": tag}), (304, {"If_None_Match": f'"x", W/{tag}'}), (304, {"If_None_Match": "*"}),
        (200, {"If_None_Match": '"x"'}), (304, {"If_Modified_Since": date}), (304, {"If_Modified_Since": later}),
        (200, {"If_Modified_Since": earlier}), (200, {"If_Modified_Since": date, "If_None_Match": '"x"'}),
        (200, {"If_Match": tag}), (412, {"If_Match": '"x"'}), (412, {"If_Match": f"W/{tag}"}),
        (200, {"If_Unmodified_Since": date}), (412, {"If_Unmodified_Since": earlier}),
        (206, {"Range": "bytes=0-0", "If_Range": tag}), (200, {"Range": "bytes=0-0", "If_Range": '"x"'}),
        (206, {"Range": "bytes=0-0", "If_Range": date}), (200, {"Range": "bytes=0-0", "If_Range": later}),
        (304, {"Range": "bytes=0-0", "If_None_Match": tag}), (412, {"Range": "bytes=9-", "If_Match": '"x"'}),
    ]
    for status, conditions in expected:
        answer = ask(address, "/files/1.mp3", **conditions)
        assert answer[0] == status, conditions
        assert status != 304 or (answer[2] == b"" and answer[1]["etag"] == tag and "content-length" not in answer[1])


def test_a_file_that_changes_is_another(address, media):
    before = ask(address, "/files/1.mp3")[1]["etag"]
    (media / "1.mp3").write_bytes(b"2.mp3")
    status, fields, body = ask(address, "/files/1.mp3", If_None_Match=before)
    assert (status, body) == (200, b"2.mp3") and fields["etag"] != before


def links(page):
    return re.findall(r'<li><a href="([^"]*)">', page.decode())


def test_the_listing_leads_to_every_file(address, media):
    """Followed as a browser does, from folder to folder."""
    found, folders = {}, ["/files/"]
    while folders:
        folder = folders.pop()
        status, fields, page = ask(address, folder)
        assert status == 200 and fields["content-type"] == "text/html; charset=utf-8"
        assert "script-src 'sha256-" in fields["content-security-policy"]
        for link in links(page):
            path = urllib.parse.urljoin(f"http://host{folder}", html.unescape(link)).removeprefix("http://host")
            if path.endswith("/"):
                folders.append(path)
            else:
                found[urllib.parse.unquote(path).removeprefix("/files/")] = ask(address, path)[2]
    assert found.pop("big.mp3") == DATA and found.pop("empty.mp3") == b"" and found.pop("inside.mp3") == b"1.mp3"
    assert found == {name: name.encode() for name in NAMES}


def test_the_listing_is_text(address):
    page = ask(address, "/files/")[2].decode()
    assert "<i>" not in page and "a:b&#60;i&#62;&#34;&#39;%41?#.mp3" in page


def test_a_folder_has_its_slash(address):
    for path in "/files", "/files/album", "/files/album/inner":
        status, fields, _ = ask(address, path)
        assert (status, fields["location"]) == (301, path + "/")


def test_a_long_listing_has_pages(serve, tmp_path):
    for number in range(1500):
        (tmp_path / f"{number}.mp3").touch()
    address = serve("stream", "http://127.0.0.1:0", "--media", tmp_path).address("http")
    first, second = ask(address, "/files/")[2], ask(address, "/files/?from=1000")[2]
    assert links(first) == [f"./{number}.mp3" for number in range(1000)] and b'href="?from=1000"' in first
    assert links(second) == [f"./{number}.mp3" for number in range(1000, 1500)] and b'href="?from=0"' in second
    for odd in "-5", "x", "99999999999999999999":
        assert links(ask(address, f"/files/?from={odd}")[2]) == links(first)


def raw(address, target, *fields):
    """A request to the letter, which no client of Python's would send."""
    lines = [f"GET {target} HTTP/1.1", "Host: a", "Connection: close", *fields, "", ""]
    talk = Talk(address, "\r\n".join(lines).encode("latin-1")).read_head()
    body = talk.read(int(talk.fields["content-length"]))
    talk.close()
    return talk.status, body


@pytest.mark.parametrize("target", [
    "/files/link.mp3", "/files/folder/outside.mp3", "/files/../outside.mp3", "/files/%2e%2e/outside.mp3",
    "/files/..%2foutside.mp3", "/files/%2e%2e%2foutside.mp3", "/files/album/../../outside.mp3", "/files/.hidden.mp3",
    "/files/./.hidden.mp3", "/files//etc/passwd", "/files/%2fetc%2fpasswd", "/files/1.mp3%00", "/files/1.mp3%00.txt",
    "/files/1.mp3/", "/files/1.mp3/.", "/files/album/../1.mp3", "/files/%", "/files/%zz", "/files/..", "/files/../",
    "/files/..\\outside.mp3", "/files/%252e%252e/outside.mp3", "/files/" + "x" * 5000, "/files/\u00ff"],
    ids=lambda target: target[:40].replace("/", "|"))
def test_nothing_outside(address, target):
    status, body = raw(address, target)
    assert status in (400, 404) and b"secret" not in body and b"root:" not in body


def test_a_link_that_was_turned_around(address, media):
    """It was a file when the media were looked at, and leads elsewhere now."""
    assert ask(address, "/files/2.mp3")[0] == 200
    (media / "2.mp3").unlink()
    (media / "2.mp3").symlink_to("../outside.mp3")
    assert ask(address, "/files/2.mp3")[0] == 404
    (media / "album" / "inner" / "3.mp3").unlink()
    (media / "album" / "inner").rmdir()
    (media / "album" / "inner").symlink_to("/etc")
    assert ask(address, "/files/album/inner/3.mp3")[0] == 404


def test_a_file_that_became_shorter_is_cut(serve, tmp_path):
    """What was announced cannot come: the connection ends."""
    path = tmp_path / "long.mp3"
    path.touch()
    os.truncate(path, LONG)
    address = serve("stream", "http://127.0.0.1:0", "--media", path).address("http")
    talk = Talk(address, b"GET /files/long.mp3 HTTP/1.1\r\nHost: a\r\n\r\n").read_head()
    assert talk.fields["content-length"] == str(LONG)
    os.truncate(path, 0)
    received = len(talk.kept)
    while data := talk.socket.recv(1 << 20):
        received += len(data)
    assert received < LONG
    talk.close()


def test_without_media(serve):
    address = serve("stream", "http://127.0.0.1:0").address("http")
    assert "There are none." in ask(address, "/files/")[2].decode()
    assert ask(address, "/files/x")[0] == 404


def test_by_tls(serve, media, tmp_path):
    authority = Authority(tmp_path)
    cert = authority.issue("server")
    address = serve("stream", "https://127.0.0.1:0", "--media", media, "--cert", cert).address("https")
    connection = http.client.HTTPSConnection("localhost", address[1], timeout=seconds(20), context=authority.client())
    connection.request("GET", "/files/big.mp3")
    assert hashlib.sha256(connection.getresponse().read()).digest() == hashlib.sha256(DATA).digest()
    connection.request("GET", "/files/big.mp3", headers={"Range": "bytes=100-200"})
    assert connection.getresponse().read() == DATA[100:201]
    connection.close()

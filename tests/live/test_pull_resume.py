"""weir pull --resume: the rest of a file, of the same version of it and no other, and what servers make of it."""
import os
import re

import pytest

from conftest import run_weir
from sites import Site, answer, head
from talk import pattern

DATA = pattern(300_000)
TAG, OTHER = '"one"', '"another"'


class Store:
    """A server with one file, which knows ranges as RFC 9110 has them, or does not."""

    def __init__(self, ranges=True, fields=(f"ETag: {TAG}",)):
        self.data, self.ranges, self.fields, self.cut = DATA, ranges, list(fields), None
        self.site = Site(self._reply)
        self.url = f"{self.site.url}/file"

    @property
    def request(self):
        return self.site.requests[-1]

    def _is_current(self, request):
        """What If-Range says: whether it is the same version."""
        version = request.field("If-Range")
        return version is None or any(field.endswith(f": {version}") for field in self.fields)

    def _reply(self, request):
        wanted = re.fullmatch(r"bytes=(\d+)-", request.field("Range") or "")
        if not wanted or not self.ranges or not self._is_current(request):
            whole = answer(self.data, *self.fields)
            return whole[:len(whole) - len(self.data) + self.cut] if self.cut is not None else whole
        first, size = int(wanted.group(1)), len(self.data)
        if first >= size:
            return answer(b"", f"Content-Range: bytes */{size}", status="416 Range Not Satisfiable")
        return answer(self.data[first:], f"Content-Range: bytes {first}-{size - 1}/{size}", *self.fields,
                      status="206 Partial Content")


@pytest.fixture
def store():
    stores = []

    def start(**options):
        stores.append(Store(**options))
        return stores[-1]

    yield start
    for each in stores:
        each.site.close()


def resume(url, file, *options):
    return run_weir("pull", "--resume", url, "-o", file, *options)


def begin(store, file, size):
    """Pulls the beginning of the file and is cut off."""
    store.cut = size
    assert run_weir("pull", store.url, "-o", file).returncode == 4
    store.cut = None
    assert file.read_bytes() == store.data[:size]


def is_noted(file):
    """Whether the file says which version it is a part of. Some file systems keep no such notes."""
    try:
        os.setxattr(file, "user.weir.test", b"x")
    except OSError:
        pytest.skip("this file system keeps no attributes")
    return "user.weir.version" in os.listxattr(file)


def test_the_rest_of_the_same_version(store, tmp_path):
    server, file = store(), tmp_path / "file"
    begin(server, file, 100_000)
    assert is_noted(file)
    result = resume(server.url, file)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")
    assert file.read_bytes() == DATA
    assert (server.request.field("Range"), server.request.field("If-Range")) == ("bytes=100000-", TAG)
    assert not is_noted(file)


def test_without_a_tag_the_date_does(store, tmp_path):
    changed, now = "Sat, 21 Nov 2026 08:00:00 GMT", "Sat, 21 Nov 2026 08:00:01 GMT"
    server, file = store(fields=[f"Last-Modified: {changed}", f"Date: {now}"]), tmp_path / "file"
    begin(server, file, 1000)
    assert is_noted(file)
    assert resume(server.url, file).returncode == 0
    assert file.read_bytes() == DATA
    assert server.request.field("If-Range") == changed


@pytest.mark.parametrize("fields", [[], ['ETag: W/"weak"'], [f"Last-Modified: Sat, 21 Nov 2026 08:00:00 GMT"] * 1,
                                    ["Last-Modified: Sat, 21 Nov 2026 08:00:00 GMT",
                                     "Date: Sat, 21 Nov 2026 08:00:00 GMT"]])
def test_what_tells_no_version_is_not_noted(store, tmp_path, fields):
    """Then the server is asked whether the file has changed since its part was written."""
    server, file = store(fields=fields), tmp_path / "file"
    begin(server, file, 1000)
    assert not is_noted(file)
    os.utime(file, (1792569600, 1792569600))
    assert resume(server.url, file).returncode == 0
    assert server.request.field("If-Unmodified-Since") == "Wed, 21 Oct 2026 08:00:00 GMT"
    assert file.read_bytes() == DATA


def test_another_version_begins_anew(store, tmp_path):
    server, file = store(), tmp_path / "file"
    begin(server, file, 100_000)
    is_noted(file)
    server.data, server.fields = pattern(50_000, 1), [f"ETag: {OTHER}"]
    result = resume(server.url, file)
    assert result.returncode == 0
    assert re.fullmatch(rb"weir: pull: .*/file is of another version, or comes in one piece only; begins anew\n",
                        result.stderr)
    assert file.read_bytes() == server.data


def test_a_file_that_has_changed_since(store, tmp_path):
    """412 where there is no note: then it is asked for whole."""
    server, file = store(), tmp_path / "file"
    file.write_bytes(b"a part of something")
    answers = server.site.reply
    server.site.reply = lambda request: answer(b"", status="412 Precondition Failed") if request.field(
        "If-Unmodified-Since") else answers(request)
    assert resume(server.url, file).returncode == 0
    assert file.read_bytes() == DATA


def test_a_server_that_knows_no_ranges(store, tmp_path):
    server, file = store(ranges=False), tmp_path / "file"
    begin(server, file, 100_000)
    assert resume(server.url, file).returncode == 0
    assert file.read_bytes() == DATA


def test_nothing_is_there_yet(store, tmp_path):
    server, file = store(), tmp_path / "file"
    assert resume(server.url, file).returncode == 0
    assert server.request.field("Range") is None
    assert file.read_bytes() == DATA


def test_all_of_it_is_there(store, tmp_path):
    server, file = store(), tmp_path / "file"
    file.write_bytes(DATA)
    result = resume(server.url, file)
    assert (result.returncode, result.stderr) == (0, f"weir: pull: {file} has all of it already\n".encode())
    assert file.read_bytes() == DATA


def test_more_than_all_of_it_is_there(store, tmp_path):
    server, file = store(), tmp_path / "file"
    file.write_bytes(DATA + b"more")
    result = resume(server.url, file)
    assert result.returncode == 1
    assert result.stderr.endswith(b"it has 300004 bytes, and %s has 300000\n" % server.url.encode())
    assert file.read_bytes() == DATA + b"more"


@pytest.mark.parametrize("field", ["Content-Range: bytes 5-299999/300000", "Content-Range: bytes 1000-299998/300000",
                                   "Content-Range: bytes 1000-/300000", "Content-Range: bytes 1000-999/1000",
                                   "Content-Range: pages 1000-299999/300000", "Content-Type: multipart/byteranges",
                                   "Content-Range: bytes 1000-99999999999999999999/*",
                                   "Content-Range: bytes 1000-1499999/1500000"])
def test_another_part_than_was_asked_for(store, tmp_path, field):
    server, file = store(), tmp_path / "file"
    file.write_bytes(DATA[:1000])
    server.site.reply = lambda request: answer(DATA[1000:], field, status="206 Partial Content")
    result = resume(server.url, file)
    assert result.returncode == 1
    assert result.stderr.endswith(b": it answers with another part than the one from byte 1000 on\n")
    assert file.read_bytes() == DATA[:1000]


def test_an_unknown_length(store, tmp_path):
    server, file = store(), tmp_path / "file"
    file.write_bytes(DATA[:1000])
    server.site.reply = lambda request: head("206 Partial Content", "Content-Range: bytes 1000-299999/*") + DATA[1000:]
    assert resume(server.url, file).returncode == 0
    assert file.read_bytes() == DATA


def test_what_was_not_asked_for(store, tmp_path):
    server, file = store(), tmp_path / "file"
    server.site.reply = lambda request: answer(DATA[5:], "Content-Range: bytes 5-299999/300000",
                                               status="206 Partial Content")
    result = resume(server.url, file)
    assert result.returncode == 1 and result.stderr.endswith(b": 206 Partial Content\n")
    assert not file.exists()


def test_an_error_leaves_the_part_as_it_is(store, tmp_path):
    server, file = store(), tmp_path / "file"
    begin(server, file, 1000)
    server.site.reply = lambda request: answer(b"", status="503 Service Unavailable")
    assert resume(server.url, file).returncode == 1
    assert file.read_bytes() == DATA[:1000]
    server.site.reply = server._reply
    assert resume(server.url, file).returncode == 0
    assert file.read_bytes() == DATA


def test_what_is_no_file(store, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = resume(store().url, tmp_path / "pipe")
    assert result.returncode == 2 and b"--resume is for files" in result.stderr


def test_a_note_that_others_wrote(store, tmp_path):
    """It is a field of the request: what would end the line is no note."""
    server, file = store(), tmp_path / "file"
    begin(server, file, 1000)
    is_noted(file)
    os.setxattr(file, "user.weir.version", b'"x"\r\nX-Injected: yes')
    assert resume(server.url, file).returncode == 0
    assert server.request.field("X-Injected") is None and server.request.field("If-Unmodified-Since")

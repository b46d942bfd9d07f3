"""weir serve stream: what is on, for programs and for players, and the requests that are none of it."""
import json
import re

import pytest

from conftest import run_weir
from streaming import (Listener, Source, get, make_audio, mounts, passwords, quiet_address,  # noqa: F401
                       wait_until)


@pytest.fixture(scope="session")
def mp3(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "live.mp3"
    return make_audio(path, "-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0", length=3).read_bytes()


@pytest.fixture
def radio(serve, tmp_path):
    return serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path), "--name", 'R "1" <b>',
                 "--genre", "tones", "--description", "hum", "--url", "http://example.org/")


@pytest.fixture
def address(radio):
    return radio.address("http")


@pytest.mark.parametrize("path", ["/status-json.xsl", "/status.json"])
def test_status_in_icecasts_shape(address, mp3, path):
    wait_until(lambda: "radio" in mounts(address))
    status, fields, body = get(address, path)
    assert status == 200 and fields["content-type"].startswith("application/json")
    assert fields["access-control-allow-origin"] == "*"
    stats = json.loads(body)["icestats"]
    assert stats["server_id"].startswith("weir ") and stats["host"] == "127.0.0.1"
    one = stats["source"]  # a single one is an object
    assert one["listenurl"] == f"http://127.0.0.1:{address[1]}/radio" and one["server_type"] == "audio/mpeg"
    assert one["server_name"] == 'R "1" <b>' and b"<" not in body
    assert (one["genre"], one["server_description"], one["server_url"]) == ("tones", "hum", "http://example.org/")
    assert one["listeners"] == 0 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000", one["stream_start_iso8601"])
    source = Source(address, fields=["ice-audio-info: channels=2; bitrate=64"]).read_head()
    source.send(mp3)
    both = wait_until(lambda: len(mounts(address, path)) == 2 and mounts(address, path))  # several are an array
    assert both["live"]["bitrate"] == 64
    source.close()


def test_listeners_are_counted(address):
    listeners = [Listener(address) for _ in range(3)]
    wait_until(lambda: mounts(address)["radio"]["listeners"] == 3)
    for listener in listeners:
        listener.close()
    wait_until(lambda: mounts(address)["radio"]["listeners"] == 0)
    assert mounts(address)["radio"]["listener_peak"] == 3


@pytest.mark.parametrize("suffix,kind,lines", [
    (".m3u", "audio/x-mpegurl", ["#EXTM3U", '#EXTINF:-1,R "1" <b>', "http://radio.example:99/radio"]),
    (".pls", "audio/x-scpls", ["[playlist]", "NumberOfEntries=1", "File1=http://radio.example:99/radio",
                               'Title1=R "1" <b>', "Length1=-1", "Version=2"])])
def test_playlists(address, suffix, kind, lines):
    wait_until(lambda: "radio" in mounts(address))
    status, fields, body = get(address, f"/radio{suffix}", fields={"Host": "radio.example:99"})
    assert status == 200 and fields["content-type"].startswith(kind)
    assert body.decode().splitlines() == lines
    assert get(address, f"/nothing{suffix}")[0] == 404
    assert get(address, f"/radio{suffix}", "HEAD")[2] == b""


@pytest.mark.parametrize("host", ["a'b", "a/b", "a&b", "a<b", "x;y", "a%0d", "$x"])
def test_a_host_that_is_none_is_not_repeated(quiet_address, host):
    status, _, body = get(quiet_address, "/radio.m3u", fields={"Host": host})
    assert status == 400 or f"http://127.0.0.1:{quiet_address[1]}/radio" in body.decode()


@pytest.mark.parametrize("method,path,status", [
    ("POST", "/", 405), ("DELETE", "/radio", 405), ("PUT", "/status.json", 405), ("GET", "/nothing", 404),
    ("GET", "/a/../radio", 404), ("GET", "/radio/", 404), ("GET", "//radio", 404), ("GET", "/%00", 404),
    ("GET", "/admin/", 404), ("OPTIONS", "/status.json", 204), ("OPTIONS", "/radio", 204)])
def test_requests_for_something_else(quiet_address, method, path, status):
    answer = get(quiet_address, path, method)
    assert answer[0] == status
    assert status != 405 or "GET" in answer[1]["allow"]


@pytest.mark.parametrize("options,words", [
    (["--model", "thread"], "--model"), (["--processes", "2"], "--processes 2"),
    (["--max-mounts", "0"], "--max-mounts"), (["--burst", "2048M"], "--burst"),
    (["--media", "/nowhere"], "/nowhere"), (["udp://:0"], "not served on udp")])
def test_what_it_cannot_be_asked_for(options, words):
    ended = run_weir("serve", "stream", "http://127.0.0.1:0", *options)
    assert ended.returncode != 0 and words in ended.stderr.decode() and ended.stderr.count(b"\n") == 1

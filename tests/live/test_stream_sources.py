"""Live sources of weir serve stream: who may send what, and what listeners hear of it."""
import os
import re
import signal
import socket
import struct
import subprocess

import pytest

from conftest import seconds
from streaming import (Listener, Source, Talk, basic, frames, get, make_audio, mounts, passwords,  # noqa: F401
                       quiet_address, wait_until)


@pytest.fixture(scope="session")
def audio(tmp_path_factory):
    """Ten seconds of a tone; the radio's own is at another bitrate, by which the two are told apart."""
    folder = tmp_path_factory.mktemp("audio")
    make_audio(folder / "live.mp3", "-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0")
    make_audio(folder / "live.ogg", "-c:a", "libvorbis")
    make_audio(folder / "live.aac", "-c:a", "aac", "-b:a", "64k")
    return folder


@pytest.fixture(scope="session")
def mp3(audio):
    return (audio / "live.mp3").read_bytes()


@pytest.fixture
def radio(serve, tmp_path):
    return serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path))


@pytest.fixture
def address(radio):
    return radio.address("http")


def listen(address, mount, **options):
    """A listener of a mount that has a source, or has one soon, of which something has come."""
    wait_until(lambda: mounts(address).get(mount[1:], {}).get("total_bytes_read", 0) > 2000)
    listener = Listener(address, mount, **options)
    assert listener.status == 200
    return listener


# --- programs that send ---


@pytest.mark.parametrize("method", ["PUT", "SOURCE"])
def test_ffmpeg_sends(radio, address, audio, tmp_path, method):
    command = ["ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i", str(audio / "live.mp3"), "-c", "copy",
               "-legacy_icecast", "1" if method == "SOURCE" else "0", "-ice_name", "Café", "-content_type",
               "audio/mpeg", "-f", "mp3", f"icecast://source:hackme@127.0.0.1:{address[1]}/live"]
    ffmpeg = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        listener = listen(address, "/live")
        assert listener.fields["icy-name"].encode("latin-1").decode() == "Café"
        got = listener.read(12000)
        assert all(frame.bitrate == 64 for frame in frames(got))
        listener.close()
        heard = tmp_path / "heard.mp3"
        heard.write_bytes(got)
        subprocess.run(["mpg123", "-q", "-t", str(heard)], check=True, timeout=seconds(20), stdin=subprocess.DEVNULL)
    finally:
        ffmpeg.send_signal(signal.SIGINT)
        ffmpeg.wait(seconds(20))
    radio.wait_for_text(r": the source 127\.0\.0\.1:\d+ (has ended|was cut after)")  # by the old method it closes hard


EZSTREAM = """<?xml version="1.0"?>
<ezstream>
  <servers><server><protocol>http</protocol><hostname>127.0.0.1</hostname><port>{port}</port>
    <user>source</user><password>hackme</password><tls>none</tls></server></servers>
  <streams><stream><mountpoint>/live</mountpoint><format>MP3</format><stream_name>easy</stream_name></stream></streams>
  <intakes><intake><type>file</type><filename>{file}</filename></intake></intakes>
  <metadata><no_updates>No</no_updates></metadata>
</ezstream>
"""


def test_ezstream_sends(radio, address, audio, tmp_path):
    settings = tmp_path / "ezstream.xml"
    settings.write_text(EZSTREAM.format(port=address[1], file=audio / "live.mp3"))
    os.chmod(settings, 0o600)
    ezstream = subprocess.Popen(["ezstream", "-c", str(settings)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
    try:
        listener = listen(address, "/live")
        assert listener.fields["icy-name"] == "easy"
        assert all(frame.bitrate == 64 for frame in frames(listener.read(9000)))
        listener.close()
    finally:
        ezstream.terminate()
        ezstream.wait(seconds(20))


LIQUIDSOAP = """
settings.init.allow_root.set(true)
output.icecast(%mp3(bitrate=64), host="127.0.0.1", port={port}, password="hackme", mount="/live", name="liquid",
               sine(330.))
"""


def test_liquidsoap_sends(radio, address):
    # Its own library of scripts takes it ten seconds to read.
    liquidsoap = subprocess.Popen(["liquidsoap", "--no-stdlib", LIQUIDSOAP.format(port=address[1])],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  start_new_session=True)
    try:
        wait_until(lambda: "live" in mounts(address), 60)
        listener = listen(address, "/live")
        assert listener.fields["icy-name"] == "liquid"
        assert all(frame.bitrate == 64 for frame in frames(listener.read(9000)))
        listener.close()
    finally:
        liquidsoap.terminate()
        try:
            liquidsoap.wait(seconds(20))
        except subprocess.TimeoutExpired:
            liquidsoap.kill()
            liquidsoap.wait()


# --- how it is sent ---


def test_source_by_the_old_method_is_told_at_once(radio, address, mp3):
    source = Source(address, method="SOURCE", version="ICE/1.0").read_head()
    assert source.status == 200
    source.send(mp3)
    listener = listen(address, "/live")
    assert frames(listener.read(9000))[0].bitrate == 64
    source.close()
    listener.close()


def test_put_waits_for_100_and_is_told_200_at_its_end(radio, address, mp3):
    source = Source(address, fields=["Expect: 100-continue", "Transfer-Encoding: chunked"]).read_head()
    assert source.status == 100
    for at in range(0, len(mp3), 7777):
        source.send_chunk(mp3[at:at + 7777])
    listener = listen(address, "/live")
    assert frames(listener.read(9000))[0].bitrate == 64
    source.send(b"0\r\n\r\n")
    assert source.read_head().status == 200
    source.close()
    listener.close()


def test_what_is_no_frame_is_dropped_and_counted(radio, address, mp3):
    first, second = mp3[:208 * 100 + 100], mp3[208 * 100 + 100:]
    source = Source(address, fields=[f"Content-Length: {len(mp3) + 3000}"])
    source.send(first + b"\x00rubbish" * 375 + second[:-1000])
    listener = listen(address, "/live")
    assert all(frame.bitrate == 64 for frame in frames(listener.read(20000)))
    source.send(second[-1000:])
    assert source.read_head().status == 200
    assert int(radio.wait_for_text(r"has ended, \d+ bytes, of which (\d+) were not audio").group(1)) >= 3000
    source.close()
    listener.close()


@pytest.mark.parametrize("kind,name,mark", [
    ("application/ogg", "live.ogg", b"OggS"), ("audio/aac", "live.aac", b"\xff\xf1")])
def test_others_are_relayed_as_they_come(radio, address, audio, tmp_path, kind, name, mark):
    data = (audio / name).read_bytes()
    source = Source(address, kind=kind)
    assert source.read_head().status == 200
    source.send(data)
    listener = listen(address, "/live")
    assert listener.fields["content-type"] == kind
    got = listener.read(8000)
    assert got.startswith(mark)
    heard = tmp_path / f"heard{os.path.splitext(name)[1]}"
    heard.write_bytes(got)
    decoded = subprocess.run(["ffmpeg", "-loglevel", "error", "-i", str(heard), "-f", "s16le", "-"], check=True,
                             capture_output=True, timeout=seconds(30), stdin=subprocess.DEVNULL)
    assert len(decoded.stdout) > 44100
    source.close()
    listener.close()


def test_who_comes_before_the_audio_waits_for_it(address, audio):
    """An answer is of one type: that of the source, of which the first page is to come, and not the radio's."""
    get(address, "/radio.m3u")
    wait_until(lambda: mounts(address).get("radio", {}).get("total_bytes_read", 0) > 2000)
    source = Source(address, kind="application/ogg")
    assert source.read_head().status == 200
    wait_until(lambda: "live" in mounts(address))
    listener = Talk(address, b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: mounts(address)["live"]["listeners"] == 1)
    source.send((audio / "live.ogg").read_bytes())
    assert listener.read_head().fields["content-type"] == "application/ogg"
    assert listener.read(4) == b"OggS"
    source.close()
    listener.close()


# --- who may not ---


def test_wrong_passwords_are_refused(radio, address):
    for credentials in (None, "source:hackm", "source:", "keeper:of the mount", "sourcehackme"):
        source = Source(address, credentials=credentials).read_head()
        assert source.status == 401 and source.fields["www-authenticate"].startswith("Basic ")
        source.close()
    radio.wait_for_text(r"^weir: stream: 127\.0\.0\.1: wrong source password for /live, tries: 1$")
    assert "hackm" not in radio.text and mounts(address).keys() <= {"radio"}


def test_a_password_may_be_one_mounts_alone(radio, address, mp3):
    assert Source(address, mount="/other", credentials="keeper:of the mount").read_head().status == 401
    source = Source(address, mount="/guarded", credentials="keeper:of the mount").read_head()
    assert source.status == 200
    source.close()


@pytest.mark.parametrize("mount,kind,status", [
    ("/radio", "audio/mpeg", 403), ("/", "audio/mpeg", 405), ("/files/x", "audio/mpeg", 405),
    ("/status.json", "audio/mpeg", 405), ("/a/../b", "audio/mpeg", 403), ("/x%00y", "audio/mpeg", 403),
    ("/%2e%2e/x", "audio/mpeg", 403), ("/" + "x" * 300, "audio/mpeg", 403), ("/live", "text/html", 415),
    ("/live", "video/webm", 415)])
def test_what_may_not_be_sent(quiet_address, mount, kind, status):
    source = Source(quiet_address, mount=mount, kind=kind).read_head()
    assert source.status == status
    source.close()


def test_what_is_no_mp3_is_refused(radio, address):
    source = Source(address, fields=["Content-Length: 1000000"])
    source.send(b"this is no audio " * 20000)
    assert source.read_head().status == 415
    source.close()
    radio.wait_for_text("was cut after .*: what is sent is something else")


def test_chunks_that_are_none_are_refused(quiet_address):
    source = Source(quiet_address, "/chunks", fields=["Transfer-Encoding: chunked"])
    source.send(b"none\r\n")
    assert source.read_head().status == 400
    assert source.fields["connection"] == "close"
    source.close()


def test_without_a_file_nobody_may_send(serve):
    address = serve("stream", "http://127.0.0.1:0").address("http")
    assert Source(address).read_head().status == 403


@pytest.mark.parametrize("text,mode,words", [
    ("nobody\n", 0o600, "line 1: USER:PASSWORD is wanted"), ("\n/../x a:b\n", 0o600, "line 2: what begins with /"),
    ("a:b\n", 0o644, "mode 0644: others than its owner have access"), (None, 0o600, "No such file")])
def test_a_file_of_passwords_that_is_none(weir, tmp_path, text, mode, words):
    path = passwords(tmp_path, text or "")
    os.chmod(path, mode)
    if text is None:
        path.unlink()
    ended = weir("serve", "stream", "http://127.0.0.1:0", "--source-password-file", path)
    assert ended.returncode != 0 and words.lower() in ended.stderr.decode().lower()
    assert ended.stderr.count(b"\n") == 1


def test_passwords_are_read_again(radio, address, tmp_path):
    assert Source(address, credentials="source:new").read_head().status == 401
    passwords(tmp_path, "source:new\n")
    radio.signal(signal.SIGHUP)

    def admitted():
        source = Source(address, credentials="source:new").read_head()
        source.close()
        return source.status == 200
    wait_until(admitted)
    passwords(tmp_path, "nonsense\n")
    radio.signal(signal.SIGHUP)
    radio.wait_for_text("the passwords stay as they were")
    assert admitted()


# --- coming and going ---


def test_a_ghost_does_not_block_its_own_reconnect(radio, address, mp3):
    ghost = Source(address).read_head()
    ghost.send(mp3[:20000])
    listener = listen(address, "/live")
    heard = listener.read(9000)
    source = Source(address).read_head()  # while the other still stands
    assert source.status == 200
    source.play(mp3)
    heard += listener.read(60000)
    assert len(frames(heard)) > 300
    assert ghost.at_end()
    radio.wait_for_text(r"was cut after \d+ bytes.*: it is there again, by another connection$")
    source.close()
    listener.close()


def test_another_host_does_not_take_a_mount_that_is_in_use(serve, tmp_path, mp3):
    server = serve("stream", "http://127.0.0.1:0", "http://[::1]:0", "--source-password-file", passwords(tmp_path))
    first = Source(server.address("http://127.0.0.1")).read_head()
    assert first.status == 200
    while True:  # the first sends all the time, the other comes in between
        first.send(mp3[:208])
        other = Source(server.address("http://[::1]")).read_head()
        if other.status == 409:
            break
        assert other.status == 200  # this machine was too slow to hear of the first for two seconds
        first.close()
        first = Source(server.address("http://127.0.0.1")).read_head()
    other.close()
    first.close()


def test_a_silent_source_is_given_up(serve, tmp_path, mp3):
    server = serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path), "--source-timeout",
                   "500ms")
    source = Source(server.address("http")).read_head()
    source.send(mp3[:5000])
    server.wait_for_text(r"the source 127\.0\.0\.1:\d+ was cut after 5000 bytes")
    assert source.at_end()
    source.close()


def test_listeners_fall_back_and_return(radio, address, mp3):
    source = Source(address).read_head()
    source.play(mp3)
    listener = listen(address, "/live")
    heard = listener.read_until(lambda body: len(body) > 20000)
    source.close()
    heard += listener.read_until(lambda body: frames_of(body, 128) >= 10)
    source = Source(address).read_head()
    source.play(mp3)
    heard += listener.read_until(lambda body: frames_of(body, 64) >= 10)
    bitrates = [frame.bitrate for frame in frames(heard)]  # whole frames all of it
    changes = [one for one, before in zip(bitrates, [0, *bitrates]) if one != before]
    assert changes == [64, 128, 64]
    source.close()
    listener.close()


def frames_of(body, bitrate):
    """How many of a bitrate there are in a part of a stream that may begin within a frame."""
    head = bytes([0xff, 0xfb, (9 if bitrate == 128 else 5) << 4])
    return sum(body.count(head[:2] + bytes([head[2] | low])) for low in (0, 2))


# --- titles ---


def set_title(address, query, credentials="source:hackme", mount="/live"):
    return get(address, f"/admin/metadata?mode=updinfo&mount={mount}&{query}",
               fields={"Authorization": basic(credentials)})


@pytest.mark.parametrize("query,title", [
    ("song=A+%2B+B", "A + B"), ("artist=X&title=Y", "X - Y"), ("song=Caf%C3%A9", "Café"), ("song=Caf%E9", "Café"),
    ("song=%D0%E9&charset=koi8-r", "пИ"), ("song=a%0d%0aEvil:+b%1b[2J", "a  Evil: b [2J"),
    ("song=%3Cb%3E%22", '<b>"')])
def test_titles_are_set(radio, address, mp3, query, title):
    source = Source(address).read_head()
    source.send(mp3)
    wait_until(lambda: "live" in mounts(address))
    status, _, body = set_title(address, query)
    assert status == 200 and b"<return>1</return>" in body
    assert mounts(address)["live"]["title"] == title
    source.close()


def test_listeners_are_told_titles(radio, address, mp3):
    source = Source(address).read_head()
    source.play(mp3)
    listener = listen(address, "/live", fields=["Icy-MetaData: 1"])
    set_title(address, "song=one")
    audio = listener.read_title("one")
    set_title(address, "song=two")
    audio += listener.read_title("two")
    assert all(frame.bitrate == 64 for frame in frames(audio))
    source.close()
    listener.close()


@pytest.mark.parametrize("path,credentials,status", [
    ("/admin/metadata?mode=updinfo&mount=/live&song=x", "source:wrong", 401),
    ("/admin/metadata?mode=updinfo&mount=/live&song=x", "source:hackme", 404),  # nobody sends
    ("/admin/metadata?mode=updinfo&mount=/radio&song=x", "source:hackme", 404),
    ("/admin/metadata?mode=updinfo&song=x", "source:hackme", 400),
    ("/admin/metadata?mode=kill&mount=/live", "source:hackme", 400), ("/admin/stats", "source:hackme", 404)])
def test_titles_that_are_refused(quiet_address, path, credentials, status):
    assert get(quiet_address, path, fields={"Authorization": basic(credentials)})[0] == status


# --- the end ---


def test_it_ends_while_all_are_connected(radio, address, mp3):
    source = Source(address).read_head()
    source.send(mp3)
    listener = listen(address, "/live")
    radio.stop()
    assert listener.at_end() and source.at_end()
    assert re.search(r"was cut after \d+ bytes: the service ends$", radio.text, re.MULTILINE)


def test_a_source_that_is_reset_is_said(radio, address, mp3):
    source = Source(address).read_head()
    source.send(mp3)
    listen(address, "/live").close()
    source.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    source.socket.close()
    radio.wait_for_text(r"was cut after \d+ bytes.*: connection reset")

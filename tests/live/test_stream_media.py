"""weir serve stream and its media: the raw stream, the radio and the tone, by the players that people have."""
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from certificates import Authority
from conftest import WEIR, seconds
from streaming import Listener, get, make_audio, mounts, wait_until
from talk import read_to_end

ICY = ("Icy-MetaData: 1",)
LARGE = ("--burst", "8M", "--queue", "16M")  # all of it at once, for who cannot wait
BARE = ("-c", "copy", "-map_metadata", "-1", "-write_xing", "0", "-id3v2_version", "0")

# What there are files of, and how they are made: in the order that people count.
FILES = {
    "1 cbr.mp3": ("-b:a", "128k", "-metadata", "artist=Björk", "-metadata", "title=One", "-write_id3v1", "1"),
    "2 vbr.mp3": ("-q:a", "4", "-metadata", "title=Two"),
    "10 low.mp3": ("-ar", "22050", "-ac", "1", "-b:a", "64k", "-id3v2_version", "0"),
    "sub/3 lowest.mp3": ("-ar", "8000", "-ac", "1", "-b:a", "16k"),
}


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, timeout=seconds(60), capture_output=True,
                          **({"stdin": subprocess.DEVNULL} | options))


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """The files, and each with its frames alone."""
    folder = tmp_path_factory.mktemp("media")
    for at, (name, options) in enumerate(FILES.items()):
        path = folder / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make_audio(path, *options, length=2, pitch=300 + 100 * at)
        (folder / "bare" / name).parent.mkdir(parents=True, exist_ok=True)
        run("ffmpeg", "-loglevel", "error", "-i", path, *BARE, folder / "bare" / name)
    return folder


@pytest.fixture
def music(kept, tmp_path):
    """A copy, which a test may change."""
    return shutil.copytree(kept / "music", tmp_path / "music")


def joined(folder, names=FILES):
    return b"".join((folder / name).read_bytes() for name in names)


def decode(data):
    return run("madplay", "-Q", "-o", "raw:-", "-", stdin=None, input=data).stdout


def receive(server, beginning="tcp://127.0.0.1"):
    with server.connect(beginning) as client:
        return read_to_end(client)


# --- raw ---

def test_raw_is_the_files_one_after_the_other(serve, kept, music):
    (music / "cover.jpg").write_bytes(b"no music")
    server = serve("stream", "tcp://127.0.0.1:0", "--media", music)
    for _ in range(2):
        assert receive(server) == joined(kept / "music")


@pytest.mark.parametrize("name", FILES)
def test_raw_sounds_as_the_file(serve, kept, weir, name):
    """The seed's line, byte for byte and sample for sample."""
    server = serve("stream", "tcp://127.0.0.1:0", "--media", kept / "music" / name)
    data = weir("pull", server.endpoint()).stdout
    assert data == (kept / "music" / name).read_bytes()
    assert decode(data) == run("madplay", "-Q", "-o", "raw:-", kept / "music" / name).stdout


def test_raw_by_tls_and_unix(serve, kept, weir, tmp_path):
    authority = Authority(tmp_path)
    server = serve("stream", "tls://127.0.0.1:0", f"unix:{tmp_path}/s", "--media", kept / "music", "--cert",
                   authority.issue("server"))
    expected = joined(kept / "music")
    assert weir("pull", server.endpoint("unix:")).stdout == expected
    assert weir("pull", "--ca", authority.file, server.endpoint("tls:")).stdout == expected


def test_raw_for_who_has_said_something(serve, kept):
    """What nobody reads would make a reset of the end, and who reads slowly lose what he has not read."""
    server = serve("stream", "tcp://127.0.0.1:0", "--media", kept / "music")
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_to_end(client) == joined(kept / "music")


def test_raw_goes_on_behind_a_file_that_has_gone(serve, kept, music):
    server = serve("stream", "tcp://127.0.0.1:0", "--media", music)
    (music / "2 vbr.mp3").unlink()
    assert receive(server) == joined(kept / "music", [name for name in FILES if name != "2 vbr.mp3"])
    server.wait_for_text(r"^weir: warning: stream: open .*/2 vbr\.mp3: no such file or directory: skipped$")


def test_raw_has_nothing_to_send(serve, tmp_path):
    (tmp_path / "cover.jpg").write_bytes(b"no music")
    server = serve("stream", "tcp://127.0.0.1:0", "--media", tmp_path)
    assert receive(server) == b""
    server.wait_for_text(r"^weir: warning: stream: none of the media is MPEG audio by its name: nothing to send$")


def test_a_file_that_cannot_be_read(serve, kept):
    """It opens, and then fails: the raw stream must not look whole, the radio goes on."""
    first = kept / "music" / "1 cbr.mp3"
    server = serve("stream", "tcp://127.0.0.1:0", "http://127.0.0.1:0", "--media", first, "--media", "/proc/self/mem",
                   "--media", first, "--no-loop", *LARGE)
    with server.connect("tcp://") as client, pytest.raises(ConnectionResetError):
        read_to_end(client)
    server.wait_for_text(r"^weir: warning: stream: read /proc/\d+/mem: input/output error: cut off$")
    listener = Listener(server.address("http"))
    expected = 2 * (kept / "bare" / "1 cbr.mp3").read_bytes()
    assert listener.read(len(expected)) == expected
    listener.close()
    server.wait_for_text(r"^weir: warning: radio: read /proc/\d+/mem: input/output error: on to the next$")


def test_standard_input_goes_to_one_at_a_time(serve, kept):
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb", buffering=0) as sink:
        server = serve("stream", "tcp://127.0.0.1:0", "--media", "-", stdin=source)
        with server.connect() as first:
            sink.write(b"begun")
            assert first.recv(100) == b"begun"
            assert receive(server) == b""
            server.wait_for_text(r"^weir: warning: stream: standard input goes to another: nothing of it for tcp://")
            data = (kept / "music" / "1 cbr.mp3").read_bytes()
            writer = threading.Thread(target=lambda: (sink.write(data), sink.close()))
            writer.start()
            assert read_to_end(first) == data
            writer.join()
        assert receive(server) == b""
        server.wait_for_text(r"^weir: warning: stream: standard input has ended: nothing of it for tcp://")


def test_without_media_a_tone(serve, tmp_path):
    data = receive(serve("stream", "tcp://127.0.0.1:0"))
    assert len(data) == 12 * 81920
    path = tmp_path / "tone.mp3"
    path.write_bytes(data)
    for command in (["madplay", "-Q", "-o", "null:", path], ["mpg123", "-q", "-t", path],
                    ["ffmpeg", "-v", "warning", "-f", "mp3", "-i", path, "-f", "null", "-"]):
        said = run(*command).stderr.decode()
        assert [line for line in said.splitlines() if "Estimating duration" not in line] == []


def test_the_tone_repeats_without_a_click(serve):
    """It is quiet, and no sample is far from where those before it lead."""
    pcm = decode(receive(serve("stream", "tcp://127.0.0.1:0"))[:3 * 81920])
    samples = memoryview(pcm).cast("h")[4000:-4000]
    assert len(samples) > 600_000 and max(samples) > 500
    bends = [samples[at - 1] - 2 * samples[at] + samples[at + 1] for at in range(1, len(samples) - 1)]
    assert max(map(abs, bends)) < 40, max(map(abs, bends))


# --- the radio ---

def test_radio_joins_frames(serve, kept, music):
    """Tags and what is no audio are left out; what is no music is skipped with a line, once a round."""
    (music / "11 broken.mp3").write_bytes(b"this is no music" * 1000)
    (music / "cover.jpg").write_bytes(b"no music")
    server = serve("stream", "http://127.0.0.1:0", "--media", music, "--no-loop", *LARGE)
    listener = Listener(server.address("http"))
    assert listener.fields["content-type"] == "audio/mpeg"
    expected = joined(kept / "bare")
    assert listener.read(len(expected)) == expected
    listener.close()
    server.wait_for_text(r"^weir: warning: radio: .*/11 broken\.mp3: there is no MPEG audio in it: skipped$")
    assert "cover" not in server.text


def test_radio_ends_with_no_loop(serve, kept):
    server = serve("stream", "http://127.0.0.1:0", "--media", kept / "music" / "1 cbr.mp3", "--no-loop")
    address = server.address("http")
    listener = Listener(address)
    expected = (kept / "bare" / "1 cbr.mp3").read_bytes()
    assert listener.read(len(expected)) == expected
    wait_until(lambda: not mounts(address))
    listener.close()


def test_radio_shuffles(serve, kept):
    server = serve("stream", "http://127.0.0.1:0", "--media", kept / "music", "--no-loop", "--shuffle", *LARGE)
    listener = Listener(server.address("http"))
    data = listener.read(len(joined(kept / "bare")))
    listener.close()
    places = sorted((data.find((kept / "bare" / name).read_bytes()), name) for name in FILES)
    assert places[0][0] == 0
    assert joined(kept / "bare", [name for _, name in places]) == data


def test_radio_has_titles(serve, kept):
    for name, title in (("1 cbr.mp3", "Björk - One"), ("2 vbr.mp3", "Two"), ("10 low.mp3", "10 low")):
        server = serve("stream", "http://127.0.0.1:0", "--media", kept / "music" / name)
        listener = Listener(server.address("http"), fields=ICY)
        interval = int(listener.fields["icy-metaint"])
        listener.read(interval)
        assert f"StreamTitle='{title}';".encode() in listener.read(16 * listener.read(1)[0])
        listener.close()
        assert mounts(server.address("http"))["radio"]["title"] == title


def test_radio_of_standard_input(serve, kept):
    with open(kept / "music" / "1 cbr.mp3", "rb") as source:
        server = serve("stream", "http://127.0.0.1:0", "--media", "-", *LARGE, stdin=source)
        listener = Listener(server.address("http"))
        expected = (kept / "bare" / "1 cbr.mp3").read_bytes()
        assert listener.read(len(expected)) == expected
        listener.close()


def test_media_are_looked_at_again(serve, kept, tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    shutil.copy(kept / "music" / "1 cbr.mp3", folder / "1.mp3")
    server = serve("stream", "tcp://127.0.0.1:0", "http://127.0.0.1:0", "--media", folder)
    listener = Listener(server.address("http"), fields=ICY)
    shutil.copy(kept / "music" / "2 vbr.mp3", folder / "2.mp3")
    server.signal(signal.SIGHUP)
    listener.read_title("Two")
    listener.close()
    assert receive(server) == joined(folder, ["1.mp3", "2.mp3"])
    shutil.rmtree(folder)
    server.signal(signal.SIGHUP)
    server.wait_for_text(r"^weir: error: read .*/music: no such file or directory: the media stay as they were$")


def test_radio_with_nothing_to_play(serve, tmp_path):
    (tmp_path / "x.mp3").write_bytes(b"nothing")
    server = serve("stream", "http://127.0.0.1:0", "--media", tmp_path)
    assert get(server.address("http"), "/status.json")[0] == 200
    server.wait_for_text(r"^weir: error: radio: nothing of the media can be played; they are tried again")


PLAYERS = {
    "ffmpeg": ["ffmpeg", "-v", "error", "-xerror", "-i", "%s", "-t", "2", "-f", "null", "-"],
    "mpg123": ["mpg123", "-q", "-t", "-n", "80", "%s"],
    "mpv": ["mpv", "--no-config", "--no-video", "--ao=null", "--untimed", "--length=2", "--msg-level=all=warn", "%s"],
    "madplay": ["sh", "-c", f"{WEIR} pull --duration 2 %s 2>/dev/null | madplay -Q -o null: -"],
}


# Those that take as long as the music does are shown less of it.
PLAYED = [("tone", player) for player in PLAYERS] + [("2 vbr.mp3", player) for player in ("ffmpeg", "mpg123", "mpv")]


@pytest.mark.parametrize("media, player", [*PLAYED, ("10 low.mp3", "mpg123"), ("sub/3 lowest.mp3", "ffmpeg")])
def test_players_play_the_radio(serve, kept, media, player):
    options = () if media == "tone" else ("--media", kept / "music" / media)
    server = serve("stream", "http://127.0.0.1:0", *options)
    url = server.endpoint("http") + "/radio"
    result = run(*[word.replace("%s", url) for word in PLAYERS[player]])
    said = [line for line in result.stderr.decode().splitlines() if line and "Estimating duration" not in line]
    assert said == [], said


# --- what cannot be ---

@pytest.mark.parametrize("path, reason", [("missing", "no such file or directory"), ("", "there are no files in it"),
                                          ("pipe", "it is neither a file nor a folder")])
def test_no_media(weir, tmp_path, path, reason):
    folder = tmp_path / "empty"
    folder.mkdir()
    if path == "pipe":
        os.mkfifo(folder / path)
    result = weir("serve", "stream", "tcp://127.0.0.1:0", "--media", folder / path)
    assert result.returncode in (1, 2)
    assert result.stderr.decode().endswith(f"{reason}\n") and result.stderr.count(b"\n") == 1, result.stderr


def test_a_reader_that_stops_holds_up_nobody(serve, kept, tmp_path):
    """Neither another client nor the stop."""
    large = tmp_path / "large.mp3"
    large.write_bytes(joined(kept / "bare", ["1 cbr.mp3"]) * 400)
    server = serve("stream", "tcp://127.0.0.1:0", "--media", large, "--drain-timeout", "1s")
    with socket.create_connection(server.address()) as idle:
        assert idle.recv(1)
        assert receive(server) == large.read_bytes()

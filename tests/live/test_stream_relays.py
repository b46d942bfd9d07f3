"""weir serve stream as a relay of others: on demand, from the first that can be had, again when it is gone."""
import http.client
import itertools
import os
import socket
import subprocess
import time

import pytest

from conftest import seconds
from streaming import Listener, Source, frames, get, make_audio, mounts, passwords, wait_until


@pytest.fixture(scope="session")
def mp3(tmp_path_factory):
    path = tmp_path_factory.mktemp("audio") / "live.mp3"
    return make_audio(path, "-b:a", "64k", "-write_xing", "0", "-id3v2_version", "0").read_bytes()


@pytest.fixture
def upstream(serve, tmp_path):
    """A weir that a source sends to."""
    return serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path))


def url_of(address, path="/live", credentials=""):
    return f"http://{credentials}{address[0]}:{address[1]}{path}"


def relaying(serve, *urls, mount="/far", options=()):
    server = serve("stream", "http://127.0.0.1:0", *(word for url in urls for word in ("--relay", f"{url}={mount}")),
                   *options)
    return server, server.address("http")


def live_frames(body):
    """Frames of the source's bitrate; the radio's, which are heard until it is there, apart."""
    return [frame for frame in frames(body) if frame.bitrate == 64]


def is_on(address, mount="far"):
    return mounts(address).get(mount, {}).get("total_bytes_read", 0) > 2000


def test_a_mount_is_relayed_with_its_titles_while_somebody_listens(serve, upstream, mp3):
    address = upstream.address("http")
    source = Source(address, fields=["ice-name: Far away", "ice-bitrate: 64"])
    assert source.read_head().status == 200
    source.play(mp3)
    wait_until(lambda: is_on(address, "live"))
    server, here = relaying(serve, url_of(address))
    assert "far" not in mounts(here) and mounts(address)["live"]["listeners"] == 0  # nobody has asked
    first = Listener(here, "/far")
    first.read_until(lambda body: len(live_frames(body)) > 50)
    second = Listener(here, "/far", fields=["Icy-MetaData: 1"])
    assert second.fields["icy-name"] == "Far away" and second.fields["icy-br"] == "64"
    assert mounts(address)["live"]["listeners"] == 1  # for both of them
    subprocess.run(["curl", "-sf", "-u", "source:hackme", url_of(address, "/admin/metadata?mode=updinfo&mount=/live"
                                                                 "&song=a+title")], check=True, capture_output=True)
    second.read_title("a title")
    first.close()
    second.close()
    wait_until(lambda: mounts(address)["live"]["listeners"] == 0, 30)  # let go a while after the last
    assert "far" not in mounts(here)
    server.wait_for_text(r"^weir: stream: /far: the relay has ended")
    source.close()


def test_the_next_is_tried_where_one_is_not_there(serve, upstream, refused, mp3):
    address = upstream.address("http")
    source = Source(address).read_head()
    source.play(mp3)
    wait_until(lambda: is_on(address, "live"))
    server, here = relaying(serve, refused.replace("tcp://", "http://name:secret@") + "/x", url_of(address, "/nothing"),
                            url_of(address))
    listener = Listener(here, "/far")
    listener.read_until(lambda body: len(live_frames(body)) > 50)
    server.wait_for_text(r"^weir: warning: stream: /far: .*refused")
    server.wait_for_text(r"^weir: warning: stream: /far: .*it answers 404")
    assert "secret" not in server.text
    listener.close()
    source.close()


def test_the_next_is_tried_where_one_sends_no_audio(serve, upstream, peer, mp3):
    address = upstream.address("http")
    source = Source(address).read_head()
    source.play(mp3)
    wait_until(lambda: is_on(address, "live"))

    def talk(connection):
        connection.recv(65536)
        connection.sendall(b"ICY 200 OK\r\ncontent-type: audio/mpeg\r\n\r\n" + 1000 * b"x")

    server, here = relaying(serve, url_of(peer(talk).name, "/"), url_of(address))
    listener = Listener(here, "/far")
    listener.read_until(lambda body: len(live_frames(body)) > 50)
    server.wait_for_text(r"has ended, 1000 bytes, of which \d+ were not audio")
    listener.close()
    source.close()


def test_it_comes_back(serve, peer, mp3):
    """What it is fetched from, an old Shoutcast, ends and is there again; who listens stays."""
    connections = itertools.count(1)

    def talk(connection):
        assert b"icy-metadata: 1\r\n" in connection.recv(65536).lower()
        connection.sendall(b"ICY 200 OK\r\nicy-name: old\r\nicy-br: 64\r\ncontent-type: audio/mpeg\r\n\r\n")
        last = next(connections) == 1
        for at in range(0, len(mp3) if last else 100 * len(mp3), 2000):
            connection.sendall((mp3 + mp3)[at % len(mp3):][:2000])
            time.sleep(0.02)

    server, here = relaying(serve, url_of(peer(talk).name, "/"))
    listener = Listener(here, "/far")
    listener.read_until(lambda body: len(live_frames(body)) > 50)
    server.wait_for_text(r"^weir: stream: /far: the relay has ended, \d+ bytes")
    server.wait_for_text(r"(?s)has ended.*^weir: stream: /far: relayed from")
    listener.read_until(lambda body: body.count(b"\xff\xfb\x50") + body.count(b"\xff\xfb\x52") > 50)
    assert mounts(here)["far"]["server_name"] == "old"
    listener.close()


ICECAST = """<icecast>
  <limits><clients>50</clients><sources>2</sources><queue-size>524288</queue-size><client-timeout>30</client-timeout>
    <header-timeout>15</header-timeout><source-timeout>10</source-timeout><burst-size>16384</burst-size></limits>
  <authentication><source-password>hackme</source-password><admin-user>admin</admin-user>
    <admin-password>hackme</admin-password></authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths><basedir>/</basedir><logdir>/</logdir><webroot>/nonexistent</webroot><adminroot>/nonexistent</adminroot>
    </paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>2</loglevel></logging>
  <security><chroot>0</chroot>{owner}</security>
</icecast>
"""


@pytest.fixture
def icecast(tmp_path):
    """An icecast2 on a port that was free; as another user where this one is root, which it does not run as."""
    owner = "<changeowner><user>nobody</user><group>nogroup</group></changeowner>" if os.geteuid() == 0 else ""
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            address = probe.getsockname()
        settings = tmp_path / "icecast.xml"
        settings.write_text(ICECAST.format(port=address[1], owner=owner))
        process = subprocess.Popen(["icecast2", "-c", str(settings)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if wait_until(lambda: process.poll() is not None or answers(address)) and process.poll() is None:
            break
    yield address
    process.terminate()
    process.wait(seconds(20))


def answers(address):
    """Whether it answers requests: it listens before it does."""
    try:
        return get(address, "/")[0] > 0
    except (OSError, http.client.HTTPException):
        return False


def test_icecast_is_relayed(serve, icecast, mp3):
    source = Source(icecast, fields=["ice-name: ice"]).read_head()
    assert source.status in (100, 200)
    source.play(mp3)
    server, here = relaying(serve, url_of(icecast))
    listener = Listener(here, "/far")
    listener.read_until(lambda body: len(live_frames(body)) > 50)
    assert mounts(here)["far"]["server_name"] == "ice"
    listener.close()
    source.close()


@pytest.mark.parametrize("relay,words", [
    ("http://example.org/x", "URL=/MOUNT is wanted"), ("=/far", "URL=/MOUNT is wanted"),
    ("ftp://example.org/x=/far", "ftp"), ("http://example.org/x=/radio", "no mount may be called so"),
    ("http://example.org/x=/status.json", "no mount may be called so")])
def test_relays_that_are_none(weir, relay, words):
    ended = weir("serve", "stream", "http://127.0.0.1:0", "--relay", relay)
    assert ended.returncode == 2 and words in ended.stderr.decode() and ended.stderr.count(b"\n") == 1

"""Listeners of weir serve stream: what their answers say, and that one who reads nothing is nobody's trouble but its own."""
import signal
import socket
import struct
import threading
import time

import pytest

from conftest import seconds
from streaming import Listener, Source, frames, get, mounts, passwords, wait_until

DEAF = 50
FRAME_320 = 1044  # bytes of a frame of 320 kbit/s


@pytest.fixture
def radio(serve):
    return serve("stream", "http://127.0.0.1:0", "--name", "the radio", "--genre", "tones").address("http")


# --- answers ---


@pytest.mark.parametrize("asked", ["bytes=0-1", "bytes=0-", "bytes=100-200"])
def test_a_range_of_a_stream_is_all_of_it(radio, asked):
    listener = Listener(radio, fields=[f"Range: {asked}"])
    assert listener.status == 200
    assert "content-length" not in listener.fields and "content-range" not in listener.fields
    assert len(frames(listener.read(20000))) > 40


def test_an_answer_says_what_players_and_pages_need(radio):
    fields = Listener(radio).fields
    assert fields["content-type"] == "audio/mpeg"
    assert fields["icy-name"] == "the radio" and fields["icy-genre"] == "tones" and fields["icy-br"] == "128"
    assert fields["access-control-allow-origin"] == "*"
    assert "icy-metaint" in fields["access-control-expose-headers"] and "no-store" in fields["cache-control"]
    assert "icy-metaint" not in fields
    assert int(Listener(radio, fields=["Icy-MetaData: 1"]).fields["icy-metaint"]) > 0


def test_a_head_has_no_body_and_a_preflight_is_answered(radio):
    status, fields, body = get(radio, "/radio", "HEAD")
    assert (status, fields["content-type"], body) == (200, "audio/mpeg", b"")
    status, fields, _ = get(radio, "/radio", "OPTIONS", {"Origin": "http://elsewhere.example",
                                                         "Access-Control-Request-Method": "GET"})
    assert status == 204 and fields["access-control-allow-origin"] == "*"
    assert "GET" in fields["access-control-allow-methods"] and "Icy-MetaData" in fields["access-control-allow-headers"]


def test_the_end_of_the_service_is_an_end(serve):
    server = serve("stream", "http://127.0.0.1:0")
    listener = Listener(server.address("http"), fields=["Icy-MetaData: 1"])
    assert listener.read(1000)
    server.signal(signal.SIGTERM)
    assert listener.at_end()
    listener.close()
    assert server.wait() == 0


# --- who does not read ---


class Numbered:
    """A source of a MB a second, of frames with numbers, until it is told to stop."""

    def __init__(self, address):
        self.source, self.stopped = Source(address), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        number = 0
        while not self.stopped.wait(0.05):
            data = b""
            for number in range(number + 1, number + 51):
                data += b"\xff\xfb\xe0\x64" + struct.pack(">Q", number).ljust(FRAME_320 - 4, b"\x55")
            self.source.send(data)

    def stop(self):
        self.stopped.set()
        self.thread.join(seconds(20))
        self.source.close()


def deaf_listener(address):
    """Asks, and never reads."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.settimeout(seconds(20))
    deaf.connect(address)
    deaf.sendall(b"GET /live HTTP/1.1\r\nHost: deaf\r\n\r\n")
    return deaf


def numbers_of(body):
    return [struct.unpack(">Q", frame.data[4:12])[0] for frame in frames(body)]


def test_who_never_reads_is_given_up_and_holds_up_nobody(serve, tmp_path):
    address = serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path), "--queue", "32m",
                    "--write-timeout", "1s").address("http")
    source = Numbered(address)
    wait_until(lambda: mounts(address).get("live", {}).get("total_bytes_read", 0) > FRAME_320)
    listener = Listener(address, "/live")
    deaf = [deaf_listener(address) for _ in range(DEAF)]
    body, end = b"", time.monotonic() + seconds(60)
    while mounts(address)["live"]["slow_listeners"] < DEAF:
        assert time.monotonic() < end, mounts(address)["live"]
        body += listener.read(1000000)
    told = mounts(address)["live"]
    assert told["listeners"] == 1 and told["skipped"] == 0
    heard = numbers_of(body)
    assert heard == list(range(heard[0], heard[0] + len(heard)))
    source.stop()
    for each in deaf:
        each.close()


def test_who_is_behind_is_set_forward_at_a_frame(serve, tmp_path):
    address = serve("stream", "http://127.0.0.1:0", "--source-password-file", passwords(tmp_path), "--queue",
                    "128k").address("http")
    source = Numbered(address)
    wait_until(lambda: mounts(address).get("live", {}).get("total_bytes_read", 0) > FRAME_320)
    slow = deaf_listener(address)
    wait_until(lambda: mounts(address)["live"]["skipped"] > 2, timeout=60)
    end, body = time.monotonic() + seconds(60), b""
    while time.monotonic() < end:
        body += slow.recv(65536)
        heard = numbers_of(body.partition(b"\r\n\r\n")[2])
        gaps = sum(two != one + 1 for one, two in zip(heard, heard[1:]))
        if gaps:
            break
    assert gaps and all(two > one for one, two in zip(heard, heard[1:]))
    source.stop()
    slow.close()

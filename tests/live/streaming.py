"""What the tests of streams share: audio, sources and listeners made of Python's sockets, and frames taken apart."""
import base64
import collections
import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time

import pytest

from conftest import Server, end_all, seconds

PASSWORDS = "# who may send\nsource:hackme\n/guarded keeper:of the mount\n"
BITRATES = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]  # of MPEG 1, layer III
RATES = [44100, 48000, 32000]
Frame = collections.namedtuple("Frame", "bitrate data")


def make_audio(path, *options, length=10, pitch=440):
    """A tone in whatever format the name of the file says, by ffmpeg."""
    subprocess.run(["ffmpeg", "-loglevel", "error", "-f", "lavfi", "-i", f"sine=frequency={pitch}:duration={length}",
                    "-ar", "44100", "-ac", "2", *options, "-y", str(path)], check=True, timeout=seconds(60),
                   stdin=subprocess.DEVNULL)
    return path


def passwords(folder, text=PASSWORDS):
    path = folder / "passwords"
    path.write_text(text)
    os.chmod(path, 0o600)
    return path


def frames(data):
    """The frames of MPEG 1, layer III that data consist of, the last of which may be cut; anything else fails."""
    found, at = [], 0
    while at + 4 <= len(data):
        head = int.from_bytes(data[at:at + 4], "big")
        assert head >> 17 == 0x7ffd, f"no frame at {at} of {len(data)}: {data[at:at + 8].hex()}"
        bitrate, rate = BITRATES[head >> 12 & 15], RATES[head >> 10 & 3]
        length = 144000 * bitrate // rate + (head >> 9 & 1)
        if at + length <= len(data):
            found.append(Frame(bitrate, data[at:at + length]))
        at += length
    return found


class Talk:
    """A connection to an HTTP server: what was sent is up to the test; the answer's head is read apart."""

    def __init__(self, address, request):
        self.socket = socket.create_connection(address, timeout=seconds(20))
        self.socket.sendall(request)
        self.status, self.reason, self.fields, self.kept = None, None, {}, b""

    def read_head(self):
        while b"\r\n\r\n" not in self.kept:
            data = self.socket.recv(65536)
            assert data, f"an end in the head: {self.kept!r}"
            self.kept += data
        head, _, self.kept = self.kept.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        _, status, self.reason = first.split(" ", 2)
        self.status = int(status)
        self.fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return self

    def read(self, size):
        """Exactly so much of the body; less at its end."""
        while len(self.kept) < size:
            data = self.socket.recv(65536)
            if not data:
                break
            self.kept += data
        taken, self.kept = self.kept[:size], self.kept[size:]
        return taken

    def read_until(self, condition, most=60):
        """Reads the body until a condition holds of all of it so far, which is returned."""
        end, body = time.monotonic() + seconds(most), b""
        while not condition(body):
            assert time.monotonic() < end, f"after {len(body)} bytes"
            data = self.read(max(1, len(self.kept)))
            assert data, f"the end after {len(body)} bytes"
            body += data
        self.kept = b""
        return body

    def at_end(self):
        """Reads to the end, which comes."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def quiet_address(tmp_path_factory):
    """Where one serves for all the tests of a file that leave it as it was."""
    folder = tmp_path_factory.mktemp("quiet")
    server = Server("serve", "stream", "http://127.0.0.1:0", "--source-password-file", passwords(folder))
    yield server.address("http")
    end_all([server])


def basic(credentials):
    return "Basic " + base64.b64encode(credentials.encode()).decode()


class Source(Talk):
    """A source that sends what and when a test wants."""

    def __init__(self, address, mount="/live", method="PUT", credentials="source:hackme", kind="audio/mpeg",
                 version="HTTP/1.1", fields=()):
        lines = [f"{method} {mount} {version}", f"Host: {address[0]}:{address[1]}", f"Content-Type: {kind}", *fields]
        if credentials is not None:
            lines.append(f"Authorization: {basic(credentials)}")
        super().__init__(address, "\r\n".join([*lines, "", ""]).encode())
        self.player = None

    def send(self, data):
        self.socket.sendall(data)

    def play(self, data):
        """Sends data over and over, some times as fast as they sound, until it is closed; as nobody waits for it."""
        def run():
            pieces = [data[at:at + 2000] for at in range(0, len(data), 2000)]
            with contextlib.suppress(OSError):
                while True:
                    for piece in pieces:
                        self.send(piece)
                        time.sleep(0.03)
        self.player = threading.Thread(target=run, daemon=True)
        self.player.start()

    def close(self):
        """Its end, in order."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        if self.player:
            self.player.join(seconds(20))
        super().close()

    def send_chunk(self, data):
        self.send(b"%x\r\n%s\r\n" % (len(data), data))


class Listener(Talk):
    def __init__(self, address, mount="/radio", method="GET", fields=()):
        lines = [f"{method} {mount} HTTP/1.1", f"Host: {address[0]}:{address[1]}", *fields]
        super().__init__(address, "\r\n".join([*lines, "", ""]).encode())
        self.read_head()

    def read_title(self, title, most=60):
        """Reads ICY until that is the title. Returns the audio that came before."""
        end, audio = time.monotonic() + seconds(most), b""
        interval = int(self.fields["icy-metaint"])
        while time.monotonic() < end:
            audio += self.read(interval)
            length = self.read(1)[0] * 16
            if length and f"StreamTitle='{title}';".encode() in self.read(length):
                return audio
        raise AssertionError(f"no title {title!r} in {len(audio)} bytes")


def get(address, path, method="GET", fields=None):
    """One request. Returns its status, fields and body."""
    connection = http.client.HTTPConnection(*address, timeout=seconds(20))
    try:
        connection.request(method, path, headers=fields or {})
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def mounts(address, path="/status-json.xsl"):
    """What is on by the status: the mounts' paths and what is said of each."""
    found = json.loads(get(address, path)[2])["icestats"].get("source", [])
    return {each["listenurl"].split("/", 3)[3]: each for each in (found if isinstance(found, list) else [found])}


def wait_until(condition, timeout=20):
    """Looks until a condition holds, and returns what it was."""
    end = time.monotonic() + seconds(timeout)
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)

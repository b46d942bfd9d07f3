"""What the live tests do with Python's sockets, beside what conftest.py has."""
import contextlib
import hashlib
import pathlib
import socket
import struct
import sys
import threading
import time

from conftest import seconds

# An exec of the program under special conditions; see there.
LAUNCH = (sys.executable, str(pathlib.Path(__file__).with_name("launch.py")))


def pattern(size, seed=0):
    """Bytes in which no part looks like another, the same for the same seed."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


def read_exactly(connection, size):
    """Exactly that many bytes, or fewer where the stream ends."""
    data = bytearray()
    while len(data) < size and (chunk := connection.recv(size - len(data))):
        data += chunk
    return bytes(data)


def read_to_end(connection):
    data = bytearray()
    while chunk := connection.recv(65536):
        data += chunk
    return bytes(data)


def is_echoed(connection, data):
    """Whether the bytes come back. Sends and receives at once, so that any number of them may be sent."""
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    answer = read_exactly(connection, len(data))
    sender.join(seconds(20))
    return answer == data


def reset(connection):
    """Closes so that the other side gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def fill(connection):
    """Sends until the other side takes nothing more for a while, or cuts it. Returns how much went. Leaves it non-blocking."""
    connection.setblocking(False)
    chunk, sent, last = bytes(65536), 0, time.monotonic()
    with contextlib.suppress(ConnectionError):
        while time.monotonic() - last < 0.3:
            try:
                sent += connection.send(chunk)
                last = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
    return sent


def is_cut(connection, timeout=10):
    """Waits for the end of a connection, by an end of the stream or a reset."""
    connection.settimeout(seconds(timeout))
    with contextlib.suppress(ConnectionError):
        while connection.recv(65536):
            pass
    return True


def eventually(condition, timeout=10):
    """Waits until a condition holds."""
    end = time.monotonic() + seconds(timeout)
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.01)


def foreign_address():
    """An IPv4 address of this machine that is not loopback, None where there is none. Nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("198.51.100.1", 9))
        address = probe.getsockname()[0]
        if not address.startswith("127."):
            return address
    return None

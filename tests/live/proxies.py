"""Proxies to go through: SOCKS 5 and HTTP ones of Python's, which note what they were asked for, and tinyproxy."""
import base64
import contextlib
import select
import socket
import struct
import subprocess
import sys
import threading

from conftest import environment, seconds


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise OSError("it has ended")
        data += piece
    return data


def read_head(connection):
    """Up to the empty line, and no further."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += read_exactly(connection, 1)
    return head


def pump(source, target):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def join(one, other):
    """Both directions, each to its own end."""
    back = threading.Thread(target=pump, args=(other, one), daemon=True)
    back.start()
    pump(one, other)
    back.join(seconds(20))


class Proxy:
    """
    What SOCKS and HTTP have in common. `names` are those that it knows, beside addresses, as HOST, PORT; `asked` is
    what it was asked for; `user` (name, password) is who may come in. As `peer` takes it: peer(Proxy(...)).
    """

    def __init__(self, names=None, user=None):
        self.names, self.user, self.asked = names or {}, user, []

    def reach(self, host, port):
        self.asked.append((host, port))
        address = self.names.get(host, (host, port))
        return socket.create_connection(address, timeout=seconds(20))

    def __call__(self, connection):
        target = self.meet(connection)
        if target:
            with target:
                join(connection, target)


class Socks(Proxy):
    """RFC 1928, 1929."""

    def let_in(self, connection):
        version, count = read_exactly(connection, 2)
        methods = read_exactly(connection, count)
        assert version == 5
        wanted = 2 if self.user else 0
        connection.sendall(bytes([5, wanted if wanted in methods else 255]))
        if wanted not in methods or not self.user:
            return wanted in methods
        name = read_exactly(connection, read_exactly(connection, 2)[1])
        password = read_exactly(connection, read_exactly(connection, 1)[0])
        right = (name.decode(), password.decode()) == self.user
        connection.sendall(bytes([1, not right]))
        return right

    def meet(self, connection):
        if not self.let_in(connection):
            return None
        *_, kind = read_exactly(connection, 4)
        if kind == 3:
            host = read_exactly(connection, read_exactly(connection, 1)[0]).decode()
        else:
            family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, read_exactly(connection, size))
        port, = struct.unpack("!H", read_exactly(connection, 2))
        try:
            target = self.reach(host, port)
        except ConnectionRefusedError:
            connection.sendall(b"\5\5\0\1\0\0\0\0\0\0")
            return None
        except OSError:
            connection.sendall(b"\5\4\0\1\0\0\0\0\0\0")
            return None
        connection.sendall(b"\5\0\0\3\4here\0\0")
        return target


class Http(Proxy):
    """CONNECT alone."""

    def meet(self, connection):
        head = read_head(connection).decode()
        if self.user:
            right = base64.b64encode(":".join(self.user).encode()).decode()
            if f"\r\nProxy-Authorization: Basic {right}\r\n" not in head:
                connection.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 4\r\n\r\nno!\n")
                return None
        host, _, port = head.split()[1].rpartition(":")
        try:
            target = self.reach(host.strip("[]"), int(port))
        except OSError:
            connection.sendall(b"HTTP/1.1 502 No Way\r\n\r\n<h1>no</h1>")
            return None
        connection.sendall(b"HTTP/1.1 200 Here you are\r\nX-Padding: " + b"x" * 3000 + b"\r\n\r\n")
        return target


@contextlib.contextmanager
def running(command, question, beginning):
    """
    A proxy that is another's program: `command` gives its words for a port. Yields HOST:PORT once it answers a
    question with that beginning. Somebody else may take the port that was free: then there is another.
    """
    for _ in range(10):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = subprocess.Popen(command(port), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=environment(), start_new_session=True)
        try:
            if answers(process, port, question, beginning):
                yield f"127.0.0.1:{port}"
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError("it does not start: " + " ".join(map(str, command(0))))


def answers(process, port, question, beginning):
    """Waits until it does; False where it has ended, as where another has taken the port."""
    for _ in range(int(seconds(1500))):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=seconds(5)) as conn:
            conn.sendall(question)
            if conn.recv(16).startswith(beginning):
                return process.poll() is None
        if process.poll() is not None:
            return False
        select.select([], [], [], 0.01)
    return False


def tinyproxy(folder, *lines):
    """A tinyproxy with these lines in its configuration."""
    def command(port):
        configuration = folder / "tinyproxy.conf"
        configuration.write_text("\n".join([f"Port {port}", "Listen 127.0.0.1", "Timeout 600", "MaxClients 50",
                                            f'LogFile "{folder}/tinyproxy.log"', *lines, ""]))
        return ["tinyproxy", "-d", "-c", configuration]

    return running(command, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.")


def ssh_dynamic(sshd):
    """ssh -D: a SOCKS proxy whose other end is an sshd's."""
    def command(port):
        return ["ssh", "-F", sshd.config, "-N", "-D", f"127.0.0.1:{port}", "-o", "ExitOnForwardFailure=yes", "-o",
                "BatchMode=yes", "-p", str(sshd.port), "127.0.0.1"]

    return running(command, b"\5\1\0", b"\5\0")


def main():
    """proxies.py socks5|http PORT: one of them for everybody on loopback, until it is ended."""
    proxy = {"socks5": Socks, "http": Http}[sys.argv[1]]()
    with socket.create_server(("127.0.0.1", int(sys.argv[2]))) as listener:
        print("ready", flush=True)
        while True:
            threading.Thread(target=serve_one, args=(proxy, listener.accept()[0]), daemon=True).start()


def serve_one(proxy, connection):
    with connection, contextlib.suppress(OSError):
        proxy(connection)


if __name__ == "__main__":
    main()

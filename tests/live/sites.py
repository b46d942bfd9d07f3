"""
HTTP servers of Python's for clients that are tested: what is answered is said byte for byte. Threads, on loopback.
"""
import contextlib
import re
import socket
import ssl

import pytest

from conftest import Peer


def head(status="200 OK", *fields, version="HTTP/1.1"):
    """The head of an answer."""
    return "\r\n".join([f"{version} {status}", *fields, "", ""]).encode()


def answer(body, *fields, status="200 OK"):
    """One whose length is said."""
    return head(status, f"Content-Length: {len(body)}", *fields) + body


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def metadata(text):
    """A block of ICY metadata, with its length byte."""
    text += bytes(-len(text) % 16)
    return bytes([len(text) // 16]) + text


def title(text):
    return metadata(b"StreamTitle='" + text + b"';")


def await_end(connection):
    """Ends our side and waits until the other has ended its: so that it reads all of it, and no reset."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


class Request:
    def __init__(self, text):
        self.text = text
        self.method, self.target, self.version = text.split("\r\n")[0].split(" ")

    def field(self, name):
        """A field's value; None where there is none."""
        match = re.search(rf"^{name}:[ \t]*(.*?)[ \t]*\r$", self.text, re.MULTILINE | re.IGNORECASE)
        return match and match.group(1)


class Site:
    """
    A server whose answers are what `reply(request)` returns: bytes, or a function that is called with the connection.
    After each the connection is closed. `requests` are those that came.
    """

    def __init__(self, reply, context=None, **options):
        self.reply, self.context, self.requests = reply, context, []
        self.peer = Peer(self._talk, **options)
        scheme = "https" if context else "http"
        host = "localhost" if context else "127.0.0.1"
        self.url = f"{scheme}://{host}:{self.peer.name[1]}"

    def _talk(self, connection):
        if not self.context:
            self._answer(connection)
            return
        with contextlib.suppress(ssl.SSLError), self.context.wrap_socket(connection, server_side=True) as secure:
            self._answer(secure)
            secure.unwrap()

    def _answer(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(65536)
            if not piece:
                return
            request += piece
        self.requests.append(Request(request.decode("latin-1")))
        reply = self.reply(self.requests[-1])
        if callable(reply):
            reply(connection)
        else:
            connection.sendall(reply)
        if not self.context:
            await_end(connection)

    def close(self):
        self.peer.close()


@pytest.fixture
def site():
    """Starts servers of HTTP: site(lambda request: answer(b"body")), or with a body alone."""
    sites = []

    def start(reply, **options):
        sites.append(Site(reply if callable(reply) else lambda _: reply, **options))
        return sites[-1]

    yield start
    for each in sites:
        each.close()

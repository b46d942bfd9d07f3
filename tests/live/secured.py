"""What the tests of TLS share: fixtures, to be imported by those that use them, and ends of Python's."""
import contextlib
import ssl

import pytest

from certificates import Authority, server_context
from conftest import seconds


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def certificate(authority):
    return authority.issue("server")


@pytest.fixture(scope="session")
def client_certificate(authority):
    return authority.issue("client", "a client", "DNS:client.test")


@pytest.fixture
def echo(serve, certificate):
    return serve("echo", "tls://127.0.0.1:0", "--cert", certificate)


@pytest.fixture
def secure_peer(peer, certificate):
    """A server of Python's by TLS: its endpoint, whose talk gets the TLS socket."""
    def start(talk, file=None, **options):
        context = server_context(file or certificate, **options)

        def shake(connection):
            with context.wrap_socket(connection, server_side=True) as client:
                talk(client)
        return peer(shake).endpoint.replace("tcp:", "tls:")
    return start


def answer(client):
    client.recv(100)
    client.sendall(b"an answer")
    client.unwrap()


def connect(server, context, **options):
    """A connection of Python's to a server of ours."""
    plain = server.connect("tls://127.0.0.1")
    try:
        return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False, **options)
    except BaseException:
        plain.close()
        raise


def end_side(client):
    """Python's ssl has no half-close: the close_notify goes, and what the other side still sends is read."""
    client.settimeout(seconds(10))
    with contextlib.suppress(ssl.SSLError):
        client.unwrap()


def failure(weir, endpoint, *options, status=1):
    """The one line that a client says."""
    done = weir("check", endpoint, *options)
    assert done.returncode == status
    return done.stderr.decode()

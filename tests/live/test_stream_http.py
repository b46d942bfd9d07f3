"""The HTTP of weir serve stream under clients that mean no good, and under such as know it well."""
import contextlib
import signal
import socket

import pytest

from conftest import seconds
from streaming import Talk, get

GET = b"GET /files/ HTTP/1.1\r\nHost: a\r\n"
POST = b"POST /files/ HTTP/1.1\r\nHost: a\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def server(serve):
    return serve("stream", "http://127.0.0.1:0", "--message-timeout", "1s")


def answers_to(address, request):
    """All that comes until the server ends the connection, which it is to do by itself or after our end."""
    with socket.create_connection(address, timeout=seconds(20)) as client:
        client.sendall(request)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := client.recv(65536):
                answer += data
    return answer


def statuses(answer):
    """The first lines of the answers; no body of ours holds one."""
    return [int(part.split(b" ", 1)[0]) for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("head, status", [
    (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
    (POST + b"Content-Length: 5, 5\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    (POST + b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 501),
    (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (POST + b"X: y\rContent-Length: 5\r\n\r\n", 400),
    (b"POST / HTTP/1.1\nHost: a\n\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/3.1\r\nHost: a\r\n\r\n", 505),
    (b"GET http://a\0b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
], ids=["both", "both turned round", "two lengths", "a list of lengths", "two codings", "a list of codings",
        "a space before the colon", "a bare LF", "a folded line", "a bare CR", "LFs alone", "two hosts", "no host",
        "HTTP/3.1", "a NUL"])
def test_smuggling(server, head, status):
    """One refusal, and the connection ends: nothing behind it is a request."""
    answer = answers_to(server.address("http"), head + SMUGGLED)
    assert statuses(answer) == [status] and b"\r\nConnection: close\r\n" in answer


def test_a_body_that_hides_a_request(server):
    """Within its length or its chunks it is none, and what follows it is one."""
    for body in (b"Content-Length: %d\r\n\r\n%s" % (len(SMUGGLED), SMUGGLED),
                 b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)):
        answer = answers_to(server.address("http"), POST + body + GET + b"Connection: close\r\n\r\n")
        assert statuses(answer) == [405, 200]


@pytest.mark.parametrize("request_, status", [
    (b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\n\r\n", 414),
    (b"GET /" + b"x" * 10_000_000, 414),
    (GET + b"X: " + b"y" * 10_000 + b"\r\n\r\n", 431),
    (GET + b"X: y\r\n" * 101 + b"\r\n", 431),
    (GET + b"X: y\r\n" * 1_000_000, 431),
    (GET + b"X: " + b"y" * 10_000_000, 431),
    (b"\r\n" * 1_000_000, 400),
], ids=["line", "endless line", "field", "fields", "endless fields", "endless field", "empty lines"])
def test_floods(server, request_, status):
    """What is too long is refused where that is seen; the answer may be lost to who only sends."""
    with socket.create_connection(server.address("http"), timeout=seconds(20)) as client:
        with contextlib.suppress(OSError):
            client.sendall(request_)
        answer = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                answer += data
    assert statuses(answer) in ([status], [] if len(request_) > 1_000_000 else [status])
    assert get(server.address("http"), "/files/")[0] == 200


def test_tls_at_a_port_of_http(server, weir):
    endpoint = server.endpoint("http://").replace("http:", "https:")
    done = weir("check", endpoint)
    assert done.returncode == 1 and f"tls {endpoint}: it does not speak TLS\n" in done.stderr.decode()


def test_slowloris(server):
    """Many who never finish a head are told so and end; who comes meanwhile is served."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(server.address("http"), timeout=seconds(20)))
                for _ in range(200)]
        for client in slow:
            client.sendall(GET)
        assert get(server.address("http"), "/files/")[0] == 200
        for client in slow:
            with contextlib.suppress(OSError):
                client.sendall(b"X: y\r\n")  # a byte more is no more time
        for client in slow:
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while data := client.recv(65536):
                    answer += data
            assert statuses(answer) in ([408], [])
    server.wait_for_counters("stream", errors_message_timeout=200)


def test_pipelining(server):
    paths = [b"/files/", b"/nothing", b"/status.json", b"/radio.m3u"] * 20
    requests = [b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths]
    answer = answers_to(server.address("http"), b"".join(requests))
    assert statuses(answer) == [200, 404, 200, 200] * 20


def test_requests_in_the_smallest_pieces(server):
    request = GET + b"\r\n" + POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with socket.create_connection(server.address("http"), timeout=seconds(20)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(request)):
            client.send(request[at:at + 1])
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while data := client.recv(65536):
            answer += data
    assert statuses(answer) == [200, 405]


def test_the_same_connection_again(server):
    talk = Talk(server.address("http"), b"")
    for number in range(50):
        talk.socket.sendall(b"HEAD /files/ HTTP/1.1\r\nHost: a\r\n\r\n" if number % 2 else GET + b"\r\n")
        talk.read_head()
        assert talk.status == 200
        if number % 2 == 0:
            talk.read(int(talk.fields["content-length"]))
    talk.close()


def test_who_waits_does_not_hold_up_the_end(server):
    """The drain lasts 30 seconds for those who are being answered; of these nobody is."""
    talks = [Talk(server.address("http"), GET + b"\r\n").read_head() for _ in range(5)]
    for talk in talks:
        talk.read(int(talk.fields["content-length"]))
    silent = socket.create_connection(server.address("http"), timeout=seconds(20))
    server.signal(signal.SIGTERM)
    for talk in talks:
        assert talk.at_end()
        talk.close()
    assert silent.recv(1) == b""
    silent.close()
    assert server.wait(20) == 0

"""TLS: the program as client, with Python's ssl at the other end; and the rest of the program."""
import contextlib
import os
import subprocess

import pytest

from certificates import Authority
from conftest import WEIR, Server, environment, seconds
from secured import (answer, authority, certificate, client_certificate, echo,  # pylint: disable=unused-import
                     failure, secure_peer)
from talk import pattern, read_to_end


def test_a_server_of_pythons(secure_peer, authority, weir):
    done = weir("ask", "--ca", authority.file, secure_peer(answer), "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"an answer", b"")


def test_an_answer_that_is_cut_is_told(secure_peer, authority, weir):
    def cut(client):
        client.recv(100)
        client.sendall(b"half an answ")
        os.close(client.detach())

    done = weir("ask", "--ca", authority.file, secure_peer(cut), "hello")
    assert (done.returncode, done.stdout) == (4, b"half an answ")
    assert b"without a close_notify" in done.stderr


def test_certificates_that_are_wrong_one_by_one(secure_peer, authority, weir, tmp_path):
    trust = "--ca", authority.file
    endpoint = secure_peer(answer, authority.issue("expired", days=-1))
    assert f"tls {endpoint}: its certificate has expired\n" in failure(weir, endpoint, *trust)
    endpoint = secure_peer(answer, authority.issue("elsewhere", "elsewhere", "DNS:elsewhere.test"))
    assert f"tls {endpoint}: its certificate is for another host\n" in failure(weir, endpoint, *trust)
    assert weir("check", endpoint, *trust, "--server-name", "elsewhere.test").returncode == 0
    endpoint = secure_peer(answer)
    assert f"tls {endpoint}: its certificate is of an unknown CA\n" in failure(weir, endpoint)
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "somebody else")
    assert "unknown CA" in failure(weir, endpoint, "--ca", other.file)
    done = weir("check", endpoint, "--insecure")
    assert done.returncode == 0 and b"INSECURE" in done.stderr


def test_every_address_of_a_name_shows_the_names_certificate(secure_peer, authority, weir):
    endpoint = secure_peer(answer, authority.issue("named", "localhost", "DNS:localhost"))
    named = endpoint.replace("127.0.0.1", "localhost")
    done = weir("check", "--all-addresses", "-4", "--ca", authority.file, named)
    assert done.returncode == 0, done.stderr


def test_login_serves_other_machines_by_tls(serve, weir, authority, certificate, tmp_path):
    users = tmp_path / "users.db"
    assert weir("user", "add", "anna", "--users", users, "--password-stdin", input=b"secret\n").returncode == 0
    refused = weir("serve", "login", "tcp://*:0", "--users", users)
    assert refused.returncode == 2 and b"tls://" in refused.stderr
    login = serve("login", "tls://*:0", "--cert", certificate, "--users", users)
    port = login.endpoint("tls://").rpartition(":")[2]
    done = weir("ask", "--ca", authority.file, "--timeout", "20s", f"tls://localhost:{port}", "anna secret")
    assert done.stdout.startswith(b"hi anna")


def test_a_server_that_does_not_speak_tls(peer, weir, authority, serve):
    endpoint = peer(lambda connection: (connection.sendall(b"220 hello\r\n"), read_to_end(connection))).endpoint
    endpoint = endpoint.replace("tcp:", "tls:")
    assert f"tls {endpoint}: it does not speak TLS\n" in failure(weir, endpoint)
    echo = serve("echo", "tcp://127.0.0.1:0").endpoint().replace("tcp:", "tls:")
    assert f"tls {echo}: it does not speak TLS\n" in failure(weir, echo)


def page(client):
    client.recv(1000)
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")


def test_https_and_http_are_endpoints_too(secure_peer, peer, authority, weir):
    def secure_page(client):
        page(client)
        client.unwrap()

    endpoint = secure_peer(secure_page).replace("tls:", "https:")
    trust = "--ca", authority.file
    assert weir("check", endpoint, *trust).returncode == 0
    assert weir("check", endpoint + "/", *trust).returncode == 0
    assert f"tls {endpoint}: its certificate is of an unknown CA\n" in failure(weir, endpoint)
    request = "GET / HTTP/1.0\r\n\r\n"
    assert weir("ask", *trust, endpoint, request).stdout.endswith(b"hello")
    plain = peer(page).endpoint.replace("tcp:", "http:")
    assert weir("ask", plain, request).stdout.endswith(b"hello")
    assert weir("connect", plain + "/", input=request.encode()).stdout.endswith(b"hello")
    plain = plain.replace("http:", "https:")
    assert f"tls {plain}: it does not speak TLS\n" in failure(weir, plain)


def test_a_server_that_says_nothing_or_goes(peer, weir):
    silent = peer(read_to_end).endpoint.replace("tcp:", "tls:")
    done = weir("ask", silent, "hello", "--timeout", f"{seconds(1)}s")
    assert done.returncode == 3 and b"handshake" in done.stderr
    gone = peer(lambda connection: connection.recv(1000)).endpoint.replace("tcp:", "tls:")
    done = weir("ask", gone, "hello")
    assert done.returncode == 4


# --- the rest of the program ---

def test_relay_puts_tls_before_a_server_and_takes_it_from_a_client(serve, weir, authority, certificate):
    echo = serve("echo", "tcp://127.0.0.1:0")
    with contextlib.ExitStack() as stack:
        outer = Server("relay", "tls://127.0.0.1:0", echo.endpoint(), "--cert", certificate, quiet=True)
        stack.callback(outer.kill)
        tls = outer.wait_for_text(r"(tls://127\.0\.0\.1:\d+)").group(1)
        inner = Server("relay", "tcp://127.0.0.1:0", tls, "--ca", authority.file, quiet=True)
        stack.callback(inner.kill)
        plain = inner.wait_for_text(r"(tcp://127\.0\.0\.1:\d+)").group(1)
        data = pattern(2_000_000)
        done = weir("connect", plain, input=data)
        assert (done.returncode, done.stdout == data) == (0, True)
        inner.stop()
        outer.stop()


def test_listen_and_bench(echo, weir, authority, certificate):
    listening = subprocess.Popen([WEIR, "listen", "tls://127.0.0.1:0", "--cert", certificate], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True)
    with listening:
        line = listening.stderr.readline().decode()
        endpoint = "tls://" + line.split("tls://")[1].strip()
        done = weir("connect", endpoint, "--ca", authority.file, input=b"from the client")
        assert done.returncode == 0
        assert listening.stdout.read() == b"from the client"
        assert listening.wait(seconds(20)) == 0
    done = weir("bench", echo.endpoint(), "--ca", authority.file, "--duration", "200ms", "--connections", "4", "--json")
    assert done.returncode == 0


def test_every_service_of_streams_takes_it(serve, weir, authority, certificate):
    greet = serve("greet", "tls://127.0.0.1:0", "--cert", certificate)
    assert weir("ask", "--ca", authority.file, greet.endpoint(), "Ada").stdout.startswith(b"hi Ada")
    menu = serve("menu", "tls://127.0.0.1:0", "--cert", certificate)
    assert b"weir" in weir("ask", "--ca", authority.file, menu.endpoint(), "L").stdout


@pytest.mark.parametrize("arguments,words", [
    (["serve", "echo", "tls://127.0.0.1:0"], "must have a certificate"),
    (["serve", "echo", "tls://127.0.0.1:0", "--key", "{server}"], "must have a certificate"),
    (["serve", "echo", "tcp://127.0.0.1:0", "--cert", "{server}"], "--cert is for tls:// and https:// endpoints"),
    (["serve", "echo", "tls://127.0.0.1:0", "--cert", "/nowhere.pem"], "No such file"),
    (["serve", "echo", "tls://127.0.0.1:0", "--cert", "{server}", "--key", "{client}"], "not the certificate's"),
    (["ask", "tcp://127.0.0.1:1", "--insecure", "x"], "--insecure is for tls:// and https:// endpoints"),
    (["bench", "tcp://127.0.0.1:1", "--ca", "{server}"], "--ca is for tls:// and https:// endpoints"),
    (["relay", "tcp://127.0.0.1:0", "tcp://127.0.0.1:1", "--cert", "{server}"], "--cert is for tls:// and https:// endpoints"),
    (["listen", "tcp://127.0.0.1:0", "--cert", "{server}"], "--cert is for tls:// and https:// endpoints"),
])
def test_wrong_usage(weir, certificate, client_certificate, arguments, words):
    done = weir(*(word.format(server=certificate, client=client_certificate) for word in arguments))
    assert done.returncode == 2
    assert words in done.stderr.decode() and done.stderr.count(b"\n") == 1

"""TLS: the program as server and as client, with Python's ssl and openssl at the other end; what goes wrong, one by one."""
import contextlib
import os
import shutil
import signal
import ssl
import subprocess

import pytest

from certificates import Authority, server_context
from conftest import WEIR, Server, environment, seconds
from talk import eventually, pattern, read_exactly, read_to_end


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("server")


@pytest.fixture(scope="module")
def client_certificate(authority):
    return authority.issue("client", "a client", "DNS:client.test")


@pytest.fixture
def echo(serve, certificate):
    return serve("echo", "tls://127.0.0.1:0", "--cert", certificate)


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


# --- servers ---

@pytest.mark.parametrize("backend,model", [("uring", "fiber"), ("epoll", "fiber"), ("epoll", "thread"),
                                           ("epoll", "iterative")])
def test_a_client_of_pythons(serve, authority, certificate, backend, model):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--backend", backend, "--model", model)
    with connect(server, authority.client()) as client:
        for size in 1, 100, 16384, 16385, 1_000_000:
            assert is_echoed_by_tls(client, size)
        end_side(client)
    server.wait_for_counters(accepted=1, active=0, errors_tls=0, errors_reset=0)


def is_echoed_by_tls(client, size):
    """Python's TLS sockets are not for two threads at once: pieces there and back."""
    data = pattern(size)
    for at in range(0, size, 50_000):
        client.sendall(data[at:at + 50_000])
        assert read_exactly(client, len(data[at:at + 50_000])) == data[at:at + 50_000]
    return True


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_client(echo, authority, version):
    _, port = echo.address("tls://127.0.0.1")
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", authority.file, "-quiet",
                           "-verify_return_error", "-no_ign_eof", version], input=b"a line\n", capture_output=True,
                          timeout=seconds(20))
    assert b"verify return:1" in done.stderr
    echo.wait_for_counters(accepted=1, active=0, errors_tls=0)


def test_what_is_sent_before_the_end_comes_back(echo, authority):
    """By our own client: half-close, megabytes, to the last byte."""
    data = pattern(3_000_000)
    done = subprocess.run([WEIR, "connect", "--ca", authority.file, echo.endpoint()], input=data, capture_output=True,
                          timeout=seconds(30), env=environment())
    assert done.returncode == 0 and done.stdout == data
    echo.wait_for_counters(active=0, errors_reset=0)


def test_a_session_is_resumed_also_after_a_reload(serve, authority, tmp_path, certificate):
    mine = tmp_path / "mine.pem"
    shutil.copy(certificate, mine)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", mine)
    context, session = authority.client(), None
    for number in range(3):
        with connect(server, context, session=session) as client:
            assert client.session_reused == (number > 0)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            session = client.session
        if number == 1:
            since = len(server.text)
            mine.write_text("this is no certificate\n")
            server.signal(signal.SIGHUP)
            server.wait_for_text("the certificate stays as it was", since=since)
            shutil.copy(certificate, mine)
            server.signal(signal.SIGHUP)


def test_a_ticket_does_not_outlive_the_ca_of_its_client(serve, authority, tmp_path, certificate, client_certificate):
    trusted = tmp_path / "trusted.pem"
    shutil.copy(authority.file, trusted)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--client-ca", trusted)
    context = authority.client(client_certificate)
    session = None
    for number in range(2):
        with connect(server, context, session=session) as client:
            assert client.session_reused == (number > 0)
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            session = client.session
    (tmp_path / "other").mkdir()
    shutil.copy(Authority(tmp_path / "other", "somebody else").file, trusted)
    server.signal(signal.SIGHUP)

    def is_kept_out():
        try:
            with connect(server, context, session=session) as client:
                client.sendall(b"x")
                return client.recv(1) == b""
        except OSError:
            return True

    eventually(is_kept_out)


def shown_to(server, context):
    with connect(server, context) as client:
        return client.getpeercert()["serialNumber"]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_new_certificate_is_shown_after_sighup_and_nobody_is_dropped(serve, authority, tmp_path, certificate,
                                                                       processes):
    mine = tmp_path / "mine.pem"
    shutil.copy(certificate, mine)
    server = serve("echo", "tls://127.0.0.1:0", "--cert", mine, "--processes", processes)
    context = authority.client()
    with connect(server, context) as before:
        old = before.getpeercert()["serialNumber"]
        shutil.copy(authority.issue(f"renewed{processes}"), tmp_path / "next.pem")
        os.rename(tmp_path / "next.pem", mine)
        server.signal(signal.SIGHUP)
        eventually(lambda: all(shown_to(server, context) != old for _ in range(4)))
        before.sendall(b"still here")
        assert read_exactly(before, 10) == b"still here"


def test_only_clients_with_a_certificate(serve, authority, certificate, client_certificate, weir, tmp_path):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--client-ca", authority.file)
    ask = ["ask", "--ca", authority.file, server.endpoint(), "hello"]
    done = weir(*ask, "--cert", client_certificate)
    assert (done.returncode, done.stdout) == (0, b"hello")
    done = weir(*ask)
    assert done.returncode != 0 and b"wants a certificate of us" in done.stderr
    server.wait_for_text("it has shown no certificate")
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other", "somebody else").issue("client")
    done = weir(*ask, "--cert", stranger)
    assert done.returncode != 0 and b"unknown CA" in done.stderr
    server.wait_for_counters(errors_tls=2, active=0)


# --- what is no TLS, or not all of it ---

def test_a_client_that_speaks_plain_text(echo, authority):
    with echo.connect("tls://127.0.0.1") as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            read_to_end(client)
    echo.wait_for_text(r"^weir: warning: echo: tls tls://127\.0\.0\.1:\d+: it does not speak TLS \(1 such\)$")
    echo.wait_for_counters(errors_tls=1, active=0)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_a_client_of_an_old_protocol(echo):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(echo, context).close()
    echo.wait_for_text("1.2 is the least")


def test_a_client_that_goes_in_the_middle_of_the_handshake(echo):
    with echo.connect("tls://127.0.0.1") as client:
        client.sendall(b"\x16\x03\x01\x02\x00\x01")
    echo.wait_for_text("the other end has closed in the middle of the handshake")


def test_slow_handshakes_hold_up_nobody_and_end(serve, authority, certificate):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--message-timeout", "2s", "--workers", 1)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect("tls://127.0.0.1", timeout=20)) for _ in range(30)]
        for number, each in enumerate(slow):
            each.sendall(b"\x16\x03\x01\x02\x00\x01"[:number % 7])
        with connect(server, authority.client()) as client:
            client.sendall(b"hello")
            assert read_exactly(client, 5) == b"hello"
        for each in slow:
            with contextlib.suppress(ConnectionError):
                read_to_end(each)
    server.wait_for_counters(errors_tls=30, active=0)


def test_a_stop_cuts_who_has_not_shaken_hands(serve, certificate):
    server = serve("echo", "tls://127.0.0.1:0", "--cert", certificate, "--drain-timeout", "200ms", "--message-timeout",
                   "10m")
    with server.connect("tls://127.0.0.1"):
        server.wait_for_counters(active=1)
        server.stop()
        assert "errors_tls" not in server.text


def test_a_stream_that_is_cut_is_no_end(echo, authority):
    """Whoever sits in between can send a FIN; only the client can say that it has ended."""
    with connect(echo, authority.client()) as client:
        client.sendall(b"hello")
        assert read_exactly(client, 5) == b"hello"
        os.close(client.detach())
    echo.wait_for_counters(errors_reset=1, active=0)


# --- clients ---

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


def test_openssl_s_server(weir, authority, certificate):
    with subprocess.Popen(["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", certificate,
                           "-rev", "-naccept", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as server:
        try:
            port = next(line for line in server.stdout if line.startswith(b"ACCEPT")).split(b":")[-1].strip().decode()
            done = weir("ask", "--line", "--ca", authority.file, f"tls://127.0.0.1:{port}", "hello")
            assert done.stdout == b"olleh\n"
        finally:
            server.kill()


def failure(weir, endpoint, *options, status=1):
    """The one line that a client says."""
    done = weir("check", endpoint, *options)
    assert done.returncode == status
    return done.stderr.decode()


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


def test_a_server_that_says_nothing_or_goes(peer, weir):
    silent = peer(read_to_end).endpoint.replace("tcp:", "tls:")
    done = weir("ask", silent, "hello", "--timeout", "300ms")
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

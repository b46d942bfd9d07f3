"""weir serve threat and weir threat, with a feed of this machine: what it says, what is wrong with it, when it is asked."""
import contextlib
import re
import signal
import socket
import subprocess
import threading

import pytest

from conftest import run_weir, seconds
from feed import Feed, alert, alerts, make_certificates
from talk import eventually, read_to_end

TCP = "tcp://127.0.0.1:0"
NO_PROXY = {"no_proxy": "*"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder, "127.0.0.1")
    return folder


@pytest.fixture
def feed(certificates):
    with contextlib.closing(Feed(certificates)) as feed:
        yield feed


@pytest.fixture
def threat(serve, feed):
    """Starts a server for the feed: threat("--feed-ttl", "1s")"""
    def start(*options):
        return serve("threat", TCP, *feed.options, *options, env=NO_PROXY)

    return start


def print_threat(feed, *options):
    """What `weir threat` prints, its exit status, and what it says on stderr."""
    ended = run_weir("threat", *(options or feed.options), env=NO_PROXY)
    return ended.stdout.decode(), ended.returncode, ended.stderr.decode()


class Client:
    """Asks as the seed's client does, without newlines, or with those that it is given."""

    def __init__(self, server, end=b""):
        self.connection, self.end, self.rest = server.connect(timeout=20), end, b""

    def ask(self, message):
        """The answer, which without newlines is whatever comes at once, since it is sent at once."""
        self.connection.sendall(message.encode() + self.end)
        return self.hear()

    def hear(self):
        while self.end not in self.rest or not self.rest:
            data = self.connection.recv(4096)
            assert data, f"the end, behind {self.rest!r}"
            self.rest += data
        answer, _, self.rest = self.rest.partition(self.end) if self.end else (self.rest, b"", b"")
        return answer.decode()

    def ask_until(self, pattern):
        """The answer to getThreat, once it is of that form. What is on its way while a machine is slow comes later."""
        answers = []
        eventually(lambda: answers.append(self.ask("getThreat")) or re.fullmatch(pattern, answers[-1]), timeout=30)
        return answers[-1]

    def close(self):
        self.connection.close()


@contextlib.contextmanager
def client_of(server, end=b"\n"):
    with contextlib.closing(Client(server, end)) as client:
        yield client


# --- what the feed says ---

DAY = 86400
LEVELS = {
    "none": lambda: alerts(),
    "bulletin": lambda: alerts(alert("Bulletin")),
    "bulletin as NTAS": lambda: alerts(alert("NTAS Bulletin", quote="'")),
    "elevated": lambda: alerts(alert("Elevated Threat")),
    "imminent": lambda: alerts(alert("Imminent Threat")),
    "imminent of several": lambda: alerts(alert("Bulletin"), alert("Imminent Threat"), alert("Elevated Threat")),
    "imminent beside what is not known": lambda: alerts(alert("Purple Threat"), alert("Imminent Threat")),
    "none since it expired": lambda: alerts(alert("Imminent Threat", -2 * DAY, -DAY)),
    "none since it is to come": lambda: alerts(alert("Imminent Threat", DAY, 2 * DAY)),
    "elevated without end": lambda: alerts(alert("Elevated Threat", ends=None)),
    "bulletin that is left": lambda: alerts(alert("Imminent Threat", -2 * DAY, -DAY), alert("Bulletin", -DAY, DAY)),
}


@pytest.mark.parametrize("what", LEVELS)
def test_the_level_is_the_highest_that_is_in_force(feed, what):
    feed.body = LEVELS[what]()
    assert print_threat(feed) == (what.split()[0] + "\n", 0, "")


def bomb():
    entities = "".join(f'<!ENTITY e{i} "{"&e%d;" % (i - 1) * 10}">' for i in range(1, 10))
    return f'<!DOCTYPE alerts [<!ENTITY e0 "bulletin">{entities}]><alerts>&e9;</alerts>'.encode()


UNKNOWN = {
    "broken": (lambda: alerts(alert("Bulletin"))[:-20], {}, 200, r"line \d+: "),
    "empty": (lambda: b"", {}, 200, "line 1: Document is empty"),
    "another root": (lambda: b"<html><body/></html>", {}, 200, "not a list of alerts, but <html>"),
    "a sorry page as text": (lambda: b"<alerts>Sorry!</alerts>", {}, 200, "among the alerts there is text"),
    "an unknown type": (lambda: alerts(alert("Purple Threat")), {}, 200, "of no type that is known"),
    "a day that is none": (lambda: alerts('<alert start="2026/02/30 10:00"/>'), {}, 200, "without a start"),
    "an entity bomb": (bomb, {}, 200, "a DOCTYPE, which is refused"),
    "an external entity": (lambda: b'<!DOCTYPE alerts SYSTEM "file:///etc/passwd"><alerts/>', {}, 200, "a DOCTYPE"),
    "2 MB": (lambda: alerts(" " * 2_000_000), {}, 200, "more than 1048576 bytes"),
    "2 MB unannounced": (lambda: alerts(" " * 2_000_000), {"Content-Length": None}, 200, "more than 1048576 bytes"),
    "500": (lambda: alerts(), {}, 500, "HTTP status 500"),
    "404": (lambda: alerts(), {}, 404, "HTTP status 404"),
    "a redirection to http": (lambda: b"", {"Location": "http://127.0.0.1:9/"}, 302, "redirected to what is no https"),
    "a redirection to a file": (lambda: b"", {"Location": "file:///etc/passwd"}, 302, "redirected to what is no https"),
    "a redirection in a circle": (lambda: b"", {"Location": "/feed.xml"}, 302, "[Mm]aximum.*redirects"),
    "a long header": (lambda: alerts(), {"X-Long": "x" * 150_000}, 200, "a header of the answer is too long"),
    "a cut answer": (lambda: alerts(), {"Content-Length": 1000}, 200, "transfer closed|SSL"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_is_wrong_with_a_feed_makes_it_unknown(feed, what):
    body, feed.headers, feed.status, reason = UNKNOWN[what]
    feed.body = body()
    printed, status, said = print_threat(feed)
    assert (printed, status) == ("unknown\n", 1)
    assert re.fullmatch(rf"weir: (fetch|read) {re.escape(feed.url)}: .*({reason}).*\n", said), said


def test_an_answer_without_a_status_is_refused(feed):
    feed.reply = lambda handler: handler.wfile.write(alerts())
    _, status, said = print_threat(feed)
    assert status == 1 and "HTTP/0.9" in said


def test_redirections_by_https_are_followed(feed):
    feed.body = alerts(alert("Elevated Threat"))

    def redirect_once(handler):
        feed.reply = None
        handler.send_response(301)
        handler.send_header("Location", "/other.xml")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    feed.reply = redirect_once
    assert print_threat(feed) == ("elevated\n", 0, "")
    assert feed.requests == 2


def test_a_certificate_that_is_not_trusted_is_refused(feed):
    printed, status, said = print_threat(feed, "--feed", feed.url)
    assert (printed, status) == ("unknown\n", 1)
    assert re.fullmatch(r"weir: fetch https://.*: SSL certificate problem: .*\n", said), said
    assert feed.requests == 0


def test_a_certificate_for_another_name_is_refused(feed):
    printed, status, said = print_threat(feed, "--feed", feed.url.replace("127.0.0.1", "localhost"), *feed.options[2:])
    assert (printed, status) == ("unknown\n", 1)
    assert "SSL: no alternative certificate subject name" in said
    assert feed.requests == 0


def test_a_slow_feed_is_given_up(feed):
    released = threading.Event()
    feed.reply = lambda handler: released.wait(seconds(30))
    try:
        assert print_threat(feed, *feed.options, "--feed-timeout", "200ms") == (
            "unknown\n", 3, f"weir: fetch {feed.url}: timed out\n")
    finally:
        released.set()


def test_nobody_listens(refused):
    printed, status, said = print_threat(None, "--feed", refused.replace("tcp", "https"))
    assert (printed, status) == ("unknown\n", 1)
    assert re.fullmatch(r"weir: fetch https://127.0.0.1:\d+: .*(refused|connect).*\n", said, re.IGNORECASE), said


@pytest.mark.parametrize("command", [["threat"], ["serve", "threat", TCP]])
@pytest.mark.parametrize("options, reason", [
    (["--feed", "http://127.0.0.1/feed.xml"], r"--feed: http://127.0.0.1/feed.xml is no URL of the form https://.*"),
    (["--feed", "file:///etc/passwd"], r"--feed: file:///etc/passwd is no URL .*"),
    (["--feed", "feed"], r"--feed: feed is no URL .*"),
    (["--feed", "https://me:secret@127.0.0.1/"], r"--feed: an URL with a user's name .*"),
    (["--feed-ca", "/nowhere/ca.pem"], r"--feed-ca /nowhere/ca.pem: no such file or directory"),
    (["--feed-ca", "/"], r"--feed-ca /: not a regular file"),
    (["--feed-ca", __file__], r"--feed-ca .*: no certificate \(PEM\) is in it"),
    (["--feed-timeout", "soon"], r"--feed-timeout soon: .*"),
])
def test_wrong_usage_is_told_before_anything_is_fetched(command, options, reason):
    ended = run_weir(*command, *options)
    assert (ended.stdout, ended.returncode) == (b"", 2)
    assert re.fullmatch(f"weir: {reason}\n", ended.stderr.decode()), ended.stderr


# --- the conversation ---

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_conversation(threat, feed, end):
    feed.body = alerts(alert("Bulletin"))
    server = threat()
    with client_of(server, end) as client:
        assert re.fullmatch(TIME, client.ask("getTime"))
        assert feed.requests == 0  # nobody has asked for it yet
        assert client.ask_until("bulletin")
        assert client.ask("getthreat") == client.ask("getThreat now") == "unknown command"
        client.connection.sendall(b"disconnect" + end)
        assert read_to_end(client.connection) == b""
    assert feed.requests == 1


def test_the_end_of_the_stream_ends_it(threat):
    server = threat()
    with client_of(server) as client:
        client.connection.sendall(b"getTime\n")
        client.connection.shutdown(socket.SHUT_WR)
        assert re.fullmatch(TIME + "\n", read_to_end(client.connection).decode())


def test_nc_asks(threat, feed):
    server = threat()
    host, port = server.address()
    asked = subprocess.run(["nc", "-N", host, str(port)], input=b"getTime\ngetThreat\nfoo\ndisconnect\n",
                           capture_output=True, timeout=seconds(30))
    level = "(none|unknown: the feed has not answered yet)"
    assert re.fullmatch(rf"{TIME}\n{level}\nunknown command\n", asked.stdout.decode())


def test_every_model(threat, feed, model):
    feed.body = alerts(alert("Elevated Threat"))
    server = threat("--model", model)
    with client_of(server) as client:
        client.ask_until("elevated")


# --- when the feed is asked ---


def test_all_who_ask_at_once_are_answered_by_one_fetch_and_hold_up_nobody(threat, feed):
    feed.body = alerts(alert("Elevated Threat"))
    released = threading.Event()

    def late(handler):
        released.wait(seconds(30))
        feed.answer(handler)

    feed.reply = late
    server = threat("--feed-timeout", "never")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(client_of(server)) for _ in range(20)]
        for client in clients:
            client.connection.sendall(b"getThreat\n")
        eventually(lambda: feed.requests == 1)
        other = stack.enter_context(client_of(server))
        assert re.fullmatch(TIME, other.ask("getTime"))
        assert not released.is_set()
        released.set()
        # Who had to wait for too long is told so, and may ask again.
        for client in clients:
            if client.hear() != "elevated":
                client.ask_until("elevated")
    assert feed.requests == 1


def test_a_level_is_fetched_again_when_it_is_old(threat, feed):
    server = threat("--feed-ttl", "50ms")
    with client_of(server) as client:
        client.ask_until("none")
        feed.body = alerts(alert("Imminent Threat"))
        client.ask_until("imminent")
    assert feed.requests >= 2


def test_the_last_good_level_is_given_with_its_age_while_the_feed_fails(threat, feed):
    feed.body = alerts(alert("Elevated Threat"))
    server = threat("--feed-ttl", "50ms")
    with client_of(server) as client:
        client.ask_until("elevated")
        feed.status = 500
        client.ask_until(r"elevated, \d+ s old: HTTP status 500")
        server.wait_for_text(rf"^weir: warning: threat: fetch {re.escape(feed.url)}: HTTP status 500$")
        feed.status, feed.body = 200, alerts(alert("Bulletin"))
        client.ask_until("bulletin")
        server.wait_for_text("^weir: threat: the feed is there again$")


def test_without_a_good_one_it_is_unknown_and_the_feed_is_left_alone_for_a_while(threat, feed):
    feed.status = 503
    server = threat()
    with client_of(server) as client:
        client.ask_until("unknown: HTTP status 503")
        for _ in range(5):
            assert client.ask("getThreat") == "unknown: HTTP status 503"
    assert feed.requests == 1


def test_clients_are_not_told_where_the_certificates_are(serve, feed, tmp_path):
    file = tmp_path / "ca.pem"
    file.write_bytes(feed.options[3].read_bytes())
    server = serve("threat", TCP, *feed.options[:3], file, env=NO_PROXY)
    file.unlink()
    with client_of(server) as client:
        assert client.ask("getThreat") == "unknown: the certificates of --feed-ca cannot be read"
    assert feed.requests == 0


def test_it_stops_although_the_feed_hangs(threat, feed):
    released = threading.Event()
    feed.reply = lambda handler: released.wait(seconds(30))
    server = threat("--feed-timeout", "never", "--drain-timeout", "100ms")
    try:
        with client_of(server) as client:
            client.connection.sendall(b"getThreat\n")
            eventually(lambda: feed.requests == 1)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not released.is_set()
    finally:
        released.set()


def test_processes_each_ask_for_themselves(threat, feed):
    server = threat("--processes", "2")
    for _ in range(8):
        with client_of(server) as client:
            client.ask_until("none")
    assert feed.requests in (1, 2)

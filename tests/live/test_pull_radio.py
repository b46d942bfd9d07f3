"""weir pull of radios: titles, connecting again, and what a terminal shows."""
import contextlib
import os
import pty
import re
import select
import subprocess
import threading
import time

import pytest

from conftest import WEIR, environment, run_weir, seconds
from sites import answer, chunked, head, metadata, title, site  # pylint: disable=unused-import
from talk import pattern, read_to_end

AUDIO = pattern(40_000)
MPEG = "Content-Type: audio/mpeg"


def pull(*arguments, **options):
    return run_weir("pull", "--reconnects", 0, *arguments, **options)


def with_titles(audio, interval, blocks):
    """Audio with a block after each interval, the last ones empty."""
    blocks = iter(blocks)
    return b"".join(audio[at:at + interval] + (next(blocks, b"\0") if at + interval <= len(audio) else b"")
                    for at in range(0, len(audio), interval))


# --- titles ---

@pytest.mark.parametrize("begin", [head("200 OK", MPEG, "icy-metaint: 1000"),
                                   b"ICY 200 OK\r\nicy-metaint:1000\r\nContent-Type:audio/mpeg\r\n\r\n",
                                   head("200 OK", MPEG, "icy-metaint: 1000", version="HTTP/1.0")])
def test_titles_are_taken_out_and_told(site, begin):
    blocks = [title(b"One - Two"), b"\0", title(b"One - Two"), title("Björk".encode()), title(b"Bj\xf6rk - x"),
              title(b"")]
    result = pull(site(begin + with_titles(AUDIO, 1000, blocks)).url)
    assert (result.returncode, result.stdout) == (0, AUDIO)
    assert result.stderr.decode() == "weir: title: One - Two\nweir: title: Björk\nweir: title: Björk - x\n"


def test_in_chunks_of_any_size(site):
    stream = with_titles(AUDIO, 999, [title(b"A title that is longer than a chunk")])
    pieces = [stream[at:at + 7] for at in range(0, len(stream), 7)]
    result = pull(site(head("200 OK", MPEG, "icy-metaint: 999", "Transfer-Encoding: chunked") + chunked(*pieces)).url)
    assert (result.returncode, result.stdout) == (0, AUDIO)
    assert result.stderr == b"weir: title: A title that is longer than a chunk\n"


def test_quietly(site):
    """Then no titles are asked for; those that come all the same are taken out."""
    server = site(head("200 OK", MPEG, "icy-metaint: 1000", "icy-name: A radio") +
                  with_titles(AUDIO, 1000, [title(b"x")]))
    result = pull("-q", server.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, AUDIO, b"")
    assert server.requests[0].field("Icy-MetaData") is None


def test_the_name_of_the_station(site):
    assert pull(site(head("200 OK", MPEG, "icy-name: A radio") + b"x").url).stderr == b"weir: station: A radio\n"


def test_titles_do_not_steer_terminals(site):
    blocks = [title(b"a\x1b[2J\x07b\nweir: forged"), title("turned \u202e round".encode())]
    said = pull(site(head("200 OK", MPEG, "icy-metaint: 100") + with_titles(AUDIO, 100, blocks)).url).stderr
    assert said == b"weir: title: a [2J b weir: forged\nweir: title: turned \\xe2\\x80\\xae round\n"


@pytest.mark.parametrize("interval", ["x", "-5", "99999999999999999999", ""])
def test_an_interval_that_is_none(site, interval):
    result = pull(site(head("200 OK", MPEG, f"icy-metaint: {interval}") + b"x").url)
    assert result.returncode == 1 and result.stderr.endswith(b"its icy-metaint is no number of bytes\n")


def test_metadata_without_a_title(site):
    result = pull(site(head("200 OK", MPEG, "icy-metaint: 100") +
                       with_titles(AUDIO, 100, [metadata(b"StreamUrl='x';"), metadata(b"\0" * 4080)])).url)
    assert (result.returncode, result.stdout, result.stderr) == (0, AUDIO, b"")


# --- again and again ---

def reconnects(site, replies, *options):
    """What comes of a server whose answers are these, one after the other."""
    left = list(replies)
    server = site(lambda _: left.pop(0) if left else answer(b"", status="410 Gone"))
    return server, run_weir("pull", server.url, "--reconnects", len(replies) - 1, *options, timeout=60)


def test_a_radio_that_ends_is_asked_again(site):
    radio = head("200 OK", MPEG)
    server, result = reconnects(site, [radio + b"one", radio + b"two"])
    assert (result.returncode, result.stdout, len(server.requests)) == (0, b"onetwo", 2)
    assert re.fullmatch(rb"weir: pull: http://\S+ ended; again in [01]\.\d s\n", result.stderr)


def test_titles_begin_anew_with_each_connection(site):
    radio = head("200 OK", MPEG, "icy-metaint: 100")
    halves = [with_titles(AUDIO[:1050], 100, [title(b"x")]),
              with_titles(AUDIO[1050:2100], 100, [title(b"x"), title(b"y")])]
    _, result = reconnects(site, [radio + half for half in halves])
    assert (result.returncode, result.stdout) == (0, AUDIO[:2100])
    assert re.fullmatch(rb"weir: title: x\nweir: pull: .*\nweir: title: y\n", result.stderr)


def test_a_source_that_is_away_for_a_moment(site):
    radio = head("200 OK", MPEG)
    server, result = reconnects(site, [radio + b"one", answer(b"", status="404 Not Found"), radio + b"two"])
    assert (result.returncode, result.stdout, len(server.requests)) == (0, b"onetwo", 3)
    assert b"404 Not Found; again in " in result.stderr


def test_a_radio_that_is_no_more(site):
    server, result = reconnects(site, [head("200 OK", MPEG) + b"one", answer(b"", status="410 Gone"), b""])
    assert (result.returncode, result.stdout, len(server.requests)) == (1, b"one", 2)
    assert result.stderr.endswith(b": 410 Gone\n")


def test_a_radio_that_becomes_a_file(site):
    """Which has an end."""
    server, result = reconnects(site, [head("200 OK", MPEG) + b"one", answer(b"two", MPEG), answer(b"two", MPEG)])
    assert (result.returncode, result.stdout, len(server.requests)) == (0, b"onetwo", 2)


def test_a_duration_goes_over_connections(site):
    """It ends in the pause, or in the connection after it: what matters is that it ends, and well."""
    server = site(head("200 OK", MPEG) + b"x")
    result = run_weir("pull", server.url, "--duration", "300ms", "--reconnects", 1000000)
    assert result.returncode == 0 and set(result.stdout) == set(b"x")


@pytest.mark.parametrize("reply", [answer(b"a file"), answer(b"a file", MPEG), head("200 OK") + b"a file",
                                   head("200 OK", "Content-Type: text/html") + b"a file",
                                   head("200 OK", MPEG, 'ETag: "1"') + b"a file",
                                   head("200 OK", MPEG, "Last-Modified: Sat, 01 Jan 2022 00:00:00 GMT") + b"a file"])
def test_what_is_no_radio_is_asked_once(site, reply):
    server = site(reply)
    result = run_weir("pull", server.url)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"a file", b"")
    assert len(server.requests) == 1


# --- on a terminal ---

class Screen:
    """A terminal, and a pull whose stderr it is."""

    def __init__(self, *arguments, stdout=subprocess.DEVNULL):
        self.master, slave = pty.openpty()
        self.text = ""
        out = slave if stdout == "terminal" else stdout
        self.process = subprocess.Popen([WEIR, "pull", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out,
                                        stderr=slave, env=environment(), start_new_session=True)
        os.close(slave)

    def read_until(self, pattern, timeout=20):
        end = time.monotonic() + seconds(timeout)
        while not re.search(pattern, self.text):
            assert time.monotonic() < end, self.text
            self._read_some()

    def _read_some(self):
        if select.select([self.master], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):
                data = os.read(self.master, 65536)
                self.text += data.decode()
                return len(data) > 0
        return False

    def end(self):
        """Its exit status, once all was read."""
        end = time.monotonic() + seconds(20)
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self._read_some()
        while self._read_some():
            pass
        os.close(self.master)
        return self.process.returncode

    @property
    def lines(self):
        """What stands there, without what steers: the last of what was drawn over each other."""
        text = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", self.text)
        return [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]


def test_a_line_with_a_bar(site):
    def slowly(connection):
        connection.sendall(head("200 OK", "Content-Length: 2097152") + bytes(1048576))
        assert halfway.wait(seconds(20))
        connection.sendall(bytes(1048576))

    halfway = threading.Event()
    screen = Screen(site(lambda _: slowly).url)
    screen.read_until(r"1\.0 MiB of 2\.0 MiB  50 % \[#{10}-{10}\] \S+ \S?i?B/s  \S+ left")
    halfway.set()
    assert screen.end() == 0
    assert re.fullmatch(r"2\.0 MiB of 2\.0 MiB 100 % \[#{20}\] \S+ \S?i?B/s  0:00 left", screen.lines[-2])
    assert screen.lines[-1] == ""


def test_a_line_without_an_end(site):
    enough = threading.Event()

    def plays(connection):
        connection.sendall(head("200 OK", MPEG, "icy-metaint: 1000") + AUDIO[:1000] + title(b"One\x1b - Two") +
                           AUDIO[:500])
        assert enough.wait(seconds(20))

    screen = Screen(site(lambda _: plays).url, "--reconnects", 0)
    screen.read_until(r"\d:\d\d  1\.5 KiB  \S+ \S?i?B/s  One  - Two")
    enough.set()
    assert screen.end() == 0
    assert "weir: title: One  - Two" in screen.lines
    assert re.fullmatch(r"\d:\d\d  1\.5 KiB  \S+ \S?i?B/s  One  - Two", screen.lines[-2])


def test_the_rest_counts_from_where_it_was(site, tmp_path):
    (tmp_path / "file").write_bytes(bytes(1048576))
    screen = Screen("--resume", "-o", tmp_path / "file",
                    site(answer(bytes(1048576), "Content-Range: bytes 1048576-2097151/2097152",
                                status="206 Partial Content")).url)
    assert screen.end() == 0
    assert screen.lines[-2].startswith("2.0 MiB of 2.0 MiB 100 % ")


def test_no_line_where_there_is_no_place(site):
    """What is pulled goes to the terminal itself; or nobody wants it."""
    screen = Screen(site(answer(b"text\n", "Content-Type: text/plain")).url, stdout="terminal")
    assert screen.end() == 0 and screen.text == "text\r\n"
    screen = Screen("-q", site(answer(b"text\n")).url)
    assert screen.end() == 0 and screen.text == ""


def test_a_terminal_plays_nothing(site):
    screen = Screen(site(answer(AUDIO, MPEG)).url, stdout="terminal")
    assert screen.end() == 2 and "stdout is a terminal, which plays nothing: see --play and -o FILE" in screen.text


def test_errors_stand_on_their_own_line(site):
    screen = Screen(site(head("200 OK", "Content-Length: 1000") + b"x" * 10).url)
    assert screen.end() == 4
    assert screen.lines[-3].startswith("10 B of 1000 B") and screen.lines[-2].startswith("weir: receive ")

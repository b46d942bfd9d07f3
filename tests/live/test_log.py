"""weir serve log: each datagram a line, whole, in a file that may be moved, grow or find no room; and each loss is told."""
import contextlib
import fcntl
import itertools
import os
import re
import resource
import signal
import socket
import stat

import pytest

from conftest import run_weir, seconds
from talk import LAUNCH, eventually
from test_processes import children

UDP = "udp://127.0.0.1:0"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \S+ +DEBUG\t(.*)")
DROPPED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} weir +WARNING\t(\d+) datagrams dropped")
FULL = [*LAUNCH, "--ignore", str(int(signal.SIGXFSZ)), "--"]


def texts(lines):
    """The messages of lines, each of which must be a whole one, and how many datagrams they tell as dropped."""
    found, dropped = [], 0
    for line in lines:
        told = DROPPED.fullmatch(line)
        dropped += int(told.group(1)) if told else 0
        if not told:
            assert (match := LINE.fullmatch(line)), line
            found.append(match.group(1))
    return found, dropped


def lines_of(path):
    """The lines of a file, which must end with one."""
    text = path.read_text() if path.exists() else ""
    assert not text or text.endswith("\n"), text[-200:]
    return text.splitlines()


@contextlib.contextmanager
def sender(server, beginning="udp://127.0.0.1"):
    """A socket whose send goes to a server."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server.address(beginning))
        yield client


def send_numbered(server, count, length=40, first=0):
    with sender(server) as client:
        for number in range(first, first + count):
            client.send(f"{number:08} ".encode().ljust(length, b"x"))


def numbers(found):
    return [int(text[:8]) for text in found]


# --- where lines go ---

def test_a_record_is_on_stdout_while_the_server_is_idle(serve):
    server = serve("log", UDP)
    with sender(server) as client:
        for text in ["hello", "again", "a\nforged line\x1b[31m"]:
            client.send(text.encode())
            line = server.process.stdout.readline().decode()
            assert texts([line.rstrip("\n")])[0] == [text.replace("\n", "\\n").replace("\x1b", "\\x1b")]
    assert server.counters("log")["datagrams_out"] == 0


def test_a_unix_socket(serve, tmp_path):
    server = serve("log", f"unix:{tmp_path}/socket?type=datagram")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", f"{tmp_path}/socket")
    assert server.process.stdout.readline().endswith(b"\thello\n")


def test_a_file_is_created_and_added_to(serve, tmp_path):
    path = tmp_path / "records"
    for turn in range(2):
        server = serve("log", UDP, "--output", path)
        send_numbered(server, 100, first=100 * turn)
        server.wait_for_counters("log", datagrams_in=100)
        server.stop()
        assert "records: 100 plain; datagrams dropped: 0" in server.text
    assert numbers(texts(lines_of(path))[0]) == list(range(200))
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_a_line_that_was_left_unfinished_is_ended(serve, tmp_path):
    path = tmp_path / "records"
    path.write_text("whole\nunfinis")
    server = serve("log", UDP, "--output", path)
    send_numbered(server, 1)
    eventually(lambda: len(path.read_text().splitlines()) == 3)
    assert lines_of(path)[:2] == ["whole", "unfinis"]


def test_the_reader_of_stdout_goes_away(serve):
    server = serve("log", UDP)
    server.process.stdout.close()
    send_numbered(server, 1)
    assert server.wait() == 0


def test_without_a_stdout_nothing_else_is_written_to(serve):
    server = serve("log", UDP, wrapper=[*LAUNCH, "--close", "1", "--"])
    send_numbered(server, 10)
    server.wait_for_text("bad file descriptor: kept for later")
    server.stop()
    assert "10 lines could not be written to stdout" in server.text


@pytest.mark.parametrize("arguments, reason", [
    (["--output", "/nonexistent/records"], "open /nonexistent/records: no such file or directory"),
    (["--rotate", "1M"], "serve log: --rotate is for a file, which --output names: it is not given"),
    (["--keep", "3", "--output", "x"], "serve log: --keep says how many files there are"),
])
def test_what_it_cannot_do(arguments, reason, tmp_path):
    ended = run_weir("serve", "log", UDP, *arguments, cwd=tmp_path)
    assert ended.returncode != 0
    assert reason in ended.stderr.decode() and len(ended.stderr.splitlines()) == 1


def test_long_lines_of_several_processes_are_whole_on_a_pipe(serve):
    """None can put a line of his choice behind a part of his own."""
    server = serve("log", UDP, "--processes", "2")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(sender(server)) for _ in range(8)]
        for _ in range(4):
            for number, client in enumerate(clients):
                client.send(str(number).encode() * 60000)
        server.wait_for_counters("log", datagrams_in=32)
    found, _ = texts([server.process.stdout.readline().decode().rstrip("\n") for _ in range(32)])
    assert sorted(found) == sorted(str(number) * 60000 for number in range(8) for _ in range(4))


# --- files that are moved, and grow ---

def test_sighup_opens_the_file_again(serve, tmp_path):
    path, moved = tmp_path / "records", tmp_path / "moved"
    server = serve("log", UDP, "--output", path)
    send_numbered(server, 10)
    eventually(lambda: len(lines_of(path)) == 10)
    path.rename(moved)
    send_numbered(server, 10, first=10)
    eventually(lambda: len(lines_of(moved)) == 20)
    server.signal(signal.SIGHUP)
    eventually(path.exists)
    send_numbered(server, 10, first=20)
    eventually(lambda: len(lines_of(path)) == 10)
    server.stop()
    assert numbers(texts(lines_of(moved) + lines_of(path))[0]) == list(range(30))


def test_sighup_reaches_each_of_several_processes(serve, tmp_path):
    path = tmp_path / "records"
    server = serve("log", UDP, "--output", path, "--processes", "2")
    for port in range(20):  # to both of them
        send_numbered(server, 1, first=port)
    eventually(lambda: len(lines_of(path)) == 20)
    path.rename(tmp_path / "moved")
    server.signal(signal.SIGHUP)
    eventually(path.exists)
    server.stop()
    assert sorted(numbers(texts(lines_of(tmp_path / "moved"))[0])) == list(range(20)) and lines_of(path) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_has_grown_is_replaced(serve, tmp_path, processes):
    path = tmp_path / "records"
    server = serve("log", UDP, "--output", path, "--rotate", "2k", "--keep", "3", "--processes", processes,
                   "--workers", "1")
    for first in range(0, 400, 10):  # each from another port
        send_numbered(server, 10, first=first)
    server.wait_for_counters("log", datagrams_in=400)
    server.stop()
    files = [path, *(tmp_path / f"records.{number}" for number in (1, 2, 3))]
    assert sorted(os.listdir(tmp_path)) == sorted(one.name for one in files)
    found = [numbers(texts(lines_of(one))[0]) for one in reversed(files)]
    if processes == 1:  # two may find at once that there is room
        assert all(one.stat().st_size <= 2048 for one in files)
        assert list(itertools.chain(*found)) == list(range(400))[-sum(map(len, found)):]
    assert len(set(itertools.chain(*found))) == sum(map(len, found)) > 60


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_that_cannot_be_replaced_grows(serve, tmp_path, processes):
    path = tmp_path / "records"
    (tmp_path / "records.1" / "full").mkdir(parents=True)
    server = serve("log", UDP, "--output", path, "--rotate", "1k", "--keep", "1", "--processes", processes,
                   "--workers", "1")
    for first in range(0, 1000, 10):  # each from another port, so to every process
        send_numbered(server, 10, first=first)
    eventually(lambda: len(lines_of(path)) == 1000)
    server.stop()
    assert server.text.count("is a directory: it is left to grow") == processes
    assert sorted(numbers(texts(lines_of(path))[0])) == list(range(1000))


def test_whoever_locks_the_file_stops_nothing(serve, tmp_path):
    path = tmp_path / "records"
    server = serve("log", UDP, "--output", path, "--rotate", "1k")
    with open(path, encoding="ascii") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        send_numbered(server, 100)
        eventually(lambda: len(lines_of(path)) == 100)
        server.stop()
    assert "another program has locked it: it is left to grow" in server.text
    assert numbers(texts(lines_of(path))[0]) == list(range(100))


# --- a disk that is full ---

def limit(server, size):
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_is_waited_for(serve, tmp_path):
    path = tmp_path / "records"
    server = serve("log", UDP, "--output", path, wrapper=FULL)
    limit(server, 1000)
    send_numbered(server, 100)
    server.wait_for_text(r"^weir: error: write .*records: file too large: kept for later")
    assert path.stat().st_size == 1000, "as much as there is room for, within a line"
    limit(server, resource.RLIM_INFINITY)
    server.wait_for_text(r"^weir: .*records can be written to again$")
    send_numbered(server, 10, first=100)
    eventually(lambda: path.read_text().count("\n") == 110)
    assert numbers(texts(lines_of(path))[0]) == list(range(110))
    assert server.text.count("error") == 1


def test_what_others_wrote_meanwhile_is_in_no_line(serve, tmp_path):
    path = tmp_path / "records"
    server = serve("log", UDP, "--output", path, wrapper=FULL)
    limit(server, 1000)
    send_numbered(server, 100)
    server.wait_for_text("kept for later")
    with open(path, "a", encoding="utf-8") as other:
        other.write("\nanother's\n")
    limit(server, resource.RLIM_INFINITY)
    eventually(lambda: path.read_text().count("00000099 ") == 1)
    lines = lines_of(path)
    begun = lines.pop(lines.index("another's") - 1)
    lines = [line for line in lines if line not in ("another's", "")]
    assert numbers(texts(lines)[0]) == list(range(100)) and not LINE.fullmatch(begun + "x" * 40)


def test_what_there_is_no_room_for_is_told(serve, tmp_path):
    path, sent = tmp_path / "records", 60
    server = serve("log", UDP, "--output", path, wrapper=FULL)
    limit(server, 0)
    with sender(server) as client:
        for number in range(sent):
            client.send(f"{number:08} ".encode().ljust(60000, b"\x01"))  # each may become eight times as long
    server.wait_for_counters("log", datagrams_in=sent)
    server.wait_for_text("kept for later")
    limit(server, resource.RLIM_INFINITY)
    server.stop()
    found, dropped = texts(lines_of(path))
    assert len(found) + dropped == sent and dropped > 0
    assert f"datagrams dropped: {dropped}\n" in server.text


def test_what_was_never_written_is_told_at_the_end(serve, tmp_path):
    path = tmp_path / "records"
    server = serve("log", UDP, "--output", path, wrapper=FULL)
    limit(server, 0)
    send_numbered(server, 100)
    server.wait_for_counters("log", datagrams_in=100)
    server.stop()
    assert "weir: warning: log: 100 lines could not be written to" in server.text
    assert path.read_text() == ""


# --- losses ---

def flood(server, count):
    """More than the receive buffer holds, while nobody receives."""
    server.signal(signal.SIGSTOP)
    with sender(server) as client:
        for number in range(count):
            client.send(f"{number:08} ".encode().ljust(2000, b"x"))
    server.signal(signal.SIGCONT)


def sum_of(path):
    """How many datagrams a file has, and tells as dropped."""
    found, dropped = texts(path.read_text().rpartition("\n")[0].splitlines())
    return len(found) + dropped


@pytest.mark.parametrize("options", [[], ["--workers", "1"], ["--format", "json"]])
def test_what_is_sent_is_stored_or_told_as_dropped(serve, tmp_path, options):
    path, sent = tmp_path / "records", 40000
    server = serve("log", UDP, "--output", path, *options)
    flood(server, sent)
    server.stop()
    lines = lines_of(path)
    told = [int(match.group(1)) for line in lines if (match := re.search(r"\b(\d+) datagrams dropped", line))]
    assert len(lines) - len(told) + sum(told) == sent and sum(told) > 0
    assert f"datagrams dropped: {sum(told)}\n" in server.text


def test_losses_are_told_while_it_runs(serve, tmp_path):
    path, sent = tmp_path / "records", 40000
    server = serve("log", UDP, "--output", path)
    flood(server, sent)

    def accounted():
        found, dropped = texts(path.read_text().rpartition("\n")[0].splitlines())
        return dropped > 0 and len(found) + dropped == sent

    eventually(accounted)


def test_losses_of_a_socket_that_several_workers_share_are_told_once(serve, tmp_path):
    path, sent = tmp_path / "records", 40000
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lent:
        lent.bind(("127.0.0.1", 0))
        server = serve("log", f"udp://127.0.0.1:{lent.getsockname()[1]}", "--output", path, "--workers", "3",
                       wrapper=[*LAUNCH, "--listen", str(lent.fileno()), "--"], pass_fds=[lent.fileno()])
        flood(server, sent)
        server.stop()
    found, dropped = texts(lines_of(path))
    assert len(found) + dropped == sent and dropped > 0


def test_whoever_takes_the_place_of_a_process_tells_its_losses_no_more(serve, tmp_path):
    path, sent = tmp_path / "records", 40000
    server = serve("log", UDP, "--output", path, "--processes", "2")
    first = children(server)
    for process in first:
        os.kill(process, signal.SIGSTOP)
    with sender(server) as client:
        for number in range(sent):
            client.send(f"{number:08} ".encode().ljust(2000, b"x"))
    for process in first:
        os.kill(process, signal.SIGCONT)
    eventually(lambda: sum_of(path) == sent)
    for process in first:
        os.kill(process, signal.SIGKILL)
    eventually(lambda: len(children(server)) == 2 and not set(first) & set(children(server)), 30)
    for number in range(20):  # from as many ports, so to both
        send_numbered(server, 1, first=sent + number)
    eventually(lambda: sum_of(path) >= sent + 20)
    server.stop()
    assert sum_of(path) == sent + 20


# --- an end without warning ---

def test_a_kill_leaves_whole_lines(serve, tmp_path):
    path = tmp_path / "records"
    for turn in range(3):
        server = serve("log", UDP, "--output", path)
        send_numbered(server, 3000)
        eventually(lambda: path.stat().st_size > 0)
        send_numbered(server, 1000 * (1 + turn))
        server.kill()
        whole, _, unfinished = path.read_text().rpartition("\n")
        assert len(texts(whole.splitlines())[0]) > 0
        assert len(unfinished) < 100, "of a line at most, where it was killed within a write"
        path.unlink()


def test_options_are_of_no_other_service(serve):
    ended = run_weir("serve", "echo", "--rotate", "1M", timeout=seconds(20))
    assert ended.returncode == 2 and b"--rotate" in ended.stderr

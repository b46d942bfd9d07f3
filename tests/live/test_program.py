"""The program as a person meets it: help, manuals, suggestions, versions, and how serve and run begin and end."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

from conftest import Server, environment, group_members, run_weir, seconds, WEIR
from talk import eventually
from pages import COMMANDS, MANUALS, PAGES as WORDS, SERVICES

PAGES = [["--help"], *[[*words, "--help"] for words in WORDS], ["help", "serve", "echo"]]


def line(result):
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


# --- what it says of itself ---

@pytest.mark.parametrize("arguments", PAGES, ids=" ".join)
def test_help_has_usage_and_examples(weir, arguments):
    result = weir(*arguments)
    text = result.stdout.decode()
    assert (result.returncode, result.stderr) == (0, b"")
    assert text.startswith("usage: weir")
    assert "\nExamples:\n" in text
    assert "\033" not in text
    assert all(len(row) <= 80 for row in text.splitlines()), text


def test_help_is_the_same_both_ways(weir):
    for command in COMMANDS:
        assert weir("help", command).stdout == weir(command, "--help").stdout == weir(command, "-h").stdout
    assert weir("help", "serve", "echo").stdout == weir("serve", "echo", "--help").stdout
    assert weir("help").stdout == weir("--help").stdout


def test_help_names_every_command_and_service(weir):
    text = weir("--help").stdout.decode()
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.MULTILINE)
    assert re.search("^  echo ", weir("serve", "--help").stdout.decode(), re.MULTILINE)


def test_help_of_a_service_has_all_its_options(weir):
    text = weir("serve", "echo", "--help").stdout.decode()
    for option in ["--prefix", "--model", "--workers", "--backend", "--processes", "--ready-fd", "--log", "--log-level",
                   "--max-connections", "--idle-timeout", "--drain-timeout", "--help"]:
        assert option in text


def test_no_option_of_a_service_hides_one_of_every_server(weir):
    services = re.findall("^  ([a-z]+)  ", weir("serve", "--help").stdout.decode(), re.MULTILINE)
    assert "login" in services
    for service in services:
        names = re.findall("^(?:      |  -., )--([a-z-]+)", weir("serve", service, "--help").stdout.decode(), re.MULTILINE)
        assert "delay" in names and len(names) == len(set(names)), service


@pytest.mark.parametrize("width, most", [(60, 60), (40, 40), (200, 100)])
def test_help_wraps_to_the_terminal(width, most):
    import fcntl
    import pty
    import termios
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    process = subprocess.Popen([WEIR, "ask", "--help"], stdin=secondary, stdout=secondary, stderr=secondary,
                               env=environment(), start_new_session=True)
    os.close(secondary)
    data = b""
    try:
        while chunk := os.read(primary, 65536):
            data += chunk
    except OSError:
        pass
    os.close(primary)
    assert process.wait(seconds(10)) == 0
    rows = [row for row in data.decode().splitlines() if not row.startswith("  weir") and "usage" not in row]
    paragraphs = [row for row in rows if row and not row.startswith(" ")]
    assert max(map(len, paragraphs)) <= most
    assert max(map(len, paragraphs)) > most * 2 // 3


def test_help_to_a_reader_that_went_away_is_0(weir):
    reading, writing = os.pipe()
    os.close(reading)
    result = weir("--help", stdout=writing)
    os.close(writing)
    assert (result.returncode, result.stderr) == (0, b"")


def test_help_to_a_full_disk_is_1(weir):
    with open("/dev/full", "wb") as full:
        result = weir("--help", stdout=full)
    assert result.returncode == 1
    assert line(result) == "weir: write stdout: no space left on device"


def test_version_tells_backend_and_build(weir, backend):
    result = weir("--version", env={"WEIR_BACKEND": backend})
    text = result.stdout.decode()
    assert (result.returncode, result.stderr) == (0, b"")
    assert re.match(r"weir \d+\.\d+\.\d+\n", text)
    assert re.search(rf"^backend +{backend}$", text, re.MULTILINE)
    assert re.search(r"^built with +liburing \d", text, re.MULTILINE)
    assert re.search(r"^built by +(gcc|clang) \d", text, re.MULTILINE)


@pytest.mark.parametrize("page", MANUALS)
def test_manual_pages_are_clean(weir, page):
    result = weir("help", "--man", page)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b".TH ")
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    shown = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=result.stdout, capture_output=True,
                           timeout=seconds(20))
    assert (shown.returncode, shown.stderr) == (0, b"")


def test_every_manual_page_is_built_and_no_other():
    folder = pathlib.Path(WEIR).resolve().parent / "src/cli/installed"
    if not folder.is_dir():
        pytest.skip("the program is not in its build directory")
    assert {path.stem for path in folder.glob("*.1")} == set(MANUALS)


def test_manual_pages_lead_to_each_other(weir):
    for page in MANUALS:
        text = weir("help", "--man", page).stdout.decode().replace("\\-", "-")
        others = set(re.findall(r"\\fB([a-z-]+)\\fR\(1\)", text[text.index(".SH SEE ALSO"):]))
        assert others == set(MANUALS) - {page}


def test_manual_pages_have_sections_of_their_own_for_exit_status_and_environment(weir):
    for page in ("weir", "weir-ask", "weir-connect", "weir-bench"):
        text = weir("help", "--man", page).stdout.decode()
        assert "\n.SH EXIT STATUS\n0 " in text and "Exit status" not in text
    assert "\n.SH ENVIRONMENT\nWEIR_BACKEND" in weir("help", "--man", "weir").stdout.decode()


def test_manual_pages_that_do_not_exist(weir):
    for name in ["weir-nosuch", "nosuch", "weir-serve-nosuch", "weir-ask-echo", "w" * 300]:
        result = weir("help", "--man", name)
        assert (result.returncode, result.stdout) == (2, b"")
        line(result)


# --- wrong usage ---

@pytest.mark.parametrize("arguments, said", [
    ([], "no command"),
    (["sreve"], "unknown command, did you mean serve?"),
    (["be"], "unknown command, did you mean bench?"),
    (["frobnicate"], "frobnicate: unknown command"),
    (["--frob"], "--frob: unknown option"),
    (["help", "asc"], "did you mean ask?"),
    (["help", "ask", "echo"], "too many"),
    (["serve", "ecko"], "unknown service, did you mean echo?"),
    (["serve", "nosuch"], "nosuch: unknown service"),
    (["serve", "echo", "--prefx", "x"], "did you mean --prefix?"),
    (["serve", "echo", "--model", "bicycle"], "bicycle"),
    (["serve", "echo", "--workers", "0"], "workers"),
    (["serve", "echo", "--ready-fd", "1"], "ready-fd"),
    (["serve", "echo", "tcp://127.0.0.1:99999"], "port 99999 is above 65535"),
    (["serve", "echo", "--prefix", "x", "udp://127.0.0.1:0"], "--prefix is for streams"),
    (["serve", "echo", "frob://127.0.0.1:0"], "frob"),
    (["run", "echo"], "no arguments"),
])
def test_wrong_usage_is_2_and_one_line(weir, arguments, said):
    result = weir(*arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert said in line(result)


def test_a_control_character_in_an_argument_does_not_reach_the_terminal(weir):
    result = weir("serve", "\033[31mred\n")
    assert result.returncode == 2
    assert b"\033" not in result.stderr
    line(result)


# --- serve ---

def test_serve_alone_lists_the_services(weir):
    result = weir("serve")
    assert (result.returncode, result.stderr) == (0, b"")
    assert re.search(r"^echo +\S", result.stdout.decode(), re.MULTILINE)


def test_serve_prints_an_endpoint_a_line_and_nothing_on_stdout(serve, tmp_path):
    path = tmp_path / "s"
    server = serve("echo", "tcp://127.0.0.1:0", "udp://127.0.0.1:0", f"unix:{path}", f"unix:@weir-test-{os.getpid()}")
    assert [e.partition(":")[0] for e in server.endpoints] == ["tcp", "udp", "unix", "unix"]
    assert all(row.startswith("weir: echo on ") for row in server.text.splitlines())
    server.signal(signal.SIGTERM)
    assert server.process.stdout.read() == b""


def test_without_a_host_it_is_loopback_alone(serve):
    server = serve("echo", ":0")
    hosts = {e.rpartition(":")[0] for e in server.endpoints}
    assert hosts in ({"tcp://127.0.0.1", "tcp://[::1]"}, {"tcp://127.0.0.1"})
    assert len({e.rpartition(":")[2] for e in server.endpoints}) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(serve, number):
    server = serve("echo", "tcp://127.0.0.1:0")
    server.signal(number)
    assert server.wait() == 0


def test_clients_may_finish(serve, model, backend):
    server = serve("echo", "tcp://127.0.0.1:0", "--model", model, "--backend", backend)
    with server.connect() as client:
        client.sendall(b"before")
        assert client.recv(100) == b"before"
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        client.sendall(b"after")
        assert client.recv(100) == b"after"
        assert server.process.poll() is None
    assert server.wait() == 0


def test_a_second_signal_ends_it_at_once(serve):
    server = serve("echo", "tcp://127.0.0.1:0")
    with server.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        assert server.wait(5) != 0
    server._gone = True


def test_the_drain_ends(serve):
    server = serve("echo", "tcp://127.0.0.1:0", "--drain-timeout", "200ms")
    with server.connect() as client:
        client.sendall(b"x")
        assert client.recv(1) == b"x"
        server.signal(signal.SIGTERM)
        assert server.wait(10) == 0


def test_a_held_port_is_one_line_and_1(weir, serve):
    held = serve("echo", "tcp://127.0.0.1:0").endpoint()
    result = weir("serve", "echo", held)
    assert result.returncode == 1
    assert held in line(result) and "in use" in line(result)


def test_prefix_comes_before_each_chunk(serve, model):
    server = serve("echo", "tcp://127.0.0.1:0", "--prefix", "echo -> ", "--model", model)
    with server.connect() as client:
        for text in (b"hello", b"world"):
            client.sendall(text)
            assert client.recv(100) == b"echo -> " + text


def test_a_prefix_may_be_a_service_or_an_option(serve):
    for prefix in ("echo", "--help"):
        server = serve("echo", "tcp://127.0.0.1:0", f"--prefix={prefix}")
        with server.connect() as client:
            client.sendall(b" x")
            assert client.recv(100) == prefix.encode() + b" x"


def test_options_may_come_first(serve):
    server = Server("serve", "--workers", "1", "echo", "tcp://127.0.0.1:0")
    try:
        with server.connect() as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
        server.stop()
    finally:
        server.kill()


def ask_datagram(address, data, port=0):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", port))
        client.settimeout(seconds(5))
        client.sendto(data, address)
        return client.recv(65536), client.getsockname()


def test_each_source_of_datagrams_is_named_once(serve, backend):
    server = serve("echo", "udp://127.0.0.1:0", "--backend", backend)
    address = server.address("udp")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(seconds(5))
        for i in range(300):
            client.sendto(b"%d" % i, address)
            assert client.recv(100) == b"%d" % i
        port = client.getsockname()[1]
        _, other = ask_datagram(address, b"hello")
    server.wait_for_text(rf"^weir: Echoing data back to 127\.0\.0\.1:{port}$")
    server.wait_for_text(rf"^weir: Echoing data back to 127\.0\.0\.1:{other[1]}$")
    assert server.text.count("Echoing") == 2


def test_many_sources_are_no_flood_of_lines(serve):
    server = serve("echo", "udp://127.0.0.1:0")
    begun = time.monotonic()
    for _ in range(400):
        ask_datagram(server.address("udp"), b"hello")
    took = time.monotonic() - begun
    assert server.text.count("Echoing") <= 20 * (took + 2)


def test_logs_as_json_lines(serve):
    import json
    server = Server("serve", "echo", "udp://127.0.0.1:0", "--log", "json", quiet=True)
    try:
        server.stop()
        records = [json.loads(row) for row in server.text.splitlines()]
        assert records[0]["level"] == "info" and records[0]["message"].startswith("echo on udp://127.0.0.1:")
    finally:
        server.kill()


def test_log_level_none_is_silent(serve):
    server = Server("serve", "echo", "tcp://127.0.0.1:0", "--log-level", "none", quiet=True)
    try:
        server.stop()
        assert server.text == ""
    finally:
        server.kill()


def test_usr1_prints_counters(serve):
    server = serve("echo", "tcp://127.0.0.1:0")
    with server.connect() as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        # The client may have its answer before the worker has counted it: what is sent is counted when it has gone.
        for _ in range(50):
            since = len(server.text)
            server.signal(signal.SIGUSR1)
            counters = server.wait_for_text(r"^weir: echo: .*accepted=1\b.*\n", since=since).group()
            if "bytes_out=" in counters:
                break
            time.sleep(0.05)
    assert "bytes_in=5" in counters and "bytes_out=5" in counters


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_descriptors_do_no_harm(closed, tmp_path):
    """The first sockets do not become what the program prints to."""
    path = tmp_path / "s"

    def close():
        for descriptor in closed:
            os.close(descriptor)

    process = subprocess.Popen([WEIR, "serve", "echo", f"unix:{path}"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=close,
                               env=environment(), start_new_session=True)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(seconds(5))
            eventually(lambda: client.connect_ex(str(path)) == 0)  # its file is there before anybody listens behind it
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds(10)) == 0
    finally:
        process.kill()
        process.wait()


def test_processes_leave_nothing(serve):
    server = serve("echo", "tcp://127.0.0.1:0", "--processes", "2")
    assert len(group_members(server.process.pid)) == 3
    for _ in range(4):
        with server.connect() as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
    server.stop()


# --- run ---

@pytest.fixture
def held_ports():
    """Holds the default ports of all services, where nobody else does."""
    endpoints = "".join(re.search("^Default endpoints: (.*)$", run_weir("serve", service, "--help").stdout.decode(),
                                  re.MULTILINE).group(1) + " " for service in SERVICES)
    ports = [(scheme, int(port)) for scheme, port in re.findall(r"(\w+)://[^ ,]*:(\d+)\b", endpoints)]
    with contextlib.ExitStack() as holders:
        for scheme, port in ports:
            kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
            holder = holders.enter_context(socket.socket(type=kind))
            with contextlib.suppress(OSError):
                if scheme != "udp":
                    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                holder.bind(("127.0.0.1", port))
                if scheme != "udp":
                    holder.listen()
        yield [port for _, port in ports]


def test_run_fails_where_no_service_can_start(weir, held_ports):
    result = weir("run")
    assert result.returncode == 1
    said = result.stderr.decode().splitlines()
    assert 8000 in held_ports
    assert any("echo is left out: " in row and ":8000" in row and "in use" in row for row in said)
    assert said[-1] == "weir: run: no service could start"


def test_run_prints_a_line_to_try(weir):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 8000))
        except OSError:
            pytest.skip("somebody holds port 8000")
    server = Server("run")
    try:
        command = server.wait_for_text(r"^weir: try: \S+ (.*)$").group(1)
        assert server.endpoint() in command
        assert weir(*command.split()).stdout == b"hello"
        server.stop()
    finally:
        server.kill()

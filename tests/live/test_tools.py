"""Other people's programs on the other side: nc, ncat and socat as clients of weir serve, and as servers for weir ask."""
import shutil
import socket
import subprocess
import threading

import pytest

from conftest import BACKENDS, seconds
from talk import eventually, pattern

TEXT = b"one\ntwo\n" + pattern(100_000)


def tool(name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


def run(command, data, timeout=20):
    """Runs a client to its end, as a shell would. Returns what it printed."""
    result = subprocess.run([str(word) for word in command], input=data, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, timeout=seconds(timeout), start_new_session=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(params=[(backend, model) for backend in BACKENDS for model in ("fiber", "thread", "iterative")],
                ids="-".join)
def echo(request, serve, tmp_path):
    backend, model = request.param
    return serve("echo", "tcp://127.0.0.1:0", f"unix:{tmp_path}/s", "udp://127.0.0.1:0", "--backend", backend,
                 "--model", model)


@pytest.fixture
def datagrams(serve, backend):
    """Of datagrams alone, whose clients wait a second for more; the model makes no difference to them."""
    return serve("echo", "udp://127.0.0.1:0", "--backend", backend)


# --- as clients ---

def test_nc(echo):
    assert run([tool("nc"), "-N", *echo.address()], TEXT) == TEXT


def test_nc_of_a_unix_socket(echo, tmp_path):
    assert run([tool("nc"), "-N", "-U", f"{tmp_path}/s"], TEXT) == TEXT


def test_nc_of_datagrams(datagrams):
    assert run([tool("nc"), "-u", "-w", "1", *datagrams.address("udp")], b"a datagram") == b"a datagram"


def test_ncat(echo):
    assert run([tool("ncat"), *echo.address()], TEXT) == TEXT


def test_ncat_of_a_unix_socket(echo, tmp_path):
    assert run([tool("ncat"), "-U", f"{tmp_path}/s"], TEXT) == TEXT


def test_socat(echo):
    host, port = echo.address()
    assert run([tool("socat"), "-", f"TCP:{host}:{port}"], TEXT) == TEXT


def test_socat_byte_by_byte(echo):
    host, port = echo.address()
    assert run([tool("socat"), "-b1", "-", f"TCP:{host}:{port},nodelay"], TEXT[:2000]) == TEXT[:2000]


def test_socat_of_a_unix_socket(echo, tmp_path):
    assert run([tool("socat"), "-", f"UNIX-CONNECT:{tmp_path}/s"], TEXT) == TEXT


def test_socat_of_datagrams(datagrams):
    host, port = datagrams.address("udp")
    assert run([tool("socat"), "-t1", "-", f"UDP:{host}:{port}"], b"a datagram") == b"a datagram"


def test_ask(echo, weir, tmp_path):
    for endpoint in echo.endpoints:
        result = weir("ask", endpoint, "hello there")
        assert (result.returncode, result.stdout, result.stderr) == (0, b"hello there", b"")


# --- as servers ---

def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


@pytest.fixture
def start():
    """Starts servers, each in a session of its own, and ends them after the test."""
    processes = []

    def begin(command, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | options
        processes.append(subprocess.Popen([str(word) for word in command], start_new_session=True, **options))
        return processes[-1]

    yield begin
    for process in processes:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def is_listening(port, kind="tcp"):
    with open(f"/proc/net/{kind}", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    wanted = {"tcp": "0A", "udp": "07"}[kind]
    return any(row[1].endswith(f":{port:04X}") and row[3] == wanted for row in rows)


def ask(weir, backend, *arguments, **options):
    result = weir("ask", *arguments, env={"WEIR_BACKEND": backend}, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_ask_nc(weir, start, backend):
    """nc prints the question, and sends what it is given as the answer."""
    port = free_port()
    server = start([tool("nc"), "-l", "-N", "127.0.0.1", port], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    eventually(lambda: is_listening(port))
    server.stdin.write(b"the answer")
    server.stdin.close()
    assert ask(weir, backend, f":{port}", "the question") == b"the answer"
    assert server.stdout.read() == b"the question"
    assert server.wait(seconds(10)) == 0


def test_ask_ncat(weir, start, backend):
    port = free_port()
    start([tool("ncat"), "-l", "-k", "127.0.0.1", port, "-e", "/bin/cat"])
    eventually(lambda: is_listening(port))
    assert ask(weir, backend, f":{port}", input=TEXT) == TEXT
    assert ask(weir, backend, f":{port}", "again") == b"again"


def test_ask_ncat_over_udp(weir, start, backend):
    port = free_port(socket.SOCK_DGRAM)
    start([tool("ncat"), "-u", "-l", "127.0.0.1", port, "-e", "/bin/cat"])
    eventually(lambda: is_listening(port, "udp"))
    assert ask(weir, backend, f"udp://127.0.0.1:{port}", "hello") == b"hello"


def test_ask_socat(weir, start, backend):
    port = free_port()
    start([tool("socat"), f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "EXEC:cat"])
    eventually(lambda: is_listening(port))
    assert ask(weir, backend, f"127.0.0.1:{port}", input=TEXT) == TEXT


def test_ask_socat_line_by_line(weir, start, backend):
    port = free_port()
    start([tool("socat"), f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", "SYSTEM:read line; echo got $line"])
    eventually(lambda: is_listening(port))
    assert ask(weir, backend, "--line", f":{port}", "a line") == b"got a line\n"


def test_ask_socat_of_a_unix_socket(weir, start, backend, tmp_path):
    path = tmp_path / "s"
    start([tool("socat"), f"UNIX-LISTEN:{path},fork", "EXEC:cat"])
    eventually(path.exists)
    assert ask(weir, backend, f"unix:{path}", input=TEXT) == TEXT


def test_ask_socat_over_udp(weir, start, backend):
    port = free_port(socket.SOCK_DGRAM)
    start([tool("socat"), f"UDP-LISTEN:{port},bind=127.0.0.1", "EXEC:cat"])
    eventually(lambda: is_listening(port, "udp"))
    assert ask(weir, backend, f"udp://127.0.0.1:{port}", "hello") == b"hello"


# --- between each other, through weir ---

def test_a_thousand_lines_by_three_tools_at_once(echo):
    """Three clients of different makes at once; an iterative server takes one after the other."""
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    host, port = echo.address()
    commands = [[tool("nc"), "-N", host, port], [tool("ncat"), host, port],
                [tool("socat"), "-", f"TCP:{host}:{port}"]]
    answers = [None] * len(commands)

    def talk(at):
        answers[at] = run(commands[at], lines)

    threads = [threading.Thread(target=talk, args=(at,)) for at in range(len(commands))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [lines] * len(commands)

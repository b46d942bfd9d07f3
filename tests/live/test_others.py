"""weir connect and weir listen with nc, ncat, socat and telnet on the other side: both directions whole, and both ends well."""
import os
import select
import shutil
import subprocess

import pytest

from conftest import Server, environment, seconds
from talk import eventually, pattern

THERE, BACK = pattern(1_500_000, "there"), pattern(1_000_000, "back")

CLIENTS = {
    "nc": ["nc", "-N", "{host}", "{port}"],
    "ncat": ["ncat", "{host}", "{port}"],
    "socat": ["socat", "-t", "20", "-", "TCP:{host}:{port}"],
}
SERVERS = {
    "nc": ["nc", "-l", "-N", "-U", "{path}"],
    "ncat": ["ncat", "-l", "-U", "{path}"],
    "socat": ["socat", "-t", "20", "UNIX-LISTEN:{path}", "-"],
}


def installed(words):
    if not shutil.which(words[0]):
        pytest.skip(f"needs {words[0]}")
    return words


@pytest.fixture
def listen(tmp_path):
    """A listener that sends BACK, and keeps what it is sent in a file."""
    (tmp_path / "back").write_bytes(BACK)
    with open(tmp_path / "back", "rb") as stdin, open(tmp_path / "there", "wb") as stdout:
        listener = Server("listen", "--timeout", f"{seconds(20):.0f}s", "tcp://127.0.0.1:0", stdin=stdin, stdout=stdout)
    yield listener
    listener.kill()


@pytest.mark.parametrize("name", CLIENTS)
def test_listen_with(name, listen, tmp_path):
    host, port = listen.address()
    words = [word.format(host=host, port=port) for word in installed(CLIENTS[name])]
    result = subprocess.run(words, input=THERE, capture_output=True, timeout=seconds(30), env=environment())
    assert result.stdout == BACK
    assert listen.wait() == 0, listen.text
    assert (tmp_path / "there").read_bytes() == THERE


def listens(path):
    """Whether somebody listens behind a path, without becoming the one client."""
    with open("/proc/net/unix", encoding="utf-8") as table:
        return any(line.split()[3] == "00010000" and line.rstrip().endswith(str(path)) for line in table)


@pytest.mark.parametrize("name", SERVERS)
def test_connect_with(name, weir, tmp_path):
    path = tmp_path / "socket"
    (tmp_path / "back").write_bytes(BACK)
    words = [word.format(path=path) for word in installed(SERVERS[name])]
    with open(tmp_path / "back", "rb") as stdin, open(tmp_path / "there", "wb") as stdout:
        server = subprocess.Popen(words, stdin=stdin, stdout=stdout, env=environment())
    try:
        eventually(lambda: listens(path))
        result = weir("connect", "-U", path, input=THERE)
        assert (result.returncode, result.stderr) == (0, b"")
        # nc drops what it has not sent yet when it hears our end, about once in three times, whoever its peer is
        assert BACK.startswith(result.stdout) if name == "nc" else result.stdout == BACK
        server.wait(seconds(20))
    finally:
        server.kill()
        server.wait()
    assert (tmp_path / "there").read_bytes() == THERE


def test_telnet_hears_and_says(tmp_path):
    installed(["telnet"])
    listener = Server("listen", "-C", "tcp://127.0.0.1:0", stdin=subprocess.PIPE)
    host, port = listener.address()
    telnet = subprocess.Popen(["telnet", host, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env=environment())
    try:
        telnet.stdin.write(b"said\n")
        telnet.stdin.flush()
        assert listener.process.stdout.readline() in (b"said\r\n", b"said\n")
        listener.process.stdin.write(b"heard\n")
        listener.process.stdin.close()
        shown = b""
        while b"heard" not in shown:
            assert select.select([telnet.stdout], [], [], seconds(10))[0], shown
            shown += os.read(telnet.stdout.fileno(), 1000)
        telnet.wait(seconds(10))  # which ends with its peer
        assert listener.wait() == 0, listener.text
    finally:
        telnet.kill()
        telnet.communicate()
        listener.kill()

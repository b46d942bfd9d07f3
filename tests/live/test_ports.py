"""Ports and sockets' files that somebody else holds: always one line, exit 1, and the holder not disturbed."""
import errno
import os
import socket
import stat
import subprocess

import pytest

from conftest import Server, seconds
from talk import is_echoed


def fails_with(result, endpoint):
    """That a server told in one line that it could not have its endpoint."""
    assert result.returncode == 1
    lines = result.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    assert endpoint in lines[0] and "in use" in lines[0].lower(), lines
    assert result.stdout == b""


# --- ports ---

@pytest.mark.parametrize("options", [(), ("--workers", 2), ("--processes", 2)], ids=["one", "workers", "processes"])
def test_a_second_server_on_a_held_port(serve, weir, backend, options):
    """Whether or not the first has several listeners with SO_REUSEPORT, and the second wants them."""
    first = serve("echo", "tcp://127.0.0.1:0", "--backend", backend, *options)
    for more in ((), ("--workers", 2), ("--processes", 2)):
        fails_with(weir("serve", "echo", first.endpoint(), "--backend", backend, *more), first.endpoint())
    for number in range(20):
        with first.connect() as client:
            assert is_echoed(client, b"%d" % number)


@pytest.mark.parametrize("reuse", [0, 1], ids=["plain", "reuseport"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_port_that_a_foreign_program_holds(weir, reuse, kind):
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        holder.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        scheme = "tcp" if kind == socket.SOCK_STREAM else "udp"
        endpoint = f"{scheme}://127.0.0.1:{holder.getsockname()[1]}"
        for more in ((), ("--workers", 2), ("--processes", 2)):
            fails_with(weir("serve", "echo", endpoint, *more), endpoint)


@pytest.mark.parametrize("options", [("--workers", 1), ("--workers", 2), ("--processes", 2)],
                         ids=["one", "workers", "processes"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
def test_a_foreign_program_cannot_join(serve, options, kind):
    """It would take its share of the clients. A server with one listener does not even share with who offers SO_REUSEPORT."""
    scheme = "tcp" if kind == socket.SOCK_STREAM else "udp"
    server = serve("echo", f"{scheme}://127.0.0.1:0", *options)
    with socket.socket(socket.AF_INET, kind) as thief:
        if options == ("--workers", 1):
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if kind == socket.SOCK_STREAM:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError) as error:
            thief.bind(server.address(scheme))
            if kind == socket.SOCK_STREAM:
                thief.listen()
        assert error.value.errno == errno.EADDRINUSE


def test_one_of_several_endpoints_is_held(serve, weir):
    """All or nothing, and what was opened before it is closed again."""
    first = serve("echo", "tcp://127.0.0.1:0")
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        free = f"tcp://127.0.0.1:{holder.getsockname()[1]}"
    fails_with(weir("serve", "echo", free, first.endpoint()), first.endpoint())


def test_ipv6_alone_is_held(weir):
    """Without a host both families are wanted, and both on the same port."""
    try:
        holder = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with holder:
        port = holder.getsockname()[1]
        fails_with(weir("serve", "echo", f":{port}"), f"tcp://:{port}")


def test_a_port_that_only_root_may_have(weir):
    if os.geteuid() == 0:
        pytest.skip("root may have any port")
    result = weir("serve", "echo", "tcp://127.0.0.1:1")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


def test_an_address_that_is_not_ours(weir):
    result = weir("serve", "echo", "tcp://198.51.100.1:0")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1


# --- weir run ---

def test_run_goes_on_without_a_service_whose_port_is_taken(weir):
    """And fails where no service is left; echo is the only one so far that could be in the way of itself."""
    try:
        holders = [socket.create_server(("127.0.0.1", 8000))]
    except OSError:
        holders = []  # somebody else on this machine has it, which is as good
    try:
        server = Server("run")
    except AssertionError:
        result = weir("run", timeout=10)
        assert result.returncode == 1
        lines = result.stderr.decode().splitlines()
        assert lines[-1] == "weir: run: no service could start"
        assert any("echo is left out" in line and "in use" in line.lower() for line in lines)
    else:
        try:
            assert "echo is left out" in server.text
            server.stop()
        finally:
            server.kill()
    finally:
        for holder in holders:
            holder.close()


# --- sockets' files ---

def unix_client(path, kind=socket.SOCK_STREAM):
    client = socket.socket(socket.AF_UNIX, kind)
    client.settimeout(seconds(10))
    client.connect(path)
    return client


def test_the_file_is_ours_alone(serve, backend, tmp_path):
    path = f"{tmp_path}/s"
    before = os.umask(0)
    try:
        server = serve("echo", f"unix:{path}", "--backend", backend)
    finally:
        os.umask(before)
    status = os.stat(path)
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600
    with unix_client(path) as client:
        assert is_echoed(client, b"hello")
    server.stop()  # which checks that the file is gone
    assert not os.path.exists(path)


@pytest.mark.parametrize("options", [(), ("--workers", 2), ("--processes", 2)], ids=["one", "workers", "processes"])
@pytest.mark.parametrize("kind", ["stream", "datagram"])
def test_a_stale_file_is_replaced(serve, tmp_path, kind, options):
    path = f"{tmp_path}/s"
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if kind == "stream" else socket.SOCK_DGRAM)
    left.bind(path)
    left.close()
    assert os.path.exists(path)
    serve("echo", f"unix:{path}?type={kind}", *options)
    if kind == "stream":
        with unix_client(path) as client:
            assert is_echoed(client, b"hello")


@pytest.mark.parametrize("kind", ["stream", "datagram"])
def test_a_live_socket_is_refused(serve, weir, tmp_path, kind):
    path = f"{tmp_path}/s"
    endpoint = f"unix:{path}?type={kind}"
    first = serve("echo", endpoint)
    for more in ((), ("--workers", 2), ("--processes", 2)):
        fails_with(weir("serve", "echo", endpoint, *more), f"unix:{path}")
    assert os.path.exists(path), "the one that failed removed the other's file"
    if kind == "stream":
        with unix_client(path) as client:
            assert is_echoed(client, b"still here")
    first.stop()


def test_a_file_that_is_no_socket_is_left_alone(weir, tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    result = weir("serve", "echo", f"unix:{path}")
    fails_with(result, f"unix:{path}")
    assert path.read_text() == "data"


def test_another_servers_file_is_not_removed(serve, tmp_path):
    """Ours was replaced by hand meanwhile: what stands there at the end is somebody else's."""
    path = f"{tmp_path}/s"
    server = serve("echo", f"unix:{path}")
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        server.signal(15)
        assert server.wait() == 0
        assert os.path.exists(path)
    os.unlink(path)
    server.stop()


def test_killed_and_started_again(serve, tmp_path):
    endpoint = f"unix:{tmp_path}/s"
    for _ in range(3):
        server = serve("echo", endpoint)
        server.signal(9)
        assert server.wait() == -9
        server.kill()
        assert os.path.exists(f"{tmp_path}/s")
    serve("echo", endpoint)
    with unix_client(f"{tmp_path}/s") as client:
        assert is_echoed(client, b"hello")


@pytest.mark.parametrize("options", [(), ("--workers", 2), ("--processes", 2)], ids=["one", "workers", "processes"])
def test_abstract(serve, weir, backend, options):
    """A name without a file; it ends with the server."""
    name = f"weir-test-{os.getpid()}-{backend}-{len(options)}"
    server = serve("echo", f"unix:@{name}", "--backend", backend, *options)
    assert server.endpoints == [f"unix:@{name}"]
    with unix_client(f"\0{name}") as client:
        assert is_echoed(client, b"hello")
    assert weir("ask", f"unix:@{name}", "hello").stdout == b"hello"
    fails_with(weir("serve", "echo", f"unix:@{name}"), f"unix:@{name}")
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        unix_client(f"\0{name}")


def test_a_path_that_is_too_long(weir, tmp_path):
    result = weir("serve", "echo", f"unix:{tmp_path}/{'x' * 200}")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_a_folder_that_is_not_there(weir, tmp_path):
    result = weir("serve", "echo", f"unix:{tmp_path}/none/s")
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert subprocess.run(["ls", tmp_path], stdout=subprocess.PIPE, check=True).stdout == b""

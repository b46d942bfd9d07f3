"""Through a real sshd: what arrives, what fails and in which words, chains, TLS behind it, masters, and what is left."""
import os
import signal
import socket
import subprocess
import threading

import pytest

import certificates
from conftest import WEIR, environment, run_weir, seconds
from sshd import USER, assert_none_left, sshd, start_sshd  # noqa: F401, fixtures


def ask(*arguments, status=0, **options):
    """One question through the program; its CompletedProcess."""
    done = run_weir("ask", *arguments, timeout=60, **options)
    assert done.returncode == status, done.stderr.decode()
    return done


def error_of(done):
    """The one line that it ended with."""
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_an_answer_comes_through_it(serve, sshd):
    echo = serve("echo", "tcp://127.0.0.1:0")
    done = ask("--via", sshd.url, echo.endpoint(), "hello")
    assert done.stdout == b"hello"
    assert "Accepted publickey" in sshd.said()


def test_much_comes_through_it_and_half_of_it_may_end(serve, sshd):
    """Both ways at once; the end of one direction is told, and the other goes on."""
    echo = serve("echo", "tcp://127.0.0.1:0")
    data = os.urandom(1 << 20) * 8
    done = run_weir("connect", "--via", sshd.url, echo.endpoint(), input=data, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data


def test_the_name_is_looked_up_there(serve, sshd):
    echo = serve("echo", "tcp://127.0.0.1:0")
    port = echo.address()[1]
    assert ask("--via", sshd.url, f"tcp://localhost:{port}", "hello").stdout == b"hello"
    assert ask("--via", sshd.url, f"{port}", "hello").stdout == b"hello"
    line = error_of(ask("--via", sshd.url, "tcp://nowhere.invalid:1", "hello", status=1))
    assert line.startswith(f"weir: connect tcp://nowhere.invalid:1: ssh://{sshd.address}: "), line


def test_a_refused_target_is_told(sshd, refused):
    line = error_of(ask("--via", sshd.url, refused, "hello", status=1))
    assert line == f"weir: connect {refused}: ssh://{sshd.address}: connect failed: Connection refused"


def test_who_may_not_log_in_is_told(sshd, refused):
    (sshd.folder / "authorized_keys").write_text("")
    line = error_of(ask("--via", sshd.url, refused, "hello", status=1))
    assert line == (f"weir: connect {refused}: ssh://{sshd.address}: {USER}@127.0.0.1: Permission denied (publickey).")


def test_an_unknown_host_is_not_trusted(sshd, refused):
    (sshd.folder / "known_hosts").write_text("")
    line = error_of(ask("--via", sshd.url, refused, "hello", status=1))
    assert line == f"weir: connect {refused}: ssh://{sshd.address}: Host key verification failed."


def test_a_server_that_forwards_nothing_is_told(start_sshd, refused):
    closed = start_sshd("AllowTcpForwarding no")
    line = error_of(ask("--via", closed.url, refused, "hello", status=1))
    assert line == (f"weir: connect {refused}: ssh://{closed.address}: administratively prohibited: open failed")


def test_nobody_there_is_told(refused):
    address = refused.removeprefix("tcp://")
    line = error_of(ask("--via", f"ssh://{address}", "tcp://x:1", "hello", status=1))
    host, _, port = address.partition(":")
    assert line == (f"weir: connect tcp://x:1: ssh://{address}: connect to host {host} port {port}: "
                    "Connection refused")


def test_a_server_that_says_nothing_costs_no_more_than_the_timeout(peer, tmp_path):
    silent = peer(lambda connection: connection.recv(1 << 16) and connection.recv(1 << 16))
    url = f"ssh://{silent.endpoint.removeprefix('tcp://')}?config=/dev/null"
    line = error_of(ask("--via", url, "tcp://x:1", "hello", "--timeout", "500ms", status=3))
    assert line == f"weir: connect tcp://x:1: {url.partition('?')[0]} did not answer in time"


def test_the_end_of_ssh_is_not_taken_for_the_streams(sshd, peer):
    """The target has said something and not ended when the machine between goes down: that is a cut."""
    said = threading.Event()

    def talk(connection):
        connection.sendall(b"part")
        said.set()
        connection.recv(1)

    target = peer(talk)
    with subprocess.Popen([WEIR, "connect", "--via", sshd.url, target.endpoint], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          start_new_session=True) as client:
        assert client.stdout.read(4) == b"part"
        assert said.wait(seconds(20))
        sshd.break_off()
        assert client.wait(seconds(30)) == 4
        line = client.stderr.read().decode()
        client.stdin.close()
    assert line.startswith(f"weir: recv {target.endpoint}: ssh://{sshd.address}: "), line


def test_two_machines_are_one_behind_the_other(serve, start_sshd):
    """The second is reached through the first alone, whatever its folder is called."""
    echo = serve("echo", "tcp://127.0.0.1:0")
    first, second = start_sshd(), start_sshd()
    odd = first.folder / "it's 100%d \"odd\""
    odd.write_text(first.config.read_text())
    url = f"ssh://{USER}@{first.address}?config={str(odd).replace('%', '%25').replace(' ', '%20')}"
    done = ask("--via", url, "--via", second.url, echo.endpoint(), "hello")
    assert done.stdout == b"hello"
    assert "Accepted publickey" in first.said() and "Accepted publickey" in second.said()
    line = error_of(ask("--via", f"ssh://{first.address}?config=/dev/null", "--via", second.url, echo.endpoint(),
                        "hello", status=1))
    assert line.endswith("Host key verification failed."), line


def start_socks(sshd):
    """A SOCKS proxy, which is ssh's own (-D); None where the port that was free has been taken meanwhile."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
    proxy = subprocess.Popen(["ssh", "-F", str(sshd.config), "-p", str(sshd.port), "-o", "ExitOnForwardFailure=yes",
                              "-v", "-N", "-D", f"127.0.0.1:{port}", "127.0.0.1"], stderr=subprocess.PIPE,
                             stdin=subprocess.DEVNULL, start_new_session=True)
    for line in proxy.stderr:
        if b"Entering interactive session" in line:
            return proxy, port
    proxy.wait(seconds(20))
    proxy.stderr.close()
    return None, port


@pytest.fixture
def socks(sshd):
    for _ in range(10):
        proxy, port = start_socks(sshd)
        if proxy:
            break
    with proxy:
        drain = threading.Thread(target=proxy.stderr.read, daemon=True)
        drain.start()
        yield f"socks5://127.0.0.1:{port}"
        proxy.terminate()
        drain.join(seconds(20))


@pytest.mark.parametrize("order", ["proxy ssh", "ssh proxy", "ssh proxy ssh", "proxy proxy ssh ssh"])
def test_proxies_and_machines_in_any_order(serve, sshd, socks, order):
    echo = serve("echo", "tcp://127.0.0.1:0")
    urls = {"proxy": socks, "ssh": sshd.url}
    through = [word for hop in order.split() for word in ("--via", urls[hop])]
    data = os.urandom(300_000)
    done = run_weir("connect", *through, echo.endpoint(), input=data, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data


def test_who_has_its_answer_waits_for_no_ssh(weir, tmp_path):
    """The server keeps the connection for further questions; there are none, and ssh is ended before it sees an end."""
    script = tmp_path / "ssh"
    script.write_text("#!/bin/sh\necho 'debug2: channel 0: open confirm rwindow 1 rmax 1' >&2\nread request\n"
                      "printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello'\ncat >/dev/null\n"
                      f"echo saw its end >{tmp_path}/end\n")
    script.chmod(0o755)
    result = weir("pull", "--via", "ssh://box", "http://far.invalid/file", env={"WEIR_SSH": str(script)})
    assert (result.returncode, result.stdout) == (0, b"hello"), result.stderr
    assert not (tmp_path / "end").exists()


def test_tls_goes_through_it(serve, sshd, tmp_path):
    authority = certificates.Authority(tmp_path)
    echo = serve("echo", "tls://127.0.0.1:0", "--cert", authority.issue("server"))
    done = ask("--via", sshd.url, "--ca", authority.file, echo.endpoint("tls"), "hello")
    assert done.stdout == b"hello"


def test_a_master_is_shared_where_one_asks_for_it(serve, sshd):
    echo = serve("echo", "tcp://127.0.0.1:0")
    runtime = f"/tmp/weir-run-{os.getpid()}"
    os.mkdir(runtime, 0o700)
    try:
        for _ in range(2):
            done = ask("--via", f"{sshd.url}&multiplex=yes", echo.endpoint(), "hello",
                       env={"XDG_RUNTIME_DIR": runtime})
            assert done.stdout == b"hello"
        assert len(sshd.clients) == 1
    finally:
        for master in os.listdir(f"{runtime}/weir-{os.geteuid()}"):
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={runtime}/weir-{os.geteuid()}/{master}", "x"],
                           capture_output=True, check=False, timeout=seconds(20))
        sshd.wait_for_clients(0)
        os.rmdir(f"{runtime}/weir-{os.geteuid()}")
        os.rmdir(runtime)


def test_it_is_no_master_of_others_where_nobody_asks_for_it(serve, start_sshd, tmp_path):
    """One that the user's configuration makes would take the user's other sessions with it when it ends."""
    echo = serve("echo", "tcp://127.0.0.1:0")
    server = start_sshd(client=f"ControlMaster auto\nControlPath {tmp_path}/master")
    with subprocess.Popen([WEIR, "connect", "--via", server.url, echo.endpoint()], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          start_new_session=True) as client:
        client.stdin.write(b"hello")
        client.stdin.flush()
        assert client.stdout.read(5) == b"hello"
        assert not (tmp_path / "master").exists()
        client.stdin.close()
        assert client.wait(seconds(30)) == 0


def test_a_client_that_is_killed_leaves_nothing(sshd, peer, tmp_path):
    target = peer(lambda connection: connection.recv(1))
    with subprocess.Popen([WEIR, "connect", "--via", sshd.url, target.endpoint], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(),
                          start_new_session=True) as client:
        sshd.wait_for_clients(1)
        client.send_signal(signal.SIGKILL)
        client.wait(seconds(20))
        client.stdin.close()
    sshd.wait_for_clients(0)
    assert_none_left(sshd.folder)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_whoever_is_not_root_goes_through_as_well(serve, sshd, tmp_path):
    """By that user's own configuration, whose files are theirs."""
    echo = serve("echo", "tcp://127.0.0.1:0")
    folder = f"/tmp/weir-nobody-{os.getpid()}"
    os.mkdir(folder, 0o755)
    try:
        for name in ("config", "key", "known_hosts"):
            text = (sshd.folder / name).read_text().replace(str(sshd.folder), folder)
            with open(f"{folder}/{name}", "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(f"{folder}/{name}", 0o600)
            os.chown(f"{folder}/{name}", 65534, 65534)
        url = f"ssh://{USER}@{sshd.address}?config={folder}/config"
        done = ask("--via", url, echo.endpoint(), "hello", user=65534, group=65534, extra_groups=[], cwd="/",
                   env={"HOME": folder})
        assert done.stdout == b"hello"
    finally:
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)

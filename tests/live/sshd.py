"""
A real sshd on loopback, as the user who runs the tests, with keys, known hosts and a configuration of its own: nothing
in ~/.ssh is read or written. It is started for each client (`sshd -i`) by a listener of ours, so its port is the
system's choice, and what it does to a client can be cut short.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import seconds

PROGRAM = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
USER = pwd.getpwuid(os.getuid()).pw_name

_SERVER = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
{more}
"""

_CLIENT = """\
IdentityFile {folder}/key
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
{more}
"""


def _make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds(30))


class Sshd:
    """
    `url` is what --via takes; `config` a configuration for clients, whose lines may be changed. `more` are further lines
    of sshd's own: "AllowTcpForwarding no".
    """

    def __init__(self, folder, more="", client=""):
        self.folder = pathlib.Path(folder)
        self.config = self.folder / "config"
        self.log = self.folder / "sshd.log"
        for name in ("host_key", "key"):
            _make_key(self.folder / name)
        shutil.copy(self.folder / "key.pub", self.folder / "authorized_keys")
        (self.folder / "sshd_config").write_text(_SERVER.format(folder=self.folder, more=more))
        self.config.write_text(_CLIENT.format(folder=self.folder, more=client))
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # where its unprivileged half lives
        self.clients = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"ssh://{USER}@{self.address}?config={self.config}"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    self.clients.append(subprocess.Popen(
                        [PROGRAM, "-i", "-f", str(self.folder / "sshd_config"), "-E", str(self.log)],
                        stdin=connection, stdout=connection, stderr=subprocess.DEVNULL, start_new_session=True))

    def wait_for_clients(self, number, timeout=20):
        """Waits until so many are connected; those that have gone do not count."""
        end = time.monotonic() + seconds(timeout)
        while len([client for client in self.clients if client.poll() is None]) != number:
            assert time.monotonic() < end, f"not {number} clients of sshd's:\n{self.said()}"
            time.sleep(0.01)

    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    def break_off(self, number=signal.SIGKILL):
        """Ends all that serves clients, as a machine does that goes down."""
        for client in self.clients:
            for process in descendants(client.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, number)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(seconds(5))
        self.break_off()
        for client in self.clients:
            client.wait(seconds(20))


def descendants(root):
    """A process of ours that is not yet waited for, and all that came of it, whichever session they are in."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(name)] = int(fields[1])
    found = [root] if root in parents else []
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def left_behind(of):
    """The ssh processes that mention a folder in their command lines: what a test is to have ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            words = pathlib.Path(f"/proc/{name}/cmdline").read_bytes()
            if os.path.basename(words.split(b"\0")[0]) in (b"ssh", b"cat") and os.fsencode(of) in words:
                found.append(int(name))
    return found


def assert_none_left(of):
    """One that was killed, and whose parent does not wait for it, may take a moment to go."""
    end = time.monotonic() + seconds(20)
    while found := left_behind(of):
        assert time.monotonic() < end, f"an ssh was left behind: {found}"
        time.sleep(0.01)


@pytest.fixture
def start_sshd(tmp_path):
    """Starts an sshd: start_sshd("AllowTcpForwarding no"). Ended after the test, with all of its clients."""
    if PROGRAM is None:
        pytest.skip("there is no sshd here")
    started = []

    def start(more="", client=""):
        folder = tmp_path / f"sshd{len(started)}"
        folder.mkdir(mode=0o700)
        started.append(Sshd(folder, more, client))
        return started[-1]

    yield start
    for sshd in started:
        sshd.close()
    assert_none_left(tmp_path)


@pytest.fixture
def sshd(start_sshd):
    """One sshd that forwards whatever it is asked to."""
    return start_sshd()

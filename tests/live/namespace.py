"""A network of its own for a test: nothing that happens in it is seen outside, and it is gone with its last socket.

    with Namespace() as namespace:
        ...                     what is opened and started here, by this thread, is inside

It has loopback, and every address of 10.77.0.0/16, which are its own and not loopback's. Needs CAP_SYS_ADMIN and ip(8);
a test is skipped where they are not to be had.
"""
import ctypes
import os
import shutil
import subprocess

import pytest

CLONE_NEWNET = 0x40000000
HERE = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    def __init__(self):
        if not shutil.which("ip"):
            pytest.skip("no ip(8) to set up a network namespace with")
        self.outside = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
        if _libc.unshare(CLONE_NEWNET) != 0:
            reason = os.strerror(ctypes.get_errno())
            os.close(self.outside)
            pytest.skip(f"no network namespaces here: {reason}")
        self.inside = os.open(HERE, os.O_RDONLY | os.O_CLOEXEC)
        self._ip("link", "set", "lo", "up")
        self._ip("route", "add", "local", "10.77.0.0/16", "dev", "lo")
        self._enter(self.outside)

    @staticmethod
    def _ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, stdin=subprocess.DEVNULL)

    @staticmethod
    def _enter(descriptor):
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def __enter__(self):
        self._enter(self.inside)
        return self

    def __exit__(self, *_):
        self._enter(self.outside)

    def close(self):
        os.close(self.inside)
        os.close(self.outside)

    def counts(self, table):
        """Counters of the kernel inside, by name: counts("Tcp")["RetransSegs"]"""
        with self, open("/proc/thread-self/net/snmp", encoding="ascii") as file:
            rows = [line.split() for line in file if line.startswith(f"{table}:")]
        return dict(zip(rows[0][1:], map(int, rows[1][1:])))

"""The programs that the tests of bad days are helped by, built beside the program: crowd, slow and trial (see their .c)."""
import os
import pathlib
import subprocess

from conftest import WEIR, seconds, group_members

PROGRAMS = pathlib.Path(WEIR).resolve().parent / "tests" / "live"
TRIAL = str(PROGRAMS / "trial")


class Told:
    """A program that is told by lines what to do, and says by a line when it has done it."""

    def __init__(self, name, *arguments):
        self.process = subprocess.Popen([str(PROGRAMS / name), *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, start_new_session=True)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def hear(self):
        """What it says next; it says nothing when it has failed, and has told why on stderr."""
        line = self.process.stdout.readline().strip()
        assert line, "it has failed"
        return line

    def end(self):
        """Lets it end. Returns the last that it said."""
        self.process.stdin.close()
        last = self.process.stdout.read().strip()
        assert self.process.wait(seconds(60)) == 0
        self.process.stdout.close()
        return last

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Crowd:
    """Clients by the thousand, in as many processes as they need: see crowd.c."""

    def __init__(self, endpoint, count):
        processes = -(-count // 17000)
        self.shares = [count // processes + (i < count % processes) for i in range(processes)]
        self.parts = [Told("crowd", endpoint, f"127.0.{20 + i}") for i in range(processes)]

    def all_do(self, lines, expected):
        for part, line in zip(self.parts, lines):
            part.tell(line)
        assert [int(part.hear()) for part in self.parts] == expected

    def open(self):
        self.all_do([f"open {share}" for share in self.shares], self.shares)

    def ask(self):
        self.all_do(["ask"] * len(self.parts), self.shares)

    def go(self, how):
        """How: close or reset."""
        self.all_do([how] * len(self.parts), [0] * len(self.parts))

    def end(self):
        for part in self.parts:
            part.end()

    def kill(self):
        for part in self.parts:
            part.kill()


def members(server):
    """The processes of a server."""
    return group_members(server.process.pid)


def resident(server):
    """The memory that the processes of a server have of their own, in bytes."""
    total = 0
    for pid in members(server):
        status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        total += next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
    return total * 1024


def descriptors(server):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in members(server))

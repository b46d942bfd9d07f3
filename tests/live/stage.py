"""A stage for programs: a network and a /etc/hosts of their own, in which any number of programs play together.

    stage = Stage({"mail.example.org"}, {"192.168.0.0/16"}, folder)
    subprocess.Popen([*stage.wrapper, "weir", ...])

Every port is free, every name given is this machine, every address of the networks given is its own. It needs unshare(1),
nsenter(1) and ip(8), and a system that allows it; `pytest.skip` else.
"""
import contextlib
import os
import shutil
import subprocess

import pytest

# Runs until its stdin ends; says that all is set up.
HOLDER = """
hosts=$1
shift
ip link set lo up && mount --bind "$hosts" /etc/hosts || exit 1
for network; do
    ip route add local "$network" dev lo || exit 1
done
echo ready
read -r end
"""


class Stage:
    def __init__(self, names, networks, folder):
        for tool in ("unshare", "nsenter", "ip"):
            if not shutil.which(tool):
                pytest.skip(f"{tool} is not installed")
        hosts = folder / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"127.0.0.1 {name}\n" for name in sorted(names)))
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        self.holder = subprocess.Popen(
            ["unshare", *user, "--net", "--mount", "--propagation", "private", "sh", "-c", HOLDER, "stage", str(hosts),
             *sorted(networks)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True)
        if self.holder.stdout.readline() != b"ready\n":
            complaint = self.holder.communicate()[1].decode().strip()
            pytest.skip(f"no network of one's own here: {complaint}")
        entering = ["-U", "--preserve-credentials"] if user else []
        self.wrapper = ["nsenter", "-t", str(self.holder.pid), *entering, "-n", "-m", f"--wd={folder}", "--"]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()

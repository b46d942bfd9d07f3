#!/usr/bin/env python3
"""What scripts/gdb/weir-gdb.py shows of the fibers of tests/unit/parked.c, alive and dead. Prints TAP.

    check_gdb.py PROGRAM SCRIPT
"""
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

PATIENCE = 100


def run_gdb(*words):
    command = ["gdb", "-batch", "-nx", "-ex", "set debuginfod enabled off", "-ex", "set width 0", *words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout + done.stderr


def commands(*lines):
    return [word for line in lines for word in ("-ex", line)]


def sections(text):
    """What was said after each `echo`, by its word."""
    parts = re.split(r"^== (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def look(script):
    return commands(f"source {script}",
                    r"echo == fibers\n", "weir fibers",
                    r"echo == receiver\n", "weir bt receiver",
                    r"echo == elsewhere\n", "weir bt elsewhere",
                    r"echo == newcomer\n", "weir bt newcomer",
                    r"echo == running\n", "weir bt commander",
                    r"echo == selected\n", "weir fiber sleeper", "backtrace",
                    r"echo == back\n", "weir fiber", "backtrace",
                    r"echo == nobody\n", "weir bt nobody")


def ends_where_fibers_begin(backtrace):
    lines = [line for line in backtrace.splitlines() if line.startswith("#")]
    # Compiled by clang, gdb shows weir.context_boot.
    return bool(lines) and re.search(r"weir\W?_*context_boot", lines[-1]) is not None


def in_order(text, *words):
    return re.search(".*?".join(map(re.escape, words)), text, re.DOTALL) is not None


def listed(said, name, state, *words):
    line = next((line for line in said["fibers"].splitlines() if f" {name} " in line), "")
    return in_order(line, name, state, *words)


def judge(said):
    yield "each fiber is listed with its state", (
        listed(said, "commander", "running", "commands") and listed(said, "newcomer", "new", "begins_never")
        and listed(said, "receiver", "parked") and listed(said, "elsewhere", "parked", "sleeps_elsewhere"))
    yield "the call that it waits in is told", (
        listed(said, "receiver", "weir_channel_receive in deeper") and listed(said, "sleeper", "weir_sleep"))
    yield "a parked fiber is walked to its beginning", (
        in_order(said["receiver"], "weir__fiber_leave", "weir_channel_receive", "deeper")
        and ends_where_fibers_begin(said["receiver"]))
    yield "a fiber of another thread too", (
        in_order(said["elsewhere"], "weir_sleep") and ends_where_fibers_begin(said["elsewhere"]))
    yield "one that has not begun says so", "has not begun" in said["newcomer"]
    yield "one that runs is its thread", (
        "everybody_waits" in said["running"] and ends_where_fibers_begin(said["running"]))
    yield "one that is selected is gdb's", (
        "weir_sleep" in said["selected"] and ends_where_fibers_begin(said["selected"]))
    yield "and can be left again", "commands" in said["back"] and "weir_sleep" not in said["back"]
    yield "a name that nobody has is refused", "no fibers have the name nobody" in said["nobody"]


def alive(program, script):
    return run_gdb(*commands("break everybody_waits", "run"), *look(script), *commands("kill"), program)


def dead(program, script):
    """None where the system keeps its core files elsewhere."""
    if pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip() != "core":
        return None
    with tempfile.TemporaryDirectory() as directory:
        def allow_core():
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
        subprocess.run([program, "abort"], cwd=directory, preexec_fn=allow_core, timeout=PATIENCE,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cores = sorted(pathlib.Path(directory).glob("core*"))
        return run_gdb(*look(script), program, str(cores[0])) if cores else None


def report(number, name, passed, said):
    print(f"{'ok' if passed else 'not ok'} {number} - {name}")
    if not passed:
        print("\n".join(f"# {line}" for line in said.splitlines()))


def main(program, script):
    if not shutil.which("gdb"):
        print("1..0 # SKIP gdb is not installed")
        return 0
    number = failures = 0
    for kind, look_at in (("alive", alive), ("dead", dead)):
        text = look_at(program, script)
        if text is None:
            number += 1
            print(f"ok {number} - {kind} # SKIP no core file is to be had here")
            continue
        if kind == "alive" and "ptrace: Operation not permitted" in text:
            number += 1
            print(f"ok {number} - {kind} # SKIP nothing may be traced here")
            continue
        for name, passed in judge(sections(text)) if "== nobody" in text else [("gdb gets through", False)]:
            number += 1
            failures += not passed
            report(number, f"{kind}: {name}", passed, text)
    print(f"1..{number}")
    return 1 if failures else 0


if __name__ == "__main__":
    os.environ.setdefault("TERM", "dumb")
    sys.exit(main(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])))

#!/usr/bin/env python3
"""What the simulator tells of scenarios that go wrong, tests/sim/broken.c, and of what it is asked. Prints TAP.

    check_broken.py PROGRAM
"""
import os
import re
import subprocess
import sys

PATIENCE = 200

# Words for the program, the exit status, and what is said of it, in this order: on stdout, or on stderr of wrong usage.
CASES = [
    ("good --seeds 20 --twice 1", 0, [r"good: 20 seeds, 0 failed, .* ms a seed, .* digest [0-9a-f]{16}\n"]),
    ("good --seed 7 --trace", 0, [r"server/service +begin", r"here/program +end", r"good: seed 7: good, digest"]),
    ("check --seeds 9 --failures 3", 1, [r"check: \d seeds, 3 failed \(which is enough\)",
                                         r"check: seed 1: .*broken\.c:\d+: arg != NULL does not hold",
                                         r"replay: \S+ check --seed 1 --trace   \(gdb --args \S+ check --seed 1\)"]),
    ("check --seed 2 --trace", 1, [r"here/program +note +the host is here", r"FAILED +\S+broken\.c:\d+: arg != NULL",
                                   r"check: seed 2: .*arg != NULL does not hold"]),
    ("status --seeds 3", 1, [r"status: 3 seeds, 3 failed", r"seed 1: here/program ended with 3\n"]),
    ("stuck --seeds 1", 1, [r"stuck: seed 1: it did not come to its end in time: here/program waits for ever"]),
    ("endless --seeds 1", 1, [r"it did not come to its end in time: here/program waits, with a deadline"]),
    ("descriptor --seeds 1", 1, [r"2 descriptors were left open; the first is a unix#\d+ of here/program"]),
    ("crash --seeds 2 --patience 30s", 1, [r"crash: seed 1: a crash: Aborted", r"replay: ", r"crash: seed 2"]),
    ("hang --seeds 1 --patience 1s", 1, [r"hang: seed 1: a hang: it took more than 1 s of real time"]),
    ("differs --seeds 1 --twice 1 --jobs 1", 1, [r"seed 1: the same seed ran differently a second time"]),
    ("sometimes --seeds 60 --failures 100 --without reset --jobs 2", 1,
     [r"sometimes: 60 seeds, [1-9]\d? failed, ", r"replay: \S+ sometimes --seed \d+ --without reset --trace"]),
    ("good sometimes --tap --seeds 40", 1, [r"^1\.\.2\nok 1 - good: 40 seeds", r"\nnot ok 2 - sometimes: ",
                                            r"\n# sometimes: seed \d+: .*\n#     replay: "]),
    ("talk --seed 3 --trace", 0, [r"bind +unix#\d+ unix:/run/door ", r"bind +unix#\d+ @name ",
                                  r'send +udp#\d+ .*127\.0\.0\.1:\d+>127\.0\.0\.1:9 +8 +"question"',
                                  r'write +file#\d+ /notes +7 +"a note\\x0a"',
                                  r'send +unix#\d+ .* 48 +"hello\\x0d\\x0a\\x01 there',
                                  r"connect +tcp#\d+ .*<>127\.0\.0\.1:9 +ECONNREFUSED", r"log +weir: it is done"]),
    ("--list", 0, [r"good +nothing is wrong\n", r"  check\n"]),
    ("--help", 0, [r"^Usage: \S+ \[OPTION\]\.\.\. \[SCENARIO\]\.\.\.\n", r"--seeds", r"good +nothing is wrong",
                   r"Faults, for --without:", r"short reset", r"Exit status: 0, 1 .* 2"]),
    ("nowhere", 2, [r"error: nowhere: no such scenario; see --list"]),
    ("good --without love", 2, [r"error: --without: love is no kind of faults; see --help"]),
    ("good --trace", 2, [r"error: --trace: is of one seed: name it with --seed"]),
    ("good --tap --seed 1", 2, [r"error: --tap: is not for --seed"]),
    ("good --seeds 0", 2, [r"error: .*--seeds"]),
    ("good --seeds 20 --without all", 0, [r"good: 20 seeds, 0 failed"]),
]

# What sanitizers do themselves, or say otherwise, is not looked at there.
UNSANITIZED = [
    ("exit --seeds 1", 1, [r"exit: seed 1: exit with status 9"]),
    ("memory --seeds 2 --twice 1", 1, [r"memory: seed 1: 1\d\d\d bytes of memory were not given back",
                                       r"replay: \S+ memory --seed 1 --twice 1 --trace"]),
]


def look(program, words, status, patterns):
    """What is wrong, or None."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    done = subprocess.run([program, *words.split()], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, env=environment)
    said = done.stderr if status == 2 else done.stdout
    if done.returncode != status:
        return f"status {done.returncode} in place of {status}", done.stdout + done.stderr
    at = 0
    for pattern in patterns:
        match = re.compile(pattern).search(said, at)
        if not match:
            return f"{pattern!r} is missing", said
        at = match.start()
    return None


def main():
    program, sanitized = sys.argv[1], len(sys.argv) > 2
    cases = CASES + ([] if sanitized else UNSANITIZED)
    print(f"1..{len(cases)}")
    for number, (words, status, patterns) in enumerate(cases, 1):
        wrong = look(program, words, status, patterns)
        print(f"{'not ok' if wrong else 'ok'} {number} - {words}", flush=True)
        if wrong:
            print(f"# {wrong[0]}")
            print("".join(f"# {line}\n" for line in wrong[1].splitlines()), end="")


main()

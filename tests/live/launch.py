"""Becomes a program under special conditions: launch.py [CONDITION]... -- PROGRAM [ARGUMENT]...

    --listen A,B    descriptors A, B as systemd passes sockets: from 3 on, with LISTEN_FDS and LISTEN_PID
    --close A,B     with descriptors A, B closed
    --ignore A,B    with signals A, B ignored
    --deny NUMBER   with a system call that fails with EPERM (seccomp)
"""
import ctypes
import errno
import os
import signal
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
BPF_LOAD_WORD, BPF_JUMP_EQUAL, BPF_RETURN = 0x20, 0x15, 0x06
SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO = 0x7FFF0000, 0x00050000


def pass_sockets(numbers):
    # Two steps, since one descriptor's new number may be another's old one.
    high = [os.dup2(number, 900 + at) for at, number in enumerate(numbers)]
    for at, number in enumerate(high):
        os.dup2(number, 3 + at)
        os.close(number)
    os.environ["LISTEN_FDS"] = str(len(numbers))
    os.environ["LISTEN_PID"] = str(os.getpid())


def deny(system_call):
    def instruction(code, true, false, value):
        return struct.pack("HBBI", code, true, false, value)

    program = (instruction(BPF_LOAD_WORD, 0, 0, 0) +  # the number is the first member of struct seccomp_data
               instruction(BPF_JUMP_EQUAL, 0, 1, system_call) +
               instruction(BPF_RETURN, 0, 0, SECCOMP_RET_ERRNO | errno.EPERM) +
               instruction(BPF_RETURN, 0, 0, SECCOMP_RET_ALLOW))
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), nothing, nothing, nothing) != 0:
        sys.exit("launch: no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), header, nothing, nothing) != 0:
        sys.exit(f"launch: seccomp: {os.strerror(ctypes.get_errno())}")


def main():
    end = sys.argv.index("--")
    words, program = sys.argv[1:end], sys.argv[end + 1:]
    for condition, value in zip(words[::2], words[1::2]):
        numbers = [int(number) for number in value.split(",")]
        if condition == "--listen":
            pass_sockets(numbers)
        elif condition == "--close":
            for number in numbers:
                os.close(number)
        elif condition == "--ignore":
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)
        elif condition == "--deny":
            deny(numbers[0])
        else:
            sys.exit(f"launch: {condition}?")
    os.execv(program[0], program)


main()

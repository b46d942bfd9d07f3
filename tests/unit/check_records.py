#!/usr/bin/env python3
"""What weir's log makes of what Python's logging handlers send is what Python's own formatter makes of the same records.
Prints TAP.

    check_records.py DRIVER [--count N] [--seed N]

The handlers send by a real socket. Lines are compared whole, objects of JSON member for member; then bytes are broken at
random, and whatever they are then is still one line.
"""
import argparse
import datetime
import json
import logging
import logging.handlers
import math
import os
import pickle
import random
import re
import socket
import struct
import subprocess
import sys
import time

HOST, SENDER = "192.0.2.1", "192.0.2.1:514"  # the driver's
LAYOUT = "%(asctime)s %(name)-12s %(levelname)8s\t%(message)s"  # the seed's
ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]
WORDS = ["disk full", "é", "日本語", "😀", "a\tb", "two\nlines", "C:\\new\\table", "\x1b[31mred", "\x00", "\x85", "\u2028", "\u202e",
         "\udcff", "\ud800", "\r\n", '"quoted"', "100%", "tag: x", "su[12]: y", "http://x", "", " ", "x" * 300, "{}", "\x7f"]
LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL, 0, 5, 25, 99]
SYSLOG_LEVELS = ["EMERG", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"]
FACILITIES = {"kern": 0, "user": 1, "daemon": 3, "authpriv": 10, "local0": 16, "local7": 23}
TAG = re.compile(rb"([A-Za-z0-9\-_./@+%()]{1,255})(?:\[([!-\\^-~]{0,255})\])?:(?: |\Z)")
SEPARATORS = set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}


def to_bytes(text):
    return text.encode("utf-8", "surrogatepass")


def is_unsafe(character):
    return character < " " or "\x7f" <= character <= "\x9f" or character in SEPARATORS


def escaped(data):
    """As a line of the log shows bytes."""
    shown = []
    for character in data.decode("utf-8", "surrogateescape"):
        if character in SHORT:
            shown.append(SHORT[character])
        elif is_unsafe(character) or "\udc80" <= character <= "\udcff":
            shown += [f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape")]
        else:
            shown.append(character)
    return "".join(shown)


def in_json(data):
    """As a string of JSON says bytes."""
    return data.decode("utf-8", "backslashreplace")


class Wire:
    """A socket that takes what handlers send."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.address = self.socket.getsockname()

    def sent_by(self, handler, record):
        handler.handle(record)
        return self.socket.recv(65536)


# --- records ---

def words(chance, most=4):
    return "".join(chance.choice(WORDS) for _ in range(chance.randint(1, most)))


def value(chance, depth=0):
    choice = chance.randrange(11 if depth < 3 else 8)
    if choice == 0:
        return words(chance)
    if choice == 1:
        return chance.choice([0, 1, -1, 255, 256, 65535, 65536, -2**31, 2**31, 2**63, -10**40, chance.getrandbits(20)])
    if choice == 2:
        return chance.choice([0.0, -0.0, 1.5, 1e300, 1e-7, math.inf, -math.inf, math.nan, chance.random()])
    if choice == 3:
        return chance.choice([True, False, None])
    if choice == 4:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(5)))
    if choice <= 7:
        return chance.choice(["same", 7])
    items = [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if choice == 8:
        return items
    if choice == 9:
        return tuple(items)
    return {chance.choice(["k", "é", 5, None, True, 1.5, words(chance)]): item for item in items}


def traceback_info():
    try:
        raise ValueError("broken\n\x1b")
    except ValueError:
        return sys.exc_info()


def log_record(chance):
    name = chance.choice(["root", "a.b", "a.very.long.name.of.a.logger", words(chance, 2)])
    arguments = chance.choice([(), (), (words(chance),)])
    message = "%s" if arguments else words(chance)
    exception = traceback_info() if chance.random() < 0.15 else None
    stack = words(chance) if chance.random() < 0.1 else None
    record = logging.LogRecord(name, chance.choice(LEVELS), "/path/é.py", chance.randrange(70000), message, arguments,
                               exception, "call", stack)
    if chance.random() < 0.8:  # around changes of the clock, too
        record.created = chance.choice([1774746000, 1792890000, 0, 4102444800]) + chance.uniform(0, 7200)
        record.msecs = int((record.created - int(record.created)) * 1000) + 0.0
    if chance.random() < 0.3:
        record.extra = value(chance)
        record.again = [record.extra, record.extra]
    return record


def python_line(record):
    """What Python's formatter says of what the receiver's logging.makeLogRecord would make of it."""
    shown = logging.makeLogRecord(dict(record.__dict__))
    shown.name = escaped(to_bytes(f"{record.name}@{HOST}" if record.name else SENDER))
    shown.levelname = escaped(to_bytes(record.levelname))
    shown.msg = "%s"
    formatter = logging.Formatter("%(message)s")
    shown.args = (escaped(to_bytes(formatter.format(record))),)
    shown.exc_info = shown.exc_text = shown.stack_info = None
    return logging.Formatter(LAYOUT).format(shown)


# --- JSON ---

def plain(item, again=()):
    """A value as weir says it in JSON."""
    if isinstance(item, str):
        return in_json(to_bytes(item))
    if isinstance(item, bytes):
        return item.decode("latin1")
    if isinstance(item, float) and not math.isfinite(item):
        return str(item)
    if isinstance(item, (list, tuple)):
        return [plain(one) for one in item]
    if isinstance(item, dict):
        return {plain(key) if isinstance(key, str) else json.dumps(key): plain(one) for key, one in item.items()}
    return item


def iso_time(seconds, fraction):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).astimezone()
    zone = moment.strftime("%z")
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction:06d}{zone[:3]}:{zone[3:5]}"


def python_object(record, data, arrived):
    fields = pickle.loads(data[4:])
    fields.pop("msg")
    fraction = int((record.created - int(record.created)) * 1e9) // 1000
    if fraction // 1000 != int(record.msecs):
        fraction = int(record.msecs) * 1000
    said = {"time": iso_time(int(record.created), fraction), "received": iso_time(*arrived), "kind": "python", "from": SENDER,
            "name": in_json(to_bytes(record.name)) + "@" + HOST if record.name else SENDER,
            "level": in_json(to_bytes(record.levelname)), "message": in_json(to_bytes(record.getMessage())),
            "record": plain(fields)}
    return {key: said[key] for key in said if key != "level" or said[key]}


# --- the driver ---

def run(driver, form, datagrams, zone, arrived=(1795284771, 123456)):
    """The lines and the kinds of datagrams, each a pair: whether it was truncated, and its bytes."""
    wall = arrived[0] * 10**9 + arrived[1] * 1000
    requests = [form] + [struct.pack("=BqQ", truncated, wall, len(data)) + data for truncated, data in datagrams]
    done = subprocess.run([driver], input=b"".join(requests), capture_output=True, timeout=200, env=os.environ | {"TZ": zone})
    if done.returncode != 0:
        raise RuntimeError(f"the driver ended with {done.returncode}: {done.stderr[-2000:].decode(errors='replace')}")
    return done.stdout.split(b"\n")[:-1], done.stderr.decode().split()


def in_zone(zone):
    os.environ["TZ"] = zone
    time.tzset()


def compare(cases, got):
    if len(cases) != len(got):
        return [f"{len(cases)} datagrams, {len(got)} lines"]
    return [f"{case[0]!r}: expected {case[1]!r}, got {one!r}" for case, one in zip(cases, got) if case[1] != one]


def check_datagram_handler(driver, chance, count, form):
    wire, wrong = Wire(), []
    handler = logging.handlers.DatagramHandler(*wire.address)
    for zone in ZONES:
        in_zone(zone)
        cases = []
        for _ in range(count // len(ZONES)):
            record = log_record(chance)
            data = wire.sent_by(handler, record)
            said = python_line(record) if form == b"t" else python_object(record, data, (1795284771, 123456))
            cases.append((data, said))
        lines, kinds = run(driver, form, [(False, data) for data, _ in cases], zone)
        got = [line.decode() if form == b"t" else json.loads(line) for line in lines]
        wrong += compare(cases, got) + [f"taken for {kind}" for kind in kinds if kind != "python"]
    handler.close()
    return count // len(ZONES) * len(ZONES), wrong


def syslog_line(data):
    """A line that shows a SysLogHandler's datagram, which arrived at the one time that there is here."""
    priority, text = re.fullmatch(rb"<(\d+)>(.*)", data, re.DOTALL).groups()
    text = re.sub(rb"\r?\n?\Z", b"", text.rstrip(b"\0"))
    tag, name = TAG.match(text), SENDER
    if tag:
        name, text = f"{tag[1].decode()}@{HOST}", text[tag.end():]
    level = SYSLOG_LEVELS[int(priority) % 8]
    moment = datetime.datetime.fromtimestamp(1795284771)
    return f"{moment:%Y-%m-%d %H:%M:%S},123 {name:<12} {level:>8}\t{escaped(text)}"


def check_syslog_handler(driver, chance, count):
    wire, wrong = Wire(), []
    in_zone(ZONES[1])
    handler = logging.handlers.SysLogHandler(wire.address)
    cases = []
    for _ in range(count):
        handler.facility = chance.choice(list(FACILITIES.values()))
        handler.ident = chance.choice(["", "app: ", "app[17]: ", "app:"])
        handler.append_nul = chance.random() < 0.9
        record = log_record(chance)
        record.msg, record.args = words(chance).encode("utf-8", "ignore").decode(), ()
        record.exc_info = record.stack_info = None
        data = wire.sent_by(handler, record)
        cases.append((data, syslog_line(data)))
    lines, kinds = run(driver, b"t", [(False, data) for data, _ in cases], ZONES[1])
    wrong = compare(cases, [line.decode() for line in lines])
    handler.close()
    return count, wrong + [f"taken for {kind}" for kind in kinds if kind != "rfc3164"]


# --- what nobody meant to send ---

HEADERS = [b"<13>1 2026-11-21T18:12:51.433896+00:00 vm root 12 ID7 [a@1 b=\"c\\\"d\" b=\"e\"][f] \xef\xbb\xbfhello \xc3\xa9",
           b"<13>Nov 21 18:12:51 vm root[12]: hello \xc3\xa9", b"<191>Feb 29 23:59:59 tag: x", b"plain \x1b text\n"]


def broken(chance, wire, handler):
    if chance.random() < 0.5:
        data = bytearray(chance.choice(HEADERS))
    else:
        data = bytearray(wire.sent_by(handler, log_record(chance)))
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(data))
        choice = chance.randrange(4)
        if choice == 0:
            data[at] = chance.randrange(256)
        elif choice == 1:
            del data[at:at + chance.randrange(1, 9)]
        elif choice == 2:
            data[at:at] = data[at:at + 20]
        else:
            data[at:at] = chance.choice([b"h\x01", b"q\x00", b"t", b"(", b"cos\nsystem\n", b"R", b"[", b"]", b'"', b"\\"])
        data = data or bytearray(b"x")
    if data[4:5] == b"}":
        data[:4] = struct.pack(">I", len(data) - 4)
    return chance.random() < 0.2, bytes(data)


def check_broken(driver, chance, count):
    """One line each, which is text, and one object of JSON."""
    wire, wrong = Wire(), []
    handler = logging.handlers.DatagramHandler(*wire.address)
    datagrams = [broken(chance, wire, handler) for _ in range(count)]
    handler.close()
    texts, kinds = run(driver, b"t", datagrams, "UTC")
    objects, again = run(driver, b"j", datagrams, "UTC")
    if not len(texts) == len(objects) == len(kinds) == count:
        return count, [f"{count} datagrams, {len(texts)} and {len(objects)} lines"]
    for (truncated, data), text, line, kind in zip(datagrams, texts, objects, kinds):
        try:
            shown, said = text.decode(), json.loads(line.decode())
        except ValueError as error:
            wrong.append(f"{data!r}: {error}")
            continue
        if any(is_unsafe(character) for character in shown.replace("\t", "", 1)):
            wrong.append(f"{data!r}: {shown!r}")
        if shown.endswith(" [truncated]") < truncated or said.get("truncated", False) != truncated:
            wrong.append(f"{data!r}: not marked")
        if any(is_unsafe(character) for character in line.decode()):
            wrong.append(f"{data!r}: {line!r}")
    return count, wrong + ([] if kinds == again else ["kinds differ"])


def check_refused(driver):
    """Pickles with more in them than plain values stay text, and are counted."""
    class Object:
        def __reduce__(self):
            return os.system, ("true",)
    wrong, datagrams = [], []
    whole = {"name": "x", "msg": "y", "levelname": "INFO"}
    for item in [Object(), datetime.datetime(2026, 1, 1), {1, 2}, os.system, bytes, 1 + 2j, {(1, 2): 3}]:
        for protocol in range(6):
            body = pickle.dumps(whole | {"extra": item}, protocol)
            datagrams.append((False, struct.pack(">I", len(body)) + body))
    datagrams = [one for one in datagrams if one[1][4:5] in (b"}", b"\x80")]
    lines, kinds = run(driver, b"j", datagrams, "UTC")
    for (_, data), line, kind in zip(datagrams, lines, kinds):
        said = json.loads(line)
        if (kind, said["kind"], said["message"], said["level"]) != ("unreadable", "unreadable", in_json(data), "DEBUG"):
            wrong.append(f"{data!r}: {said}")
    return len(datagrams), wrong + ([] if len(datagrams) > 20 else ["too few"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    count, driver = options.count, options.driver
    checks = [
        ("DatagramHandler, as lines", lambda chance: check_datagram_handler(driver, chance, count, b"t")),
        ("DatagramHandler, as JSON", lambda chance: check_datagram_handler(driver, chance, count, b"j")),
        ("SysLogHandler", lambda chance: check_syslog_handler(driver, chance, count)),
        ("what is broken is one line", lambda chance: check_broken(driver, chance, 2 * count)),
        ("what is more than plain values is text", lambda chance: check_refused(driver)),
    ]
    print(f"1..{len(checks)}")
    for index, (title, what) in enumerate(checks, 1):
        number, wrong = what(random.Random(f"{options.seed} {title}"))
        print(f"{'not ' if wrong else ''}ok {index} - {title}: {number} datagrams, {len(wrong)} differences")
        for line in wrong[:10]:
            print(f"# {line[:3000]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

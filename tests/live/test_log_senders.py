"""weir serve log, and those who send to it: Python's logging handlers, logger(1), the seed's own server beside it."""
import contextlib
import datetime
import json
import logging
import logging.handlers
import pickle
import re
import shutil
import socket
import struct
import subprocess

import pytest

from conftest import seconds

UDP = "udp://127.0.0.1:0"
LAYOUT = "%(asctime)s %(name)-12s %(levelname)8s\t%(message)s"  # the seed's


def address_of(server):
    return server.address("udp://127.0.0.1")


def line_of(server):
    return server.process.stdout.readline().decode().rstrip("\n")


@contextlib.contextmanager
def logger_with(handler, name="app.part"):
    """A logger that logs there alone."""
    log = logging.getLogger(name)
    log.propagate, log.handlers = False, [handler]
    log.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        log.handlers = []
        handler.close()


class Remembering(logging.handlers.DatagramHandler):
    """What the formatter makes of the same record here."""
    last = None

    def emit(self, record):
        super().emit(record)
        self.last = logging.Formatter(LAYOUT).format(record)


def python_line(handler):
    """As it is there: with the sender's host, in one line."""
    return handler.last.replace("app.part    ", "app.part@127.0.0.1").replace("\n", "\\n")


def test_python_s_datagram_handler(serve):
    server = serve("log", UDP)
    handler = Remembering(*address_of(server))
    with logger_with(handler) as log:
        for level in (logging.DEBUG, logging.WARNING, logging.CRITICAL, 25):
            log.log(level, "%d of %s", 7, "größer")
            assert line_of(server) == python_line(handler)
        try:
            raise ValueError("broken")
        except ValueError:
            log.exception("it ended")
        line = line_of(server)
        assert line == python_line(handler) and "Traceback" in line and "\\nValueError: broken" in line
    server.stop()
    assert "records: 5 python" in server.text


def test_every_field_of_python_s_is_in_json(serve):
    server = serve("log", UDP, "--format", "json")
    with logger_with(logging.handlers.DatagramHandler(*address_of(server))) as log:
        log.error("disk %s", "full", extra={"disk": ["sda", 1.5, True, None], "raw": b"\xff"})
        said = json.loads(line_of(server))
    assert (said["kind"], said["name"], said["level"], said["message"]) == (
        "python", "app.part@127.0.0.1", "ERROR", "disk full")
    assert said["record"]["disk"] == ["sda", 1.5, True, None] and said["record"]["raw"] == "\xff"
    assert said["record"]["funcName"] == "test_every_field_of_python_s_is_in_json"
    told = datetime.datetime.fromisoformat(said["time"])
    assert abs(told.timestamp() - said["record"]["created"]) < 0.002


class Called:
    """A pickle of this calls whoever loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_pickle_with_a_call_in_it_is_kept_and_not_run(serve, tmp_path):
    server = serve("log", UDP, "--format", "json")
    path = tmp_path / "called"
    body = pickle.dumps({"name": "x", "msg": "y", "extra": Called(str(path))}, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(struct.pack(">I", len(body)) + body, address_of(server))
    said = json.loads(line_of(server))
    assert (said["kind"], said["level"]) == ("unreadable", "DEBUG") and "open" in said["message"]
    server.stop()
    assert not path.exists()
    assert "records: 1 unreadable" in server.text


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_python_s_syslog_handler(serve, tmp_path, kind):
    path = f"{tmp_path}/log"
    server = serve("log", UDP if kind == "udp" else f"unix:{path}?type=datagram")
    to = address_of(server) if kind == "udp" else path
    name = r"127\.0\.0\.1:\d+" if kind == "udp" else "unix:unnamed"
    with logger_with(logging.handlers.SysLogHandler(to, facility="local3")) as log:
        log.warning("multi\nline")
        assert re.fullmatch(rf"\S+ \S+ {name}  WARNING\tmulti\\nline", line_of(server))
        log.handlers[0].ident = "app: "
        log.critical("gone")
        host = "127.0.0.1" if kind == "udp" else "unix:unnamed"
        assert re.fullmatch(rf"\S+ \S+ app@{host} CRITICAL\tgone", line_of(server))


def logger(*arguments):
    subprocess.run([shutil.which("logger"), *arguments], check=True, timeout=seconds(20))


@pytest.mark.parametrize("how, kind", [([], "rfc5424"), (["--rfc5424=notime,nohost,notq"], "rfc5424"),
                                       (["--rfc3164"], "rfc3164")])
def test_logger(serve, how, kind):
    server = serve("log", UDP, "--format", "json")
    host, port = address_of(server)
    logger("-n", host, "-P", str(port), "-d", *how, "-t", "backup", "-p", "local7.err", "done: größer")
    said = json.loads(line_of(server))
    assert (said["kind"], said["facility"], said["severity"], said["level"]) == (kind, "local7", 3, "ERROR")
    assert (said["name"], said["message"]) == ("backup@127.0.0.1", "done: größer")
    told, received = (datetime.datetime.fromisoformat(said[key]) for key in ("time", "received"))
    assert told <= received and ("nohost" in str(how)) != ("host" in said)


def test_logger_through_a_unix_socket(serve, tmp_path):
    server = serve("log", f"unix:{tmp_path}/log?type=datagram")
    logger("-u", f"{tmp_path}/log", "-t", "backup", "-p", "user.info", "done")
    assert re.fullmatch(r"\S+ \S+,\d{3} backup@unix:unnamed     INFO\tdone", line_of(server))


def test_the_largest_datagram_is_whole(serve):
    server = serve("log", UDP, "--format", "json")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x" * 65507, address_of(server))
    said = json.loads(line_of(server))
    assert said["message"] == "x" * 65507 and "truncated" not in said

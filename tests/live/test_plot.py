"""weir bench --plot: an image that says what happened, whatever happened."""
import re
import signal
import subprocess
import time
import xml.etree.ElementTree

import pytest

from conftest import WEIR, environment, seconds

SVG = "{http://www.w3.org/2000/svg}"


class Plot:
    """What is in an image: its texts, and its lines as lists of numbers by kind."""

    def __init__(self, path):
        root = xml.etree.ElementTree.parse(path).getroot()
        assert root.tag == SVG + "svg"
        self.style = root.find(SVG + "style").text
        self.texts = [text.text for text in root.iter(SVG + "text")]
        self.lines = {}
        for line in root.iter(SVG + "path"):
            assert re.fullmatch(r"([MHVZ]|[0-9.]| )*", line.get("d")), line.get("d")
            self.lines.setdefault(line.get("class"), []).append([float(n) for n in re.findall("[0-9.]+", line.get("d"))])
        for place in (float(n) for lines in self.lines.values() for line in lines for n in line):
            assert 0 <= place <= 900


@pytest.fixture
def echo(serve, tmp_path):
    return serve("echo", f"unix:{tmp_path}/s", "udp://127.0.0.1:0", "--workers", "1")


@pytest.mark.parametrize("options", [
    ["--duration", "600ms"],
    ["--duration", "600ms", "--rate", "500"],
    ["--duration", "300ms", "--churn", "--connections", "4"],
    ["--duration", "300ms", "--idle"],
    ["--duration", "300ms", "--json", "--workers", "2"],
    ["--duration", "1ms", "--connections", "1"],
], ids=" ".join)
def test_the_plot_tells_the_run(weir, echo, tmp_path, options):
    file = tmp_path / "plot.svg"
    result = weir("bench", echo.endpoint("unix:"), "--plot", file, *options)
    assert (result.returncode, result.stderr) == (0, b"")
    plot = Plot(file)
    assert plot.texts[0] == echo.endpoint("unix:")
    assert {"Messages a second", "0 s", "50 %", "90 %", "99 %", "most"} <= set(plot.texts)
    assert any("latency" in text.lower() and ("due" in text) == ("--rate" in options) for text in plot.texts)
    # The rate and its area; a line for each percentile; the whole run by percentile, in the first one's colour.
    assert {kind: len(lines) for kind, lines in plot.lines.items()} == {
        "area line0": 1, "line0": 3, "line1": 1, "line2": 1, "line3": 1}
    assert all(line for lines in plot.lines.values() for line in lines)
    assert "prefers-color-scheme: dark" in plot.style


def test_datagrams_too(weir, echo, tmp_path):
    file = tmp_path / "plot.svg"
    result = weir("bench", echo.endpoint("udp:"), "--duration", "300ms", "--plot", file)
    assert (result.returncode, result.stderr) == (0, b"")
    assert any(text.startswith("datagram: 64 connections") for text in Plot(file).texts)


def test_a_run_without_an_answer_is_drawn(weir, peer, tmp_path):
    silent = peer(lambda connection: connection.recv(100) and time.sleep(0.1))
    file = tmp_path / "plot.svg"
    result = weir("bench", silent.endpoint, "--connections", "2", "--duration", "300ms", "--timeout", "50ms",
                  "--plot", file)
    assert result.returncode == 1
    plot = Plot(file)
    assert any("errors: 2" in text for text in plot.texts)
    assert plot.lines["line3"] == [[]]


def test_a_signal_ends_the_run_and_it_is_drawn(echo, tmp_path):
    file = tmp_path / "plot.svg"
    process = subprocess.Popen([WEIR, "bench", echo.endpoint("unix:"), "--duration", "never", "--plot", str(file)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment(), start_new_session=True)
    try:
        echo.wait_for_counters(accepted=65)  # one asks whether there is a server
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=seconds(20))
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    assert "Messages a second" in Plot(file).texts


def test_a_longer_plot_is_written_over(weir, echo, tmp_path):
    file = tmp_path / "plot.svg"
    file.write_text("x" * 1_000_000)
    assert weir("bench", echo.endpoint("unix:"), "--duration", "100ms", "--plot", file).returncode == 0
    assert Plot(file).texts


def test_a_plot_may_go_through_a_pipe(echo):
    result = subprocess.run(["bash", "-c", f"'{WEIR}' bench '{echo.endpoint('unix:')}' --duration 100ms "
                             "--plot /dev/fd/3 3>&1 >/dev/null | cat"], env=environment(), stdin=subprocess.DEVNULL,
                            capture_output=True, timeout=seconds(20), start_new_session=True)
    assert result.stderr == b""
    assert xml.etree.ElementTree.fromstring(result.stdout).tag == SVG + "svg"


@pytest.mark.parametrize("path, said", [
    ("/nosuch/plot.svg", "weir: open /nosuch/plot.svg: no such file or directory"),
    ("/dev/full", "weir: write /dev/full: no space left on device"),
])
def test_a_plot_that_cannot_be_written_is_1_and_one_line(weir, echo, path, said):
    result = weir("bench", echo.endpoint("unix:"), "--duration", "100ms", "--plot", path)
    assert result.returncode == 1
    assert result.stderr.decode().splitlines() == [said]
    # Where it is known before the run there is no run.
    assert (result.stdout == b"") == path.startswith("/nosuch")


def test_a_plot_that_was_there_stays_when_there_is_no_server(weir, refused, tmp_path):
    file = tmp_path / "plot.svg"
    file.write_text("the last one")
    assert weir("bench", refused, "--plot", file).returncode == 1
    assert file.read_text() == "the last one"

"""
Every example of every --help and every manual page is run, and does what it says. They are read from the program: one that
this cannot run fails. Each plays on a stage with a network of its own, where the ports are free and example.org is this
machine; only /tmp/ is another folder, bench runs for a moment, and check does not wait between its tries.
"""
import contextlib
import json
import os
import pathlib
import re
import resource
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

import pytest

from conftest import READY, WEIR, environment, group_members, run_weir, seconds
from pages import MANUALS, PAGES, examples_in_manual, examples_of
from stage import Stage

LINES = sorted({line for words in [[], *PAGES] for line in examples_of(words)})
PROXIES = pathlib.Path(__file__).with_name("proxies.py")
FEED = pathlib.Path(__file__).with_name("feed.py")
FRAME = b"\xff\xfb\x90\xc0" + bytes(413)  # of silence
SILENCE = 200 * FRAME
FILE = b"".join(b"line %d of a file\n" % i for i in range(2000))


def networks_of(line):
    return re.findall(r"--(?:allow|deny) (\S+/\d+)", line)


class Running:
    """A command line that runs: what it has printed so far, and its end."""

    def __init__(self, stage, line, folder, shell=("bash", "-c")):
        env = environment({"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), "XDG_STATE_HOME": "",
                           "no_proxy": "*"})
        self.line, self.printed, self.said = line, b"", b""
        self.process = subprocess.Popen([*stage.wrapper, *shell, line], env=env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def read_until(self, condition, timeout=30):
        """Reads what it prints until a condition holds, or it has ended. Returns whether it holds."""
        end = time.monotonic() + seconds(timeout)
        pipes = [self.process.stdout, self.process.stderr]
        while pipes and not condition():
            assert time.monotonic() < end, f"{self.line}\nprinted {self.printed!r}\nsaid {self.said.decode()}"
            for pipe in select.select(pipes, [], [], 0.2)[0]:
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    pipes.remove(pipe)
                elif pipe is self.process.stdout:
                    self.printed += data
                else:
                    self.said += data
        return condition()

    @property
    def endpoints(self):
        return [match.group(2) for match in READY.finditer(self.said.decode())]

    def wait_until_ready(self, least):
        """Until it has said that it listens, at so many endpoints at least."""
        assert self.read_until(lambda: len(self.endpoints) >= least and self.said.endswith(b"\n")), self.said.decode()

    def send(self, data):
        """Gives it data on its stdin, and the end of that."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(data)
            self.process.stdin.close()

    def end(self, status=0):
        """Waits for its end, which is to be a good one. Returns what it printed on stdout."""
        self.read_until(lambda: False)
        ended = self.process.wait(seconds(30))
        assert ended == status, f"{self.line}\nexits {ended}: {self.said.decode()}"
        assert not group_members(self.process.pid), f"{self.line}\nleft a process"
        return self.printed

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def make_certificate(folder):
    """CERT.pem and KEY.pem, for this machine and example.org, and CA.pem, which it hangs on: itself."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-keyout", "KEY.pem", "-out", "CERT.pem", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,DNS:example.org,IP:127.0.0.1,IP:::1"], cwd=folder, check=True,
                   capture_output=True, timeout=seconds(30))
    shutil.copy(folder / "CERT.pem", folder / "CA.pem")


SSH = """#!/bin/sh
# ssh, but whoever is to be logged in is who plays, and what it talks with is an sshd of its own.
for word; do
    shift
    [ "$before" = -l ] && word=$(id -un)
    before=$word
    set -- "$@" "$word"
done
exec %s -F "%s/config" "$@"
"""


def make_ssh(folder):
    """An ssh that gets into example.org, where its sshd is a child of its own: nobody needs to listen."""
    if os.geteuid() != 0:
        pytest.skip("an sshd on a stage wants to be root")
    os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    keys = folder / "keys"
    keys.mkdir(mode=0o700)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)], check=True,
                       stdin=subprocess.DEVNULL, timeout=seconds(30))
    (keys / "sshd_config").write_text(
        f"HostKey {keys}/host_key\nAuthorizedKeysFile {keys}/key.pub\nPidFile none\nUsePAM no\nStrictModes no\n")
    kind, key = (keys / "host_key.pub").read_text().split()[:2]
    (keys / "known_hosts").write_text(f"played {kind} {key}\n")
    sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
    (keys / "config").write_text(
        f"ProxyCommand {sshd} -i -f {keys}/sshd_config\nHostKeyAlias played\nUserKnownHostsFile {keys}/known_hosts\n"
        f"IdentityFile {keys}/key\nIdentitiesOnly yes\nIdentityAgent none\n")
    (folder / "bin" / "ssh").write_text(SSH % (shutil.which("ssh"), keys))
    (folder / "bin" / "ssh").chmod(0o755)


class Play:
    """What an example needs around it: files, servers and clients, on the stage."""

    def __init__(self, stage, folder, text):
        self.stage, self.folder, self.runs = stage, folder, []
        if ".pem" in text:
            make_certificate(folder)
        (folder / "bin").mkdir()
        os.symlink(os.path.abspath(WEIR), folder / "bin" / "weir")
        (folder / "FILE").write_bytes(FILE)
        if "ssh://" in text:
            make_ssh(folder)
        for scheme, port in re.findall(r"--via (socks5|http)://localhost:(\d+)", text):
            proxy = self.start(f"exec {sys.executable} {PROXIES} {scheme} {port}")
            assert proxy.read_until(lambda: proxy.printed == b"ready\n"), proxy.said.decode()

    def start(self, line, **options):
        run = Running(self.stage, line, self.folder, **options)
        self.runs.append(run)
        return run

    def finish(self, line, data=b"", **options):
        """Runs a line to its end. Returns what it printed."""
        run = self.start(line, **options)
        run.send(data)
        return run.end()

    def serve(self, line, least=1):
        """Starts a line that serves, in place of the shell, so that it gets the signals."""
        run = self.start(f"exec {line}")
        run.wait_until_ready(least)
        return run

    def echo(self, *endpoints):
        tls = " --cert CERT.pem --key KEY.pem" if any(endpoint.startswith("tls:") for endpoint in endpoints) else ""
        listed = " ".join(f"'{endpoint}'" for endpoint in endpoints)
        return self.serve(f"weir serve echo {listed}{tls}", len(endpoints))

    def ask(self, endpoint, data):
        """What a server answers to data and their end."""
        return self.finish(f"weir connect '{endpoint}'{' --ca CA.pem' if endpoint.startswith('tls:') else ''}", data)

    def kept(self, name):
        return (self.folder / name).read_bytes()

    def close(self):
        for run in reversed(self.runs):
            run.kill()


@pytest.fixture
def play(text, tmp_path):
    stage = Stage(set(re.findall(r"[\w.-]*\bexample\.(?:org|com|net)\b", text)), set(networks_of(text)), tmp_path)
    play = Play(stage, tmp_path, text)
    yield play
    try:
        play.close()
    finally:
        stage.close()


class Line:
    """A command line taken apart."""

    def __init__(self, text):
        lexer = shlex.shlex(text, posix=True, punctuation_chars="<>|;()")
        lexer.whitespace_split = True
        words = list(lexer)
        words = words[words.index("weir") + 1:]
        self.text, self.command = text, words[0]
        self.page = words[:2] if words[:2] in PAGES else words[:1]
        self.operands, self.options, self.files, self.program = [], {}, {}, []
        takes = set(re.findall(r"(?<=[ ,])(-\w|--[a-z0-9-]+)(?=(?:, --\S+)? [A-Z])", run_weir(
            *self.page, "--help").stdout.decode().partition("\nExamples:")[0]))
        self.read(words[len(self.page):], takes)

    def read(self, words, takes):
        words = iter(words)
        for word in words:
            if word in ("<", ">", ">>"):
                self.files[word[0]] = next(words)
            elif word == "--":
                self.program = list(words)
            elif word.startswith("-"):
                self.options[word] = next(words) if word in takes else True
            else:
                self.operands.append(word)

    def endpoint(self, index=0):
        """An endpoint among the operands, whichever way it is written; where -u or -U is given, as a whole one."""
        first, second = (self.operands[index:] + ["", ""])[:2]
        if self.command in ("ask", "connect") and not re.search("[:/]", first) and second.isdigit():
            first = f"{first}:{second}"
        if "-u" in self.options:
            first = f"udp://{first}"
        return first

    def texts(self):
        """The operands of ask behind the endpoint."""
        return self.operands[2 if self.endpoint() != self.operands[0] and self.operands[1].isdigit() else 1:]


def for_everybody(endpoint):
    """Where to listen so that a client that names this endpoint comes there."""
    scheme, _, rest = endpoint.rpartition("://")
    if endpoint.startswith("unix:"):
        return endpoint
    return f"{scheme or 'tcp'}://*:{rest.rpartition(':')[2]}"


def reached_at(endpoint, line):
    """Where a client reaches a server that listens there: from where it is let in."""
    if endpoint.startswith("unix:") or "*" not in endpoint and "[::]" not in endpoint and "0.0.0.0" not in endpoint:
        return endpoint
    networks = networks_of(line)
    host = networks[0].partition("/")[0].rpartition(".")[0] + ".7" if networks else "127.0.0.1"
    return f"{endpoint.partition('://')[0]}://{host}:{endpoint.rpartition(':')[2]}"


# --- one for each command ---


def run_ask(play, line):
    play.echo(for_everybody(line.endpoint()))
    answer = play.finish(line.text)
    if line.texts():
        assert answer == " ".join(line.texts()).encode() + (b"\n" if "--line" in line.options else b"")
    else:
        assert answer == FILE


def run_connect(play, line):
    play.echo(for_everybody(line.endpoint()))
    printed = play.finish(line.text, b"hello\n\n" if "--prompt" in line.options else b"hello\n")
    if ">" in line.files:
        printed = play.kept(line.files[">"])
    expected = FILE if "<" in line.files else b"hello\n"
    assert printed.rstrip(b"\n") == expected.replace(b"\n", b"\r\n" if "-C" in line.options else b"\n").rstrip(b"\n")


def run_bench(play, line):
    connections = int(line.options.get("--connections", 64))
    if connections + 100 > resource.getrlimit(resource.RLIMIT_NOFILE)[1]:
        pytest.skip(f"this machine grants no {connections} descriptors")
    play.echo(for_everybody(line.endpoint()))
    printed = play.finish(f"{line.text} --duration 200ms")
    if "--json" in line.options:
        assert json.loads(printed)["messages"] > 0
    else:
        assert re.search(rb"errors +0\n", printed)
    if "--plot" in line.options:
        assert xml.etree.ElementTree.fromstring(play.kept(line.options["--plot"])).tag.endswith("svg")


def run_listen(play, line):
    listening = play.serve(line.text)
    endpoint = reached_at(listening.endpoints[0], line.text)
    if "--prompt" in line.options:
        client = play.start(f"weir connect '{endpoint}'")
        listening.send(b"hello\n\n")
        assert client.read_until(lambda: client.printed.startswith(b"hello\n"))
        listening.end()
        client.send(b"")
        client.end()
        return
    listening.send(b"")
    heard = play.ask(endpoint, b"hello\n")
    assert heard == (FILE if line.files.get("<") == "FILE" else b"")
    if line.options.keys() & {"-k", "--all", "-u"}:
        assert play.ask(endpoint, b"again\n") == b""
        printed, expected = listening.terminate(), b"hello\nagain\n"
    else:
        printed, expected = listening.end(), b"hello\n"
    assert (play.kept(line.files[">"]) if ">" in line.files else printed) == expected
    if "--hex" in line.options:
        assert b"hello" in play.kept(line.options["--hex"])


def run_check(play, line):
    words = [word for word in line.operands if not word.isdigit()]  # HOST PORT may be two
    ports = [word for word in line.operands if word.isdigit()]
    endpoints = [word if re.search("[:/]", word) else f"{word}:{ports.pop(0)}" for word in words]
    play.echo(*{for_everybody(endpoint) for endpoint in endpoints})
    # No second between tries; it ends with another status where one does not answer.
    printed = play.finish(f"{line.text} --interval 10ms")
    if "--json" in line.options:
        assert {json.loads(row)["result"] for row in printed.splitlines()} == {"answers"}
    else:
        assert printed.count(b" answers ") >= len(endpoints)


def run_relay(play, line):
    play.echo(for_everybody(line.endpoint(1)))
    # A session of datagrams has no end that could be waited for.
    relay = play.serve(f"{line.text} --drain-timeout 200ms" if line.endpoint().startswith("udp") else line.text)
    assert play.ask(reached_at(relay.endpoints[0], line.text), b"hello\n") == b"hello\n"
    relay.terminate()


def run_tunnel(play, line):
    play.echo(for_everybody(line.endpoint(len(line.operands) - 1)))
    tunnel = play.serve(line.text)
    assert play.ask(reached_at(tunnel.endpoints[0], line.text), b"hello\n") == b"hello\n"
    tunnel.terminate()


def make_players(play):
    for player in "mpv", "madplay":
        (play.folder / "bin" / player).write_text("#!/bin/sh\nexec cat > HEARD\n")
        (play.folder / "bin" / player).chmod(0o755)


def run_pull(play, line):
    """Of music that is silence, each frame the same; its players only keep what they get."""
    frame, music = FRAME, SILENCE
    (play.folder / "a.mp3").write_bytes(music)
    make_players(play)
    play.serve("weir serve stream tcp://*:8004 http://*:8080 --media a.mp3", 2)
    kept = play.folder / line.files.get(">", line.options.get("-o", "HEARD"))
    if "--resume" in line.options:
        kept.write_bytes(music[:1000])
    if "/radio" not in line.text:
        play.finish(line.text)
        assert kept.read_bytes() == music
        return
    listening = play.start(line.text)
    assert listening.read_until(lambda: kept.exists() and kept.stat().st_size > len(frame))
    listening.kill()
    assert (music * 10).startswith(kept.read_bytes()[:len(music)])


def run_help(play, line):
    assert play.finish(line.text) == run_weir(*line.operands, "--help").stdout


def run_completion(play, line):
    shell = next(word for word in ("bash", "zsh", "fish") if word in line.text)
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    before = "autoload -Uz compinit; compinit -D -u; " if shell == "zsh" else ""
    loaded = {"bash": "complete -p weir", "zsh": "print $_comps[weir]", "fish": 'complete -C "weir as"'}[shell]
    assert re.search(b"_weir|^ask\t", play.finish(f"{before}{line.text}\n{loaded}", shell=(shell, "-c")))


def run_run(play, line):
    make_players(play)
    serving = play.serve(line.text)
    tries = re.compile(r"^weir: try: (.*)\n", re.MULTILINE)

    def all_are_there():
        """One for each service that listens; they come when all do."""
        said = serving.said.decode()
        services = {match.group(1) for match in READY.finditer(said)}
        return len(tries.findall(said)) == len(services)

    assert serving.read_until(all_are_there)
    for tried in tries.findall(serving.said.decode()):
        play.finish(tried)
    serving.terminate()


def type_password(play, line):
    """Runs it at a terminal, script(1)'s, and answers what it asks."""
    run = play.start(line.text, shell=("script", "-qe", "/dev/null", "-c"))
    for question in (b"password: ", b"again: "):
        assert run.read_until(lambda: question in run.printed)
        run.process.stdin.write(b"secret\n")
        run.process.stdin.flush()
    run.end()


def run_user(play, line):
    action, name, text = (line.operands + ["", ""])[:3]
    if action != "add":
        play.finish("weir user add bob --password-stdin", b"before\n")
    if action in ("add", "passwd") and "--password-stdin" not in line.options:
        type_password(play, line)
    else:
        play.finish(line.text)
    greeting = line.options.get("--greeting") or text or f"hi {name}"
    expected = {"remove": "", "list": "bob\thi bob\n"}.get(action, f"{name}\t{greeting}\n")
    assert play.finish("weir user list").decode() == expected


def feed_of(play, line):
    """Has the feed that a line names served. Of the real one nothing is to be had on the stage. Returns what level there is."""
    if "--feed" not in line.options:
        return "unknown"
    feed = play.start(f"exec {sys.executable} {FEED} {play.folder} 127.0.0.1 443 example.org")
    assert feed.read_until(lambda: feed.printed == b"ready\n")
    return "elevated"


def run_threat(play, line):
    level = feed_of(play, line)
    asked = play.start(line.text)
    assert asked.end(1 if level == "unknown" else 0) == f"{level}\n".encode()


def run_serve(play, line):
    if len(line.page) == 1 or "--help" in line.options:
        assert play.finish(line.text)
        return
    if line.page[1] == "threat":
        line.level = feed_of(play, line)
    if line.page[1] == "stream":
        furnish_stream(play)
    serving = play.serve(line.text, max(1, len(line.operands)))
    endpoints = [reached_at(endpoint, line.text) for endpoint in serving.endpoints]
    assert line.page[1] in CHECKS, f"nothing here checks {line.page[1]}: add to CHECKS"
    CHECKS[line.page[1]](play, line, serving, endpoints)
    serving.terminate()


def check_echo(play, line, _, endpoints):
    for endpoint in endpoints:
        assert play.ask(endpoint, b"hello\n") == line.options.get("--prefix", "").encode() + b"hello\n"


def check_print(play, line, serving, endpoints):
    for number, endpoint in enumerate(endpoints):
        text = b"hello %d\n" % number
        assert play.ask(endpoint, text) == b""
        if ">" in line.files:
            assert serving.read_until(lambda: text in play.kept(line.files[">"]))
        else:
            assert serving.read_until(lambda: text in serving.printed)


def check_exec(play, line, _, endpoints):
    """The program does for the client what it does for us."""
    text = b"some\nlines\nfrom me\n"
    for endpoint in endpoints:
        host = endpoint.removeprefix("tcp://").rpartition(":")[0].strip("[]")
        env = environment({"TCPREMOTEIP": host})
        here = subprocess.run(line.program, input=text, env=env, capture_output=True, timeout=seconds(20)).stdout
        there = play.ask(endpoint, text)
        # What tells the time tells another.
        assert there == here or re.sub(rb"\d", b"0", there) == re.sub(rb"\d", b"0", here)


def check_greet(play, line, _, endpoints):
    greeting = line.options.get("--reply", "hi {}").replace("{}", "anna")
    for endpoint in endpoints:
        assert play.ask(endpoint, b"anna\n") == f"{greeting}\n".encode()


def check_menu(play, line, _, endpoints):
    own = re.findall(r"--reply '(\w+)=([^']*)'", line.text)
    assert len(own) == line.text.count("--reply")
    for endpoint in endpoints:
        asked = "".join(f"{option}\n" for option, _ in own)
        said = play.ask(endpoint, f"{asked}R\nE\n".encode()).decode().splitlines()
        assert said[:len(own)] == [text for _, text in own]
        assert int(said[-2]) in range(1, 11) and said[-1] == "goodbye"


def check_login(play, line, _, endpoints):
    """Accounts may come when it serves already."""
    file = f"--users {line.options['--users']}" if "--users" in line.options else ""
    play.finish(f"weir user add anna --password-stdin {file}", b"secret\n")
    for endpoint in endpoints:
        assert play.ask(endpoint, b"anna secret\n") == b"hi anna\n"


def check_log(play, line, serving, endpoints):
    for number, endpoint in enumerate(endpoints):
        text = b"hello %d" % number
        assert play.ask(endpoint, text) == b""
        file = line.options.get("--output")
        assert serving.read_until(lambda: text in (play.kept(file) if file else serving.printed))


def check_threat(play, line, _, endpoints):
    for endpoint in endpoints:
        time_now, level = play.ask(endpoint, b"getTime\ngetThreat\n").decode().splitlines()
        assert re.fullmatch(r"\d{4}(-\d\d){2}T\d\d(:\d\d){2}[+-]\d\d:\d\d", time_now)
        assert level.partition(":")[0] == line.level


def furnish_stream(play):
    """Music that is silence, each frame the same, and who may send some."""
    (play.folder / "Music").mkdir()
    (play.folder / "Music" / "a.mp3").write_bytes(SILENCE)
    (play.folder / "PASSWORDS").write_text("source:secret\n")
    (play.folder / "PASSWORDS").chmod(0o600)


def check_stream(play, line, serving, _):
    serving.read_until(lambda: any(endpoint.startswith("http") for endpoint in serving.endpoints))
    for endpoint in [reached_at(endpoint, line.text) for endpoint in serving.endpoints]:
        trusting = " --ca CA.pem" if endpoint.startswith("https:") else ""
        if endpoint.startswith("tcp:"):
            assert play.finish(f"weir pull '{endpoint}'") == SILENCE
            continue
        if "--source-password-file" in line.options:
            play.finish(f"curl -sf -u source:secret -H 'Content-Type: audio/mpeg' -T Music/a.mp3 '{endpoint}/live'")
        listening = play.start(f"weir pull '{endpoint}/radio'{trusting}")
        assert listening.read_until(lambda: len(listening.printed) > len(FRAME))
        listening.kill()
        assert FRAME in listening.printed or not line.options.keys() & {"-m", "--media"}


CHECKS = {"echo": check_echo, "exec": check_exec, "greet": check_greet, "log": check_log, "login": check_login,
          "menu": check_menu, "print": check_print, "stream": check_stream, "threat": check_threat}
RUNNERS = {
    "ask": run_ask,
    "bench": run_bench,
    "check": run_check,
    "completion": run_completion,
    "connect": run_connect,
    "help": run_help,
    "listen": run_listen,
    "pull": run_pull,
    "relay": run_relay,
    "run": run_run,
    "serve": run_serve,
    "threat": run_threat,
    "tunnel": run_tunnel,
    "user": run_user,
}


# --- all of them ---


@pytest.mark.parametrize("text", LINES)
def test_the_example_does_what_it_says(play, text):
    line = Line(text.replace("/tmp/", f"{play.folder}/"))
    assert line.command in RUNNERS, f"nothing here runs the examples of {line.command}: add to RUNNERS"
    RUNNERS[line.command](play, line)


def test_every_page_has_examples():
    for words in [[], *PAGES]:
        assert examples_of(words), words


def test_manual_pages_have_the_examples_of_help():
    shown = [line for page in MANUALS for line in examples_in_manual(page)]
    assert sorted(set(shown)) == LINES
    for words, page in zip([[], *PAGES], MANUALS):
        assert examples_in_manual(page) == examples_of(words)

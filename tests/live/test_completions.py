"""Completions in real shells: what is typed with a tab in between is what the program gets, and no option is missing."""
import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

from conftest import environment, run_weir, seconds
from pages import PAGES

# In place of the program: tells its arguments.
TELL = "weir() { printf 'got:'; printf '<%s>' \"$@\"; echo :end; }\n"
SHELLS = ["bash", "zsh", "fish"]


def need(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


def options_of(page):
    """The long options that --help shows."""
    return set(re.findall(r"^  (?:-\S,|   ) (--[a-z0-9-]+)", run_weir(*page, "--help").stdout.decode(), re.MULTILINE))


def long_options(text):
    return set(re.findall(r"--[a-z0-9-]+", text))


@pytest.fixture
def script(tmp_path):
    """Writes the script of a shell to where that shell finds it by itself below `tmp_path`, as meson installs it."""
    places = {"bash": "bash-completion/completions/weir", "zsh": "zsh/site-functions/_weir",
              "fish": "fish/vendor_completions.d/weir.fish"}

    def write(shell):
        need(shell)
        path = tmp_path / places[shell]
        path.parent.mkdir(parents=True)
        result = run_weir("completion", shell)
        assert (result.returncode, result.stderr) == (0, b"")
        path.write_bytes(result.stdout)
        return path

    return write


def add_program(folder):
    """A program that is nowhere else, and a file."""
    (folder / "bin").mkdir()
    (folder / "bin" / "only-here").symlink_to("/bin/true")
    (folder / "some-file").write_text("")


class Typist:
    """A shell on a terminal, which is typed to. Its window is so large that every list fits."""

    def __init__(self, command, folder):
        add_program(folder)
        primary, secondary = pty.openpty()
        fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 1000, 200, 0, 0))
        env = environment({"TERM": "vt100", "HOME": str(folder), "ZDOTDIR": str(folder), "INPUTRC": "/dev/null",
                           "PATH": f"{folder}/bin:{os.environ['PATH']}",
                           "XDG_DATA_DIRS": f"{folder}:/usr/share"})
        self.process = subprocess.Popen(command, stdin=secondary, stdout=secondary, stderr=secondary, env=env,
                                        cwd=folder, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(secondary)
        self.terminal, self.text = primary, ""
        self.wait_for("ready> ")

    def wait_until(self, condition):
        """Waits until the text that is shown meets a condition."""
        end = time.monotonic() + seconds(20)
        while not condition(self.text):
            assert time.monotonic() < end, f"it shows {self.text!r}"
            if select.select([self.terminal], [], [], 0.5)[0]:
                self.text += os.read(self.terminal, 65536).decode("utf-8", "replace")

    def wait_for(self, pattern):
        """Waits until what is shown has a match, and forgets all up to it."""
        self.wait_until(lambda text: re.search(pattern, text))
        match = re.search(pattern, self.text)
        self.text = self.text[match.end():]
        return match

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def arguments(self, keys):
        """What the program gets when that is typed."""
        self.type(keys + "\r")
        match = self.wait_for("got:(.*?):end")
        self.wait_for("ready> ")
        return re.findall("<(.*?)>", match.group(1))

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture
def typist(tmp_path, script):
    typists = []

    def start(shell, installed=False):
        path = script(shell)
        if shell == "bash":
            loading = f"source {path}\n"
            if installed:
                loading = "source /usr/share/bash-completion/bash_completion\n"
            (tmp_path / "rc").write_text(f"PS1='ready> '; unset PROMPT_COMMAND\n{loading}{TELL}")
            command = ["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"]
        else:
            loading = "autoload -Uz compinit; compinit -D -u\n"
            loading = f"fpath=({path.parent} $fpath)\n{loading}" if installed else f"{loading}source {path}\n"
            settings = "LISTMAX=10000; zstyle ':completion:*' insert-tab false\n"
            (tmp_path / ".zshrc").write_text(f"PS1='ready> '; unsetopt PROMPT_SP\n{loading}{settings}{TELL}")
            command = ["zsh", "-d", "-i"]
        typists.append(Typist(command, tmp_path))
        return typists[-1]

    yield start
    for each in typists:
        each.close()


TYPED = [
    ("weir as\tx", ["ask", "x"]),
    ("weir serve ec\t--mod\tthr\t", ["serve", "echo", "--model", "thread"]),
    ("weir serve echo --model=ite\t", ["serve", "echo", "--model=iterative"]),
    ("weir serve --backend ep\tec\t--pref\tas\t", ["serve", "--backend", "epoll", "echo", "--prefix", "as"]),
    ("weir help serve ec\t", ["help", "serve", "echo"]),
    ("weir completion fi\t", ["completion", "fish"]),
    ("weir connect --hex some-\tus\t", ["connect", "--hex", "some-file", "us"]),
    ("weir ask unix:some-\t hello", ["ask", "unix:some-file", "hello"]),
    ("weir ask udp:\t:7 x", ["ask", "udp://:7", "x"]),
    ("weir bench :8000 --chu\t", ["bench", ":8000", "--churn"]),
    ("weir ask -- --mod\t", ["ask", "--", "--mod"]),
    ("weir serve exec -- only-\t some-\t", ["serve", "exec", "--", "only-here", "some-file"]),
]


@pytest.mark.parametrize("installed", [False, True], ids=["sourced", "installed"])
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_what_is_typed_with_tabs_is_what_the_program_gets(typist, tmp_path, shell, installed):
    if shell == "bash" and installed and not os.path.exists("/usr/share/bash-completion/bash_completion"):
        pytest.skip("bash-completion is not installed")
    typing = typist(shell, installed)
    for keys, expected in TYPED[:3] if installed else TYPED:
        # zsh joins an option and its argument.
        typed = [word for argument in typing.arguments(keys) for word in argument.split("=")]
        assert typed == [word for argument in expected for word in argument.split("=")], keys


def fish(script_path, tmp_path, *lines):
    """What fish would complete each line to: a set a line. It finds the script by itself."""
    folder = script_path.parent.parent.parent
    env = environment({"HOME": str(tmp_path), "XDG_DATA_DIRS": f"{folder}:/usr/share", "TERM": "dumb",
                       "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"})
    asked = "; ".join(f"complete -C '{line}'; echo :end" for line in lines)
    result = subprocess.run(["fish", "-c", f"function weir; end; {asked}"], env=env, cwd=tmp_path,
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds(60), start_new_session=True)
    assert result.returncode == 0, result.stderr
    lists = result.stdout.decode().split(":end\n")[:-1]
    return [{row.partition("\t")[0] for row in text.splitlines()} for text in lists]


def test_fish_completes(script, tmp_path):
    add_program(tmp_path)
    cases = {
        "weir as": {"ask"},
        "weir serve ec": {"echo"},
        "weir serve echo --mod": {"--model"},
        "weir serve echo --model ": {"fiber", "thread", "iterative"},
        "weir serve echo --model=t": {"--model=thread"},
        "weir serve --backend ep": {"epoll"},
        "weir help serve ec": {"echo"},
        "weir completion ": {"bash", "zsh", "fish"},
        "weir connect --hex some-": {"some-file"},
        "weir ask unix:some-": {"unix:some-file"},
        "weir ask udp": {"udp://"},
        "weir bench :8000 --chu": {"--churn"},
        "weir ask -- --mod": set(),
        "weir serve exec -- only-": {"only-here"},
        "weir serve exec -- only-here some-": {"some-file"},
    }
    assert dict(zip(cases, fish(script("fish"), tmp_path, *cases))) == cases


def listed_by_bash(script, tmp_path):
    path = script("bash")
    ask = ('list() { COMP_LINE="weir $* --" COMP_POINT=${#COMP_LINE} COMP_CWORD=$(($# + 1)) COMP_WORDS=(weir "$@" --)\n'
           '_weir; printf "%s\\n" "${COMPREPLY[@]}"; echo :end; }\n')
    # In one assignment list COMP_POINT would be the length of the line before.
    ask = ask.replace('" COMP_POINT', '"; COMP_POINT').replace(' COMP_CWORD', '; COMP_CWORD').replace(
        ' COMP_WORDS', '; COMP_WORDS')
    lines = "\n".join("list " + " ".join(page) for page in PAGES)
    result = subprocess.run(["bash", "--norc", "-c", f"source {path}\n{ask}{lines}"], env=environment(), cwd=tmp_path,
                            stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds(30), start_new_session=True)
    assert (result.returncode, result.stderr) == (0, b"")
    return [set(text.split()) for text in result.stdout.decode().split(":end\n")[:-1]]


def listed_by_zsh(typist):
    """zsh shows its list when nothing more is typed: so each is waited for, until it has all."""
    typing, lists = typist("zsh"), []
    for page in PAGES:
        typing.type(f"weir {' '.join(page)} --\t")
        expected = options_of(page)
        typing.wait_until(lambda text, expected=expected: expected <= long_options(text))
        lists.append(long_options(typing.text))
        typing.arguments("\x15weir")
    return lists


@pytest.mark.parametrize("shell", SHELLS)
def test_every_option_is_completed(shell, script, typist, tmp_path):
    if shell == "bash":
        lists = listed_by_bash(script, tmp_path)
    elif shell == "zsh":
        lists = listed_by_zsh(typist)
    else:
        lists = fish(script("fish"), tmp_path, *(f"weir {' '.join(page)} --" for page in PAGES))
    assert len(lists) == len(PAGES)
    for page, found in zip(PAGES, lists):
        expected = options_of(page)
        assert "--help" in expected
        assert expected <= found, page
        assert found - expected <= {"--"}, page


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_service_is_named(weir, shell):
    text = weir("completion", shell).stdout.decode()
    for *_, name in PAGES:
        assert re.search(rf"\b{name}\b", text)


@pytest.mark.parametrize("arguments, said", [
    ([], "no shell is named"),
    (["tcsh"], "tcsh: completion: bash, zsh and fish"),
    (["bash", "zsh"], "one shell"),
])
def test_other_shells_are_wrong_usage(weir, arguments, said):
    result = weir("completion", *arguments)
    assert (result.returncode, result.stdout) == (2, b"")
    assert said in result.stderr.decode() and result.stderr.count(b"\n") == 1

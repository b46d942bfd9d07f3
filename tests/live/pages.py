"""What the program tells of itself: its commands, services and pages, and the examples on them."""
import re

from conftest import run_weir


def _printed(*arguments):
    result = run_weir(*arguments)
    assert (result.returncode, result.stderr) == (0, b""), arguments
    return result.stdout.decode()


def _names(text):
    return re.findall(r"^ *([a-z]+) +\S", text, re.MULTILINE)


_program = _printed("--help")
COMMANDS = _names(_program[_program.index("\nCommands:\n"):_program.index("\nExamples:\n")])
SERVICES = _names(_printed("serve"))

# The words of each page beside the program's own: ["ask"], ["serve", "echo"], ...
PAGES = [*[[command] for command in COMMANDS], *[["serve", service] for service in SERVICES]]
MANUALS = ["weir", *["-".join(["weir", *words]) for words in PAGES]]


def examples_of(words):
    """The command lines that the --help of a page shows."""
    text = _printed(*words, "--help")
    return re.findall(r"^  (\S.*)$", text[text.index("\nExamples:\n"):], re.MULTILINE)


def examples_in_manual(page):
    """The same of a manual page."""
    text = _printed("help", "--man", page)
    text = text[text.index("\n.SH EXAMPLES\n"):text.index("\n.SH SEE ALSO\n")]
    shown = re.findall(r"^\.TP\n\\fB(.*)\\fR$", text, re.MULTILINE)
    for escape, character in {"\\-": "-", "\\(aq": "'", "\\(ha": "^", "\\(ti": "~", "\\&": "", "\\e": "\\"}.items():
        shown = [line.replace(escape, character) for line in shown]
    return shown

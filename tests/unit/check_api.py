#!/usr/bin/env python3
"""What stands outside of the library meets: its symbols and its headers. Prints TAP.

check_api.py exports LIBRARY   the shared library shows symbols of the public prefix alone
check_api.py headers INCLUDE   each public header compiles alone, in C and in C++, without a warning
"""
import pathlib
import shutil
import subprocess
import sys

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
LANGUAGES = [
    ("c17", "c", ["gcc", "clang", "cc"], ["-std=c17", "-D_GNU_SOURCE"]),
    ("gnu17", "c", ["gcc", "clang", "cc"], ["-std=gnu17"]),
    ("c++17", "c++", ["g++", "clang++", "c++"], ["-std=c++17"]),
]


def defined_symbols(library):
    listing = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True)
    return [line.split()[-1].split("@")[0] for line in listing.stdout.splitlines()]


def check_exports(library):
    symbols = defined_symbols(library)
    public = [name for name in symbols if name.startswith("weir_") and not name.startswith("weir__")]
    others = sorted(set(symbols) - set(public))
    yield "the library exports its public functions", public != [], "no symbol begins with weir_"
    yield "it exports nothing else", not others, "also exported: " + " ".join(others)


def complaint(include, header, command):
    """What the compiler says of a source that is the header alone, twice: nothing if all is well."""
    source = f"#include <{header}>\n#include <{header}>\n"
    result = subprocess.run([*command, *WARNINGS, f"-I{include}", "-"], input=source, capture_output=True, text=True)
    return result.stderr if result.returncode else ""


def check_headers(include):
    headers = sorted(path.relative_to(include) for path in pathlib.Path(include).rglob("*.h"))
    yield "there are public headers", headers != [], f"none in {include}"
    for title, language, compilers, options in LANGUAGES:
        compiler = next(filter(shutil.which, compilers), None)
        name = f"each header compiles alone as {title}"
        if compiler is None:
            yield f"{name} # SKIP no compiler", True, ""
            continue
        command = [compiler, "-x", language, *options]
        complaints = "".join(complaint(include, header, command) for header in headers)
        yield name, not complaints, complaints


def main(arguments):
    checks = {"exports": check_exports, "headers": check_headers}
    if len(arguments) != 2 or arguments[0] not in checks:
        sys.exit(__doc__)
    results = list(checks[arguments[0]](arguments[1]))
    print(f"1..{len(results)}")
    for number, (name, passed, reason) in enumerate(results, 1):
        print(f"{'ok' if passed else 'not ok'} {number} - {name}")
        if not passed:
            print("\n".join("# " + line for line in reason.splitlines()))
    return 0 if all(passed for _, passed, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""What weir makes of texts is what Python makes of them. Prints TAP.

    check_text.py DRIVER [--count N] [--seed N]

Generated inputs go through both; no difference is accepted but those that <weir/text.h> names.
"""
import argparse
import codecs
import encodings.aliases
import errno
import math
import random
import struct
import subprocess
import sys

ERRORS = ["strict", "ignore", "replace", "backslashreplace"]
OWN = ["utf-8", "utf-8-sig", "ascii", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
# iconv's of one byte whose tables are Python's; cp1255 and cp1258 encode more than Python does, the second of them decodes
# letters with their marks as one.
TABLES = """cp037 cp1125 cp1250 cp1251 cp1252 cp1253 cp1254 cp1256 cp1257 cp437 cp500 cp737 cp775 cp850 cp852 cp855 cp857 cp858
cp860 cp861 cp862 cp863 cp864 cp865 cp866 cp869 cp874 hp-roman8 iso8859-10 iso8859-11 iso8859-13 iso8859-14 iso8859-15 iso8859-16
iso8859-2 iso8859-3 iso8859-4 iso8859-5 iso8859-6 iso8859-7 iso8859-8 iso8859-9 koi8-r koi8-t koi8-u kz1048 mac-latin2
ptcp154""".split()
# iconv's of more bytes: letters of which both have the same.
MULTIBYTE = {
    "shift_jis": "abc 123 あいうえおカタカナ日本語文字列東京", "euc_jp": "abc 123 あいうえおカタカナ日本語文字列東京",
    "cp932": "abc あいうカタカナ日本語文字列", "iso2022_jp": "abc 12 あいうえおカタカナ日本語文字列東京",
    "euc_kr": "abc 한국어텍스트 서울", "cp949": "abc 한국어텍스트 서울", "johab": "abc 한국어 서울",
    "iso2022_kr": "abc 한국어 서울",
    "gb2312": "abc 中文文本北京", "gbk": "abc 中文文本北京臺灣", "gb18030": "abc 中文😀€文本北京éß",
    "big5": "abc 中文文本臺北", "big5hkscs": "abc 中文文本臺北", "utf-7": "abc äöü 中文 +-",
}
UNKNOWN = {"cp720", "cp1006", "hz", "euc_jis_2004", "iso2022_jp_1", "iso2022_jp_2004", "iso2022_jp_ext", "shift_jis_2004",
           "mac_arabic", "mac_croatian", "mac_farsi", "mac_greek", "mac_iceland", "mac_romanian", "mac_turkish", "palmos",
           "mbcs"}
SNIPPETS = [b"\xc0\x80", b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80",
            b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xff", b"\xfe", b"\x80", b"\xbf", b"\xe2\x82",
            b"\xf0\x9f\x98", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0\0\xfe\xff", b"\0\xd8",
            b"\xd8\0", b"\0\xdc", b"\xdc\0", b"\0\xd8\0\xdc", b"\xd8\0\xdc\0", b"\0\0\x11\0", b"\0\x11\0\0", b"\0\0\xd8\0", b"\0"]
CHARACTERS = ("aZ09 \n\0\x7f\x80\xa0\xe9\xff\u0100\u07ff\u0800\u20ac\ud7ff\ue000\ufeff\ufffd\uffff\U00010000\U0001f600\U000e0041"
              "\U0010ffff")
SPACES = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u200a\u200b\u2028\u2029\u202f\u205f\u3000"
DIGITS = "0123456789٠٣９५𝟘𝟛"


class Cases:
    """Requests, and what is expected of each."""

    def __init__(self, chance):
        self.chance, self.requests, self.expected = chance, [], []

    def add(self, what, expected, *, errors=0, piece=0, number=0, name="", data=b""):
        name = name.encode()
        self.requests.append(struct.pack("<cBIqB", what.encode(), errors, piece, number, len(name)) + name +
                             struct.pack("<I", len(data)) + data)
        self.expected.append((what, errors, piece, number, name, data, expected))


def failure(number, offset=0):
    return (number, offset, b"")


def success(data=b"", value=0):
    return (0, value, data)


# --- encodings ---

def spelled(chance, name):
    """The name of an encoding as somebody may write it."""
    name = chance.choice([name, name.upper(), name.replace("-", "_"), name.replace("_", "-"), name.replace("-", " ")])
    return chance.choice([name, name, "utf8", ""]) if name == "utf-8" else name


def some_text(chance, characters=None):
    length = chance.choice([0, 1, 2, 3, 5, 8, 13, 40, 90])
    if characters is None:
        alphabet = chance.choice(["abc de", "aé", "aé€😀", CHARACTERS, None])
        if alphabet is None:
            return "".join(map(chr, (chance.choice([chance.randrange(0xd800), chance.randrange(0xe000, 0x110000)])
                                     for _ in range(length))))
        characters = alphabet
    return "".join(chance.choices(characters, k=length))


def some_bytes(chance, encoding):
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.choice([0, 1, 2, 3, 4, 5, 7, 16, 50]))
    if kind == 1:
        return b"".join(chance.choices(SNIPPETS, k=chance.randrange(6)))
    data = bytearray(some_text(chance).encode(encoding, "replace"))
    for _ in range(chance.randrange(4) if kind == 2 else 0):
        at = chance.randrange(len(data) + 1)
        data[at:at + chance.randrange(3)] = chance.choice([b"", b"x", chance.randbytes(1), chance.choice(SNIPPETS)])
    return bytes(data[:chance.randrange(len(data) + 1)] if chance.random() < 0.2 else data)


def add_decoding(cases, encoding, data, what, errors):
    try:
        expected = success(data.decode(encoding, ERRORS[errors]).encode())
    except UnicodeDecodeError as error:
        # Python leaves the mark out before it counts.
        marked = encoding == "utf-8-sig" and data.startswith(codecs.BOM_UTF8)
        expected = failure(errno.EILSEQ, error.start + 3 * marked)
    cases.add(what, expected, errors=errors, piece=cases.chance.randrange(1, 9), name=spelled(cases.chance, encoding), data=data)


def add_encoding(cases, encoding, text, what, errors):
    try:
        expected = success(text.encode(encoding, ERRORS[errors]))
    except UnicodeEncodeError as error:
        expected = failure(errno.EILSEQ, len(text[:error.start].encode()))
    cases.add(what, expected, errors=errors, piece=cases.chance.randrange(1, 9), name=spelled(cases.chance, encoding),
              data=text.encode())


def add_encodings(cases, encodings_, count):
    chance = cases.chance
    for i in range(count):
        encoding, errors = encodings_[i % len(encodings_)], chance.randrange(4)
        add_decoding(cases, encoding, some_bytes(chance, encoding), chance.choice("dD"), errors)
        text = some_text(chance) if encoding in OWN or chance.random() < 0.5 else repertoire(chance, encoding)
        add_encoding(cases, encoding, text, chance.choice("eE"), errors)


def repertoire(chance, encoding):
    return chance.randbytes(20).decode(encoding, "ignore")


def add_multibyte(cases, count):
    chance, names = cases.chance, sorted(MULTIBYTE)
    for i in range(count):
        encoding = names[i % len(names)]
        text = some_text(chance, MULTIBYTE[encoding])
        data = text.encode(encoding)
        if data.decode(encoding) == text:
            add_decoding(cases, encoding, data, chance.choice("dD"), 0)
        if encoding not in ("utf-7", "iso2022_kr", "iso2022_jp"):  # which have more than one way to write the same
            add_encoding(cases, encoding, text, chance.choice("eE"), 0)


def add_names(cases):
    for alias, module in sorted(encodings.aliases.aliases.items()):
        if module in UNKNOWN or not is_text(module) or alias != alias.lower():
            continue
        cases.add("n", success(codecs.lookup(alias).name.encode()), name=alias)
        cases.add("n", success(codecs.lookup(alias).name.encode()), name=alias.upper().replace("_", " -"))
    for name in ["klingon", "x" * 90, "utf-8//IGNORE", "rot13", "hex", "utf", "..", " UTF 8 ", "-"]:
        try:
            found = codecs.lookup(name)
            expected = found.name.encode() if found._is_text_encoding else b""
        except LookupError:
            expected = b""
        cases.add("n", success(expected), name=name)


def is_text(module):
    try:
        return codecs.lookup(module)._is_text_encoding
    except LookupError:
        return False


def whole_length(data):
    try:
        data.decode()
        return len(data)
    except UnicodeDecodeError as error:
        return error.start


def add_spans(cases, count):
    for _ in range(count):
        data = b"".join(some_bytes(cases.chance, "utf-8") for _ in range(cases.chance.randrange(1, 4)))
        cases.add("u", success(value=whole_length(data)), data=data)


# --- splitting ---

def add_splits(cases, count):
    chance = cases.chance
    for _ in range(count):
        separator = chance.choice([None, None, " ", ",", "ab", "aa", "é", "€", "  ", "\n"])
        characters = chance.choice([SPACES + "ab", " ab", "ab,", "aé€ ", " a\u2003\x85\x1cb"])
        text = some_text(chance, characters)
        most = chance.choice([-1, -1, -7, 0, 1, 2, 5])
        parts = [part.encode() for part in text.split(separator, most)]
        data = b"".join(struct.pack("<I", len(part)) + part for part in parts)
        what = chance.choice("sS")
        expected = failure(errno.E2BIG) if what == "s" and len(parts) > 64 else success(data, len(parts))
        cases.add(what, expected, errors=separator is not None, number=most, name=separator or "", data=text.encode())


# --- numbers ---

def some_integer(chance):
    size = chance.choice([4, 16, 33, 62, 63, 64, 65, 80])
    number = chance.randrange(-2**size, 2**size + 1)
    return number if chance.random() < 0.8 else chance.choice([2**63 - 1, 2**63, -2**63, -2**63 - 1, 0, 2**64, 10**19])


def in_base(number, base):
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text, left = "", abs(number)
    while left or not text:
        left, digit = divmod(left, base)
        text = digits[digit] + text
    return text


def mutated(chance, text, characters):
    """Changed in a place or two, one time of two."""
    for _ in range(chance.choice([0, 0, 1, 2])):
        at = chance.randrange(len(text) + 1)
        text = text[:at] + chance.choice(["", *chance.choices(characters, k=2)]) + text[at + chance.randrange(2):]
    return text


def around(chance, text):
    if chance.random() < 0.3:
        before, behind = ("".join(chance.choices(SPACES, k=chance.randrange(3))) for _ in range(2))
        text = before + text + behind
    return text


def integer_text(chance, base):
    number = some_integer(chance)
    text = in_base(number, base or chance.choice([2, 8, 10, 16]))
    if chance.random() < 0.3 and len(text) > 2:
        at = chance.randrange(1, len(text))
        text = text[:at] + "_" + text[at:]
    if base == 0 or chance.random() < 0.15:
        text = chance.choice(["0x", "0b", "0o", "0X_", "", "0", "00"]) + text
    if chance.random() < 0.3:
        text = text.upper()
    text = ("-" if number < 0 else chance.choice(["", "", "+"])) + text
    return around(chance, mutated(chance, text, "_+-.xXbBoO 0aZ\0é?" + DIGITS + SPACES))


def add_integers(cases, count):
    chance = cases.chance
    for _ in range(count):
        base = chance.choice([10, 10, 10, 0, 0, 2, 8, 16, 3, 36, *range(2, 37), 1, 37, -1])
        text = integer_text(chance, base if 2 <= base <= 36 else 0)
        try:
            number = int(text, base)
            expected = success(value=number) if -2**63 <= number < 2**63 else failure(errno.ERANGE)
        except ValueError:
            expected = failure(errno.EINVAL)
        cases.add("i", expected, number=base, data=text.encode())
        if base == 10:
            number = chance.randrange(-2**63, 2**63) >> chance.randrange(64)
            cases.add("I", success(str(number).encode()), number=number)


def some_float(chance):
    kind = chance.randrange(6)
    if kind == 0:
        return struct.unpack("<d", chance.randbytes(8))[0]
    if kind == 1:
        return chance.choice([1, -1]) * 2.0 ** chance.randrange(-1074, 1024)
    if kind == 2:
        return round(chance.uniform(-1000, 1000), chance.randrange(6))
    if kind == 3:
        return chance.randrange(-10**17, 10**17) * 10.0 ** chance.randrange(-25, 25)
    if kind == 4:
        return math.nextafter(10.0 ** chance.randrange(-20, 20), chance.choice([0, math.inf]))
    return chance.choice([0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, 3.145, 1e16, 1e-5, 2**53 + 0.0,
                          1.7976931348623157e308, struct.unpack("<d", struct.pack("<q", chance.randrange(1, 5000)))[0]])


def float_text(chance):
    number = some_float(chance)
    text = chance.choice([repr(number), "%.3f" % number, "%.20e" % number, "%g" % number, repr(number).upper()])
    if chance.random() < 0.15:
        text = chance.choice(["inf", "Infinity", "NaN", "-INF", "+nan", "infinit", "nan(1)", "0x1p3", "1e400", "-1e-400", ".5",
                              "5.", ".", "1_0.5_0e1_0", "1__0", "_1", "1_", "1e", "1e+", "1_e5", "", "1d5", "1,5",
                              "9" * 120 + "_0", "0." + "0" * 150 + "1"])
    return around(chance, mutated(chance, text, "_+-.eEnf 0x\0é?" + DIGITS + SPACES))


def bits(number):
    """Of a float, as a whole number; every NaN is one."""
    return struct.unpack("<q", struct.pack("<d", number))[0]


def add_floats(cases, count):
    for _ in range(count):
        number = some_float(cases.chance)
        cases.add("F", success(repr(number).encode()), number=bits(number))
        text = float_text(cases.chance)
        try:
            expected = success(value=bits(float(text)))
        except ValueError:
            expected = failure(errno.EINVAL)
        cases.add("f", expected, data=text.encode())


# --- asking ---

def read_answers(output, count):
    at = 0
    for _ in range(count):
        number, value, length = struct.unpack_from("<IqI", output, at)
        at += 16 + length
        yield number, value, output[at - length:at]


def is_same(what, expected, got):
    if what == "f" and got[0] == 0 == expected[0]:
        numbers = [struct.unpack("<d", struct.pack("<q", value))[0] for value in (expected[1], got[1])]
        if all(map(math.isnan, numbers)):
            return True
    return expected == got


def check(driver, chance, count, fill):
    """How many inputs, and in what they differ."""
    cases = Cases(chance)
    fill(cases, count)
    done = subprocess.run([driver], input=b"".join(cases.requests), capture_output=True, timeout=300)
    if done.returncode != 0:
        ending = done.stderr[-2000:].decode(errors="replace")
        return len(cases.requests), [f"the driver ended with {done.returncode}: {ending}"]
    wrong = []
    for case, got in zip(cases.expected, read_answers(done.stdout, len(cases.requests))):
        if not is_same(case[0], case[-1], got):
            wrong.append(f"{case[:-1]}: Python {case[-1]}, weir {got}")
    return len(cases.requests), wrong


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=2026)
    return parser.parse_args()


def main():
    options = parse_arguments()
    count = options.count
    checks = [
        ("the own encodings", 3 * count, lambda cases, n: add_encodings(cases, OWN, n)),
        ("the tables of one byte", count, lambda cases, n: add_encodings(cases, TABLES, n)),
        ("what is common of the others", count // 5, add_multibyte),
        ("names of encodings", 0, lambda cases, n: add_names(cases)),
        ("how much is UTF-8", count // 2, add_spans),
        ("splitting", count, add_splits),
        ("whole numbers", count, add_integers),
        ("numbers with fractions", count, add_floats),
    ]
    total = 0
    print(f"1..{len(checks) + 1}")
    for index, (title, n, fill) in enumerate(checks, 1):
        number, wrong = check(options.driver, random.Random(f"{options.seed} {title}"), n, fill)
        total += number
        print(f"{'not ' if wrong else ''}ok {index} - {title}: {number} inputs, {len(wrong)} differences")
        for line in wrong[:10]:
            print(f"# {line}")
    enough = options.count < 10000 or total >= 100000
    print(f"{'' if enough else 'not '}ok {len(checks) + 1} - {total} inputs in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes the packed weight tables of the collations.

    python3 generate.py DIRECTORY

DIRECTORY holds the Default Unicode Collation Element Tables of Unicode 5.2.0 and 9.0.0 (allkeys.txt).
The Python package `pyuca` 1.2 ships them as pyuca/allkeys-5.2.0.txt and pyuca/allkeys-9.0.0.txt:

    pip download --no-deps pyuca==1.2 && unzip pyuca-1.2-*.whl

Writes the .bin files beside this script. The result does not depend on the Python
version: of `unicodedata` only the frozen 3.2.0 database and simple upper case of characters that
Unicode 3.0 had are used. README.md says what the files are made of and under which licence.

Layout of uca-*.bin, all numbers little-endian:

    8 bytes    "RUCA", the version of the UCA (9 0 0) and the layout's version, 1
    u16        n: number of pages
    u16        w: number of words
    4352 * u8  page number of each block of 256 code points
    n*256*u16  entries: 0 ignorable; 1 to 7fff one primary weight; 8000|i a run at word i;
               ffff no entry (an implicit weight, or a Hangul syllable)
    w*u16      words of runs: the number of weights, then the weights

The contractions of the DUCET are left out: MySQL's root collations do not have them.

uca-9.0.0-levels.bin has the same layout with "RUCL"; its runs hold the secondary and tertiary weights of
a character's elements, in pairs.

No package ships the table of UCA 4.0.0. It is made from that of 5.2.0, less the characters that came after
Unicode 4.0, with what changed between the two undone (CHANGES_400): letters with a stroke and the letter
ae weighed alone, Georgian letters were cases of each other. Its weights are therefore in the order of
4.0.0, not the numbers.

Layout of general.bin:

    "RGEN" and the layout's version, 1
    u8         n: number of pages
    256 * u8   page number of each block of 256 code points of the BMP, ff where characters weigh
               their own code point
    n*256*u16  weights
"""

import pathlib
import re
import struct
import sys
import unicodedata

HERE = pathlib.Path(__file__).resolve().parent
NO_ENTRY = 0xFFFF
RUN = 0x8000
# MySQL keeps at most eight weights of one character; only U+FDFA has more.
MOST_WEIGHTS = 8


def read_allkeys(path, version):
    """The elements of each character: (primary, secondary, tertiary)."""
    elements = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("@version"):
            assert line == f"@version {version}", line
        if not line or line.startswith("@"):
            continue
        points, written = line.split(";")
        if len(points.split()) > 1:
            continue
        found = re.findall(r"\[[.*]([0-9A-F]{4})\.([0-9A-F]{4})\.([0-9A-F]{4})", written)
        elements[int(points, 16)] = [tuple(int(w, 16) for w in element) for element in found]
    return elements


def primaries(elements):
    return {p: tuple(w for w, _, _ in e if w)[:MOST_WEIGHTS] for p, e in elements.items()}


def packed(head, runs_of, single):
    """A table of runs; `single` says which weight may stand for its run."""
    words, runs = [], {}

    def entry(point):
        run = runs_of.get(point)
        if run is None:
            return NO_ENTRY
        if not run:
            return 0
        if single(run):
            return run[0]
        if run not in runs:
            runs[run] = len(words)
            words.extend([len(run), *run])
        assert runs[run] < NO_ENTRY - RUN
        return RUN | runs[run]

    pages, index = {}, []
    for block in range(0x110000 >> 8):
        page = tuple(entry(block << 8 | low) for low in range(256))
        index.append(pages.setdefault(page, len(pages)))
    assert len(pages) <= 256
    out = head + b"\x01" + struct.pack("<HH", len(pages), len(words)) + bytes(index)
    for page in pages:
        out += struct.pack("<256H", *page)
    return out + struct.pack(f"<{len(words)}H", *words)


def uca(version, weights):
    head = b"RUCA" + bytes(map(int, version.split(".")))
    return packed(head, weights, lambda run: len(run) == 1 and run[0] < RUN)


def levels(elements):
    runs = {p: tuple(w for e in some[:MOST_WEIGHTS] for w in e[1:]) for p, some in elements.items()}
    return packed(b"RUCL\x09\x00\x00", runs, lambda run: False)


# Characters of the table of 5.2.0 that came after Unicode 4.0.
AFTER_4_0 = """
237-24f 358-35c 370-373 376-377 37b-37d 3cf 3fc-3ff 487 4cf 4f6-4f7 4fa-4ff 510-525 5a2 5ba 5c5-5c7
606-60b 616-61a 61e 63b-63f 659-65e 750-77f 7c0-900 94e 955 971-97f 9ce 9fb a51 a75 b44 b62-b63 bb6
bd0 be6 c3d c58-c59 c62-c63 c78-c7f ce2-ce3 cf1-cf2 d3d d44 d62-d63 d70-d7f f6b-f6c fce fd0-fd8 1022
1028 102b 1033-1035 103a-103f 105a-109f 10f9-10fa 10fc 115a-115e 11a3-11a7 11fa-11ff 1207 1247 1287
12af 12cf 12ef 130f 131f 1347 135f-1360 1380-1399 1400 1677-167f 18aa-18f5 1980-19df 1a00-1cf2
1d6c-1dff 1e9c-1e9f 1efa-1eff 2055-2056 2058-205e 2064 2090-2094 20b2-20b8 20eb-20f0 213c 214c-2152
2184-2189 23d1-23e8 2618 267e-267f 2692-269f 26a2-26ff 2757 27c0-27cc 27ec-27ef 2b0e-2e31 312d
31c0-31e3 3244-324f 327e a4d0-d7fb fa6b-fad9 fe10-fe19 fe24-fe26
""".split()

# What 4.0.0 has otherwise: characters, and the one behind which they sort; None for nothing.
CHANGES_400 = [
    ("\u180e", None),
    ("Ææ\u01e2\u01e3\u01fc\u01fd\u1d2d", "\u1d00"),
    ("Đđ", "\u1d05"),
    ("\u2183", "\u2182"),
    ("Ðð", "\u0221"),
    ("\u1d06", "ð"),
    ("\u2132", "\u212e"),
    ("Ħħ\u210f", "\u0195"),
    ("Łł", "\u029f"),
    ("Øø\u01fe\u01ff", "\u1d14"),
    ("\u03fa\u03fb", "\u03f7"),
    ("\u0ab3", "\u0ab2"),
    ("\u0b83", "\u0b57"),
    ("\u0b9c", "\u0b9a"),
    ("\u0ba9", "\u0ba8"),
    ("\u0bb1", "\u0bb0"),
    ("\u0bb4", "\u0bb3"),
    ("\u0bb5", "\u0bb4"),
    ("\u0c33", "\u0c32"),
    ("\u0cbd", "\u0cb9"),
    ("\u0d31", "\u0d30"),
    ("\u0d33", "\u0d32"),
    ("\u0d34", "\u0d33"),
    ("\u0d57", "\u0d4d"),
    ("\u0dca", "\u0dc6"),
    ("\u0ddf", "\u0dde"),
    ("\u0df2", "\u0ddf"),
    ("\u0df3", "\u0df2"),
    ("\u0e4c", "\u0e45"),
    ("\u0e4d", "\u0e4c"),
    ("\u0eaa", "\u0ea7"),
    ("\u0ecc", "\u0ec4"),
    ("\u0ecd", "\u0ecc"),
    ("\u1027", "\u1026"),
    ("\u1029", "\u1027"),
    ("\u102a", "\u1029"),
    ("\u1031", "\u1030"),
    ("\u1032", "\u1031"),
]


def uca400(elements):
    """The weights of UCA 4.0.0, numbered anew from 0201."""
    after = set()
    points = sorted(p for p in elements if p <= 0xFFFF)
    for part in AFTER_4_0:
        low, _, high = part.partition("-")
        after.update(p for p in points if int(low, 16) <= p <= int(high or low, 16))
    weights = {p: w for p, w in primaries(elements).items() if p <= 0xFFFF and p not in after}
    # The case pairs of Georgian, and the Bengali numerators that weighed as digits.
    same = {0x1110 + n: 0x1206 + n for n in range(4)} | {w: w + 1 for w in range(0x17E4, 0x1830, 2)}
    weights = {p: tuple(same.get(w, w) for w in run) for p, run in weights.items()}
    weights[0x13F] = weights[0x140] = weights[ord("L")] + weights[0xB7]
    order = sorted({w for run in weights.values() for w in run if w < 0x8000})
    for number, (characters, behind) in enumerate(CHANGES_400):
        token = None
        for character in characters:
            weights[ord(character)] = () if behind is None else ("new", number)
            token = ("new", number)
        if behind is not None:
            (place,) = weights[ord(behind)] if weights[ord(behind)][0] != "new" else (weights[ord(behind)],)
            order.insert(order.index(place) + 1, token)
    numbers = {token: 0x201 + at for at, token in enumerate(order)}

    def numbered(run):
        if run and run[0] == "new":
            return (numbers[run],)
        return tuple(numbers.get(w, w) for w in run)

    weights = {p: numbered(run) for p, run in weights.items()}
    # One character is implicit in MySQL.
    del weights[0xFDFA]
    return weights


# The blocks that utf8mb4_general_ci folds; in all others a character weighs its code point.
FOLDED_BLOCKS = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x1E, 0x1F, 0x21, 0x24, 0xFF)
# Letters of these blocks that came after Unicode 3.0, which the collation was made from.
AFTER_3_0 = {0x220, 0x221, 0x3D8, 0x3D9, 0x3F4, 0x3F5, 0x3F6, 0x48A, 0x48B, 0x4C5, 0x4C6, 0x4C9, 0x4CA,
             0x4CD, 0x4CE, *range(0x500, 0x510)}
# Sharp s sorts as S; the Cyrillic short i is a letter of its own; the lunate sigma is a sigma.
EXCEPTIONS = {0xDF: 0x53, 0x419: 0x419, 0x439: 0x419, 0x3F2: 0x3A3}


def general_weight(point):
    """Simple upper case of the base letter, by the character database."""
    old = unicodedata.ucd_3_2_0
    character = chr(point)
    if point in EXCEPTIONS:
        return EXCEPTIONS[point]
    if point in AFTER_3_0 or old.category(character) == "Cn":
        return point
    if old.category(character)[0] == "L":
        canonical = old.decomposition(character)
        # A character that is canonically another single one is only folded, not replaced.
        if canonical and not canonical.startswith("<") and " " in canonical:
            character = old.normalize("NFD", character)[0]
    upper = character.upper()
    if len(upper) != 1:
        # Upper case of several letters (of Greek with iota below): the title case is the simple one.
        upper = character.title() if len(character.title()) == 1 else character
    return ord(character) if ord(upper) in AFTER_3_0 or old.category(upper) == "Cn" else ord(upper)


def general():
    index, pages = bytearray(b"\xff" * 256), []
    for block in FOLDED_BLOCKS:
        index[block] = len(pages)
        pages.append(struct.pack("<256H", *(general_weight(block << 8 | low) for low in range(256))))
    return b"RGEN\x01" + bytes([len(pages)]) + bytes(index) + b"".join(pages)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    directory = pathlib.Path(sys.argv[1])
    nine = read_allkeys(directory / "allkeys-9.0.0.txt", "9.0.0")
    five = read_allkeys(directory / "allkeys-5.2.0.txt", "5.2.0")
    for name, content in [
        ("uca-9.0.0.bin", uca("9.0.0", primaries(nine))),
        ("uca-9.0.0-levels.bin", levels(nine)),
        ("uca-5.2.0.bin", uca("5.2.0", primaries(five))),
        ("uca-4.0.0.bin", uca("4.0.0", uca400(five))),
        ("general.bin", general()),
    ]:
        (HERE / name).write_bytes(content)
        print(name, len(content), "bytes")


if __name__ == "__main__":
    main()

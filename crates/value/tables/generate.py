#!/usr/bin/env python3
"""Makes the packed weight tables of the collations.

    python3 generate.py ALLKEYS

ALLKEYS is the Default Unicode Collation Element Table of Unicode 9.0.0 (allkeys.txt). The Python
package `pyuca` 1.2 ships it as pyuca/allkeys-9.0.0.txt:

    pip download --no-deps pyuca==1.2 && unzip pyuca-1.2-*.whl

Writes uca-9.0.0.bin and general.bin beside this script. The result does not depend on the Python
version: of `unicodedata` only the frozen 3.2.0 database and simple upper case of characters that
Unicode 3.0 had are used. README.md says what the files are made of and under which licence.

Layout of uca-9.0.0.bin, all numbers little-endian:

    8 bytes    "RUCA" 9 0 0 and the layout's version, 1
    u16        n: number of pages
    u16        w: number of words
    4352 * u8  page number of each block of 256 code points
    n*256*u16  entries: 0 ignorable; 1 to 7fff one primary weight; 8000|i a run at word i;
               ffff no entry (an implicit weight, or a Hangul syllable)
    w*u16      words of runs: the number of weights, then the weights

The contractions of the DUCET are left out: MySQL's utf8mb4_0900_ai_ci does not have them.

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


def read_allkeys(path):
    weights = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("@version"):
            assert line == "@version 9.0.0", line
        if not line or line.startswith("@"):
            continue
        points, elements = line.split(";")
        if len(points.split()) > 1:
            continue
        primaries = [int(w, 16) for w in re.findall(r"\[[.*]([0-9A-F]{4})\.", elements)]
        weights[int(points, 16)] = tuple(w for w in primaries if w)[:MOST_WEIGHTS]
    return weights


def uca(path):
    weights = read_allkeys(path)
    words, runs = [], {}

    def entry(point):
        run = weights.get(point)
        if run is None:
            return NO_ENTRY
        if not run:
            return 0
        if len(run) == 1 and run[0] < RUN:
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
    out = b"RUCA\x09\x00\x00\x01" + struct.pack("<HH", len(pages), len(words)) + bytes(index)
    for page in pages:
        out += struct.pack("<256H", *page)
    return out + struct.pack(f"<{len(words)}H", *words)


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
    for name, content in [("uca-9.0.0.bin", uca(pathlib.Path(sys.argv[1]))), ("general.bin", general())]:
        (HERE / name).write_bytes(content)
        print(name, len(content), "bytes")


if __name__ == "__main__":
    main()

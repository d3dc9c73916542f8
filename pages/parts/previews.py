"""What of a file can be shown on a page: its beginning as text, a table, or the sum of a patch. All of it is bounded.

Who made the file may mean harm, so text is shown without what would reorder or hide a part of it.
"""

import csv
import io
import json
import posixpath
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

TEXT_BYTES = 200_000
TABLE_BYTES = 2**20
PATCH_BYTES = 2**21

JSON_CHARACTERS = 2 * TEXT_BYTES  # on lines of its own

TABLE_ROWS = 1_000
TABLE_COLUMNS = 100
CELL_CHARACTERS = 500

_BOMS = {BOM_UTF8: "utf-8", BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
_SEPARATORS = ",;\t|"

# C0 and C1 controls but tab, newline and return; bidirectional controls, as in "Trojan Source" (CVE-2021-42574).
_HIDING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# The words hold nothing by which a picture's end could lie somewhere else: no escape, code, address or formula.
_PICTURE = re.compile(r"!\[(?:([^\[\]\\`<$\n]*)\]\(([^()\s]+)\))?")
_JSON = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]\s*[\]}]|[\[\]{},:]|[^\s\[\]{},:"]+')
_HUNK = re.compile(rb"@@ -\d{1,9}(?:,(\d{1,9}))? \+\d{1,9}(?:,(\d{1,9}))? @@")


@dataclass(frozen=True)
class Text:
    """The beginning of a text file, in whole lines where it has some."""

    text: str
    whole: bool


@dataclass(frozen=True)
class Table:
    """The first rows of a table, each as long as the columns; every cell is text."""

    columns: list[str]
    rows: list[list[str]]
    whole: bool


@dataclass(frozen=True)
class Patch:
    """What a patch changes; files are those that it names."""

    files: int
    added: int
    removed: int
    whole: bool


def text(path: Path, limit: int = TEXT_BYTES) -> Text | None:
    """Up to so many bytes of a text file, UTF-8 or with a byte order mark; None when it is none."""
    with path.open("rb") as file:
        start = file.read(limit)
        whole = not file.read(1)
    bom = next((bom for bom in _BOMS if start.startswith(bom)), b"")
    if not bom and b"\0" in start:
        return None
    found = start[len(bom) :].decode(_BOMS.get(bom, "utf-8"), "replace")
    if not whole and "\n" in found:
        found = found[: found.rindex("\n") + 1]
    return Text(_HIDING.sub("\ufffd", found), whole)


def laid_out(text: str) -> str:
    """JSON on lines of its own, where it was all on one line, with every value as it was written.

    Anything else stays as it is, and so does what would become too long: lists in lists could, a thousandfold.
    """
    if "\n" in text.strip():
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    parts: list[str] = []
    depth = length = 0
    for part in _JSON.findall(text):
        opens, closes = part in ("[", "{"), part in ("]", "}")
        depth += opens - closes
        line = "\n" + "  " * depth
        if closes:
            part = line + part
        elif opens or part == ",":
            part += line
        elif part == ":":
            part = ": "
        parts.append(part)
        length += len(part)
        if length > JSON_CHARACTERS:
            return text
    return "".join(parts)


def markdown(text: str, pictures: Mapping[str, str]) -> str:
    """Markdown whose pictures are files of the task, at the addresses given for their names.

    Any other picture could tell a stranger who reads this: it becomes a link. What looks like code is no exception:
    Markdown may see none in it.
    """

    def replace(found: re.Match[str]) -> str:
        address = pictures.get(posixpath.normpath(unquote(found[2] or "")))
        return f"![{found[1]}]({address})" if address else found[0].replace("![", "!\\[")

    return _PICTURE.sub(replace, text)


def table(path: Path) -> Table | None:
    """The first 1,000 rows of a file of separated values, formulas and all as text; None when it is no table."""
    found = text(path, TABLE_BYTES)
    if found is None:
        return None
    header, _, _ = found.text.partition("\n")
    separator = max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO(found.text, newline=""), delimiter=separator)
    try:
        records = list(islice(filter(None, reader), TABLE_ROWS + 2))
    except csv.Error:
        return None
    if not records:
        return None
    width = min(max(map(len, records)), TABLE_COLUMNS)
    rows = [[cell[:CELL_CHARACTERS] for cell in (row + [""] * width)[:width]] for row in records[: TABLE_ROWS + 1]]
    whole = found.whole and len(records) == len(rows) and max(map(len, records)) <= TABLE_COLUMNS
    return Table(_names(rows[0]), rows[1:], whole)


def _names(header: list[str]) -> list[str]:
    """Names for the columns, none empty and no two alike."""
    names: list[str] = []
    for position, cell in enumerate(header, 1):
        name = cell.strip() or f"column {position}"
        names.append(name if name not in names else f"{name} (column {position})")
    return names if len(set(names)) == len(names) else [f"column {number}" for number in range(1, len(names) + 1)]


def patch(path: Path) -> Patch:
    """What a patch of git or diff -u changes, by the lengths that its hunks state."""
    git = plain = added = removed = old = new = 0
    with path.open("rb") as file:
        for line in io.BytesIO(file.read(PATCH_BYTES)):
            if old > 0 or new > 0:
                added += line[:1] == b"+"
                removed += line[:1] == b"-"
                old -= line[:1] in (b"-", b" ", b"\n")
                new -= line[:1] in (b"+", b" ", b"\n")
            elif hunk := _HUNK.match(line):
                old, new = (int(count or 1) for count in hunk.groups())
            else:
                git += line.startswith(b"diff --git ")
                plain += line.startswith(b"+++ ")
        return Patch(git or plain, added, removed, whole=not file.read(1))

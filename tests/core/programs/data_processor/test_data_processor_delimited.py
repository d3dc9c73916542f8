"""CSV and TSV files in every dialect and encoding, and each way they can be bad."""

import csv
import random
from collections.abc import Callable
from io import StringIO

import pytest

from core.programs.data_processor import limits, tables
from core.programs.data_processor.delimited import StrayQuote
from core.programs.data_processor.files import Unreadable
from core.programs.data_processor.tables import Table

Read = Callable[..., Table]


def content(table: Table) -> dict[str, list[object]]:
    return {one.name: table.values(one).to_list() for one in table.columns}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("last", [True, False])
def test_reads_csv_of_any_dialect(read: Read, told: list[int], separator: str, end: str, last: bool) -> None:
    lines = [["id", "name"], ["1", "Ann"], ["2", ""], ["3", "Bo b"]]
    text = end.join(map(separator.join, lines)) + end * last
    table = read("a.csv", text)
    assert content(table) == {"id": [1, 2, 3], "name": ["Ann", None, "Bo b"]}
    assert table.rows == 3
    assert sum(told) == len(text)


def test_reads_quoted_fields_that_hold_anything(read: Read) -> None:
    table = read("a.csv", 'a,b\r\n"x, y","l1\r\nl2"\r\n"say ""hi""",""\r\n')
    assert content(table) == {"a": ["x, y", 'say "hi"'], "b": ["l1\r\nl2", None]}


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_the_csv_module(read: Read, told: list[int], seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)  # noqa: S311
    alphabet = ["a", "é", ",", '"', "\n", "\r\n", " ", ";", "=", "東"]
    width = chance.randint(2, 5)
    rows = [
        ["x" + "".join(chance.choices(alphabet, k=chance.randint(0, 6))) for _ in range(width)]
        for _ in range(chance.randint(1, 60))
    ]
    written = StringIO()
    writer = csv.writer(written, lineterminator=chance.choice(["\n", "\r\n"]))
    writer.writerow([f"c{i}" for i in range(width)])
    writer.writerows(rows)
    # Blocks of a few bytes cut records, quotes and characters at every place.
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", chance.randint(3, 90))
    table = read("a.csv", written.getvalue())
    assert list(map(list, zip(*content(table).values(), strict=True))) == rows
    assert sum(told) == len(written.getvalue().encode())


@pytest.mark.attack(99)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n3\n4,5\n", "Line 3 has 1 field; the header has 2."),
        ("a,b\n1,2\n\n3,4,5\n", "Line 4 has 3 fields; the header has 2."),
        ('a,b\n1,"x\ny"\n3\n', "Line 4 has 1 field; the header has 2."),
        ("a,b\n", "It holds no rows."),
        ("a,b", "It holds no rows."),
        ("\n\n\n", "The file has no header line."),
        ("a,b\n1,\0\n", "It holds binary data, not text."),
    ],
)
def test_names_what_is_wrong_with_a_csv(read: Read, text: str, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        read("a.csv", text)
    assert str(error.value) == reason


def test_finds_a_ragged_line_far_into_a_file(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 100_000)
    lines = ["a,b", *["1,2"] * 700_000]
    lines[654_321 - 1] = "1,2,3"
    with pytest.raises(Unreadable, match=r"^Line 654,321 has 3 fields; the header has 2\.$"):
        read("a.csv", "\n".join(lines))


def test_quotation_marks_may_be_plain_text(read: Read) -> None:
    table = read("a.tsv", 'id\tname\n1\t5" pipe\n2\tsay "no" twice\n3\t"x\n')
    assert content(table)["name"] == ['5" pipe', 'say "no" twice', '"x']
    assert table.notes == ["Its quotation marks do not enclose fields; they were read as plain text."]


def test_a_quote_that_can_be_read_neither_way_is_named(read: Read) -> None:
    with pytest.raises(StrayQuote, match=r"^Line 3 has a quotation mark in the middle"):
        read("a.csv", 'a,b\n1,"x, y"\n2,5" pipe\n')


def test_makes_column_names_unique(read: Read) -> None:
    table = read("a.csv", "a,a,,a (2), b \n1,2,3,4,5\n")
    assert [one.name for one in table.columns] == ["a", "a (2)", "column 3", "a (2) (2)", "b"]


@pytest.mark.attack(99)
@pytest.mark.parametrize("columns", [limits.MAX_COLUMNS, limits.MAX_COLUMNS + 1, 10_000])
def test_limits_columns(read: Read, columns: int) -> None:
    text = "\n".join([",".join(f"name {i}" for i in range(columns)), ",".join(["1"] * columns)])
    if columns <= limits.MAX_COLUMNS:
        assert len(read("a.csv", text).columns) == columns
    else:
        with pytest.raises(Unreadable, match=rf"^It has {columns:,} columns; tables up to 1,000"):
            read("a.csv", text)


def test_limits_a_record(read: Read) -> None:
    text = b'a,b\n1,"' + b"x" * (limits.MAX_RECORD_BYTES + limits.BLOCK_BYTES) + b'"\n'
    with pytest.raises(Unreadable, match=r"^The record at line 2 is over 16 MiB\.$"):
        read("a.csv", text)


def test_limits_rows(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    assert read("a.csv", "a\n1\n2\n").rows == 2
    with pytest.raises(Unreadable, match="2 rows"):
        read("b.csv", "a\n1\n2\n3\n")


@pytest.mark.attack(99)
@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", "The text is UTF-16."),
        ("cp1252", "The text is not valid UTF-8; it was read as Windows-1252."),
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.ndjson"])
def test_reads_any_encoding(read: Read, name: str, encoding: str, note: str | None) -> None:
    text = "größe,preis\n1,5 €\n" if name == "a.csv" else '{"größe": 1, "preis": "5 €"}'
    table = read(name, text.encode(encoding))
    assert content(table) == {"größe": [1], "preis": ["5 €"]}
    assert table.notes == ([note] if note else [])


def test_falls_back_to_latin_1(read: Read) -> None:
    table = read("a.csv", b"a,b\n\x81,\xe9\n")
    assert content(table) == {"a": ["\x81"], "b": ["é"]}
    assert table.notes == ["The text is not valid UTF-8; it was read as Latin-1."]


def test_names_broken_utf_16(read: Read) -> None:
    with pytest.raises(Unreadable, match=r"^The text is not valid UTF-16\.$"):
        read("a.csv", "a,b\n1,2\n".encode("utf-16") + b"\x00")

"""CSV and TSV files in every dialect and encoding, and each way they can be bad."""

import csv
import random
import re
from io import StringIO

import pytest

from core.programs.data_processor import delimited, limits, tables, text
from core.programs.data_processor.delimited import StrayQuote
from core.programs.data_processor.files import Unreadable
from tests.core.programs.data_processor.conftest import Read, content


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("last", [True, False])
def test_reads_csv_of_any_dialect(read: Read, taken: list[int], separator: str, end: str, last: bool) -> None:
    lines = [["id", "name"], ["1", "Ann"], ["2", ""], ["3", "Bo b"]]
    written = end.join(map(separator.join, lines)) + end * last
    table = read("a.csv", written)
    assert (content(table), table.rows) == ({"id": [1, 2, 3], "name": ["Ann", None, "Bo b"]}, 3)
    assert sum(taken) == len(written)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_csv_module(read: Read, taken: list[int], seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert sum(taken) == len(written.getvalue().encode())


@pytest.mark.attack(99)
@pytest.mark.parametrize(("written", "reason"), [
    ("a,b\n1,2\n\n3,4,5\n", "Line 4 has 3 fields; the header has 2."),
    ('a,b\n1,"x\ny"\n3\n', "Line 4 has 1 field; the header has 2."), ("a,b", "It holds no rows."),
    ("\n\n\n", "The file has no header line."),
])  # fmt: skip
def test_names_what_is_wrong_with_a_csv(read: Read, written: str, reason: str) -> None:
    with pytest.raises(Unreadable) as error:
        read("a.csv", written)
    assert str(error.value) == reason


def test_finds_a_ragged_line_far_into_a_file(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 1_000)
    lines = ["a,b", *["1,2"] * 7_000]
    lines[6_543 - 1] = "1,2,3"
    with pytest.raises(Unreadable, match=r"^Line 6,543 has 3 fields; the header has 2\.$"):
        read("a.csv", "\n".join(lines))


def test_quotation_marks_may_be_plain_text_and_names_are_made_unique(read: Read) -> None:
    table = read("quoted.csv", 'a,b\r\n"x, y","l1\r\nl2"\r\n"say ""hi""",""\r\n')
    assert content(table) == {"a": ["x, y", 'say "hi"'], "b": ["l1\r\nl2", None]}
    table = read("a.tsv", 'id\tname\n1\t5" pipe\n2\tsay "no" twice\n3\t"x\n')
    assert content(table)["name"] == ['5" pipe', 'say "no" twice', '"x']
    assert table.notes == ["Its quotation marks do not enclose fields; they were read as plain text."]
    with pytest.raises(StrayQuote, match=r"^Line 3 has a quotation mark in the middle"):
        read("a.csv", 'a,b\n1,"x, y"\n2,5" pipe\n')
    table = read("b.csv", "a,a,,a (2), b \n1,2,3,4,5\n")
    assert [one.name for one in table.columns] == ["a", "a (2)", "column 3", "a (2) (2)", "b"]


@pytest.mark.attack(99)
def test_limits_columns_rows_and_records(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "MAX_COLUMNS", 2)
    monkeypatch.setattr(tables, "MAX_ROWS", 2)
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", limits.MIB)
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 2**19)
    assert read("a.csv", "a,b\n1,2\n3,4\n").rows == 2
    for name, written, reason in (
        ("b.csv", "a,b,c\n1,2,3\n", "It has 3 columns; tables up to 2 columns are read."),
        ("c.csv", "a\n1\n2\n3\n", "It has at least 3 rows; tables up to 2 rows and 1,000,000,000 cells are read."),
        ("d.csv", f'a,b\n1,"{"x" * 2 * limits.MIB}"\n', "The record at line 2 is over 1 MiB."),
    ):
        with pytest.raises(Unreadable, match=f"^{re.escape(reason)}$"):
            read(name, written)


@pytest.mark.attack(99)
@pytest.mark.parametrize(
    ("encoding", "note"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", text.NOTES["utf-16"]), ("cp1252", text.NOTES["cp1252"])],
)
@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.ndjson"])
def test_reads_any_encoding(read: Read, name: str, encoding: str, note: str) -> None:
    written = "größe,preis\n1,5 €\n" if name == "a.csv" else '{"größe": 1, "preis": "5 €"}'
    table = read(name, written.encode(encoding))
    assert content(table) == {"größe": [1], "preis": ["5 €"]}
    assert table.notes == ([note] if note else [])


def test_what_breaks_its_encoding_is_read_as_latin_1_or_named(read: Read) -> None:
    table = read("a.csv", b"a,b\n\x81,\xe9\n")
    assert content(table) == {"a": ["\x81"], "b": ["é"]}
    assert table.notes == ["The text is not valid UTF-8; it was read as Latin-1."]
    with pytest.raises(Unreadable, match=r"^The text is not valid UTF-16\.$"):
        read("b.csv", "a,b\n1,2\n".encode("utf-16") + b"\x00")

"""The types of columns, Parquet files as tables, and names that mean something to Polars."""

from pathlib import Path

import polars as pl
import pytest

from core.programs.data_processor.files import Unreadable
from tests.core.programs.data_processor.conftest import Read, content, kinds


def test_reads_parquet_of_every_type(read: Read, root: Path) -> None:
    frame = pl.DataFrame(
        {
            "i": pl.Series([1, None], dtype=pl.Int8),
            "u": pl.Series([2**64 - 1, 1], dtype=pl.UInt64),
            "f": [float("nan"), 1.5],
            "d": pl.Series(["1.25", "2"]).cast(pl.Decimal(10, 2)),
            "t": pl.Series(["2024-01-02", None]).str.to_date(),
            "z": pl.Series(["2024-01-02T00:00:00+02:00"] * 2).str.to_datetime(time_zone="UTC"),
            "c": pl.Series(["x", "y"], dtype=pl.Categorical),
            "b": [b"x", b""],
            "l": [[1], []],
            "s": [{"a": 1}, {"a": 2}],
            "n": [None, None],
        }
    )
    frame.write_parquet(root / "a.parquet")
    table = read("a.parquet")
    assert kinds(table) == [
        "integer", "number", "number", "number", "date", "date and time", "text", "binary",
        "nested", "nested", "empty",
    ]  # fmt: skip
    assert (content(table)["i"], content(table)["d"]) == ([1, None], [1.25, 2.0])
    assert str(content(table)["z"][0]) == "2024-01-01 22:00:00"


def test_a_name_is_only_a_name_and_a_file_without_rows_is_named(read: Read, root: Path) -> None:
    pl.DataFrame({"^.*$": [1], "*": [2]}).write_parquet(root / "plain")
    (root / "plain").rename(root / "a [x]*?\n.parquet")
    assert content(read("a [x]*?\n.parquet")) == {"^.*$": [1], "*": [2]}
    assert content(read("a.csv", "^.*$,*\n1,2\n")) == {"^.*$": [1], "*": [2]}
    pl.DataFrame({"a": []}, schema={"a": pl.Int64}).write_parquet(root / "b.parquet")
    with pytest.raises(Unreadable, match=r"^It holds no rows\.$"):
        read("b.parquet")


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", " 2", "NA", "-3"], "integer", ["1", "2", "None", "-3"]),
        (["1", "2.5", "1e3"], "number", ["1.0", "2.5", "1000.0"]),
        (["9223372036854775808", "1"], "number", ["9.223372036854776e+18", "1.0"]),
        (["1,234.5", "2"], "number", ["1234.5", "2.0"]),
        (["007", "123"], "text", ["007", "123"]),
        (["True", "false", "null"], "true/false", ["True", "False", "None"]),
        (["1", "x"], "text", ["1", "x"]),
        (["NA", "x"], "text", ["NA", "x"]),
        (["=cmd()", "+1+1"], "text", ["=cmd()", "+1+1"]),
        (["2024-02-13", ""], "date", ["2024-02-13", "None"]),
        (["13.02.2024"], "date", ["2024-02-13"]),
        (["01/02/2024", "13/02/2024"], "date", ["2024-02-01", "2024-02-13"]),
        (["02/13/2024"], "date", ["2024-02-13"]),
        (["2024-02-13T04:05:06.5"], "date and time", ["2024-02-13 04:05:06.500000"]),
        (["2024-02-13 04:05"], "date and time", ["2024-02-13 04:05:00"]),
        (["2024-02-13T04:05:06+02:00"], "date and time", ["2024-02-13 02:05:06"]),
        (["0000-01-01"], "text", ["0000-01-01"]),
        (["01/02/2024", "03/04/2024"], "text", ["01/02/2024", "03/04/2024"]),  # of day or month, nobody knows
    ],
)
def test_types_come_from_all_values(read: Read, cells: list[str], kind: str, values: list[str]) -> None:
    table = read("a.csv", "n|c\n" + "".join(f"0|{cell}\n" for cell in cells))
    assert (kinds(table)[1], [*map(str, content(table)["c"])]) == (kind, values)
    is_ambiguous = cells[-1] == "03/04/2024"
    note = "c: kept as text: its dates could be day/month or month/day."
    assert (note in table.notes) == is_ambiguous


def test_one_late_value_makes_a_column_text(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.programs.data_processor.text.BLOCK_BYTES", 1_000)
    table = read("a.csv", "a\n" + "1\n" * 2_500 + "x\n" + "1\n" * 2_500)
    assert (kinds(table), sorted(set(content(table)["a"]))) == (["text"], ["1", "x"])
    assert content(read("b.csv", "a;b\n1,5;x\n2;y\n"))["a"] == [1.5, 2.0]  # a decimal comma beside semicolons

"""Parquet files as tables, and column names that mean something to Polars."""

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
    assert content(table)["i"] == [1, None]
    assert content(table)["d"] == [1.25, 2.0]
    assert str(content(table)["z"][0]) == "2024-01-01 22:00:00"


def test_a_name_is_only_a_name_and_a_file_without_rows_is_named(read: Read, root: Path) -> None:
    pl.DataFrame({"^.*$": [1], "*": [2]}).write_parquet(root / "plain")
    (root / "plain").rename(root / "a [x]*?\n.parquet")
    assert content(read("a [x]*?\n.parquet")) == {"^.*$": [1], "*": [2]}
    assert content(read("a.csv", "^.*$,*\n1,2\n")) == {"^.*$": [1], "*": [2]}
    pl.DataFrame({"a": []}, schema={"a": pl.Int64}).write_parquet(root / "b.parquet")
    with pytest.raises(Unreadable, match=r"^It holds no rows\.$"):
        read("b.parquet")

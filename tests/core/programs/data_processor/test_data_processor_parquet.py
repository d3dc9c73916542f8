"""The footer of Parquet files: true ones, bombs and broken ones."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.programs.data_processor import limits, parquet
from core.programs.data_processor.files import Unreadable


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def zigzag(number: int) -> bytes:
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def bomb(rows: int = 1, unpacked: int = 1, columns: int = 1, group_bytes: int = 1) -> bytes:
    """A Parquet file of nothing but a footer that declares as much as is asked."""
    i64, array, struct = 6, 9, 12
    element = bytes([0x15]) + zigzag(2) + b"\0"  # SchemaElement: type
    chunk = bytes([0x30 | struct, 0x60 | i64]) + zigzag(unpacked) + b"\0\0"
    group = bytes([0x10 | array, 0xF0 | struct]) + varint(columns) + chunk * columns
    group += bytes([0x10 | i64]) + zigzag(group_bytes) + bytes([0x10 | i64]) + zigzag(rows) + b"\0"
    schema = bytes([0x20 | array, 0xF0 | struct]) + varint(columns) + element * columns
    footer = schema + bytes([0x10 | i64]) + zigzag(rows)
    footer += bytes([0x10 | array, 0x10 | struct]) + group + b"\0"
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


@pytest.mark.parametrize("compression", ["zstd", "snappy", "gzip", "uncompressed"])
@pytest.mark.parametrize("groups", [1, 7])
def test_footer_tells_the_extent(tmp_path: Path, compression: Any, groups: int) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"a": range(1_000), "b": ["x" * 100] * 1_000, "c": [[1]] * 1_000})
    frame.write_parquet(path, compression=compression, row_group_size=-(-1_000 // groups))
    extent = parquet.extent_of(path)
    assert (extent.rows, extent.columns, extent.unpacked > 1_000) == (1_000, 3, True)


BROKEN = "It is not a valid Parquet file."
HUGE = limits.MAX_FOOTER_BYTES + 1


@pytest.mark.attack(99)
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bomb(rows=10**12), "It declares 1,000,000,000,000 rows; tables up to 20,000,000"),
        (bomb(rows=limits.MAX_ROWS, columns=51), "It declares 1,020,000,000 cells; tables up to"),
        (bomb(columns=1_001), "It has 1,001 columns; tables up to 1,000 columns are read."),
        (bomb(unpacked=2**42), "It unpacks to 4,194,304 MiB; up to 2,048 MiB are read."),
        (bomb(group_bytes=2**42), "It unpacks to 4,194,304 MiB; up to 2,048 MiB are read."),
        (b"PAR1" + bytes(HUGE) + HUGE.to_bytes(4, "little") + b"PAR1", "Its metadata is over 16 MiB."),
        (bomb(rows=-1), BROKEN),
        (bomb(unpacked=-1), BROKEN),
        (b"PAR1", BROKEN),
        (b"PAR1" + b"\0" * 8 + b"PAR1", BROKEN),
        (b"PAR1" + b"\xff" * 40 + b"\x20\0\0\0PAR1", BROKEN),
        (b"PAR1" + b"\x1c" * 40 + b"\x28\0\0\0PAR1", BROKEN),  # structures in structures
        (b"PAR1\xff\xff\xff\x7fPAR1", BROKEN),
        (b"a,b\n1,2\n", BROKEN),
    ],
)
def test_bombs_and_broken_files_are_named(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(data)
    with pytest.raises(Unreadable) as error:
        parquet.check(path)
    assert str(error.value).startswith(reason)
    path.write_bytes(bomb(rows=limits.MAX_ROWS, columns=50))  # which is within the limits
    parquet.check(path)
    assert parquet.extent_of(path) == parquet.Extent(limits.MAX_ROWS, 50, 50)


def test_a_damaged_footer_is_told_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}).write_parquet(path)
    whole = path.read_bytes()
    refused = 0
    for seed in range(50):
        data, chance = bytearray(whole), random.Random(seed)  # noqa: S311
        for _ in range(chance.randint(1, 8)):
            data[chance.randrange(len(data) // 2, len(data) - 8)] = chance.randrange(256)
        path.write_bytes(data)
        try:
            extent = parquet.extent_of(path)
        except Unreadable as error:
            assert str(error) == BROKEN, seed
            refused += 1
        else:
            assert min(extent.rows, extent.columns, extent.unpacked) >= 0, seed
    assert 5 < refused < 50

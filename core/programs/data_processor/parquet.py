"""The metadata of a Parquet file: what the file says it unpacks to, before any of it is.

Polars tells neither the rows nor the uncompressed sizes of a file without reading it, and a few
kilobytes can declare terabytes. The footer is a Thrift structure in the compact protocol; see
https://github.com/apache/parquet-format (README.md and src/main/thrift/parquet.thrift).
"""

from dataclasses import dataclass
from pathlib import Path

from .files import Unreadable
from .limits import (
    MAX_CELLS,
    MAX_COLUMNS,
    MAX_FOOTER_BYTES,
    MAX_ROWS,
    MAX_UNPACKED_BYTES,
    MIB,
)

_MAGIC = b"PAR1"
_BROKEN = "It is not a valid Parquet file."
_MAX_DEPTH = 32

# Field numbers of parquet.thrift.
_FILE_SCHEMA, _FILE_ROWS, _FILE_ROW_GROUPS = 2, 3, 4
_SCHEMA_CHILDREN = 5
_GROUP_COLUMNS, _GROUP_BYTES, _GROUP_ROWS = 1, 2, 3
_CHUNK_METADATA, _CHUNK_UNPACKED = 3, 6

Value = int | bytes | list["Value"] | dict[int, "Value"]


@dataclass(frozen=True)
class Extent:
    """How much a Parquet file declares to hold; each is the largest of what its parts say."""

    rows: int
    columns: int
    unpacked: int  # bytes


def check(path: Path) -> None:
    """Raise Unreadable if the file is no Parquet file or declares more than the limits."""
    extent = extent_of(path)
    if extent.columns > MAX_COLUMNS:
        raise Unreadable(f"It has {extent.columns:,} columns; tables up to {MAX_COLUMNS:,} columns are read.")
    if extent.rows > MAX_ROWS:
        raise Unreadable(f"It declares {extent.rows:,} rows; tables up to {MAX_ROWS:,} rows are read.")
    if extent.rows * extent.columns > MAX_CELLS:
        raise Unreadable(
            f"It declares {extent.rows * extent.columns:,} cells; tables up to {MAX_CELLS:,} cells are read."
        )
    if extent.unpacked > MAX_UNPACKED_BYTES:
        raise Unreadable(
            f"It unpacks to {extent.unpacked / MIB:,.0f} MiB; up to {MAX_UNPACKED_BYTES // MIB:,} MiB are read."
        )


def extent_of(path: Path) -> Extent:
    """Return what the footer declares; raises Unreadable if there is no valid footer."""
    try:
        return _extent(_Compact(_footer(path)).struct())
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(_BROKEN) from error


def _footer(path: Path) -> bytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if len(end) < 8 or end[4:] != _MAGIC or length > size - 12:
            raise Unreadable(_BROKEN)
        if length > MAX_FOOTER_BYTES:
            raise Unreadable(f"Its metadata is over {MAX_FOOTER_BYTES // MIB} MiB.")
        file.seek(size - 8 - length)
        return file.read(length)


def _extent(footer: dict[int, Value]) -> Extent:
    schema, groups = _items(footer[_FILE_SCHEMA]), _items(footer[_FILE_ROW_GROUPS])
    chunks = [[_fields(one) for one in _items(group[_GROUP_COLUMNS])] for group in groups]
    unpacked = [sum(_number(_fields(one[_CHUNK_METADATA])[_CHUNK_UNPACKED]) for one in group) for group in chunks]
    rows = [_number(group[_GROUP_ROWS]) for group in groups]
    declared = [_number(group[_GROUP_BYTES]) for group in groups]
    leaves = sum(_SCHEMA_CHILDREN not in element for element in schema)
    if min([0, *rows, *unpacked, *declared]) < 0:
        raise Unreadable(_BROKEN)
    return Extent(
        rows=max(_number(footer[_FILE_ROWS]), sum(rows)),
        columns=max([leaves, *map(len, chunks)]),
        unpacked=max(sum(unpacked), sum(declared)),
    )


def _fields(value: Value) -> dict[int, Value]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def _items(value: Value) -> list[dict[int, Value]]:
    if not isinstance(value, list):
        raise TypeError(value)
    return [_fields(item) for item in value]


def _number(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(value)
    return value


class _Compact:
    """Reads Thrift values; raises IndexError at the end, ValueError at what is no Thrift."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int = 0) -> dict[int, Value]:
        fields: dict[int, Value] = {}
        number = 0
        while head := self._byte():
            step, kind = head >> 4, head & 0x0F
            number = number + step if step else self._zigzag()
            # A boolean field holds its value in its type.
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth + 1)
        return fields

    def _value(self, kind: int, depth: int) -> Value:
        if depth > _MAX_DEPTH:
            raise ValueError(depth)
        if kind in (1, 2, 3):  # an element of a list of booleans is a byte
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            head = self._byte()
            size = self._varint() if head >> 4 == 15 else head >> 4
            if size > len(self._data) - self._at:
                raise ValueError(size)
            return [self._value(head & 0x0F, depth + 1) for _ in range(size)]
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError(kind)  # parquet.thrift has no maps

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise ValueError(size)
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:
                raise ValueError(shift)
        return number | byte << shift

    def _zigzag(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)

"""The metadata of a Parquet file: what the file says it unpacks to, before any of it is.

Polars tells neither the rows nor the uncompressed sizes of a file without reading it, and a few kilobytes can declare
terabytes.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from .files import Unreadable
from .limits import MAX_CELLS, MAX_COLUMNS, MAX_FOOTER_BYTES, MAX_ROWS, MAX_UNPACKED_BYTES, MIB

_BROKEN = "It is not a valid Parquet file."
_MAX_ITEMS = 100_000  # of one list: row groups, columns
_MAX_DEPTH = 64  # of nested columns


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
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - 8, 0))
        # pyarrow takes 240 bytes of memory for each of a hostile footer.
        length, magic = int.from_bytes(file.read(4), "little"), file.read(4)
        if magic == b"PAR1" and MAX_FOOTER_BYTES < length < size:
            raise Unreadable(f"Its metadata is over {MAX_FOOTER_BYTES // MIB} MiB.")
        file.seek(0)
        try:
            limits = {"thrift_string_size_limit": MAX_FOOTER_BYTES, "thrift_container_size_limit": _MAX_ITEMS}
            footer = pq.ParquetFile(file, schema_depth_limit=_MAX_DEPTH, pre_buffer=False, **limits).metadata
            # Of a group as a whole: pyarrow ends the process at what it finds wrong in a damaged column's part.
            groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
        except (OSError, ValueError, pa.ArrowException) as error:
            raise Unreadable(_BROKEN) from error
    rows, unpacked = [group.num_rows for group in groups], [group.total_byte_size for group in groups]
    if min([0, footer.num_rows, *rows, *unpacked]) < 0:
        raise Unreadable(_BROKEN)
    return Extent(max(footer.num_rows, sum(rows)), footer.num_columns, sum(unpacked))

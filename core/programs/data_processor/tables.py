"""Tables: a data file of any kind, read once and kept where one column at a time can be had.

Text files are checked and split batch by batch into Parquet parts in a scratch folder, with
all columns as text, so that memory stays small and types are decided from all of the data.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from core.programs.shared.words import visible
from core.words import listed

from . import delimited, documents, parquet, text
from .files import DataFile, Unreadable
from .kinds import Candidates, Kind, typed
from .limits import MAX_CELLS, MAX_ROWS, MIB

Read = Callable[[int], None]
"""Gets how many bytes of the file were read since it was called last."""

_EMPTY = "It holds no rows."
_START_BYTES = MIB  # of a text file, to tell its dialect from


@dataclass(frozen=True)
class Column:
    """One column of a table; `values` reads it from the table's parts."""

    name: str
    kind: Kind
    values: pl.Expr


@dataclass
class SourceTable:
    """A table that was read: its columns can be had one at a time, in the order of its rows."""

    name: str
    size: int  # bytes of the file
    rows: int
    columns: list[Column]
    parts: pl.LazyFrame
    notes: list[str] = field(default_factory=list)

    def values(self, column: Column) -> pl.Series:
        """Return all values of a column; raises PolarsError if the parts can not be read."""
        frame = self.parts.select(column.values.alias("values")).collect(engine="streaming")
        return frame.to_series()


def read(file: DataFile, scratch: Path, on_progress: Read) -> SourceTable:
    """Return the table in a file; `scratch` is an empty folder that holds it while in use.

    Raises Unreadable, OSError or PolarsError if the file can not be read as one table.
    """
    if file.suffix == ".parquet":
        return _parquet(file, scratch, on_progress)
    encoding = text.encoding_of(file.path)
    if file.suffix in (".csv", ".tsv"):
        table = _delimited(file, encoding, scratch, on_progress)
    else:
        table = _documents(file, encoding, scratch, on_progress)
    if encoding in text.NOTES:
        table.notes.insert(0, text.NOTES[encoding])
    return table


def of_frame(name: str, frame: pl.DataFrame, size: int) -> SourceTable:
    """Return a frame in memory as a table."""
    columns = [
        Column(name, *typed(f"c{position}", dtype)) for position, (name, dtype) in enumerate(frame.schema.items())
    ]
    parts = frame.rename({one.name: f"c{i}" for i, one in enumerate(columns)}).lazy()
    return SourceTable(name, size, frame.height, columns, parts)


def _parquet(file: DataFile, scratch: Path, on_progress: Read) -> SourceTable:
    parquet.check(file.path)
    # Polars takes no path that is not valid UTF-8, and has its own reading of some others.
    link = scratch / "source.parquet"
    link.symlink_to(file.path.resolve())
    source = pl.scan_parquet(link, glob=False, hive_partitioning=False)
    schema = source.collect_schema()
    rows: int = source.select(pl.len()).collect().item()
    if not rows or not schema:
        raise Unreadable(_EMPTY)
    columns = [
        Column(name, *typed(f"c{position}", dtype))
        for position, (name, dtype) in enumerate(zip(delimited.names_of(schema), schema.dtypes(), strict=True))
    ]
    on_progress(file.size)
    # By position: a name such as "^a.*$" would be taken as a pattern.
    parts = source.select(pl.nth(i).alias(f"c{i}") for i in range(len(columns)))
    return SourceTable(file.name, file.size, rows, columns, parts)


def _delimited(file: DataFile, encoding: str, scratch: Path, on_progress: Read) -> SourceTable:
    start = b""
    for block, _ in text.blocks(file.path, encoding):
        start += block[:_START_BYTES]
        if len(start) >= _START_BYTES:
            break
    has_old_ends = b"\r" in start and b"\n" not in start  # lines end in a lone CR
    separators = "\t" if file.suffix == ".tsv" else delimited.SEPARATORS
    dialect = delimited.dialect_of(start, separators)

    def blocks() -> Iterator[tuple[bytes, int]]:
        for block, size in text.blocks(file.path, encoding):
            yield (block.replace(b"\r", b"\n") if has_old_ends else block), size

    parts, notes = _Parts(scratch, dialect.separator), []
    try:
        parts.write(delimited.Records(dialect).batches(blocks()), on_progress)
    except delimited.StrayQuote as stray:
        # Tab-separated exports in particular write quotation marks as plain text.
        dialect = delimited.dialect_of(start, separators, quoted=False)
        parts = _Parts(scratch, dialect.separator)
        try:
            parts.write(delimited.Records(dialect).batches(blocks()), on_progress)
        except Unreadable:
            raise stray from None
        notes.append("Its quotation marks do not enclose fields; they were read as plain text.")
    table = parts.table(file, delimited.names_of(dialect.header))
    table.notes += notes
    return table


def _documents(file: DataFile, encoding: str, scratch: Path, on_progress: Read) -> SourceTable:
    parts, names = _Parts(scratch), documents.Names()
    batches = documents.json_batches if file.suffix == ".json" else documents.ndjson_batches
    parts.write(batches(file.path, encoding, names), on_progress)
    return parts.table(file, delimited.names_of(names.found))


class _Parts:
    """Batches of text columns on disk, in order, and what their columns can be read as."""

    def __init__(self, scratch: Path, separator: str | None = None) -> None:
        self._scratch = scratch
        self._candidates = Candidates(separator)
        self._paths: list[Path] = []
        self._rows = 0

    def write(self, batches: Iterator[tuple[pl.DataFrame, int]], on_progress: Read) -> None:
        for batch, size in batches:
            self._rows += batch.height
            if self._rows > MAX_ROWS or self._rows * batch.width > MAX_CELLS:
                raise Unreadable(
                    f"It has at least {self._rows:,} rows; tables up to "
                    f"{MAX_ROWS:,} rows and {MAX_CELLS:,} cells are read."
                )
            self._candidates.narrow(batch)
            path = self._scratch / f"{len(self._paths):06}.parquet"
            batch.write_parquet(path, compression="lz4", statistics=False)
            self._paths.append(path)
            on_progress(size)

    def table(self, file: DataFile, names: list[str]) -> SourceTable:
        if not self._rows or not names:
            raise Unreadable(_EMPTY)
        schema = {f"c{position}": pl.String for position in range(len(names))}
        # A column of JSON may first appear in a later part.
        parts = pl.scan_parquet(self._paths, schema=schema, missing_columns="insert", glob=False)
        columns: list[Column] = []
        noted: dict[str, list[str]] = {}
        for key, name in zip(schema, names, strict=True):
            kind, values, note = self._candidates.of(key)
            columns.append(Column(name, kind, values))
            if note:
                noted.setdefault(note, []).append(visible(name))
        notes = [f"{listed(shown)}: {note}." for note, shown in noted.items()]
        return SourceTable(file.name, file.size, self._rows, columns, parts, notes)

"""The profile of a table: its columns one by one, and what only shows across columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from . import statistics
from .kinds import Kind
from .limits import CORRELATED_COLUMNS, CORRELATED_ROWS, PREVIEW_ROWS
from .statistics import ColumnProfile, Floats
from .tables import SourceTable

Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]
_HASH_STEP = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a step loses nothing
_MIN_PAIRS = 10  # rows with both values, below which a correlation says nothing


@dataclass(frozen=True)
class Correlation:
    """How two numeric columns move together: Pearson's r, -1 to 1."""

    first: str
    second: str
    r: float


@dataclass
class TableProfile:
    """What is known of a table."""

    name: str
    size: int  # bytes of the file
    rows: int
    columns: list[ColumnProfile]
    duplicates: int  # rows that repeat an earlier row
    correlations: list[Correlation]  # strongest first
    correlated_rows: int  # rows that the correlations are computed from
    preview: list[list[str | None]]  # the first rows
    notes: list[str]

    @property
    def missing(self) -> int:
        """Return the number of empty cells."""
        return sum(column.missing for column in self.columns)

    @property
    def cells(self) -> int:
        """Return the number of cells."""
        return self.rows * len(self.columns)


def of(table: SourceTable, on_progress: Callable[[int, int], None]) -> TableProfile:
    """Return the profile of a table; `on_progress` gets columns done and columns in all.

    One column is in memory at a time. Raises PolarsError if the table can not be read.
    """
    columns: list[ColumnProfile] = []
    preview: list[list[str | None]] = []
    sampled: dict[str, Floats] = {}
    hashes: Hashes = np.zeros(table.rows, np.uint64)
    step = -(-table.rows // CORRELATED_ROWS)
    for number, column in enumerate(table.columns, 1):
        values = table.values(column)
        profile = statistics.of(column.name, column.kind, values)
        columns.append(profile)
        preview.append([statistics.cell(value) for value in values.head(PREVIEW_ROWS)])
        # Row by row, columns are folded into one hash that stands for the whole row.
        hashes = hashes * _HASH_STEP + values.hash(number).to_numpy()
        if column.kind.is_numeric and not profile.is_key and len(sampled) < CORRELATED_COLUMNS:
            sample = values.gather_every(step).cast(pl.Float64).fill_null(float("nan"))
            sampled[column.name] = sample.to_numpy()
        on_progress(number, len(table.columns))
    hashes.sort()
    return TableProfile(
        table.name,
        table.size,
        table.rows,
        columns,
        int((hashes[1:] == hashes[:-1]).sum()),
        _correlations(sampled),
        -(-table.rows // step),
        [list(row) for row in zip(*preview, strict=True)],
        table.notes,
    )


def _correlations(sampled: dict[str, Floats]) -> list[Correlation]:
    found: list[Correlation] = []
    names = list(sampled)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            r = _pearson(sampled[first], sampled[second])
            if r is not None:
                found.append(Correlation(first, second, r))
    return sorted(found, key=lambda one: -abs(one.r))


def _pearson(first: Floats, second: Floats) -> float | None:
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < _MIN_PAIRS:
        return None
    with np.errstate(all="ignore"):  # no variance, or an overflow: r is not finite then
        first = first[both] - first[both].mean()
        second = second[both] - second[both].mean()
        r = (first * second).sum() / np.sqrt((first**2).sum() * (second**2).sum())
    return float(np.clip(r, -1, 1)) if np.isfinite(r) else None


def informative(profile: TableProfile) -> list[ColumnProfile]:
    """Return the numeric columns that have a shape worth drawing, the most even first."""
    drawn = [
        (column.histogram.evenness, column)
        for column in profile.columns
        if column.histogram and column.kind.is_numeric and not column.is_key
    ]
    return [column for _, column in sorted(drawn, key=lambda one: -one[0])]


def categories(profile: TableProfile) -> list[ColumnProfile]:
    """Return the columns whose values name a few groups of rows."""
    return [
        column
        for column in profile.columns
        if column.kind in (Kind.TEXT, Kind.BOOLEAN)
        and column.distinct is not None
        and not column.is_key
        and 2 <= column.distinct <= max(2, min(1_000, column.present // 5))
    ]

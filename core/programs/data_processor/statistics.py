"""The statistics of one column, from all of its values."""

from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import polars as pl

from core.programs.shared.words import visible

from .kinds import Kind
from .limits import CELL_CHARACTERS, EXACT_DISTINCT_ROWS, RANKED_VALUES, TOP_VALUES

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Bound = int | float | date | datetime

_BINS = 24
_WHOLE_BINS = 40  # whole numbers over a range this small get one bin each
_PERIODS = (("1d", "day"), ("1w", "week"), ("1mo", "month"), ("1q", "quarter"), ("1y", "year"))
_MAX_PERIODS = 120  # points of a line over time


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each bin; `edges` has one more entry than `counts`."""

    counts: list[int]
    edges: list[float]
    beyond: int  # values outside the edges: the far tails, left out to keep the shape visible

    @property
    def evenness(self) -> float:
        """Return the entropy of the bins, 0 for all in one bin to 1 for the same in each."""
        shares = np.array([one for one in self.counts if one], float) / max(sum(self.counts), 1)
        return float(-(shares * np.log(shares)).sum() / np.log(max(len(self.counts), 2)))


@dataclass(frozen=True)
class Timeline:
    """How many rows fall in each period that has any, in order of time."""

    period: str  # "day", "week", …
    starts: list[date]
    counts: list[int]


@dataclass
class ColumnProfile:
    """What is known of a column; what does not apply to its kind is None or empty."""

    name: str
    kind: Kind
    rows: int
    missing: int
    distinct: int | None = None  # of the values that are there
    distinct_is_exact: bool = True
    non_finite: int = 0  # NaN and infinities; no other figure counts them
    low: Bound | None = None
    high: Bound | None = None
    mean: float | None = None
    median: float | datetime | None = None
    std: float | None = None  # of a sample (n - 1)
    outliers: int = 0  # over 1.5 interquartile ranges beyond the quartiles
    fences: tuple[float, float] | None = None  # values outside are outliers
    top: list[tuple[str, int]] = field(default_factory=list)  # most frequent first
    histogram: Histogram | None = None
    timeline: Timeline | None = None

    @property
    def present(self) -> int:
        """Return the number of values that are not missing."""
        return self.rows - self.missing

    @property
    def is_constant(self) -> bool:
        """Return whether every row holds the same value."""
        return self.distinct == 1 and not self.missing and self.rows > 1

    @property
    def is_key(self) -> bool:
        """Return whether every row holds another value, and values that could name rows."""
        return (
            self.rows > 1
            and self.distinct == self.rows
            and self.distinct_is_exact
            and self.kind in (Kind.INTEGER, Kind.TEXT)
        )


def of(name: str, kind: Kind, values: pl.Series) -> ColumnProfile:
    """Return the profile of a column from its values."""
    profile = ColumnProfile(name, kind, len(values), values.null_count())
    if kind in (Kind.NESTED, Kind.BINARY, Kind.EMPTY) or not profile.present:
        return profile
    values = values.drop_nulls()
    if kind.is_numeric:
        finite = values.filter(values.is_finite()) if kind is Kind.NUMBER else values
        profile.non_finite = len(values) - len(finite)
        _numeric(profile, finite)
    elif kind.is_temporal:
        _temporal(profile, values)
    _distinct(profile, values)
    return profile


def _distinct(profile: ColumnProfile, values: pl.Series) -> None:
    if len(values) <= EXACT_DISTINCT_ROWS or profile.kind is Kind.BOOLEAN:
        distinct = values.n_unique()
    else:
        about: int = values.to_frame().select(pl.all().approx_n_unique()).item()
        profile.distinct_is_exact = about <= RANKED_VALUES
        distinct = values.n_unique() if profile.distinct_is_exact else min(about, len(values))
    profile.distinct = distinct
    if profile.kind in (Kind.TEXT, Kind.BOOLEAN) and distinct <= RANKED_VALUES:
        ranks = values.value_counts().sort(["count", "values"], descending=[True, False])
        profile.top = [(cell(value) or "", number) for value, number in ranks.head(TOP_VALUES * 2).rows()]


def _numeric(profile: ColumnProfile, values: pl.Series) -> None:
    if not len(values):
        return
    profile.low, profile.high = _bounds(values)
    numbers = values.cast(pl.Float64).to_numpy()
    with np.errstate(over="ignore", invalid="ignore"):  # 1e308 + 1e308; told as None
        profile.mean = _finite(numbers.mean())
        profile.std = _finite(numbers.std(ddof=1)) if len(numbers) > 1 else None
        quartiles = np.quantile(numbers, (0.25, 0.5, 0.75))
        profile.median = _finite(quartiles[1])
        reach = 1.5 * (quartiles[2] - quartiles[0])
        fences = float(quartiles[0] - reach), float(quartiles[2] + reach)
    # Where half of all values are the same, everything else would be an outlier.
    if 0 < reach < np.inf:
        profile.fences = fences
        profile.outliers = int(((numbers < fences[0]) | (numbers > fences[1])).sum())
    profile.histogram = _histogram(numbers, profile.kind is Kind.INTEGER)


def _bounds(values: pl.Series) -> tuple[Bound, Bound]:
    frame = pl.select(low=pl.lit(values).min(), high=pl.lit(values).max())
    low, high = frame.row(0)
    return low, high


def _finite(value: np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None


def _histogram(numbers: Floats, is_whole: bool) -> Histogram | None:
    low, high = float(numbers.min()), float(numbers.max())
    if not 0 < high - low < np.inf:
        return None
    if is_whole and high - low < _WHOLE_BINS:
        return _binned(numbers, np.arange(low - 0.5, high + 1))
    whole = _binned(numbers, np.linspace(low, high, _BINS + 1))
    if whole.evenness > 0.35 or len(numbers) < 100:
        return whole
    low, high = np.quantile(numbers, (0.01, 0.99))
    return _binned(numbers, np.linspace(low, high, _BINS + 1)) if high > low else whole


def _binned(numbers: Floats, edges: Floats) -> Histogram:
    counts, edges = np.histogram(numbers, edges)
    return Histogram(counts.tolist(), edges.tolist(), len(numbers) - int(counts.sum()))


def _temporal(profile: ColumnProfile, values: pl.Series) -> None:
    profile.low, profile.high = _bounds(values)
    days = values.cast(pl.Date)
    for every, period in _PERIODS:
        counts = days.dt.truncate(every).value_counts(name="rows").sort("values")
        profile.timeline = Timeline(period, counts["values"].to_list(), counts["rows"].to_list())
        if counts.height <= _MAX_PERIODS:
            return


def cell(value: object) -> str | None:
    """Return one value of a table as short text on one line; None for a missing value."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return visible(str(value), CELL_CHARACTERS)

"""What the values of a column are: found from all of its text, or from its Parquet type."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import polars as pl


class Kind(StrEnum):
    """The type of a column as a report names it."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "true/false"
    DATE = "date"
    MOMENT = "date and time"
    TEXT = "text"
    NESTED = "nested"
    BINARY = "binary"
    EMPTY = "empty"

    @property
    def is_numeric(self) -> bool:
        """Return whether the values are numbers."""
        return self in (Kind.INTEGER, Kind.NUMBER)

    @property
    def is_temporal(self) -> bool:
        """Return whether the values are points in time."""
        return self in (Kind.DATE, Kind.MOMENT)


@dataclass(frozen=True)
class Reading:
    """One way to read text as values: `convert` gives null for text that is none."""

    kind: Kind
    convert: Callable[[pl.Expr], pl.Expr]
    note: str = ""


# Mean "no value" in a column of anything but text, where they could be a value (Namibia is NA).
_NULL_WORDS = ["", "-", "NA", "N/A", "n/a", "null", "NULL", "None"]
_LEADING_ZERO = r"^[+-]?0[0-9]"  # 00123 is a code, not a number
_TOGETHER = 16  # columns tested in one query: planning a query takes long when it is wide
_HEAD = 256  # values tried first: most readings of most columns fail at once


def _integer(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(_LEADING_ZERO)).then(text.cast(pl.Int64, strict=False))


def _number(text: pl.Expr) -> pl.Expr:
    return pl.when(~text.str.contains(_LEADING_ZERO)).then(text.cast(pl.Float64, strict=False))


def _grouped(text: pl.Expr) -> pl.Expr:
    plain = pl.when(text.str.contains(r"^[+-]?[0-9]{1,3}(,[0-9]{3})*(\.[0-9]+)?$")).then(text)
    return _number(plain.str.replace_all(",", "", literal=True))


def _decimal_comma(text: pl.Expr) -> pl.Expr:
    plain = pl.when(text.str.contains(r"^[+-]?[0-9]+(,[0-9]+)?$")).then(text)
    return _number(plain.str.replace(",", ".", literal=True))


def _boolean(text: pl.Expr) -> pl.Expr:
    word = text.str.to_lowercase()
    return pl.when(word.is_in(["true", "false"])).then(word == "true")


def _sane(time: pl.Expr) -> pl.Expr:
    # Python knows the years 1 to 9999 only.
    return pl.when(time.dt.year().is_between(1, 9999)).then(time)


def _date(pattern: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: _sane(text.str.to_date(pattern, strict=False))


def _moment(*patterns: str) -> Callable[[pl.Expr], pl.Expr]:
    return lambda text: _sane(pl.coalesce(text.str.to_datetime(one, strict=False, time_unit="us") for one in patterns))


def _iso_moment(pattern: str) -> Callable[[pl.Expr], pl.Expr]:
    read = _moment(pattern)
    return lambda text: read(text.str.replace(" ", "T", literal=True))


def _zoned_moment(text: pl.Expr) -> pl.Expr:
    text = text.str.replace(" ", "T", literal=True)
    zoned = text.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")
    return _sane(zoned.dt.replace_time_zone(None))


_DAY_FIRST = (
    Reading(Kind.DATE, _date("%d/%m/%Y"), "read as day/month/year"),
    Reading(Kind.MOMENT, _moment("%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M"), "read as day/month/year"),
)
_MONTH_FIRST = (
    Reading(Kind.DATE, _date("%m/%d/%Y"), "read as month/day/year"),
    Reading(Kind.MOMENT, _moment("%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M"), "read as month/day/year"),
)
_EMPTY = Reading(Kind.EMPTY, lambda text: pl.when(False).then(text))
_COMMON = (
    Reading(Kind.BOOLEAN, _boolean),
    Reading(Kind.INTEGER, _integer),
    Reading(Kind.NUMBER, _number),
    Reading(Kind.DATE, _date("%Y-%m-%d")),
    Reading(Kind.DATE, _date("%Y/%m/%d")),
    Reading(Kind.DATE, _date("%d.%m.%Y")),
    Reading(Kind.MOMENT, _iso_moment("%Y-%m-%dT%H:%M:%S")),
    Reading(Kind.MOMENT, _iso_moment("%Y-%m-%dT%H:%M:%S%.f")),
    Reading(Kind.MOMENT, _iso_moment("%Y-%m-%dT%H:%M")),
    Reading(Kind.MOMENT, _zoned_moment, "read as UTC"),
    Reading(Kind.MOMENT, _moment("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M")),
    *_DAY_FIRST,
    *_MONTH_FIRST,
)
_COMMA_IS_DECIMAL = Reading(Kind.NUMBER, _decimal_comma, "read with a decimal comma")
_COMMA_GROUPS = Reading(Kind.NUMBER, _grouped, "read with commas between thousands")


class Candidates:
    """The readings that all text of a column, seen batch by batch, allows so far."""

    def __init__(self, separator: str | None = None) -> None:
        commas = _COMMA_IS_DECIMAL if separator == ";" else _COMMA_GROUPS
        self._readings = (*_COMMON, commas)
        self._left: dict[str, list[Reading]] = {}
        self._has_values: set[str] = set()

    def narrow(self, batch: pl.DataFrame) -> None:
        """Drop, for each column of `batch`, the readings that its text contradicts."""
        for start in range(0, batch.width, _TOGETHER):
            columns = batch.select(_trimmed(name).alias(name) for name in batch.columns[start : start + _TOGETHER])
            if batch.height > _HEAD:
                self._drop(columns.head(_HEAD))
            self._drop(columns)

    def _drop(self, batch: pl.DataFrame) -> None:
        tests: list[pl.Expr] = []
        meant: list[tuple[str, Reading | None]] = []  # what each test is of; None: has any value
        for name in batch.columns:
            text = pl.col(name)
            if name not in self._has_values:
                tests.append(text.is_not_null().any())
                meant.append((name, None))
            for reading in self._left.setdefault(name, [*self._readings]):
                tests.append((text.is_not_null() & reading.convert(text).is_null()).any())
                meant.append((name, reading))
        # Lazily, so that what the tests have in common is worked out once.
        asked = batch.lazy().select(test.alias(str(place)) for place, test in enumerate(tests))
        answers = asked.collect().rows()
        for (name, failed), is_so in zip(meant, answers[0] if answers else (), strict=True):
            if is_so and failed:
                self._left[name].remove(failed)
            elif is_so:
                self._has_values.add(name)

    def of(self, name: str) -> tuple[Kind, pl.Expr, str]:
        """Return the kind of a column, the expression that reads it, and a note or ""."""
        if name not in self._has_values:
            return _EMPTY.kind, _EMPTY.convert(pl.col(name)), ""
        left = self._left[name]
        if {*_DAY_FIRST} & {*left} and {*_MONTH_FIRST} & {*left}:
            note = "kept as text: its dates could be day/month or month/day"
            return Kind.TEXT, pl.col(name), note
        for reading in left:
            return reading.kind, reading.convert(_trimmed(name)), reading.note
        return Kind.TEXT, pl.col(name), ""


def _trimmed(name: str) -> pl.Expr:
    text = pl.col(name).str.strip_chars()
    return pl.when(~text.is_in(_NULL_WORDS)).then(text)


def typed(name: str, dtype: pl.DataType) -> tuple[Kind, pl.Expr]:
    """Return the kind of a typed column, and the expression that brings it to a common type."""
    column = pl.col(name)
    if dtype == pl.Boolean:
        return Kind.BOOLEAN, column
    if dtype.is_integer():
        if dtype in (pl.UInt64, pl.Int128, pl.UInt128):  # need not fit 64 bits with a sign
            return Kind.NUMBER, column.cast(pl.Float64)
        return Kind.INTEGER, column.cast(pl.Int64)
    if dtype.is_numeric():
        return Kind.NUMBER, column.cast(pl.Float64)
    if dtype == pl.Date:
        return Kind.DATE, _sane(column)
    if dtype == pl.Datetime:
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return Kind.MOMENT, _sane(column.cast(pl.Datetime("us")))
    if dtype == pl.Null:
        return Kind.EMPTY, column.cast(pl.String)
    if dtype == pl.Binary:
        return Kind.BINARY, column
    if dtype.is_nested():
        return Kind.NESTED, column
    return Kind.TEXT, column.cast(pl.String)  # also categories, times of day, durations

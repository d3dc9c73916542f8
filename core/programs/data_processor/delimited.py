"""CSV and TSV files: their dialect, and their records as batches of text columns.

Polars parses; the shape of every record is checked before, because Polars fills short rows
with nulls and can not say on which line a record is.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO, StringIO
from itertools import islice

import numpy as np
import polars as pl

from core.words import count

from .files import Unreadable
from .limits import MAX_COLUMNS, MAX_RECORD_BYTES, MIB

Bytes = np.ndarray[tuple[int], np.dtype[np.uint8]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

SEPARATORS = ",;\t|"
_SAMPLED_RECORDS = 100
_LF, _CR, _QUOTE = b'\n\r"'


class StrayQuote(Unreadable):
    """A quotation mark stands where a quoted field can neither start nor end."""


@dataclass(frozen=True)
class Dialect:
    """How the text is cut into fields, and the fields of its first record."""

    separator: str
    header: tuple[str, ...]
    quoted: bool = True  # quotation marks enclose fields; otherwise they are plain text


def dialect_of(start: bytes, separators: str = SEPARATORS, quoted: bool = True) -> Dialect:
    """Return the dialect of a file from its first bytes, given as UTF-8.

    Without `quoted`, quotation marks are taken as plain text.

    Raises Unreadable if there is no header or it has more than MAX_COLUMNS fields.
    """
    text = start.decode("utf-8", "ignore").lstrip("\r\n")
    samples = {one: list(_sample(text, one, quoted)) for one in separators}
    # The separator that cuts most records as it cuts the header, then the one that cuts most.
    best = max(samples, key=lambda one: _agreement(samples[one]))
    if not samples[best]:
        raise Unreadable("The file has no header line.")
    header = samples[best][0]
    if len(header) > MAX_COLUMNS:
        raise Unreadable(f"It has {len(header):,} columns; tables up to {MAX_COLUMNS:,} columns are read.")
    return Dialect(best, tuple(header), quoted)


def _sample(text: str, separator: str, quoted: bool) -> Iterator[list[str]]:
    reader = csv.reader(
        StringIO(text, newline=""),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    try:
        for record in islice(reader, _SAMPLED_RECORDS):
            if record:
                yield record
    except csv.Error:  # a field over the module's own limit
        return


def _agreement(records: list[list[str]]) -> tuple[float, int]:
    if not records or len(records[0]) < 2:
        return 0.0, 0
    fields = len(records[0])
    return sum(len(record) == fields for record in records) / len(records), fields


def names_of(header: Iterable[str]) -> list[str]:
    """Return the column names for a header: none empty, no two alike."""
    names: list[str] = []
    taken: set[str] = set()
    for position, field in enumerate(header, 1):
        base = field.strip() or f"column {position}"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base} ({number})"
        taken.add(name)
        names.append(name)
    return names


class Records:
    """Cuts text into batches of whole records that all have as many fields as the header."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._fields = len(dialect.header)
        self._line = 1  # of the first byte of the text not cut yet
        self._header_is_due = True

    def batches(self, blocks: Iterable[tuple[bytes, int]]) -> Iterator[tuple[pl.DataFrame, int]]:
        """Yield batches of text columns c0, c1, …, each with the source bytes it took.

        Raises Unreadable with the line number at a record of another length, StrayQuote at a
        misplaced quotation mark.
        """
        rest, taken = b"", 0
        for block, size in blocks:
            taken += size
            whole, rest = self._cut(rest + block)
            if len(rest) > MAX_RECORD_BYTES:
                limit = MAX_RECORD_BYTES // MIB
                raise Unreadable(f"The record at line {self._line:,} is over {limit} MiB.")
            if whole is not None:
                yield whole, taken
                taken = 0
        if rest:
            # A missing last line end is no fault; a second one would be an empty record.
            whole, rest = self._cut(rest + b"\n")
            if rest:
                raise StrayQuote(f"The quoted field at line {self._line:,} is never closed.")
            if whole is not None:
                yield whole, taken

    def _cut(self, text: bytes) -> tuple[pl.DataFrame | None, bytes]:
        data = np.frombuffer(text, np.uint8)
        ends_line, separates = data == _LF, data == ord(self._dialect.separator)
        if self._dialect.quoted and b'"' in text:
            outside = self._outside_quotes(data)
            ends_line &= outside
            separates &= outside
        ends = np.flatnonzero(ends_line)
        if not ends.size:
            return None, text
        starts = np.concatenate(([0], ends[:-1] + 1))
        fields = np.diff(np.searchsorted(np.flatnonzero(separates), ends), prepend=0) + 1
        blank = (ends == starts) | ((ends == starts + 1) & (data[starts] == _CR))
        wrong = np.flatnonzero(~blank & (fields != self._fields))
        if wrong.size:
            line = self._line + text.count(b"\n", 0, int(starts[wrong[0]]))
            raise Unreadable(
                f"Line {line:,} has {count(int(fields[wrong[0]]), 'field')}; the header has {self._fields:,}."
            )
        end = int(ends[-1]) + 1
        self._line += text.count(b"\n", 0, end)
        if self._header_is_due and not blank.all():
            blank[np.flatnonzero(~blank)[0]] = True  # the header is no record
            self._header_is_due = False
        records = int((~blank).sum())
        whole = text[:end]
        if blank.any():
            whole = data[:end][np.repeat(~blank, ends - starts + 1)].tobytes()
        return (self._parse(whole, records) if records else None), text[end:]

    def _outside_quotes(self, data: Bytes) -> Mask:
        quote = data == _QUOTE
        inside = np.logical_xor.accumulate(quote)
        quotes = np.flatnonzero(quote)
        # An opening mark follows, and a closing mark precedes, a border of its field.
        neighbours = np.where(inside[quotes], quotes - 1, quotes + 1)
        has_one = (neighbours >= 0) & (neighbours < data.size)
        borders = [_LF, _CR, _QUOTE, ord(self._dialect.separator)]
        stray = has_one & ~np.isin(data[np.where(has_one, neighbours, 0)], borders)
        if stray.any():
            line = self._line + int(np.count_nonzero(data[: quotes[stray.argmax()]] == _LF))
            raise StrayQuote(f"Line {line:,} has a quotation mark in the middle of a field.")
        return ~inside

    def _parse(self, text: bytes, records: int) -> pl.DataFrame:
        batch = pl.read_csv(
            BytesIO(text),
            has_header=False,
            separator=self._dialect.separator,
            quote_char='"' if self._dialect.quoted else None,
            schema={f"c{position}": pl.String for position in range(self._fields)},
        )
        if batch.height != records:
            raise Unreadable(f"The records up to line {self._line:,} could not be told apart.")
        # An empty field is no value, whether or not it is quoted.
        return batch.select(pl.when(pl.all() != "").then(pl.all()))

"""JSON and NDJSON files: their objects, as batches of text columns."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from core.programs.shared.words import visible

from .files import Unreadable
from .limits import MAX_COLUMNS, MAX_JSON_BYTES, MAX_RECORD_BYTES, MIB
from .text import blocks

_NESTING = 3  # objects inside objects become columns a.b.c; what is deeper stays JSON text
_BATCH = 20_000  # objects of a .json file that become one batch

Record = dict[str, str | None]


class Names:
    """The columns seen so far: position i is column c<i> of the batches."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def batch(self, records: list[Record]) -> pl.DataFrame:
        """Return records as text columns; a field that a record lacks is null.

        Raises Unreadable when there are more than MAX_COLUMNS columns by now.
        """
        for record in records:
            for name in record:
                self.found.setdefault(name, len(self.found))
            if len(self.found) > MAX_COLUMNS:
                raise Unreadable(
                    f"Its objects have over {MAX_COLUMNS:,} fields; tables up to {MAX_COLUMNS:,} columns are read."
                )
        return pl.DataFrame(
            {
                f"c{position}": pl.Series([record.get(name) for record in records], dtype=pl.String)
                for name, position in self.found.items()
            }
        )


def json_batches(path: Path, encoding: str, names: Names) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield batches of the one table in a .json file, each with the source bytes it took.

    A table is an array of objects, an object that holds exactly one such array, or one flat
    object. Raises Unreadable for anything else.
    """
    size = path.stat().st_size
    if size > MAX_JSON_BYTES:
        raise Unreadable(
            f"It is {size / MIB:,.0f} MiB; JSON up to {MAX_JSON_BYTES // MIB} MiB is read, larger data as NDJSON."
        )
    text = b"".join(block for block, _ in blocks(path, encoding))
    objects = _table(_parsed(text, "The file is not valid JSON"))
    for start in range(0, len(objects), _BATCH):
        part = objects[start : start + _BATCH]
        yield names.batch([_record(one) for one in part]), size * len(part) // len(objects)


def ndjson_batches(path: Path, encoding: str, names: Names) -> Iterator[tuple[pl.DataFrame, int]]:
    """Yield batches of the objects of an NDJSON file, each with the source bytes it took.

    Raises Unreadable with the line number at a line that is not one JSON object.
    """
    line = 0
    for lines, size in _lines(blocks(path, encoding)):
        records: list[Record] = []
        for text in lines:
            line += 1
            if text.strip():
                parsed = _parsed(text, f"Line {line:,} is not valid JSON")
                if not isinstance(parsed, dict):
                    raise Unreadable(f"Line {line:,} is not a JSON object.")
                records.append(_record(parsed))
        if records:
            yield names.batch(records), size


def _lines(parts: Iterable[tuple[bytes, int]]) -> Iterator[tuple[list[bytes], int]]:
    rest, taken = b"", 0
    for part, size in parts:
        taken += size
        *lines, rest = (rest + part).split(b"\n")
        if len(rest) > MAX_RECORD_BYTES:
            raise Unreadable(f"A line is over {MAX_RECORD_BYTES // MIB} MiB.")
        if lines:
            yield lines, taken
            taken = 0
    yield [rest], taken


def _parsed(text: bytes, otherwise: str) -> object:
    try:
        parsed: object = json.loads(text)
    except json.JSONDecodeError as error:
        where = f" (line {error.lineno:,})" if error.lineno > 1 else ""
        raise Unreadable(f"{otherwise}{where}.") from error
    except RecursionError as error:
        raise Unreadable(f"{otherwise}: it is nested too deeply.") from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise Unreadable(f"{otherwise}: it holds a number that is too long.") from error
    return parsed


def _table(document: object) -> list[dict[str, object]]:
    if isinstance(document, list):
        return _objects(document)
    if not isinstance(document, dict):
        raise Unreadable("It is not a table: it holds a single value.")
    tables = [value for value in document.values() if _is_table(value)]
    if len(tables) == 1:
        return _objects(tables[0])
    if len(tables) > 1:
        raise Unreadable(f"It is not one table: it holds {len(tables)} arrays of objects.")
    nested = [name for name, value in document.items() if isinstance(value, dict | list)]
    if nested:
        raise Unreadable(f"It is not a table: it is one object, and “{visible(nested[0])}” in it is nested.")
    return [document] if document else []


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _objects(array: list[object]) -> list[dict[str, object]]:
    objects = [one for one in array if isinstance(one, dict)]
    if len(objects) != len(array):
        raise Unreadable("It is not a table: its array holds more than objects.")
    return objects


def _record(document: dict[str, object], prefix: str = "", depth: int = 1) -> Record:
    record: Record = {}
    for key, value in document.items():
        name = _clean(prefix + key)
        if isinstance(value, dict) and value and depth < _NESTING:
            record |= _record(value, f"{name}.", depth + 1)
        else:
            record[name] = _cell(value)
    return record


def _cell(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value if value is None else _clean(value)
    return json.dumps(value)


def _clean(text: str) -> str:
    # JSON can escape half a character ("\ud800"), which no UTF-8 text can hold.
    return text if text.isascii() else text.encode("utf-8", "replace").decode()

"""Where something stands in a TOML file, as far as its lines show it."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence

Place = tuple[int | str, ...]

_HEADER = re.compile(r"(\[\[?)([^\[\]]+)\]\]?\s*(#.*)?")


def line_of(text: str, place: Sequence[int | str]) -> int | None:
    """The line of a key or a section, or of the nearest thing around it; None when there is neither."""
    lines: dict[Place, int] = {}
    for found, number in _places(text):
        lines.setdefault(found, number)
    return next((lines[tuple(place[:end])] for end in range(len(place), 0, -1) if tuple(place[:end]) in lines), None)


def _places(text: str) -> Iterator[tuple[Place, int]]:
    section: Place = ()
    entries: Counter[Place] = Counter()  # of a list whose entries are sections
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if (header := _HEADER.fullmatch(line)) and (key := _key(header[2])):
            section = key
            if header[1] == "[[":
                entries[section] += 1
                yield section, number
                section = (*section, entries[section] - 1)
            yield section, number
        elif "=" in line and (key := _key(line.partition("=")[0])):
            yield (*section, *key), number


def _key(written: str) -> Place:
    """The parts of a key, however they are quoted; none when it is no key."""
    try:
        inner: object = tomllib.loads(f"{written} = 0")
    except tomllib.TOMLDecodeError:  # a line in the middle of a list or a text
        return ()
    parts: list[str] = []
    while isinstance(inner, dict):
        if len(inner) != 1:  # a comment, or a text that looks like more
            return ()
        ((name, inner),) = inner.items()
        parts.append(name)
    return tuple(parts)

"""How figures, dates and names, from data or a repository, are put into words."""

import unicodedata
from datetime import date, datetime
from math import isfinite

NAME_CHARACTERS = 120  # of the name of a file or column
REQUEST_CHARACTERS = 20_000  # of a prompt, as reports quote it


def visible(text: str, limit: int = NAME_CHARACTERS) -> str:
    """Return `text` on one line: control and invisible characters escaped, cut to `limit`."""
    shown = "".join(map(_visible, text[: limit + 1]))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def figure(value: float) -> str:
    """Return a number for reading: thousands separators, at most four decimals that matter."""
    if not isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.3e}"
    decimals = 2 if abs(value) >= 10 else 4
    return f"{value:,.{decimals}f}".rstrip("0").rstrip(".")


def share(part: float, whole: float) -> str:
    """Return `part` of `whole` as a percentage; it says 0 % or 100 % only when that is exact."""
    if not whole or not part:
        return "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "under 0.1 %"
    if part < whole and percent > 99.9:
        return "over 99.9 %"
    return f"{percent:.1f}".removesuffix(".0") + " %"


def coefficient(r: float) -> str:
    """Return a correlation with two decimals, never as -0."""
    return f"{r:.2f}".replace("-0.00", "0.00")


def moment(value: date | datetime) -> str:
    """Return a date or time as ISO 8601 to the minute; without a time of day at midnight."""
    if not isinstance(value, datetime):
        return value.isoformat()
    return value.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")

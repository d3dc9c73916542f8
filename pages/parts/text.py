"""Texts as pages show them: titles, names, numbers, and what keeps them from being Markdown."""

from core import words
from core.tasks.listing import COUNTED


def plain(text: str) -> str:
    """Text for a label, where Streamlit reads Markdown: every sign that could mean something is escaped."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~:$&^=" else sign for sign in text)


def first_line(prompt: str, characters: int = 90) -> str:
    """The prompt's beginning as a title."""
    line = prompt.splitlines()[0]
    return line if len(line) <= characters and line == prompt else f"{line[:characters].rstrip()}…"


def repository_name(address: str) -> str:
    """``owner/name`` of a repository's address."""
    return "/".join(address.removesuffix(".git").rstrip("/").split("/")[-2:])


def number(count: int) -> str:
    """A count of tasks as it is shown; counting stops at 10,000."""
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


def size(count: int) -> str:
    """A number of bytes in the largest unit that fits: ``812 bytes``, ``12 kB``, ``3.4 MB``."""
    if count < 1_000:
        return words.count(count, "byte")
    number, unit = (count / 1_000, "kB") if count < 999_500 else (count / 1_000_000, "MB")
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"


def days(number: float) -> str:
    """A number of days: ``1 day``, ``30 days``, ``0.5 days``."""
    return f"{number:g} {'day' if number == 1 else 'days'}"

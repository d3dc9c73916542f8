"""A task's log as HTML. Whatever an agent printed is text: nothing of it becomes markup."""

from collections.abc import Iterable
from html import escape

from core.database.models import TaskLog
from core.log_text import COLOUR, LogType
from pages.parts.shared import zone

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_LABELS = {LogType.INFO: "info", LogType.COMMAND: "run", LogType.SUCCESS: "done", LogType.ERROR: "error"}


def log_html(entries: Iterable[TaskLog]) -> str:
    """The entries as rows of time, type and message, oldest first."""
    return f'<div class="td-log" role="log" aria-live="off">{"".join(map(_row, entries))}</div>'


def _row(entry: TaskLog) -> str:
    time = entry.timestamp.astimezone(zone())
    return (
        f'<div class="td-entry td-{entry.type.value}" id="entry-{entry.seq}">'
        f'<time datetime="{entry.timestamp.isoformat()}" title="{time:%Y-%m-%d %H:%M:%S %Z}">{time:%H:%M:%S}</time>'
        f'<span class="td-type">{_LABELS[entry.type]}</span>'
        f'<span class="td-message">{coloured(entry.message)}</span></div>'
    )


def coloured(message: str) -> str:
    """A message with its colours (ECMA-48 SGR: 16 colours and bold) as HTML, everything else escaped."""
    parts, position, colour, bold = [], 0, "", False
    for code in COLOUR.finditer(message):
        parts.append(_span(message[position : code.start()], colour, bold))
        position = code.end()
        colour, bold = _after([int(number or 0) for number in code.group(1).split(";")], colour, bold)
    parts.append(_span(message[position:], colour, bold))
    return "".join(parts)


def _after(numbers: list[int], colour: str, bold: bool) -> tuple[str, bool]:
    """The state that these codes lead to."""
    for number in numbers:
        if number in (38, 48):  # 256 colours or RGB: the rest of the code is its argument, and not shown
            return colour, bold
        if number == 0:
            colour, bold = "", False
        elif number in (1, 22):
            bold = number == 1
        elif number == 39:
            colour = ""
        elif number in range(30, 38) or number in range(90, 98):
            colour = _NAMES[number % 10]
    return colour, bold


def _span(text: str, colour: str, bold: bool) -> str:
    names = [f"td-ansi-{name}" for name in (colour, "bold" if bold else "") if name]
    return f'<span class="{" ".join(names)}">{escape(text)}</span>' if names and text else escape(text)

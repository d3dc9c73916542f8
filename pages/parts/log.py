"""A task's log as HTML. Whatever an agent printed is text: nothing of it becomes markup."""

from collections.abc import Iterable

from core.database.models import TaskLog
from core.log_text import COLOUR, LogType
from pages.parts.markup import Html, element
from pages.parts.times import zone

_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_LABELS = {LogType.INFO: "info", LogType.COMMAND: "run", LogType.SUCCESS: "done", LogType.ERROR: "error"}

#: What a filter calls the entries of a type.
KINDS = {
    LogType.INFO: "Info",
    LogType.COMMAND: "Commands",
    LogType.SUCCESS: "Success",
    LogType.ERROR: "Errors",
}


def log_html(entries: Iterable[TaskLog]) -> Html:
    """The entries as rows of time, type and message, oldest first."""
    return element("div", *map(_row, entries), class_="td-log", role="log", aria_live="off")


def _row(entry: TaskLog) -> Html:
    at = entry.timestamp.astimezone(zone())
    time = element("time", f"{at:%H:%M:%S}", datetime=entry.timestamp.isoformat(), title=f"{at:%Y-%m-%d %H:%M:%S %Z}")
    return element(
        "div",
        time,
        element("span", _LABELS[entry.type], class_="td-type"),
        element("span", *coloured(entry.message), class_="td-message"),
        class_=f"td-entry td-{entry.type.value}",
        id=f"entry-{entry.seq}",
    )


def coloured(message: str) -> list[str]:
    """A message with its colours (ECMA-48 SGR: 16 colours and bold) as parts of HTML."""
    parts, position, colour, bold = [], 0, "", False
    for code in COLOUR.finditer(message):
        parts.append(_span(message[position : code.start()], colour, bold))
        position = code.end()
        colour, bold = _after([int(number or 0) for number in code.group(1).split(";")], colour, bold)
    parts.append(_span(message[position:], colour, bold))
    return parts


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
    return element("span", text, class_=" ".join(names)) if names and text else text

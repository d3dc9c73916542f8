"""A task's log as HTML. Whatever an agent printed is text: nothing of it becomes markup."""

import re
from collections.abc import Iterable
from html import escape

from core.models import LogType, TaskLog
from pages.shared import zone

_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")
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
    """A message with its colour codes (ECMA-48 SGR: 16 colours and bold) as HTML, everything else escaped."""
    parts, open_spans, position = [], 0, 0
    for code in _COLOUR.finditer(message):
        parts.append(escape(message[position : code.start()]))
        position = code.end()
        for number in (int(part or 0) for part in code.group(1).split(";")):
            if number == 0:
                parts.append("</span>" * open_spans)
                open_spans = 0
            elif name := _style(number):
                parts.append(f'<span class="td-ansi-{name}">')
                open_spans += 1
    parts.append(escape(message[position:]) + "</span>" * open_spans)
    return "".join(parts)


def _style(number: int) -> str | None:
    if number == 1:
        return "bold"
    if 30 <= number <= 37:
        return _NAMES[number - 30]
    if 90 <= number <= 97:
        return _NAMES[number - 90]
    return None

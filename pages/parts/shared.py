"""What two pages draw: times in the reader's zone, status, progress, failures."""

import logging
import random
import secrets
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from core.database import engine
from core.database.models import ENDED, EndReason, Task, TaskStatus
from core.tasks.commands import deadline, limits_of
from core.tasks.listing import COUNTED
from core.words import duration

POLL_SECONDS = 5.0

STATUS_NAMES = {
    TaskStatus.PENDING: "Pending",
    TaskStatus.PROCESSING: "Running",
    TaskStatus.COMPLETED: "Completed",
    TaskStatus.ERROR: "Failed",
}
_END_NAMES = {
    EndReason.TIMED_OUT: "Timed out",
    EndReason.CANCELLED: "Cancelled",
    EndReason.INTERRUPTED: "Interrupted",
}

_log = logging.getLogger(__name__)


def number(count: int) -> str:
    """A count as it is shown; counting stops at 10,000."""
    return f"{COUNTED:,}+" if count > COUNTED else f"{count:,}"


def poll_interval() -> float:
    """Five seconds, give or take 10 % by session, so that tabs opened together do not poll together for ever."""
    return float(st.session_state.setdefault("poll_interval", POLL_SECONDS * random.uniform(0.9, 1.1)))  # noqa: S311


def zone() -> ZoneInfo:
    """The reader's time zone, as the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def moment(time: datetime) -> str:
    """A date and time in the reader's zone, to the second."""
    return f"{time.astimezone(zone()):%Y-%m-%d %H:%M:%S}"


def size(count: int) -> str:
    """A number of bytes in the largest unit that fits: ``812 bytes``, ``12 kB``, ``3.4 MB``."""
    if count < 1_000:
        return f"{count} byte{'' if count == 1 else 's'}"
    number, unit = (count / 1_000, "kB") if count < 999_500 else (count / 1_000_000, "MB")
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"


def day(time: datetime) -> str:
    """A date in the reader's zone."""
    return f"{time.astimezone(zone()):%Y-%m-%d}"


def ago(time: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    seconds = max(0, (engine.now() - time).total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if number > 1 else ''} ago"
    return "just now"


def first_line(prompt: str, characters: int = 90) -> str:
    """The prompt's beginning as a title."""
    line = prompt.splitlines()[0]
    return line if len(line) <= characters and line == prompt else f"{line[:characters].rstrip()}…"


def plain(text: str) -> str:
    """Text for a label, where Streamlit reads Markdown: every sign that could mean something is escaped."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~:$&^=" else sign for sign in text)


def repository_name(address: str) -> str:
    """``owner/name`` of a repository's address."""
    return "/".join(address.removesuffix(".git").rstrip("/").split("/")[-2:])


def status_name(task: Task) -> str:
    """The status in one or two words, saying why it failed if that is known."""
    if task.status is TaskStatus.PROCESSING and task.cancel_requested_at:
        return "Stopping"
    why = _END_NAMES.get(task.end_reason) if task.end_reason else None
    return why or STATUS_NAMES[task.status]


def ran(task: Task) -> str:
    """How long the task has run or ran; empty when it never started."""
    if task.started_at is None:
        return ""
    return duration(((task.finished_at or engine.now()) - task.started_at).total_seconds())


def took(task: Task) -> str:
    """How long the task has run or ran, or that it waits."""
    if task.started_at is None:
        return "waiting" if task.status not in ENDED else "never started"
    return f"{'took' if task.finished_at else 'running for'} {ran(task)}"


def left(task: Task) -> str:
    """The time that a running task has until its limit, as minutes and seconds; empty for all others."""
    end = deadline(task)
    if end is None:
        return ""
    seconds = max(0, round((end - engine.now()).total_seconds()))
    return f"{seconds // 60}:{seconds % 60:02}"


def is_late(task: Task) -> bool:
    """Whether the warning's time has come for a running task."""
    end, limits = deadline(task), limits_of(task)
    return end is not None and (end - engine.now()).total_seconds() <= limits.timeout - limits.warning


def days(number: float) -> str:
    """A number of days: ``1 day``, ``30 days``, ``0.5 days``."""
    return f"{number:g} day{'' if number == 1 else 's'}"


def tone(task: Task) -> str:
    """The class that gives the status its colour: what its owner stopped is no failure."""
    return f"td-{'cancelled' if task.end_reason is EndReason.CANCELLED else task.status.value}"


def status_pill(task: Task) -> str:
    """The status as HTML."""
    return f'<span class="td-pill {tone(task)}">{escape(status_name(task))}</span>'


def progress_bar(task: Task) -> str:
    """The progress as HTML."""
    return (
        f'<span class="td-bar {tone(task)}" role="progressbar" aria-label="Progress" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{task.progress}"><i style="width:{task.progress}%"></i></span>'
        f'<span class="td-percent">{task.progress} %</span>'
    )


def updated_stamp() -> str:
    """When this was drawn, as HTML: it keeps a polled page honest."""
    return f'<span class="td-stamp">updated {engine.now().astimezone(zone()):%H:%M:%S}</span>'


def pill(text: str, tone: str) -> str:
    """A short word in a colour, as HTML."""
    return f'<span class="td-pill {tone}">{escape(text)}</span>'


def show_facts(*rows: tuple[str, str]) -> None:
    """Names and values in columns; a value is text, never markup."""
    cells = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in rows)
    st.html(f'<dl class="td-facts">{cells}</dl>')


def show_notice() -> None:
    """What the run before this one did."""
    if notice := st.session_state.pop("notice", None):
        st.toast(plain(notice), icon=":material/check:")


def show_failure(error: Exception) -> bool:
    """Say that a page failed, in one sentence and without a traceback; the server's log has the rest."""
    if isinstance(error, engine.Unavailable):
        _log.error("the database did not answer a page: %s", engine.said(error))
        st.error("The database is busy or away. Try again in a moment.", icon=":material/cloud_off:")
        return True
    reference = secrets.token_hex(6)
    _log.error("a page failed, reference %s", reference, exc_info=error, extra={"request": reference})
    st.error(f"Something went wrong inside Taskdeck. Tell an administrator this reference: {reference}.")
    return True

"""How a task stands: its status in words, in colours and as a bar, and its times."""

from core.database import engine
from core.database.models import ENDED, EndReason, Task, TaskStatus
from core.tasks.commands import deadline, limits_of
from core.words import duration
from pages.parts.markup import Html, element
from pages.parts.rows import pill

STATUS_NAMES = {
    TaskStatus.PENDING: "Pending",
    TaskStatus.PROCESSING: "Running",
    TaskStatus.COMPLETED: "Completed",
    TaskStatus.ERROR: "Failed",
}
END_NAMES = {
    EndReason.TIMED_OUT: "Timed out",
    EndReason.CANCELLED: "Cancelled",
    EndReason.INTERRUPTED: "Interrupted",
}


def status_name(task: Task) -> str:
    """The status in one or two words, saying why it failed if that is known."""
    if task.status is TaskStatus.PROCESSING and task.cancel_requested_at:
        return "Stopping"
    why = END_NAMES.get(task.end_reason) if task.end_reason else None
    return why or STATUS_NAMES[task.status]


def tone(task: Task) -> str:
    """The class that gives the status its colour: what its owner stopped is no failure."""
    return f"td-{'cancelled' if task.end_reason is EndReason.CANCELLED else task.status.value}"


def status_pill(task: Task) -> Html:
    """The status."""
    return pill(status_name(task), tone(task))


def progress(task: Task, *more: str) -> Html:
    """The progress as a bar and a number."""
    bar = element(
        "span",
        element("i", style=f"width:{task.progress}%"),
        class_=f"td-bar {tone(task)}",
        role="progressbar",
        aria_label="Progress",
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=task.progress,
    )
    percent = element("span", f"{task.progress} %", class_="td-percent")
    return element("span", bar, percent, class_=" ".join(("td-progress", *more)))


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

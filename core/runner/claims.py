"""What a runner writes to a task: every write is one guarded UPDATE, so nothing late overwrites an end.

claim    pending -> processing, by one runner
renew    the lease goes on
record   log entries and progress, while the claim holds
finish   processing -> completed | error, together with the last entries
release  processing -> pending, when nothing of the work was begun
expire   processing -> error/interrupted, when the lease ran out

Each waits only WAIT_SECONDS for another writer and then raises one of engine.Unavailable: a runner has a clock to watch
and tries again. Whether a write that failed so was made all the same, because only its answer got lost, ``recorded``
and ``finish`` find out.
"""

import logging
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, insert, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from core import metrics
from core.database import engine
from core.database.models import Artifact, Task, TaskLog
from core.database.ownership import acting_as_system
from core.errors import ClaimLost
from core.log_text import LogType
from core.sandbox.output import StoredArtifact
from core.states import EndReason, TaskStatus
from core.tasks import notifications
from core.tasks.entries import Entry, insert_entries

_log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0

#: No server's lease is longer, in seconds.
LONGEST_LEASE = 300.0

RUNNER_GONE = "The server that ran this task stopped. The log shows how far it got; run it again if needed."

_reading = partial(acting_as_system, reading=True)


def _writing() -> AbstractContextManager[Session]:
    return acting_as_system(wait=WAIT_SECONDS)


@dataclass(frozen=True)
class Claim:
    """A task that this runner holds, and what it has to know of it."""

    task_id: int
    user_id: UUID
    runner: str
    attempt: int
    prompt: str
    repo_url: str | None
    agent: str
    model: str | None


@dataclass(frozen=True)
class Control:
    """What the owner wants of a running task: that it stops, or has more time (seconds beyond its first limit)."""

    cancel_requested_at: datetime | None
    extension: float


def claim(runner: str, lease: float, *, now: datetime | None = None) -> Claim | None:
    """Take the oldest pending task for ``lease`` seconds; None when nothing waits."""
    oldest = (
        select(Task.id)
        .where(Task.status == TaskStatus.PENDING)
        .order_by(Task.created_at, Task.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    if not _exists(Task.status == TaskStatus.PENDING, order=(Task.created_at, Task.id)):  # asking in vain takes no lock
        return None
    with _writing() as session:
        now = now or engine.now()  # not before the look: what was created in between would start before it was there
        task = session.scalar(
            update(Task)
            .where(Task.id == oldest, Task.status == TaskStatus.PENDING)
            .values(
                status=TaskStatus.PROCESSING,
                claimed_by=runner,
                attempt=Task.attempt + 1,
                lease_until=now + timedelta(seconds=lease),
                started_at=now,
                updated_at=now,
                log_count=Task.log_count + 1,
            )
            .returning(Task)
        )
        if task is None:
            return None
        waited = max(0.0, (now - task.created_at).total_seconds())
        started = Entry(LogType.INFO, f"Started after waiting {waited:.1f} s.", now)
        insert_entries(session, task.id, task.user_id, task.log_count, [started])
        notifications.task_changed.publish(session, task.id)
    metrics.WAIT.observe(waited)
    known = {"task": task.id, "owner": task.user_id, "runner": runner}
    _log.info("task %s was claimed after waiting %.1f s", task.id, waited, extra=known)
    return _claim(task, runner)


def renew(claim: Claim, lease: float, *, now: datetime | None = None) -> None:
    """Let the claim hold for another ``lease`` seconds. Raises ClaimLost if it is gone."""
    until = (now or engine.now()) + timedelta(seconds=lease)
    with _writing() as session:
        if not session.scalar(update(Task).where(*_is_held(claim)).values(lease_until=until).returning(Task.id)):
            raise ClaimLost


def read_control(claim: Claim) -> Control:
    """What the owner wants of the task. Raises ClaimLost if the claim is gone."""
    with _reading() as session:
        row = session.execute(select(Task.cancel_requested_at, Task.extension).where(*_is_held(claim))).one_or_none()
    if row is None:
        raise ClaimLost
    return Control(*row)


def record(claim: Claim, entries: Sequence[Entry], progress: int = 0, branch: str | None = None) -> int:
    """Append entries, raise the progress (percent) and name the branch if there is one; the last entry's number.

    Raises ClaimLost and writes nothing if the claim is gone.
    """
    with _writing() as session:
        values = {"updated_at": engine.now(), "progress": _at_least(progress)} | _with_branch(branch)
        written = _write(session, claim, values, entries)
    if written is None:
        raise ClaimLost
    metrics.LOG_ENTRIES.inc(len(entries))
    return written[0]


def recorded(claim: Claim, entry: Entry, after: int) -> bool:
    """Whether this entry stands in the log behind the number ``after``."""
    same = (TaskLog.timestamp == entry.timestamp, TaskLog.type == entry.type, TaskLog.message == entry.message)
    with _reading() as session:
        found = session.scalar(
            select(TaskLog.seq).where(TaskLog.task_id == claim.task_id, TaskLog.seq > after, *same).limit(1)
        )
        return found is not None


def finish(
    claim: Claim,
    reason: EndReason,
    error: str | None = None,
    entries: Sequence[Entry] = (),
    artifacts: Sequence[StoredArtifact] = (),
    progress: int = 0,
    branch: str | None = None,
    *,
    now: datetime | None = None,
) -> None:
    """End the task, with its last entries and its artifacts, in one transaction.

    Raises ClaimLost and writes nothing if the claim is gone. The same call again, with the same ``now``, changes
    nothing and raises nothing: the first one's answer may have been lost.
    """
    now = now or engine.now()
    values = _ended(reason, error, now) | _with_branch(branch)
    values["progress"] = 100 if reason is EndReason.COMPLETED else _at_least(progress)
    if artifacts:
        values["sandbox_url"] = f"/api/tasks/{claim.task_id}/artifacts/"
    with _writing() as session:
        written = _write(session, claim, values, entries)
        if written and artifacts:
            rows = [vars(kept) | {"task_id": claim.task_id, "user_id": claim.user_id} for kept in artifacts]
            session.execute(insert(Artifact), rows)
    if written:
        metrics.LOG_ENTRIES.inc(len(entries))
        metrics.ENDED.labels(reason).inc()
        seconds = max(0.0, (now - (written.started_at or now)).total_seconds())
        metrics.DURATION.observe(seconds)
        _log.info("task %s ended: %s after %.1f s", claim.task_id, reason, seconds)
    elif not _exists(Task.id == claim.task_id, *_claimed_by(claim), Task.end_reason == reason, Task.finished_at == now):
        raise ClaimLost


def held_by(runner: str, *, but: Collection[int]) -> list[Claim]:
    """What this runner holds, without these tasks."""
    held = (Task.status == TaskStatus.PROCESSING, Task.claimed_by == runner, Task.id.not_in(but))
    with _reading() as session:
        return [_claim(task, runner) for task in session.scalars(select(Task).where(*held))]


def release(claim: Claim) -> None:
    """Let a task wait again of which nothing was begun. Raises ClaimLost if the claim is gone."""
    now = engine.now()
    values: dict[str, Any] = {
        "status": TaskStatus.PENDING,
        "claimed_by": None,
        "lease_until": None,
        "started_at": None,
        "updated_at": now,
    }
    entry = Entry(LogType.INFO, "The work was not begun; the task waits again.", now)
    with _writing() as session:
        if _write(session, claim, values, [entry]) is None:
            raise ClaimLost


def expire(*, now: datetime | None = None, longest: float = LONGEST_LEASE) -> list[int]:
    """End every task whose runner stopped renewing its lease; their ids. They are never run again by themselves.

    A lease of more than ``longest`` seconds was written by a clock that has been set back since, and has ended, too.
    """
    now = now or engine.now()
    late = (
        Task.status == TaskStatus.PROCESSING,
        or_(Task.lease_until < now, Task.lease_until > now + timedelta(seconds=longest)),
    )
    if not _exists(*late, order=(Task.lease_until,)):
        return []
    with _writing() as session:
        tasks = session.execute(
            update(Task)
            .where(*late)
            .values(**_ended(EndReason.INTERRUPTED, RUNNER_GONE, now), log_count=Task.log_count + 1)
            .returning(Task.id, Task.user_id, Task.log_count, Task.started_at)
        ).all()
        for task in tasks:
            insert_entries(session, task.id, task.user_id, task.log_count, [Entry(LogType.ERROR, RUNNER_GONE, now)])
            notifications.task_changed.publish(session, task.id)
    for task in tasks:
        metrics.ENDED.labels(EndReason.INTERRUPTED).inc()
        metrics.DURATION.observe(max(0.0, (now - task.started_at).total_seconds()))
    return [task.id for task in tasks]


def _claim(task: Task, runner: str) -> Claim:
    chosen = (task.prompt, task.repo_url, task.selected_agent, task.selected_model)
    return Claim(task.id, task.user_id, runner, task.attempt, *chosen)


def _exists(
    *conditions: ColumnElement[bool], order: Sequence[ColumnElement[Any] | InstrumentedAttribute[Any]] = ()
) -> bool:
    """Whether there is such a task. The order is that of the index that finds it: PostgreSQL's planner has to be led
    there, because row level security hides the statistics of most conditions from it.
    """
    with _reading() as session:
        return session.scalar(select(Task.id).where(*conditions).order_by(*order).limit(1)) is not None


def _ended(reason: EndReason, error: str | None, now: datetime) -> dict[str, Any]:
    return {
        "status": TaskStatus.COMPLETED if reason is EndReason.COMPLETED else TaskStatus.ERROR,
        "end_reason": reason,
        "error": error,
        "finished_at": now,
        "updated_at": now,
        "lease_until": None,
    }


def _at_least(progress: int) -> ColumnElement[int]:
    return case((Task.progress < progress, progress), else_=Task.progress)


def _with_branch(branch: str | None) -> dict[str, Any]:
    return {"branch_name": branch} if branch else {}


def _claimed_by(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return Task.claimed_by == claim.runner, Task.attempt == claim.attempt


def _is_held(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return Task.id == claim.task_id, Task.status == TaskStatus.PROCESSING, *_claimed_by(claim)


def _write(
    session: Session, claim: Claim, values: dict[str, Any], entries: Sequence[Entry]
) -> Row[int, datetime | None] | None:
    """Update the held task and append its entries; None, and nothing written, if the claim is gone.

    The guard of every write above but ``claim`` and ``expire``, which have their own.
    """
    reserved = values | {"log_count": Task.log_count + len(entries)}
    changed = update(Task).where(*_is_held(claim)).values(**reserved).returning(Task.log_count, Task.started_at)
    written = session.execute(changed).one_or_none()
    if written:
        insert_entries(session, claim.task_id, claim.user_id, written.log_count, entries)
        notifications.task_changed.publish(session, claim.task_id)
    return written

"""What a runner writes to a task: every write is one guarded UPDATE, so nothing late overwrites an end.

claim    pending -> processing, by one runner
renew    the lease goes on
record   log entries and progress, while the claim holds
finish   processing -> completed | error, together with the last entries
release  processing -> pending, when nothing of the work was begun
expire   processing -> error/interrupted, when the lease ran out

Each waits only WAIT_SECONDS for another writer and then raises one of db.Unavailable: a runner has a clock to watch
and tries again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, insert, select, update
from sqlalchemy.orm import Session

from core import db
from core.agents.base import Kept
from core.errors import ClaimLost
from core.models import Artifact, EndReason, LogType, Task, TaskLog, TaskStatus
from core.ownership import acting_as_system

WAIT_SECONDS = 1.0


@dataclass(frozen=True)
class Entry:
    """A log entry that is not stored yet."""

    type: LogType
    message: str
    timestamp: datetime


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


def claim(runner: str, lease: float, *, now: datetime | None = None) -> Claim | None:
    """Take the oldest pending task for ``lease`` seconds; None when nothing waits."""
    now = now or db.now()
    oldest = (
        select(Task.id)
        .where(Task.status == TaskStatus.PENDING)
        .order_by(Task.created_at, Task.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    if not _any(Task.status == TaskStatus.PENDING):  # an idle look takes no lock
        return None
    with acting_as_system(wait=WAIT_SECONDS) as session:
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
        waited = (now - task.created_at).total_seconds()
        started = Entry(LogType.INFO, f"Started after waiting {waited:.1f} s.", now)
        _insert(session, task.id, task.user_id, task.log_count, [started])
        return Claim(
            task.id,
            task.user_id,
            runner,
            task.attempt,
            task.prompt,
            task.repo_url,
            task.selected_agent,
            task.selected_model,
        )


def renew(runner: str, task_ids: Collection[int], lease: float, *, now: datetime | None = None) -> None:
    """Let this runner's claims on these tasks hold for another ``lease`` seconds."""
    until = (now or db.now()) + timedelta(seconds=lease)
    with acting_as_system(wait=WAIT_SECONDS) as session:
        session.execute(
            update(Task)
            .where(Task.id.in_(task_ids), Task.status == TaskStatus.PROCESSING, Task.claimed_by == runner)
            .values(lease_until=until)
        )


def holds(claim: Claim) -> bool:
    """Whether the task is still there and still this runner's."""
    with acting_as_system(reading=True) as session:
        return session.scalar(select(Task.id).where(*_held(claim))) is not None


def record(claim: Claim, entries: Sequence[Entry], progress: int | None = None) -> None:
    """Append entries and raise the progress (percent). Raises ClaimLost and writes nothing if the claim is gone."""
    values: dict[str, Any] = {"updated_at": db.now()}
    if progress is not None:
        values["progress"] = _raised(progress)
    with acting_as_system(wait=WAIT_SECONDS) as session:
        _write(session, claim, values, entries)


def finish(
    claim: Claim,
    reason: EndReason,
    error: str | None = None,
    entries: Sequence[Entry] = (),
    artifacts: Sequence[Kept] = (),
    progress: int = 0,
) -> None:
    """End the task, with its last entries and its artifacts, in one transaction.

    Raises ClaimLost and writes nothing if the claim is gone.
    """
    now = db.now()
    values = _ended(reason, error, now)
    values["progress"] = 100 if reason is EndReason.COMPLETED else _raised(progress)
    if artifacts:
        values["sandbox_url"] = f"/api/tasks/{claim.task_id}/artifacts/"
    with acting_as_system(wait=WAIT_SECONDS) as session:
        _write(session, claim, values, entries)
        if artifacts:
            rows = [vars(kept) | {"task_id": claim.task_id, "user_id": claim.user_id} for kept in artifacts]
            session.execute(insert(Artifact), rows)


def release(claim: Claim) -> None:
    """Let a task wait again of which nothing was begun. Raises ClaimLost if the claim is gone."""
    now = db.now()
    values: dict[str, Any] = {
        "status": TaskStatus.PENDING,
        "claimed_by": None,
        "lease_until": None,
        "started_at": None,
        "updated_at": now,
    }
    entry = Entry(LogType.INFO, "Taskdeck is stopping before the work began; the task waits again.", now)
    with acting_as_system(wait=WAIT_SECONDS) as session:
        _write(session, claim, values, [entry])


def running() -> set[int]:
    """The tasks that some runner holds, here or elsewhere."""
    with acting_as_system(reading=True) as session:
        return set(session.scalars(select(Task.id).where(Task.status == TaskStatus.PROCESSING)))


def expire(*, now: datetime | None = None) -> list[int]:
    """End every task whose runner stopped renewing its lease; their ids. They are never run again by themselves."""
    now = now or db.now()
    sentence = (
        "The runner went away before the task ended; what it did until then is in the log. Run it again if needed."
    )
    late = (Task.status == TaskStatus.PROCESSING, Task.lease_until < now)
    if not _any(*late):
        return []
    with acting_as_system(wait=WAIT_SECONDS) as session:
        tasks = session.execute(
            update(Task)
            .where(*late)
            .values(**_ended(EndReason.INTERRUPTED, sentence, now), log_count=Task.log_count + 1)
            .returning(Task.id, Task.user_id, Task.log_count)
        ).all()
        for task_id, user_id, last in tasks:
            _insert(session, task_id, user_id, last, [Entry(LogType.ERROR, sentence, now)])
        return [task.id for task in tasks]


def _any(*conditions: ColumnElement[bool]) -> bool:
    with acting_as_system(reading=True) as session:
        return session.scalar(select(Task.id).where(*conditions).limit(1)) is not None


def _ended(reason: EndReason, error: str | None, now: datetime) -> dict[str, Any]:
    return {
        "status": TaskStatus.COMPLETED if reason is EndReason.COMPLETED else TaskStatus.ERROR,
        "end_reason": reason,
        "error": error,
        "finished_at": now,
        "updated_at": now,
        "lease_until": None,
    }


def _raised(progress: int) -> ColumnElement[int]:
    return case((Task.progress < progress, progress), else_=Task.progress)


def _held(claim: Claim) -> list[ColumnElement[bool]]:
    return [
        Task.id == claim.task_id,
        Task.status == TaskStatus.PROCESSING,
        Task.claimed_by == claim.runner,
        Task.attempt == claim.attempt,
    ]


def _write(session: Session, claim: Claim, values: dict[str, Any], entries: Sequence[Entry]) -> None:
    """Update the held task and append its entries; the guard of every write above."""
    reserved = values | {"log_count": Task.log_count + len(entries)}
    last = session.scalar(update(Task).where(*_held(claim)).values(**reserved).returning(Task.log_count))
    if last is None:
        raise ClaimLost
    _insert(session, claim.task_id, claim.user_id, last, entries)


def _insert(session: Session, task_id: int, user_id: UUID, last: int, entries: Sequence[Entry]) -> None:
    """Store entries under the numbers up to ``last``, which the UPDATE of log_count has just reserved."""
    rows = [
        {
            "task_id": task_id,
            "seq": seq,
            "user_id": user_id,
            "timestamp": entry.timestamp,
            "type": entry.type,
            "message": entry.message,
        }
        for seq, entry in enumerate(entries, last - len(entries) + 1)
    ]
    if rows:
        session.execute(insert(TaskLog), rows)

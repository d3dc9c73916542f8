"""Deleting tasks for good, a few at a time: everybody else's writes find their turn in between."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from core import db
from core.config import settings
from core.models import ENDED, Task
from core.ownership import acting_as_system

#: What one transaction deletes at most: a fraction of a second of SQLite's one write lock.
BATCH_TASKS = 500
BATCH_ENTRIES = 20_000


def remove(begin: Callable[..., AbstractContextManager[Session]], *conditions: ColumnElement[bool]) -> Iterator[int]:
    """Delete the tasks that fulfil the conditions, with logs and files, a batch for each step: how many it were.

    ``begin`` opens a transaction, as somebody who may do so; with ``reading=True`` one that only reads.
    """
    while True:
        with begin(reading=True) as session:
            found = session.execute(select(Task.id, Task.log_count).where(*conditions).limit(BATCH_TASKS)).all()
        batch = _first((task.id, task.log_count) for task in found)
        if not batch:
            return
        # Rows first: a runner that finds its row gone stops its process and clears up after itself.
        with begin() as session:
            gone = session.scalars(delete(Task).where(Task.id.in_(batch), *conditions).returning(Task.id)).all()
        for task_id in gone:
            shutil.rmtree(settings().artifacts / str(task_id), ignore_errors=True)
        yield len(gone)


def retire(days: float, *, now: datetime | None = None) -> Iterator[int]:
    """Delete everybody's tasks that ended more than ``days`` days ago, as ``remove`` does."""
    before = (now or db.now()) - timedelta(days=days)
    # A task is made before it ends: the first condition changes nothing, but has an index.
    return remove(acting_as_system, Task.created_at < before, Task.status.in_(ENDED), Task.finished_at < before)


def _first(tasks: Iterable[tuple[int, int]]) -> list[int]:
    """The first ids, until their log entries are enough for one transaction; at least one."""
    ids: list[int] = []
    entries = 0
    for task_id, log_count in tasks:
        entries += log_count
        if ids and entries > BATCH_ENTRIES:
            break
        ids.append(task_id)
    return ids

import threading
import time
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core.config import Settings
from core.database import engine
from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor, acting_as
from core.runner.chores.retention import Retention
from core.tasks import commands, listing, removal
from tests.core.deck import Schedulers
from tests.core.living import Patch, claimed, ended, files_of, row_counts, with_files
from tests.support.databases import unguarded
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def change(*task_ids: int, **values: object) -> None:
    with unguarded() as session:
        session.execute(update(Task).where(Task.id.in_(task_ids)).values(**values))


def ids() -> set[int]:
    """The tasks of everybody."""
    with unguarded() as session:
        return set(session.scalars(select(Task.id)))


@pytest.mark.parametrize(("entries", "batches"), [
    ([10, 10, 10, 10], [2, 2]), ([5, 5, 10, 1], [3, 1]), ([50, 1, 50], [1, 1, 1]), ([20], [1]), ([21], [1]),
])  # fmt: skip
def test_a_batch_holds_few_log_entries_and_at_least_one_task(
    entries: list[int], batches: list[int], ada: Actor, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(removal, "BATCH_ENTRIES", 20)
    for number in entries:
        change(ended(ada, EndReason.COMPLETED).id, log_count=number)
    assert list(removal.remove(partial(acting_as, ada), Task.status == TaskStatus.COMPLETED, by=ada)) == batches
    assert row_counts() == (0, 0)


def test_many_tasks_go_in_batches_and_between_two_others_can_write(ada: Actor, bob: Actor, monkeypatch: Patch) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 2)
    made = [ended(ada, EndReason.COMPLETED).id for _ in range(5)]
    gone = removal.remove(partial(acting_as, ada), Task.status == TaskStatus.COMPLETED, by=ada)
    written = {commands.create(bob, prompt="x").id: number for number in gone}
    assert (list(written.values()), ids()) == ([2, 2, 1], set(written))
    assert not ids() & set(made)


def test_a_task_that_no_longer_fits_when_its_batch_is_deleted_stays(data: Path, ada: Actor) -> None:
    first, second = (ended(ada, EndReason.FAILED).id for _ in range(2))
    with_files(data, first, second)

    def begin(*, reading: bool = False) -> AbstractContextManager[Session]:
        if not reading:  # the batch is chosen, and now one of its tasks is no longer meant
            change(second, prompt="changed")
        return acting_as(ada, reading=reading)

    assert list(removal.remove(begin, Task.status == TaskStatus.ERROR, Task.prompt == "x", by=ada)) == [1]
    assert ids() == files_of(data) == {second}


def test_only_ended_and_old_tasks_of_everybody_retire_with_logs_and_files(data: Path, ada: Actor, bob: Actor) -> None:
    old, edge, young = (timedelta(days=days) for days in (8, 7, 6))
    gone = [ended(actor, reason, now=NOON - old).id for actor in (ada, bob) for reason in EndReason]
    kept = [ended(actor, EndReason.COMPLETED, now=NOON - age).id for actor in (ada, bob) for age in (edge, young)]
    running, waiting = claimed(bob).task_id, commands.create(ada, prompt="waits").id
    change(*gone, *kept, running, waiting, created_at=NOON - timedelta(days=30))
    with_files(data, *gone, *kept)
    assert sum(removal.retire(7, now=NOON)) == len(gone) == 10
    assert (ids(), files_of(data), row_counts()) == ({*kept, running, waiting}, set(kept), (6, 4 * 2 + 2 + 1))
    assert (list(removal.retire(7, now=NOON)), sum(removal.retire(6.5, now=NOON))) == ([], 2)


def test_the_scheduler_retires_what_is_old_if_told_to(data: Path, ada: Actor, bob: Actor, start: Schedulers) -> None:
    old = [ended(actor, EndReason.COMPLETED, now=NOON).id for actor in (ada, bob)]
    change(*old, created_at=NOON)
    with_files(data, *old)
    retention(data, 0).run_once()
    assert ids() == files_of(data) == set(old)
    young = ended(ada, EndReason.COMPLETED).id
    start(retention=1)
    eventually(lambda: ids() == {young} and files_of(data) == set())


def retention(data: Path, days: float, closing: threading.Event | None = None) -> Retention:
    return Retention(Settings(data=data, retention=days), closing or threading.Event(), time.monotonic, engine.now)


def test_retirement_stops_between_two_batches_when_the_server_stops(ada: Actor, data: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 1)
    for _ in range(5):
        change(ended(ada, EndReason.COMPLETED, now=NOON).id, created_at=NOON)
    closing, batches = threading.Event(), removal.retire(1)

    def one_and_close(_: float) -> object:
        yield next(batches)
        closing.set()
        yield next(batches)
        raise AssertionError("it went on after the close")

    monkeypatch.setattr(removal, "retire", one_and_close)
    retention(data, 1, closing).run_once()
    assert listing.counts(ada)[TaskStatus.COMPLETED] == 3

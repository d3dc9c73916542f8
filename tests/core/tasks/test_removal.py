import threading
import time
from collections.abc import Callable
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
from core.runner import claims
from core.runner.chores.retention import Retention
from core.runner.scheduler import Scheduler
from core.tasks import commands, listing, removal
from tests.core.living import claimed, ended, row_counts
from tests.support.databases import unguarded
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def change(*task_ids: int, **values: object) -> None:
    with unguarded() as session:
        session.execute(update(Task).where(Task.id.in_(task_ids)).values(**values))


def with_files(data: Path, *task_ids: int) -> None:
    for task_id in task_ids:
        (data / "artifacts" / str(task_id)).mkdir(parents=True)
        (data / "artifacts" / str(task_id) / "report.md").write_text("x")


def folders(data: Path) -> set[int]:
    return {int(folder.name) for folder in (data / "artifacts").iterdir()}


def ids() -> set[int]:
    """The tasks of everybody."""
    with unguarded() as session:
        return set(session.scalars(select(Task.id)))


def test_many_tasks_are_deleted_in_batches_and_all_counted(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 2)
    for _ in range(5):
        commands.create(ada, prompt="x", agent="claude")
        held = claims.claim("runner", 30)
        assert held
        claims.finish(held, EndReason.FAILED, "No.")
    kept = commands.create(ada, prompt="kept", agent="claude")
    assert commands.delete_ended(ada, ["failed"]) == 5
    assert [task.id for task in listing.page(ada).tasks] == [kept.id]


@pytest.mark.parametrize(
    ("entries", "batches"),
    [([10, 10, 10, 10], [2, 2]), ([5, 5, 10, 1], [3, 1]), ([50, 1, 50], [1, 1, 1]), ([20], [1]), ([21], [1])],
)
def test_a_batch_holds_few_log_entries_and_at_least_one_task(
    entries: list[int], batches: list[int], ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH_ENTRIES", 20)
    for number in entries:
        change(ended(ada, EndReason.COMPLETED).id, log_count=number)
    assert list(removal.remove(partial(acting_as, ada), Task.status == TaskStatus.COMPLETED, by=ada)) == batches
    assert row_counts() == (0, 0)


def test_between_two_batches_everybody_else_can_write(ada: Actor, bob: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 1)
    for _ in range(3):
        ended(ada, EndReason.COMPLETED)
    written = [
        commands.create(bob, prompt="x").id
        for _ in removal.remove(partial(acting_as, ada), Task.status == TaskStatus.COMPLETED, by=ada)
    ]
    assert len(written) == 3
    assert ids() == set(written)


def test_a_task_that_no_longer_fits_when_its_batch_is_deleted_stays(data: Path, ada: Actor) -> None:
    first, second = (ended(ada, EndReason.FAILED).id for _ in range(2))
    with_files(data, first, second)

    def begin(*, reading: bool = False) -> AbstractContextManager[Session]:
        if not reading:  # the batch is chosen, and now the owner's wish comes too late for one of its tasks
            change(second, prompt="changed")
        return acting_as(ada, reading=reading)

    assert list(removal.remove(begin, Task.status == TaskStatus.ERROR, Task.prompt == "x", by=ada)) == [1]
    assert ids() == folders(data) == {second}


def test_nobody_removes_what_is_another_persons(data: Path, ada: Actor, bob: Actor) -> None:
    theirs = ended(ada, EndReason.COMPLETED).id
    with_files(data, theirs)
    assert list(removal.remove(partial(acting_as, bob), Task.status == TaskStatus.COMPLETED, by=bob)) == []
    assert ids() == folders(data) == {theirs}


def test_only_ended_and_old_tasks_of_everybody_retire_with_logs_and_files(data: Path, ada: Actor, bob: Actor) -> None:
    old, edge, young = (timedelta(days=days) for days in (8, 7, 6))
    gone = [ended(actor, reason, now=NOON - old).id for actor in (ada, bob) for reason in EndReason]
    kept = [ended(actor, EndReason.COMPLETED, now=NOON - age).id for actor in (ada, bob) for age in (edge, young)]
    running = claimed(bob).task_id
    waiting = commands.create(ada, prompt="waits").id
    change(*gone, *kept, running, waiting, created_at=NOON - timedelta(days=30))
    with_files(data, *gone, *kept)
    assert sum(removal.retire(7, now=NOON)) == len(gone) == 10
    assert ids() == {*kept, running, waiting}
    assert folders(data) == set(kept)
    assert row_counts() == (6, 4 * 2 + 2 + 1)
    assert list(removal.retire(7, now=NOON)) == []


def test_a_task_that_was_made_long_ago_and_ended_lately_does_not_retire(ada: Actor) -> None:
    task = ended(ada, EndReason.COMPLETED, now=NOON - timedelta(hours=1))
    change(task.id, created_at=NOON - timedelta(days=300))
    assert list(removal.retire(0.5, now=NOON)) == []
    assert list(removal.retire(0.04, now=NOON)) == [1]


def test_retirement_goes_in_batches(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "BATCH_ENTRIES", 20)
    for _ in range(5):
        task = ended(ada, EndReason.COMPLETED, now=NOON)
        change(task.id, created_at=NOON, log_count=10)
    assert list(removal.retire(1, now=NOON + timedelta(days=2))) == [2, 2, 1]


def test_the_scheduler_retires_what_is_old_only_if_it_is_told_to(
    data: Path, ada: Actor, bob: Actor, start: Callable[..., Scheduler]
) -> None:
    old = [ended(actor, EndReason.COMPLETED, now=NOON).id for actor in (ada, bob)]
    change(*old, created_at=NOON)
    with_files(data, *old)
    scheduler = start()
    eventually(lambda: scheduler.since_sweep is not None)
    assert ids() == folders(data) == set(old)
    scheduler.stop()
    young = ended(ada, EndReason.COMPLETED).id
    start(retention=1)
    eventually(lambda: ids() == {young} and folders(data) == set())


def test_retirement_stops_between_two_batches_when_the_server_stops(
    ada: Actor, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH_TASKS", 1)
    for _ in range(20):
        change(ended(ada, EndReason.COMPLETED, now=NOON).id, created_at=NOON)
    closing, batches = threading.Event(), removal.retire(1)

    def one_and_close(_: float) -> object:
        yield next(batches)
        closing.set()
        yield next(batches)
        raise AssertionError("it went on after the close")

    monkeypatch.setattr(removal, "retire", one_and_close)
    Retention(Settings(data=data, retention=1), closing, time.monotonic, engine.now).run_once()
    assert listing.counts(ada)[TaskStatus.COMPLETED] == 18

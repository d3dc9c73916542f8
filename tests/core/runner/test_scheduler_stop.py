"""The server goes down: nothing new begins, what runs gets its grace, every end is written."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.config import Settings
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.runner import claims, processor
from core.runner.scheduler import Scheduler
from core.tasks import commands, listing, logs
from tests.core.living import QUICK, SLEEPER, next_sweep, pids
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

#: Says that it began and ends when the file ``path`` is there.
WAITER = "import os, time; print('begun', flush=True)\nwhile not os.path.exists({path!r}): time.sleep(0.02)"


@pytest.mark.parametrize("grace", [0, 0.5])
def test_stop_ends_what_outlives_the_grace_leaves_what_waits_and_returns_quickly(
    grace: float,
    start: Callable[..., Scheduler],
    ada: Actor,
    bob: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    scheduler = start(concurrency=2, grace=grace)
    made = [(actor, commands.create(actor, prompt="x", agent=name).id) for actor in (ada, bob, ada)]
    eventually(lambda: len(pids(tmp_path / "pids")) == 2)
    began = time.monotonic()
    scheduler.stop()
    assert grace <= time.monotonic() - began < grace + 4
    for actor, task_id in made[:2]:
        task = commands.find(actor, task_id)
        assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, processor.INTERRUPTED)
        assert logs.after(actor, task_id)[-1].message == processor.INTERRUPTED
    assert commands.find(*made[2]).status is TaskStatus.PENDING
    assert not any(is_alive(pid) for pid in pids(tmp_path / "pids"))
    commands.create(ada, prompt="x", agent=name)  # nobody hears the bell any more, and nothing fails
    assert listing.counts(ada)[TaskStatus.PENDING] == 2


def test_a_task_that_ends_within_the_grace_is_completed_and_none_begins_meanwhile(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("waiter", WAITER.format(path=str(tmp_path / "go")))
    scheduler = start(concurrency=1, grace=30)
    task, waits = (commands.create(ada, prompt="x", agent=name) for _ in range(2))
    eventually(lambda: any(entry.message == "begun" for entry in logs.after(ada, task.id)))
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    eventually(lambda: scheduler._closing.is_set())
    time.sleep(0.3)
    assert commands.find(ada, task.id).status is TaskStatus.PROCESSING
    began = time.monotonic()
    (tmp_path / "go").touch()
    stopping.join(10)
    assert not stopping.is_alive()
    assert time.monotonic() - began < 5, "the grace ends with what it was for"
    assert commands.find(ada, task.id).end_reason is EndReason.COMPLETED
    assert commands.find(ada, waits.id).status is TaskStatus.PENDING
    assert commands.find(ada, waits.id).attempt == 0


def test_the_grace_begins_with_the_close(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    ahead = [0.0]
    scheduler = start(grace=20, monotonic=lambda: time.monotonic() + ahead[0])
    task = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: pids(tmp_path / "pids"))
    scheduler.close()
    eventually(lambda: commands.find(ada, task.id).progress == 30)
    ahead[0] = 20  # the grace, and less than the lease
    began = time.monotonic()
    scheduler.stop()
    assert time.monotonic() - began < 10
    assert commands.find(ada, task.id).end_reason is EndReason.INTERRUPTED


def test_the_lease_of_a_task_is_renewed_during_the_grace(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("waiter", WAITER.format(path=str(tmp_path / "go")))
    scheduler = start(grace=30, lease=3)
    task = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: commands.find(ada, task.id).progress == 30)
    before = commands.find(ada, task.id).lease_until
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    eventually(lambda: commands.find(ada, task.id).lease_until > before)
    (tmp_path / "go").touch()
    stopping.join(10)
    assert commands.find(ada, task.id).end_reason is EndReason.COMPLETED


def test_hurry_ends_the_grace(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    scheduler = start(grace=60)
    task = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: pids(tmp_path / "pids"))
    stopping = threading.Thread(target=scheduler.stop)
    stopping.start()
    eventually(lambda: scheduler._closing.is_set())
    scheduler.interrupt_all()
    stopping.join(10)
    assert not stopping.is_alive()
    assert commands.find(ada, task.id).end_reason is EndReason.INTERRUPTED
    assert not is_alive(pids(tmp_path / "pids")[0])


def test_after_a_close_nothing_is_claimed_by_bell_sweep_or_free_slot(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("waiter", WAITER.format(path=str(tmp_path / "go")))
    scheduler = start(concurrency=2, lease=1.5)
    running = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: commands.find(ada, running.id).progress == 30)
    scheduler.close()
    waits = commands.create(ada, prompt="x", agent=name)
    (tmp_path / "go").touch()
    eventually(lambda: commands.find(ada, running.id).end_reason)
    for _ in range(2):  # the look of the first one is over when the second one comes
        next_sweep(scheduler)
    assert commands.find(ada, running.id).end_reason is EndReason.COMPLETED
    assert (commands.find(ada, waits.id).status, commands.find(ada, waits.id).attempt) == (TaskStatus.PENDING, 0)
    assert scheduler.running == 0


def test_a_stop_in_the_middle_of_many_short_tasks_breaks_none(
    start: Callable[..., Scheduler],
    ada: Actor,
    world: World,
) -> None:
    name = world.script_agent("quick", QUICK)
    scheduler = start(concurrency=4)
    made = [commands.create(ada, prompt="x", agent=name).id for _ in range(12)]
    eventually(lambda: listing.counts(ada)[TaskStatus.COMPLETED])
    scheduler.stop()
    counts = listing.counts(ada)
    assert (counts[TaskStatus.PROCESSING], counts[TaskStatus.ERROR]) == (0, 0)
    assert counts[TaskStatus.COMPLETED] + counts[TaskStatus.PENDING] == len(made)


def test_starting_and_stopping_many_times_is_quiet_and_leaves_no_thread(
    start: Callable[..., Scheduler], ada: Actor, world: World
) -> None:
    name = world.script_agent("quick", QUICK)
    before = threading.active_count()
    for _ in range(20):
        scheduler = start(lease=1)
        commands.create(ada, prompt="x", agent=name)
        scheduler.stop()  # an exception in one of its threads is a warning, and so fails this test
    assert threading.active_count() == before


def test_a_task_of_which_nothing_was_begun_waits_again_when_the_server_stops(
    ada: Actor, data: Path, world: World
) -> None:
    task = commands.create(ada, prompt="x", agent=world.script_agent("quick", QUICK))
    claim = claims.claim("runner", 30)
    assert claim
    stopping = threading.Event()
    stopping.set()
    processor.run_task(claim, Settings(data=data), stopping)
    waiting = commands.find(ada, task.id)
    assert (waiting.status, waiting.started_at, waiting.claimed_by) == (TaskStatus.PENDING, None, None)
    assert "waits again" in logs.after(ada, task.id)[-1].message
    with pytest.raises(claims.ClaimLost):
        claims.record(claim, [])

"""The time of the machine jumps, or a lease goes to somebody else: only what is really over ends."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise

import apscheduler.schedulers.base
import apscheduler.triggers.date
import apscheduler.triggers.interval
import pytest

from core.database import engine
from core.database.models import EndReason
from core.runner import claims
from core.tasks import notifications
from tests.faults.scene import PATIENT, Scene
from tests.support.waiting import eventually, is_alive
from tests.support.world import Patch

Jump = Callable[[timedelta], None]

LEASE, WARNING, LIMIT = 2, 4, 6

both_ways = pytest.mark.parametrize("minutes", [10, -10], ids=["forward", "back"])

TALKER = PATIENT.replace("time.sleep(0.02)", "print('line', time.sleep(0.05))")


@pytest.fixture
def jump(monkeypatch: Patch) -> Jump:
    """Move the time of this process, for Taskdeck and for APScheduler; its monotonic clock goes on as always."""
    moved = timedelta()

    class Moved(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(tz) + moved  # type: ignore[arg-type]

    original = engine.now
    monkeypatch.setattr(engine, "now", lambda: original() + moved)
    for module in (apscheduler.schedulers.base, apscheduler.triggers.date, apscheduler.triggers.interval):
        monkeypatch.setattr(module, "datetime", Moved)

    def move(by: timedelta) -> None:
        nonlocal moved
        moved += by

    return move


@pytest.mark.slow
@pytest.mark.fault(
    "the time jumps by +10 min or -10 min while a task runs",
    "it is not interrupted, warning and limit come when they would have, the log keeps its order",
)
@both_ways
@pytest.mark.attack(95)
def test_a_jump_of_the_time_moves_neither_lease_nor_limit(jump: Jump, minutes: int, scene: Scene) -> None:
    talker = scene.agent("talker", TALKER)
    scene.schedule(now=lambda: engine.now(), lease=LEASE, warning=WARNING, timeout=LIMIT)
    begun, task_id = time.monotonic(), scene.create(talker, "t0")
    eventually(scene.ran)
    jump(timedelta(minutes=minutes))
    warned = 0.0
    while not scene.ended(task_id):
        assert time.monotonic() < begun + LIMIT + 5
        if not warned and any("left: the task will be stopped" in said for said in scene.said(task_id)):
            warned = time.monotonic() - begun
        time.sleep(0.05)
    took = time.monotonic() - begun
    assert scene.ended_once(task_id).end_reason is EndReason.TIMED_OUT
    assert WARNING <= warned < WARNING + 1.5 and LIMIT <= took < LIMIT + 3
    scene.measured(f"{minutes:+} min: warning after {warned:.1f} s of {WARNING}, end after {took:.1f} s of {LIMIT}")
    backward = [one.seq for one, other in pairwise(scene.log(task_id)) if other.timestamp < one.timestamp]
    assert len(backward) == (minutes < 0), "the times fall once, where the time did"
    scene.cleared()


@pytest.mark.fault(
    "the time jumps by +10 min or -10 min while nothing runs",
    "the sweep goes on as before: a task that no notification told of starts within 5 s",
)
@both_ways
def test_a_jump_of_the_time_suspends_no_sweep(jump: Jump, minutes: int, scene: Scene, monkeypatch: Patch) -> None:
    quick = scene.agent("quick", "print('done')")
    scene.schedule(now=lambda: engine.now(), lease=LEASE)
    monkeypatch.setattr(notifications.task_waiting, "_listeners", ())  # as for tasks of another process
    for by in (0, minutes, 0):
        jump(timedelta(minutes=by))
        begun, task_id = time.monotonic(), scene.create(quick)
        eventually(lambda task_id=task_id: scene.find(task_id).started_at, 5)
    scene.measured(f"{minutes:+} min: started {time.monotonic() - begun:.1f} s after its creation")


@pytest.mark.fault(
    "a running task's lease is taken for lost by another server",
    "the task's processes are dead within 2 s, nothing is written after the end",
)
def test_a_runner_that_lost_its_lease_stops_its_process_and_writes_nothing(scene: Scene) -> None:
    talker = scene.agent("talker", TALKER)
    scene.schedule(concurrency=1)
    task_id = scene.create(talker, "t0")
    eventually(lambda: len(scene.log(task_id)) > 10)
    assert claims.expire(now=engine.now() + timedelta(seconds=100)) == [task_id]
    lost = time.monotonic()
    log, end = scene.log(task_id), scene.find(task_id)
    eventually(lambda: not any(map(is_alive, scene.pids())), 2)
    scene.measured(f"dead {time.monotonic() - lost:.1f} s after the loss")
    scene.cleared()
    scene.go()
    scene.wait(EndReason.COMPLETED, scene.create(talker, "t1"))  # the slot is free again
    assert scene.ended_once(task_id).end_reason is EndReason.INTERRUPTED
    assert scene.find(task_id).updated_at == end.updated_at
    assert [entry.seq for entry in scene.log(task_id)] == [entry.seq for entry in log]

"""The time of the machine jumps, or a lease goes to somebody else: only what is really over ends."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import apscheduler.schedulers.base
import apscheduler.triggers.date
import apscheduler.triggers.interval
import pytest

from core.database import engine
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.runner import claims
from core.runner.scheduler import Scheduler
from core.tasks import commands, notifications
from tests.faults.checks import PATIENT, ended, ended_once, left_lying, left_running, pids, ran, whole_log
from tests.support.waiting import eventually, is_alive
from tests.support.world import World

Jump = Callable[[timedelta], None]

LEASE, WARNING, LIMIT = 2, 4, 6

both_ways = pytest.mark.parametrize("minutes", [10, -10], ids=["forward", "back"])

TALKER = PATIENT.replace("time.sleep(0.02)", "print('line', time.sleep(0.05))")


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Jump:
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
def test_a_jump_of_the_time_moves_neither_lease_nor_limit(
    jump: Jump,
    minutes: int,
    schedule: Callable[..., Scheduler],
    world: World,
    ada: Actor,
    data: Path,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    talker = world.script_agent("talker", TALKER.format(path=str(tmp_path / "ran")))
    schedule(now=lambda: engine.now(), lease=LEASE, warning=WARNING, timeout=LIMIT)
    begun = time.monotonic()
    task_id = commands.create(ada, prompt="t0", agent=talker).id
    eventually(lambda: ran(tmp_path / "ran"))
    jump(timedelta(minutes=minutes))
    warned = 0.0
    while not ended(ada, [task_id]):
        assert time.monotonic() < begun + LIMIT + 5
        if not warned and any("left: the task will be stopped" in entry.message for entry in whole_log(ada, task_id)):
            warned = time.monotonic() - begun
        time.sleep(0.05)
    took = time.monotonic() - begun
    assert ended_once(ada, task_id).end_reason is EndReason.TIMED_OUT
    assert WARNING <= warned < WARNING + 1.5
    assert LIMIT <= took < LIMIT + 3
    measured(f"{minutes:+} min: warning after {warned:.1f} s of {WARNING}, end after {took:.1f} s of {LIMIT}")
    log = whole_log(ada, task_id)
    backward = [one.seq for one, other in pairwise(log) if other.timestamp < one.timestamp]
    assert len(backward) == (minutes < 0), "the times fall once, where the time did"
    eventually(lambda: (left_running(data), left_lying(data)) == ([], []), 2)


@pytest.mark.fault(
    "the time jumps by +10 min or -10 min while nothing runs",
    "the sweep goes on as before: a task that no bell announced starts within 5 s",
)
@both_ways
def test_a_jump_of_the_time_does_not_suspend_the_sweep(
    jump: Jump,
    minutes: int,
    schedule: Callable[..., Scheduler],
    world: World,
    ada: Actor,
    monkeypatch: pytest.MonkeyPatch,
    measured: Callable[[str], None],
) -> None:
    quick = world.script_agent("quick", "print('done')")
    schedule(now=lambda: engine.now(), lease=LEASE)
    monkeypatch.setattr(notifications.task_waiting, "_listeners", ())  # as for tasks of another process
    for by in (0, minutes, 0):
        jump(timedelta(minutes=by))
        begun = time.monotonic()
        task_id = commands.create(ada, prompt="x", agent=quick).id
        eventually(lambda task_id=task_id: commands.find(ada, task_id).started_at, 5)
    measured(f"{minutes:+} min: started {time.monotonic() - begun:.1f} s after its creation")


@pytest.mark.fault(
    "a running task's lease is taken for lost by another server",
    "the task's processes are dead within 2 s, nothing is written after the end",
)
def test_a_runner_that_lost_its_lease_stops_its_process_and_writes_nothing(
    schedule: Callable[..., Scheduler],
    world: World,
    ada: Actor,
    data: Path,
    tmp_path: Path,
    measured: Callable[[str], None],
) -> None:
    path = tmp_path / "ran"
    talker = world.script_agent("talker", TALKER.format(path=str(path)))
    schedule(concurrency=1)
    task_id = commands.create(ada, prompt="t0", agent=talker).id
    eventually(lambda: len(whole_log(ada, task_id)) > 10)
    assert claims.expire(now=engine.now() + timedelta(seconds=100)) == [task_id]
    lost = time.monotonic()
    log, end = whole_log(ada, task_id), commands.find(ada, task_id)
    eventually(lambda: not any(is_alive(pid) for pid in pids(path)), 2)
    measured(f"dead {time.monotonic() - lost:.1f} s after the loss")
    eventually(lambda: (left_running(data), left_lying(data)) == ([], []), 2)
    Path(f"{path}.go").touch()
    after = commands.create(ada, prompt="t1", agent=talker).id  # the slot is free again
    eventually(lambda: commands.find(ada, after).status is TaskStatus.COMPLETED)
    assert ended_once(ada, task_id).end_reason is EndReason.INTERRUPTED
    assert commands.find(ada, task_id).updated_at == end.updated_at
    assert [entry.seq for entry in whole_log(ada, task_id)] == [entry.seq for entry in log]

"""The time jumps, the database is away, a thread hangs: whose lease has really run out."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from core.agents.drivers.builtin import Events
from core.database import engine
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.runner import claims, heartbeat
from core.runner.scheduler import JUMP_SECONDS, Scheduler
from core.tasks import commands
from tests.core.living import QUICK, SLEEPER, Wall, next_sweep, pids
from tests.support.waiting import eventually, is_alive
from tests.support.world import World


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "core.runner.scheduler"]


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_jump_of_the_time_interrupts_nothing_that_lives_and_spares_nothing_that_is_dead(
    minutes: int,
    start: Callable[..., Scheduler],
    wall: Wall,
    ada: Actor,
    bob: Actor,
    tmp_path: Path,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    lease = 4
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    scheduler = start(lease=lease, now=wall)
    living = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: pids(tmp_path / "pids"))
    scheduler.close()  # what follows is claimed by another runner, which is dead
    dead = commands.create(bob, prompt="x", agent=name)
    assert claims.claim("dead", lease)
    next_sweep(scheduler)
    wall.offset += timedelta(minutes=minutes)
    jumped = time.monotonic()
    eventually(lambda: commands.find(bob, dead.id).end_reason, 3 * lease + 4)
    assert time.monotonic() - jumped > lease / 2, "not before every runner could renew"
    assert commands.find(bob, dead.id).end_reason is EndReason.INTERRUPTED
    assert commands.find(ada, living.id).status is TaskStatus.PROCESSING
    assert any("the time jumped by" in line and f"{minutes * 60}" in line for line in told(caplog))
    commands.cancel(ada, living.id)
    eventually(lambda: commands.find(ada, living.id).end_reason is EndReason.CANCELLED)


def test_time_that_is_slewed_is_no_jump(
    start: Callable[..., Scheduler],
    wall: Wall,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scheduler = start(lease=1, now=wall)
    for _ in range(4):
        wall.offset += timedelta(seconds=JUMP_SECONDS * 0.4)  # a sweep under way may miss one, and the next meets two
        next_sweep(scheduler)
    assert not [line for line in told(caplog) if "jumped" in line]


def test_a_scheduler_tells_when_it_swept_last_and_how_much_runs(
    start: Callable[..., Scheduler],
    ada: Actor,
    tmp_path: Path,
    world: World,
) -> None:
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    before = time.monotonic()
    scheduler = start(lease=1.5)
    next_sweep(scheduler)
    assert 0 <= scheduler.since_sweep <= time.monotonic() - before  # type: ignore[operator]
    next_sweep(scheduler)
    assert (scheduler.away, scheduler.running, scheduler.slots) == (False, 0, 2)
    task = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: scheduler.running == 1)
    commands.cancel(ada, task.id)
    eventually(lambda: scheduler.running == 0)


def test_while_nothing_can_be_written_the_scheduler_says_so_and_goes_on_afterwards(
    start: Callable[..., Scheduler],
    ada: Actor,
    lock: Callable[..., Callable[[], None]],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    task = commands.create(ada, prompt="x", agent=world.script_agent("quick", QUICK))
    release = lock()
    scheduler = start(lease=1.5)
    eventually(lambda: scheduler.away)
    assert scheduler.since_sweep is None or engine.is_postgresql()  # where a look gets through that changes no table
    assert commands.find(ada, task.id).status is TaskStatus.PENDING
    release()
    eventually(lambda: commands.find(ada, task.id).status is TaskStatus.COMPLETED)
    eventually(lambda: scheduler.since_sweep is not None and not scheduler.away)


def test_it_is_away_as_long_as_the_database_does_not_answer(
    start: Callable[..., Scheduler],
    world: World,
) -> None:
    scheduler = start(lease=1.5)
    next_sweep(scheduler)
    with world.nowhere():
        eventually(lambda: scheduler.away)
        assert all(scheduler.away for _ in range(40) if not time.sleep(0.02))
    eventually(lambda: not scheduler.away)
    next_sweep(scheduler)


@pytest.mark.usefixtures("sqlite_file")  # PostgreSQL has no lock that all writers need
def test_it_stays_away_as_long_as_nothing_can_be_written_also_when_nothing_waits(
    start: Callable[..., Scheduler],
    lock: Callable[..., Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    scheduler = start(lease=1.5)
    next_sweep(scheduler)
    release = lock()
    eventually(lambda: scheduler.away)
    looks = [scheduler.away for _ in range(40) if not time.sleep(0.02)]
    assert all(looks)
    release()
    eventually(lambda: not scheduler.away)
    next_sweep(scheduler)


def test_after_the_database_was_away_no_lease_is_judged_before_it_could_be_renewed(
    start: Callable[..., Scheduler],
    ada: Actor,
    lock: Callable[..., Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    task = commands.create(ada, prompt="x")
    claim = claims.claim("elsewhere", 0.5)
    assert claim
    release = lock()
    scheduler = start(lease=2)
    eventually(lambda: scheduler.away)
    time.sleep(0.5)
    assert engine.now() > commands.find(ada, task.id).lease_until  # type: ignore[operator]
    release()
    next_sweep(scheduler)
    claims.renew(claim, 30)
    time.sleep(0.5)
    assert commands.find(ada, task.id).status is TaskStatus.PROCESSING


def test_a_thread_that_hangs_loses_its_lease_and_the_others_go_on(
    start: Callable[..., Scheduler],
    ada: Actor,
    bob: Actor,
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "HUNG_SECONDS", 0.5)
    hung, go_on = threading.Event(), threading.Event()
    feed = Events.feed

    def hang(events: Events, line: str) -> object:
        if line == "x":
            hung.set()
            assert go_on.wait(30)
        return feed(events, line)

    monkeypatch.setattr(Events, "feed", hang)
    code = SLEEPER.format(path=str(tmp_path / "pids")).replace(
        "time.sleep(600)", "print('x', flush=True); time.sleep(600)"
    )
    hangs, quick = world.script_agent("hangs", code), world.script_agent("quick", QUICK)
    start(concurrency=2, lease=2)
    task = commands.create(ada, prompt="x", agent=hangs)
    assert hung.wait(10)
    others = [commands.create(bob, prompt="x", agent=quick).id for _ in range(3)]
    eventually(lambda: commands.find(ada, task.id).end_reason, 12)
    assert commands.find(ada, task.id).error == claims.RUNNER_GONE
    eventually(lambda: all(commands.find(bob, other).status is TaskStatus.COMPLETED for other in others))
    ended = commands.find(ada, task.id).updated_at
    go_on.set()
    eventually(lambda: not is_alive(pids(tmp_path / "pids")[0]))
    assert commands.find(ada, task.id).updated_at == ended
    assert commands.find(ada, task.id).end_reason is EndReason.INTERRUPTED


def test_a_jump_in_the_middle_of_a_sweep_interrupts_nothing_that_lives(
    start: Callable[..., Scheduler],
    wall: Wall,
    ada: Actor,
    tmp_path: Path,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = world.script_agent("sleeper", SLEEPER.format(path=str(tmp_path / "pids")))
    scheduler = start(lease=6, now=wall)
    task = commands.create(ada, prompt="x", agent=name)
    eventually(lambda: pids(tmp_path / "pids"))
    ping, jumped = engine.ping, []

    def slow(wait: float) -> None:
        ping(wait)
        if not jumped:
            jumped.append(wall)
            wall.offset += timedelta(minutes=10)

    monkeypatch.setattr(engine, "ping", slow)
    eventually(lambda: jumped)
    next_sweep(scheduler)
    assert commands.find(ada, task.id).status is TaskStatus.PROCESSING

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from core.database import engine
from core.database.models import EndReason, Task
from core.database.ownership import Actor
from core.runner import claims, health
from core.runner.health import Load, Runner
from core.tasks import commands
from tests.core.living import claimed
from tests.support.databases import unguarded
from tests.support.world import World

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def made_at(task_id: int, moment: datetime) -> None:
    with unguarded() as session:
        session.execute(update(Task).where(Task.id == task_id).values(created_at=moment))


def test_of_nothing_and_of_what_has_ended_there_is_nothing_to_tell(ada: Actor) -> None:
    assert health.load() == Load(0, 0.0, [])
    claim = claimed(ada)
    assert [runner.name for runner in health.load().runners] == ["runner"]
    claims.finish(claim, EndReason.COMPLETED)
    assert health.load() == Load(0, 0.0, [])


def test_what_waits_is_counted_of_everybody_and_the_longest_wait_is_told(ada: Actor, bob: Actor) -> None:
    for actor, minutes in ((ada, 3), (bob, 7), (ada, 5)):
        made_at(commands.create(actor, prompt="x").id, NOON - timedelta(minutes=minutes))
    assert health.load(now=NOON) == Load(3, 420.0, [])
    assert health.load(now=NOON - timedelta(minutes=10)).oldest_pending_seconds == 0  # made in the future


def test_each_runner_is_told_with_its_tasks_and_the_lease_that_ends_first(ada: Actor, bob: Actor) -> None:
    for actor, runner, lease in ((ada, "b", 30), (bob, "a", 20), (bob, "b", 10), (ada, "gone", -5)):
        commands.create(actor, prompt="x")
        assert claims.claim(runner, lease, now=NOON)
    made_at(commands.create(ada, prompt="waits").id, NOON)
    runners = [Runner("a", 1, 20.0), Runner("b", 2, 10.0), Runner("gone", 1, -5.0)]
    assert health.load(now=NOON) == Load(1, 0.0, runners)


def test_counting_stops_where_nobody_counts_any_more(ada: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "COUNTED", 3)
    for _ in range(6):
        commands.create(ada, prompt="x")
    assert health.load().pending == 4


def test_it_says_when_the_database_is_away_but_not_locked(ada: Actor, world: World, lock: Callable[[], object]) -> None:
    with world.nowhere(), pytest.raises(engine.Unavailable):
        health.load()
    lock()
    assert health.load().pending == 0

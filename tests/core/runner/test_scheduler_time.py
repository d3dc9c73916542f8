"""What a scheduler tells of itself, and what it does while the database is away or a thread hangs."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from core.agents.drivers.builtin import Events
from core.database import engine
from core.database.models import EndReason, TaskStatus
from core.runner import claims, heartbeat
from core.tasks import commands
from tests.core.deck import Deck
from tests.core.living import Patch, next_sweep
from tests.support.waiting import eventually
from tests.support.world import World

Lock = Callable[..., Callable[[], None]]


def test_a_scheduler_tells_when_it_swept_last_and_how_much_runs(deck: Deck) -> None:
    before, scheduler = time.monotonic(), deck.start(lease=1.5)
    next_sweep(scheduler)
    assert 0 <= scheduler.since_sweep <= time.monotonic() - before  # type: ignore[operator]
    next_sweep(scheduler)
    assert (scheduler.away, scheduler.running, scheduler.slots) == (False, 0, 2)
    task_id = deck.create("sleeper")
    eventually(lambda: scheduler.running == 1)
    commands.cancel(deck.ada, task_id)
    eventually(lambda: scheduler.running == 0)


def test_while_nothing_can_be_written_it_says_so_and_goes_on_later(deck: Deck, lock: Lock, monkeypatch: Patch) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    task_id, release = deck.create("quick"), lock()
    scheduler = deck.start(lease=1.5)
    eventually(lambda: scheduler.away)
    assert scheduler.since_sweep is None or engine.is_postgresql()  # where a ping gets through that changes no table
    assert deck.find(task_id).status is TaskStatus.PENDING
    release()
    deck.wait(EndReason.COMPLETED, task_id)
    eventually(lambda: scheduler.since_sweep is not None and not scheduler.away)


@contextmanager
def locked(lock: Lock) -> Iterator[None]:
    release = lock()
    yield
    release()


def stays_away(deck: Deck, outage: AbstractContextManager[object]) -> bool:
    """Whether a scheduler is away as long as this outage lasts, and goes on afterwards, also when nothing waits."""
    scheduler = deck.start(lease=1)
    next_sweep(scheduler)
    with outage:
        eventually(lambda: scheduler.away)
        stayed = all(scheduler.away for _ in range(40) if not time.sleep(0.02))
    eventually(lambda: not scheduler.away)
    next_sweep(scheduler)
    return stayed


def test_it_is_away_as_long_as_the_database_does_not_answer(deck: Deck, world: World) -> None:
    assert stays_away(deck, world.nowhere())


@pytest.mark.usefixtures("sqlite_file")  # PostgreSQL has no lock that all writers need
def test_it_stays_away_as_long_as_nothing_can_be_written(deck: Deck, lock: Lock, monkeypatch: Patch) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    assert stays_away(deck, locked(lock))


def test_a_thread_that_hangs_loses_its_lease_and_the_others_go_on(deck: Deck, monkeypatch: Patch) -> None:
    monkeypatch.setattr(heartbeat, "HUNG_SECONDS", 0.5)
    hung, go_on = threading.Event(), threading.Event()
    feed = Events.feed

    def hang(events: Events, line: str) -> object:
        if line == "begun":
            hung.set()
            assert go_on.wait(30)
        return feed(events, line)

    monkeypatch.setattr(Events, "feed", hang)
    scheduler, task_id = deck.start(concurrency=2, lease=1.5), deck.create("waiter")
    assert hung.wait(10)
    others = [deck.create("quick", deck.bob) for _ in range(3)]
    deck.wait(EndReason.INTERRUPTED, task_id, seconds=12)
    assert deck.find(task_id).error == claims.RUNNER_GONE
    deck.wait(EndReason.COMPLETED, *others)
    ended = deck.find(task_id).updated_at
    go_on.set()
    eventually(lambda: scheduler.running == 0)
    assert (deck.find(task_id).updated_at, deck.find(task_id).end_reason) == (ended, EndReason.INTERRUPTED)

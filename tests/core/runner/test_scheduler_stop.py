"""The server goes down: nothing new begins, what runs gets its grace, every end is written."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.database.models import EndReason, TaskStatus
from core.errors import ServerStopping
from core.runner.scheduler import Scheduler
from core.tasks import listing
from tests.core.deck import Deck
from tests.core.living import Shifted, next_sweep
from tests.support.waiting import eventually, is_alive


@contextmanager
def stopping(scheduler: Scheduler) -> Iterator[None]:
    """The scheduler takes its grace; after the ``with`` it has stopped, soon."""
    thread = threading.Thread(target=scheduler.stop)
    thread.start()
    eventually(lambda: scheduler._closing.is_set())
    yield
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("grace", [0, 0.5])
def test_stop_ends_what_outlives_the_grace_leaves_what_waits_and_returns_quickly(grace: float, deck: Deck) -> None:
    scheduler = deck.start(concurrency=2, grace=grace)
    *ran, waits = (deck.create("sleeper", actor) for actor in (deck.ada, deck.bob, deck.ada))
    processes, began = deck.sleeping(2), time.monotonic()
    scheduler.stop()
    assert grace <= time.monotonic() - began < grace + 8, "a task sleeps for minutes"
    deck.wait(EndReason.INTERRUPTED, *ran)
    for task_id in ran:
        assert deck.find(task_id).error == deck.log(task_id)[-1] == ServerStopping().message
    assert deck.find(waits).status is TaskStatus.PENDING
    assert not any(map(is_alive, processes))
    deck.create("quick")  # nobody is notified any more, and nothing fails
    assert listing.counts(deck.ada)[TaskStatus.PENDING] == 2


def test_a_task_that_ends_within_the_grace_is_completed_renewed_and_none_begins_meanwhile(deck: Deck) -> None:
    scheduler = deck.start(concurrency=1, grace=60, lease=1.5)
    task_id, waits = (deck.create("waiter") for _ in range(2))
    eventually(lambda: "begun" in deck.log(task_id))
    with stopping(scheduler):
        before = deck.find(task_id).lease_until
        eventually(lambda: deck.find(task_id).lease_until > before)
        assert deck.find(task_id).status is TaskStatus.PROCESSING
        deck.go.touch()
    deck.wait(EndReason.COMPLETED, task_id)
    assert (deck.find(waits).status, deck.find(waits).attempt) == (TaskStatus.PENDING, 0)


@pytest.mark.parametrize("how", ["it began with a close long ago", "all are to be interrupted"])
def test_a_grace_that_is_over_interrupts_what_runs(how: str, deck: Deck) -> None:
    clock = Shifted()
    scheduler, task_id = deck.start(grace=20, monotonic=clock), deck.create("sleeper")
    (process,) = deck.sleeping(1)
    eventually(lambda: deck.find(task_id).progress == 30)
    if how == "it began with a close long ago":
        scheduler.close()
        clock.by = 20  # the grace, and less than the lease
    began = time.monotonic()
    with stopping(scheduler):
        if how == "all are to be interrupted":
            scheduler.interrupt_all()
    assert time.monotonic() - began < 15, "the grace"
    deck.wait(EndReason.INTERRUPTED, task_id)
    assert not is_alive(process)


def test_after_a_close_nothing_is_claimed_at_a_notification_a_sweep_or_a_free_slot(deck: Deck) -> None:
    scheduler, running = deck.start(concurrency=2, lease=1), deck.create("waiter")
    eventually(lambda: deck.find(running).progress == 30)
    scheduler.close()
    waits = deck.create("waiter")
    deck.go.touch()
    deck.wait(EndReason.COMPLETED, running)
    for _ in range(2):  # the look after the first one is over when the second one comes
        next_sweep(scheduler)
    assert (deck.find(waits).status, deck.find(waits).attempt, scheduler.running) == (TaskStatus.PENDING, 0, 0)


def test_a_stop_in_the_middle_of_many_short_tasks_breaks_none(deck: Deck) -> None:
    scheduler, made = deck.start(concurrency=4), [deck.create("quick") for _ in range(12)]
    eventually(lambda: listing.counts(deck.ada)[TaskStatus.COMPLETED])
    scheduler.stop()
    counts = listing.counts(deck.ada)
    assert (counts[TaskStatus.PROCESSING], counts[TaskStatus.ERROR]) == (0, 0)
    assert counts[TaskStatus.COMPLETED] + counts[TaskStatus.PENDING] == len(made)


def test_starting_and_stopping_many_times_is_quiet_and_leaves_no_thread(deck: Deck) -> None:
    before = threading.active_count()
    for _ in range(10):
        scheduler = deck.start(lease=1)
        deck.create("quick")
        scheduler.stop()  # an exception in one of its threads is a warning, and so fails this test
    assert threading.active_count() == before

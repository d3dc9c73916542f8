from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor, acting_as_system
from core.errors import ClaimLost, InvalidInput, NotFound
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from core.tasks import commands
from core.tasks.notifications import task_changed, task_waiting
from tests.core.living import claimed


@pytest.fixture
def subscriptions() -> Iterator[ExitStack]:
    """What ends with the test, or when it is closed."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def told(subscriptions: ExitStack) -> list[int]:
    """The ids of which somebody was notified."""
    ids: list[int] = []
    subscriptions.callback(task_waiting.subscribe(ids.append))
    return ids


def test_each_task_is_notified_once_after_its_row_can_be_read(ada: Actor, subscriptions: ExitStack) -> None:
    seen = []
    subscriptions.callback(task_waiting.subscribe(lambda task_id: seen.append(commands.find(ada, task_id).id)))
    created = [commands.create(ada, prompt="x").id for _ in range(3)]
    subscriptions.close()
    commands.create(ada, prompt="nobody listens any more")
    assert seen == created


def test_of_a_transaction_all_is_told_after_it_and_nothing_if_rolled_back(told: list[int], ada: Actor) -> None:
    with pytest.raises(ZeroDivisionError), acting_as_system() as session:
        task_waiting.publish(session, 1)
        raise ZeroDivisionError
    with pytest.raises(InvalidInput):
        commands.create(ada, prompt="")
    with acting_as_system() as session:
        session.connection()
        task_waiting.publish(session, 7), task_waiting.publish(session, 8)
        assert told == []
    assert told == [7, 8]


def test_a_listener_that_fails_harms_neither_the_others_nor_what_was_committed(
    ada: Actor, told: list[int], subscriptions: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    later: list[int] = []
    for listener in (fail, later.append):
        subscriptions.callback(task_waiting.subscribe(listener))
    task = commands.create(ada, prompt="x")
    assert told == later == [task.id]
    assert commands.find(ada, task.id).id == task.id
    assert f"a listener failed for task {task.id}" in caplog.text


def test_a_listener_may_leave_twice_and_while_it_is_notified_and_the_others_stay(ada: Actor, told: list[int]) -> None:
    once: list[int] = []

    def last(task_id: int) -> None:
        once.append(task_id)
        leave(), leave()

    leave: Callable[[], None] = task_waiting.subscribe(last)
    first, second = commands.create(ada, prompt="x"), commands.create(ada, prompt="x")
    assert (once, told) == ([first.id], [first.id, second.id])


def test_every_write_to_a_task_is_told_once_it_can_be_read(ada: Actor, subscriptions: ExitStack) -> None:
    first, second, third, fourth = (claimed(ada) for _ in range(4))
    waits = commands.create(ada, prompt="x").id
    seen: list[tuple[int, int]] = []
    see = task_changed.subscribe(lambda task_id: seen.append((task_id, commands.find(ada, task_id).log_count)))
    subscriptions.callback(see)
    entry = Entry(LogType.INFO, "said", engine.now())
    claims.record(first, [entry])
    claims.finish(first, EndReason.COMPLETED, None, [entry, entry])
    commands.cancel(ada, second.task_id)
    claims.release(third)
    commands.cancel(ada, waits)
    claims.expire(now=engine.now() + timedelta(days=1))
    subscriptions.close()
    claims.claim("nobody listens any more", 30)
    assert seen[:-2] == [(first.task_id, 3), (first.task_id, 5), (second.task_id, 3), (third.task_id, 3), (waits, 3)]
    assert sorted(seen[-2:]) == [(second.task_id, 4), (fourth.task_id, 3)]  # what expires at once has no order


def test_a_claim_is_told_and_what_changes_nothing_is_not(ada: Actor, bob: Actor, subscriptions: ExitStack) -> None:
    told: list[int] = []
    subscriptions.callback(task_changed.subscribe(told.append))
    claim = claimed(ada)
    assert told == [claim.task_id]
    claims.renew(claim, 30), claims.read_control(claim), claims.expire()
    commands.cancel(ada, claim.task_id), commands.cancel(ada, claim.task_id)
    with pytest.raises(NotFound):
        commands.cancel(bob, claim.task_id)
    with pytest.raises(ClaimLost):
        claims.record(replace(claim, attempt=7), [])
    assert told == [claim.task_id] * 2

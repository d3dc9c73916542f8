from collections.abc import Iterator
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
from core.tasks import commands, notifications
from tests.core.living import claimed


@pytest.fixture
def heard() -> Iterator[list[int]]:
    """The ids that the bell rang for."""
    ids: list[int] = []
    deafen = notifications.task_waiting.subscribe(ids.append)
    yield ids
    deafen()


def test_the_bell_rings_once_for_each_task_after_its_row_can_be_read(ada: Actor) -> None:
    seen = []
    deafen = notifications.task_waiting.subscribe(lambda task_id: seen.append(commands.find(ada, task_id).id))
    created = [commands.create(ada, prompt="x").id for _ in range(3)]
    deafen()
    commands.create(ada, prompt="nobody listens any more")
    assert seen == created


def test_it_does_not_ring_for_what_is_rolled_back(heard: list[int], ada: Actor) -> None:
    with pytest.raises(ZeroDivisionError), acting_as_system() as session:
        notifications.task_waiting.publish(session, 1)
        raise ZeroDivisionError
    with pytest.raises(InvalidInput):
        commands.create(ada, prompt="")
    assert heard == []


def test_it_rings_within_one_transaction_for_each_announced_task(heard: list[int]) -> None:
    with acting_as_system() as session:
        session.connection()
        notifications.task_waiting.publish(session, 7), notifications.task_waiting.publish(session, 8)
        assert heard == []
    assert heard == [7, 8]


def test_a_listener_that_fails_harms_neither_the_others_nor_what_was_committed(
    ada: Actor, heard: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: int) -> None:
        raise ZeroDivisionError

    deafen_first = notifications.task_waiting.subscribe(fail)
    later: list[int] = []
    deafen_last = notifications.task_waiting.subscribe(later.append)
    task = commands.create(ada, prompt="x")
    deafen_first(), deafen_last()
    assert heard == later == [task.id]
    assert commands.find(ada, task.id).id == task.id
    assert f"a listener failed for task {task.id}" in caplog.text


def test_the_way_out_is_for_one_listener_alone_and_may_be_taken_twice(heard: list[int], ada: Actor) -> None:
    leave = notifications.task_waiting.subscribe(lambda _: None)
    leave(), leave()
    task = commands.create(ada, prompt="x")
    assert heard == [task.id]


def test_a_listener_may_leave_while_it_listens(ada: Actor, heard: list[int]) -> None:
    once: list[int] = []
    leave = notifications.task_waiting.subscribe(lambda task_id: (once.append(task_id), leave()))
    first, second = commands.create(ada, prompt="x"), commands.create(ada, prompt="x")
    assert (once, heard) == ([first.id], [first.id, second.id])


def test_every_write_to_a_task_is_news_once_it_can_be_read(ada: Actor) -> None:
    claims_of = [claimed(ada) for _ in range(4)]
    waits = commands.create(ada, prompt="x")
    seen: list[tuple[int, int]] = []
    deafen = notifications.task_changed.subscribe(
        lambda task_id: seen.append((task_id, commands.find(ada, task_id).log_count))
    )
    first, second, third, fourth = claims_of
    entry = Entry(LogType.INFO, "said", engine.now())
    claims.record(first, [entry])
    claims.finish(first, EndReason.COMPLETED, None, [entry, entry])
    commands.cancel(ada, second.task_id)
    claims.release(third)
    commands.cancel(ada, waits.id)
    claims.expire(now=engine.now() + timedelta(days=1))
    deafen()
    claims.claim("nobody listens any more", 30)
    assert seen[:-2] == [(first.task_id, 3), (first.task_id, 5), (second.task_id, 3), (third.task_id, 3), (waits.id, 3)]
    assert sorted(seen[-2:]) == [(second.task_id, 4), (fourth.task_id, 3)]  # what expires at once has no order


def test_a_claim_is_news_and_what_changes_nothing_is_none(ada: Actor, bob: Actor) -> None:
    heard: list[int] = []
    deafen = notifications.task_changed.subscribe(heard.append)
    claim = claimed(ada)
    assert heard == [claim.task_id]
    claims.renew(claim, 30), claims.read_control(claim), claims.expire()
    commands.cancel(ada, claim.task_id), commands.cancel(ada, claim.task_id)
    with pytest.raises(NotFound):
        commands.cancel(bob, claim.task_id)
    with pytest.raises(ClaimLost):
        claims.record(replace(claim, attempt=7), [])
    deafen()
    assert heard == [claim.task_id] * 2

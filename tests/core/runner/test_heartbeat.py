import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime

import pytest
from sqlalchemy import select, update

from core.database import engine
from core.database.models import EndReason, Task, TaskLog
from core.database.ownership import Actor, acting_as_system
from core.errors import ClaimLost, OutOfContact, StopRequested
from core.runner import claims, heartbeat, task_logger
from core.runner.claims import Claim
from core.runner.heartbeat import Heartbeat
from core.runner.task_logger import TaskLogger
from core.tasks import commands
from tests.core.living import Hand, away, lose_answer, messages, no_gap, take_every_connection
from tests.support.databases import unguarded
from tests.support.waiting import eventually

LEASE = 30.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat, "RETRY_SECONDS", 0.05)


@pytest.fixture
def beating(claim: Claim, log: TaskLogger, hand: Hand) -> Iterator[Heartbeat]:
    with Heartbeat(claim, log, LEASE, hand) as made:
        yield made


@pytest.fixture
def lease(ada: Actor, claim: Claim) -> Callable[[], datetime | None]:
    return lambda: commands.find(ada, claim.task_id).lease_until


def raises(beating: Heartbeat, kind: type[Exception]) -> bool:
    """Whether the next check raises this."""
    try:
        beating.check()
    except kind:
        return True
    return False


def test_the_lease_is_renewed_at_every_third_of_it(beating: Heartbeat, hand: Hand, lease: Callable[[], object]) -> None:
    first = lease()
    hand.time += 9.9
    time.sleep(0.4)  # two beats
    assert lease() == first
    for _ in range(5):
        before = lease()
        hand.time += 10
        eventually(lambda before=before: lease() != before)
        beating.check()


def test_a_whole_lease_without_contact_ends_the_work_and_no_second_less(
    beating: Heartbeat, hand: Hand, lock: Callable[..., Callable[[], None]], lease: Callable[[], object]
) -> None:
    lock()
    hand.time += 29.9
    before = lease()
    time.sleep(0.3)
    beating.check()
    hand.time += 0.1
    with pytest.raises(OutOfContact):
        beating.check()
    assert lease() == before


def test_a_lease_counts_from_before_the_question_for_it(
    claim: Claim, log: TaskLogger, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    renew = claims.renew

    def slowly(claim: Claim, lease: float) -> None:
        if asked:
            away()
        asked.append(hand.time)
        renew(claim, lease)
        hand.time += 5

    monkeypatch.setattr(claims, "renew", slowly)
    with Heartbeat(claim, log, LEASE, hand) as beating:
        hand.time += 11
        eventually(lambda: asked and hand.time > asked[0])
        hand.time = asked[0] + 29.9
        eventually(lambda: not raises(beating, OutOfContact), 2)
        hand.time += 0.1
        assert raises(beating, OutOfContact)


def test_contact_that_comes_back_in_time_keeps_the_task(
    beating: Heartbeat, hand: Hand, lock: Callable[..., Callable[[], None]], lease: Callable[[], object]
) -> None:
    release, before = lock(), lease()
    hand.time += 25
    time.sleep(0.2)
    release()
    eventually(lambda: lease() != before)
    hand.time += 25
    beating.check()


def test_people_who_use_up_their_connections_take_no_lease_away(
    beating: Heartbeat, hand: Hand, lease: Callable[[], object]
) -> None:
    def renewed() -> bool:
        with acting_as_system(reading=True) as session:
            return session.scalars(select(Task.lease_until)).one() != before

    before = lease()
    with ExitStack() as stack:
        take_every_connection(stack)
        hand.time += 11
        eventually(renewed)


def test_the_log_is_written_while_the_thread_that_works_says_no_more(
    beating: Heartbeat, log: TaskLogger, hand: Hand, stored: Callable[[], list[TaskLog]]
) -> None:
    log.info("said"), log.progress(30)
    hand.time += 1
    eventually(lambda: messages(stored()) == ["said"])


def test_a_whole_batch_is_written_without_waiting_for_its_time(
    beating: Heartbeat, log: TaskLogger, stored: Callable[[], list[TaskLog]]
) -> None:
    for number in range(200):
        log.info(str(number))
    eventually(lambda: len(stored()) == 200)


def test_lost_answers_and_a_lock_lose_no_line_and_say_none_twice(
    beating: Heartbeat,
    log: TaskLogger,
    hand: Hand,
    lock: Callable[..., Callable[[], None]],
    stored: Callable[[], list[TaskLog]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_logger, "LARGEST_BATCH", 100)
    lost = lose_answer(monkeypatch, "record", 3)
    release = lock()
    for number in range(600):
        log.info(str(number))

    def all_stored() -> bool:
        hand.time += 0.01
        return len(stored()) >= 600

    time.sleep(0.2)
    release()
    eventually(all_stored)
    assert messages(stored()) == [str(number) for number in range(600)]
    assert no_gap(stored())
    assert lost == ["record"] * 3


def test_the_owners_wish_to_stop_is_heard_with_its_time(
    beating: Heartbeat, hand: Hand, claim: Claim, ada: Actor
) -> None:
    asked = commands.cancel(ada, claim.task_id).cancel_requested_at
    assert asked
    hand.time += heartbeat.CONTROL_SECONDS
    eventually(lambda: raises(beating, StopRequested))
    with pytest.raises(StopRequested) as caught:
        beating.check()
    assert hand.time - (engine.now() - asked).total_seconds() <= caught.value.at <= hand.time


def test_an_extension_is_heard(beating: Heartbeat, hand: Hand, claim: Claim) -> None:
    assert beating.extension == 0
    with unguarded() as session:
        session.execute(update(Task).where(Task.id == claim.task_id).values(extension=90.0))
    hand.time += heartbeat.CONTROL_SECONDS
    eventually(lambda: beating.extension == 90)
    beating.check()


@pytest.mark.parametrize("how", ["deleted", "ended"])
def test_a_claim_that_is_gone_is_noticed_without_a_word_to_write(
    how: str, beating: Heartbeat, hand: Hand, claim: Claim, ada: Actor
) -> None:
    if how == "deleted":
        commands.delete_one(ada, claim.task_id)
    else:
        claims.finish(claim, EndReason.FAILED, "Somebody else ended it.")
    hand.time += heartbeat.CONTROL_SECONDS
    eventually(lambda: raises(beating, ClaimLost))


def test_a_thread_that_gives_no_sign_of_life_is_not_renewed_until_it_does(
    claim: Claim, log: TaskLogger, hand: Hand, lease: Callable[[], object]
) -> None:
    with Heartbeat(claim, log, 300, hand) as beating:
        before = lease()
        hand.time += 101  # a third of its lease, and longer than HUNG_SECONDS
        time.sleep(0.4)
        assert lease() == before
        beating.check()
        eventually(lambda: lease() != before)


def test_a_thread_that_was_slow_but_alive_is_renewed(
    beating: Heartbeat, hand: Hand, lease: Callable[[], object]
) -> None:
    for _ in range(3):  # 75 s in all, of which none is longer than HUNG_SECONDS
        before = lease()
        hand.time += 25
        eventually(lambda before=before: lease() != before)
        beating.check()


def test_what_breaks_the_heartbeat_is_told_to_the_thread_that_works(
    beating: Heartbeat, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Claim) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(claims, "read_control", fail)
    hand.time += heartbeat.CONTROL_SECONDS
    eventually(lambda: raises(beating, ZeroDivisionError))


@pytest.mark.parametrize("locked", [False, True])
def test_it_ends_with_the_work_at_once_and_leaves_no_thread(
    locked: bool,
    claim: Claim,
    log: TaskLogger,
    hand: Hand,
    lock: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(heartbeat, "RETRY_SECONDS", 30)
    before = {thread.name for thread in threading.enumerate()}
    with Heartbeat(claim, log, LEASE, hand):
        if locked:
            lock()
            hand.time += 11
            time.sleep(0.3)
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    assert f"heartbeat-{claim.task_id}" not in {thread.name for thread in threading.enumerate()}
    assert f"heartbeat-{claim.task_id}" not in before


def test_it_ends_also_when_the_work_broke(claim: Claim, log: TaskLogger, hand: Hand) -> None:
    with suppress(ZeroDivisionError), Heartbeat(claim, log, LEASE, hand):
        raise ZeroDivisionError
    assert f"heartbeat-{claim.task_id}" not in {thread.name for thread in threading.enumerate()}

"""The thread that renews a lease, writes the log and reads what the owner wants; on a clock that the test moves."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from core.database import engine
from core.database.models import EndReason, Task
from core.database.ownership import Actor, acting_as_system
from core.errors import ClaimLost, OutOfContact, StopRequested
from core.runner import claims, heartbeat, task_logger
from core.runner.claims import Claim
from core.runner.heartbeat import CONTROL_SECONDS, Heartbeat
from core.runner.task_logger import TaskLogger
from core.tasks import commands
from tests.core.living import Hand, Patch, Stored, away, lose_answer, messages, no_gap, take_every_connection
from tests.support.databases import unguarded
from tests.support.waiting import eventually

LEASE = 30.0

Lock = Callable[..., Callable[[], None]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: Patch) -> None:
    monkeypatch.setattr(claims, "WAIT_SECONDS", 0.1)
    monkeypatch.setattr(heartbeat, "RETRY_SECONDS", 0.05)


class Beating(Heartbeat):
    """A heartbeat for Ada's claim, and its clock."""

    def __init__(self, ada: Actor, claim: Claim, log: TaskLogger, hand: Hand, lease: float = LEASE) -> None:
        super().__init__(claim, log, lease, hand)
        self._ada, self._hand = ada, hand

    def later(self, seconds: float) -> None:
        self._hand.time += seconds

    def lease(self) -> datetime | None:
        return commands.find(self._ada, self._claim.task_id).lease_until

    def renews(self) -> bool:
        """Whether the lease is renewed within the next two beats."""
        before = self.lease()
        with suppress(AssertionError):
            eventually(lambda: self.lease() != before, 0.4)
        return self.lease() != before

    def raises(self, kind: type[Exception]) -> bool:
        """Whether the next check raises this."""
        try:
            self.check()
        except kind:
            return True
        return False


@pytest.fixture
def made(ada: Actor, claim: Claim, log: TaskLogger, hand: Hand) -> Beating:
    return Beating(ada, claim, log, hand)


@pytest.fixture
def beating(made: Beating) -> Iterator[Beating]:
    with made:
        yield made


def test_the_lease_is_renewed_at_every_third_of_it_also_for_a_thread_that_is_slow_but_alive(beating: Beating) -> None:
    beating.later(9.9)
    assert not beating.renews()
    for seconds in (10,) * 5 + (25,) * 3:  # 75 s in the end, of which none is longer than HUNG_SECONDS
        before = beating.lease()
        beating.later(seconds)
        eventually(lambda before=before: beating.lease() != before)
        beating.check()


def test_a_renewal_whose_answer_got_lost_is_asked_again(beating: Beating, monkeypatch: Patch) -> None:
    renew, made = claims.renew, []
    monkeypatch.setattr(claims, "renew", lambda *how: made.append(renew(*how)))
    lost = lose_answer(monkeypatch, "renew")
    beating.later(10)
    eventually(lambda: (len(lost), len(made)) == (1, 2))
    beating.check()


def test_a_whole_lease_without_contact_ends_the_work_and_no_second_less(beating: Beating, lock: Lock) -> None:
    lock()
    beating.later(29.9)
    assert not beating.renews()
    beating.check()
    beating.later(0.1)
    assert beating.raises(OutOfContact) and not beating.renews()


def test_a_lease_counts_from_before_the_question_for_it(made: Beating, hand: Hand, monkeypatch: Patch) -> None:
    asked: list[float] = []
    renew = claims.renew

    def slowly(claim: Claim, lease: float) -> None:
        if asked:
            away()
        asked.append(hand.time)
        renew(claim, lease)
        hand.time += 5

    monkeypatch.setattr(claims, "renew", slowly)
    with made as beating:
        beating.later(11)
        eventually(lambda: asked and hand.time > asked[0])
        hand.time = asked[0] + 29.9
        eventually(lambda: not beating.raises(OutOfContact), 2)
        beating.later(0.1)
        assert beating.raises(OutOfContact)


def test_contact_that_comes_back_in_time_keeps_the_task(beating: Beating, lock: Lock) -> None:
    release, before = lock(), beating.lease()
    beating.later(25)
    time.sleep(0.2)
    release()
    eventually(lambda: beating.lease() != before)
    beating.later(25)
    beating.check()


def test_people_who_use_up_their_connections_take_no_lease_away(beating: Beating) -> None:
    def renewed() -> bool:
        with acting_as_system(reading=True) as session:
            return session.scalars(select(Task.lease_until)).one() != before

    before = beating.lease()
    with ExitStack() as stack:
        take_every_connection(stack)
        beating.later(11)
        eventually(renewed)


def test_the_log_is_written_while_the_worker_says_no_more(beating: Beating, log: TaskLogger, stored: Stored) -> None:
    log.info("said"), log.progress(30)
    beating.later(1)
    eventually(lambda: messages(stored()) == ["said"])
    for number in range(200):
        log.info(str(number))
    eventually(lambda: len(stored()) == 201)


def test_lost_answers_and_a_lock_lose_no_line_and_say_none_twice(
    beating: Beating, log: TaskLogger, lock: Lock, stored: Stored, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(task_logger, "LARGEST_BATCH", 100)
    lost, release = lose_answer(monkeypatch, "record", 3), lock()
    for number in range(600):
        log.info(str(number))

    def all_stored() -> bool:
        beating.later(0.01)
        return len(stored()) >= 600

    time.sleep(0.2)
    release()
    eventually(all_stored)
    assert messages(stored()) == [str(number) for number in range(600)]
    assert (no_gap(stored()), lost) == (True, ["record"] * 3)


@pytest.mark.parametrize(("late", "counted"), [(2, 2), (-3, 0), (60, heartbeat.LATEST_SECONDS)])
def test_the_owners_stop_is_known_with_its_time_as_far_as_no_jump_of_the_time_moved_it(
    late: float, counted: float, made: Beating, hand: Hand, ada: Actor, monkeypatch: Patch
) -> None:
    asked = engine.now()
    monkeypatch.setattr(engine, "now", lambda: asked)
    commands.cancel(ada, made._claim.task_id)
    monkeypatch.setattr(engine, "now", lambda: asked + timedelta(seconds=late))
    with made as beating:
        eventually(lambda: beating.raises(StopRequested))
    with pytest.raises(StopRequested) as caught:
        made.check()
    assert caught.value.at == hand.time - counted


def test_an_extension_is_known(beating: Beating, claim: Claim) -> None:
    assert beating.extension == 0
    with unguarded() as session:
        session.execute(update(Task).where(Task.id == claim.task_id).values(extension=90.0))
    beating.later(CONTROL_SECONDS)
    eventually(lambda: beating.extension == 90)
    beating.check()


@pytest.mark.parametrize("how", ["deleted", "ended"])
def test_a_claim_that_is_gone_is_noticed_without_a_write(how: str, beating: Beating, claim: Claim, ada: Actor) -> None:
    if how == "deleted":
        commands.delete_one(ada, claim.task_id)
    else:
        claims.finish(claim, EndReason.FAILED, "Somebody else ended it.")
    beating.later(CONTROL_SECONDS)
    eventually(lambda: beating.raises(ClaimLost))


def test_a_thread_without_a_sign_of_life_is_not_renewed(ada: Actor, claim: Claim, log: TaskLogger, hand: Hand) -> None:
    with Beating(ada, claim, log, hand, 300) as beating:
        before = beating.lease()
        beating.later(101)  # a third of its lease, and longer than HUNG_SECONDS
        assert not beating.renews()
        beating.check()
        eventually(lambda: beating.lease() != before)


def test_what_breaks_the_heartbeat_is_told_to_the_thread_that_works(beating: Beating, monkeypatch: Patch) -> None:
    def fail(_: Claim) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(claims, "read_control", fail)
    beating.later(CONTROL_SECONDS)
    eventually(lambda: beating.raises(ZeroDivisionError))


@pytest.mark.parametrize("what", ["the work is done", "the work is done while nobody can write", "the work broke"])
def test_it_ends_at_once_with_the_work_and_its_thread(what: str, made: Beating, lock: Lock, monkeypatch: Patch) -> None:
    monkeypatch.setattr(heartbeat, "RETRY_SECONDS", 30)
    before = threading.active_count()
    with suppress(ZeroDivisionError), made:
        if what == "the work is done while nobody can write":
            lock()
            before += 1  # which holds the lock
            made.later(11)
            time.sleep(0.3)
        begun = time.monotonic()
        if what == "the work broke":
            raise ZeroDivisionError
    assert time.monotonic() - begun < 10, "it would wait half a minute"
    assert threading.active_count() == before

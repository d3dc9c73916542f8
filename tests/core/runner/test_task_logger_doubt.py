"""Nobody knows whether a write arrived, because the database did not answer: nothing is lost, nothing said twice."""

from contextlib import suppress

import pytest

from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims, task_logger
from core.runner.claims import Claim
from core.runner.task_logger import TaskLogger
from core.tasks import commands
from tests.core.living import Patch, Stored, away, lose_answer, messages, no_gap


def fails(log: TaskLogger) -> bool:
    """Whether a flush gets no answer."""
    with pytest.raises(engine.Unavailable):
        log.flush()
    return True


def test_a_batch_whose_answer_got_lost_is_not_sent_again(log: TaskLogger, stored: Stored, monkeypatch: Patch) -> None:
    lost = lose_answer(monkeypatch, "record")
    log.info("one"), log.info("two")
    assert fails(log)
    log.info("three")
    log.flush()
    assert (lost, messages(stored()), no_gap(stored())) == (["record"], ["one", "two", "three"], True)


def test_a_batch_that_did_not_arrive_is_sent_again_first(log: TaskLogger, stored: Stored, monkeypatch: Patch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(claims, "record", away)
        log.info("one"), log.progress(20)
        assert fails(log) and fails(log)
    log.info("two")
    log.flush(), log.flush()
    assert (messages(stored()), no_gap(stored())) == (["one", "two"], True)


def test_a_doubt_that_cannot_be_resolved_yet_stays_one(log: TaskLogger, stored: Stored, monkeypatch: Patch) -> None:
    lose_answer(monkeypatch, "record")
    log.info("one")
    assert fails(log)
    with monkeypatch.context() as patch:
        patch.setattr(claims, "recorded", away)
        for ask in (log.flush, log.rest):
            with pytest.raises(engine.Unavailable):
                ask()
    assert (log.rest(), messages(stored())) == ([], ["one"])


def test_the_rest_leaves_out_what_arrived_without_an_answer_and_holds_what_did_not(
    log: TaskLogger, claim: Claim, stored: Stored, monkeypatch: Patch
) -> None:
    lose_answer(monkeypatch, "record")
    log.info("arrived")
    assert fails(log)
    log.info("later")
    assert [entry.message for entry in log.rest()] == ["later"]
    monkeypatch.setattr(claims, "record", away)
    assert fails(log)
    assert [entry.message for entry in log.rest()] == ["later"]
    claims.finish(claim, EndReason.COMPLETED, None, log.rest())
    assert (messages(stored()), no_gap(stored())) == (["arrived", "later"], True)


def test_two_equal_lines_are_both_kept_also_in_doubt(log: TaskLogger, stored: Stored, monkeypatch: Patch) -> None:
    for lost in (1, 0, 1):
        with monkeypatch.context() as patch:
            lose_answer(patch, "record", lost)
            log.info("the same")
            with suppress(engine.Unavailable):
                log.flush()
    log.flush()
    assert messages(stored()) == ["the same"] * 3


def test_a_progress_whose_answer_got_lost_is_written_once_more_and_what_arrived_takes_no_room(
    log: TaskLogger, ada: Actor, claim: Claim, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(task_logger, "FULL", 1_000)
    lose_answer(monkeypatch, "record")
    log.progress(40), log.info("x" * 1_000)
    assert fails(log) and log.full
    log.progress(50)
    log.flush()
    assert (commands.find(ada, claim.task_id).progress, log.reached, log.full) == (50, 50, False)

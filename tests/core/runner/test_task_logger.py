import threading

import pytest

from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor
from core.errors import ClaimLost
from core.log_text import LogType
from core.runner import claims, task_logger
from core.runner.claims import Claim
from core.runner.task_logger import TaskLogger
from core.tasks import commands
from tests.core.living import Hand, Patch, Stored, away, messages, no_gap


def test_a_batch_is_written_after_two_hundred_milliseconds(log: TaskLogger, hand: Hand, stored: Stored) -> None:
    log.info("one")
    hand.time += 0.199
    log.beat()
    assert stored() == []
    hand.time += 0.002
    log.error("two")
    log.beat()
    assert [(entry.type, entry.message) for entry in stored()] == [("info", "one"), ("error", "two")]
    log.command("three")
    log.beat()
    assert len(stored()) == 2  # the time counts anew


def test_a_batch_is_ready_and_written_at_two_hundred_entries_whatever_the_time(log: TaskLogger, stored: Stored) -> None:
    for number in range(199):
        log.info(str(number))
    log.beat()
    assert (stored(), log.batch_ready.is_set()) == ([], False)
    log.success("the 200th")
    assert log.batch_ready.is_set()
    log.beat()
    assert [entry.seq for entry in stored()] == list(range(3, 203))


def test_a_beat_with_nothing_to_say_touches_no_task(log: TaskLogger, hand: Hand, ada: Actor, claim: Claim) -> None:
    before = commands.find(ada, claim.task_id).updated_at
    hand.time += 5
    log.beat()
    assert commands.find(ada, claim.task_id).updated_at == before
    log.flush()
    assert commands.find(ada, claim.task_id).updated_at == before
    log.progress(10)
    log.flush()
    assert commands.find(ada, claim.task_id).updated_at > before


def test_progress_and_branch_are_written_below_a_hundred(log: TaskLogger, hand: Hand, ada: Actor, claim: Claim) -> None:
    log.branch = "task/1-fix"
    seen = []
    for percent in (30, 10, 100, 250):
        log.progress(percent)
        hand.time += 1
        log.beat()
        seen.append(commands.find(ada, claim.task_id).progress)
    assert (seen, commands.find(ada, claim.task_id).branch_name) == ([30, 30, 99, 99], "task/1-fix")


@pytest.mark.parametrize(("printed", "left_out"), [(8, 0), (9, 0), (10, 0), (11, 1), (5_000, 4_990)])
def test_of_a_flood_the_head_and_the_tail_are_kept_and_the_rest_is_counted(
    printed: int, left_out: int, log: TaskLogger, stored: Stored
) -> None:
    for number in range(printed):
        log.output(LogType.INFO, f"line {number}")
        log.beat()
    log.end_of_output()
    log.flush()
    lines = [f"line {number}" for number in range(printed)]
    marker = f"{left_out:,} lines of output were left out here; the last 2 follow, with their times."
    assert messages(stored()) == lines[:8] + [marker] * (left_out > 0) + lines[8:][-2:]


def test_taskdecks_own_entries_survive_a_flood(log: TaskLogger, stored: Stored) -> None:
    for number in range(300):
        log.output(LogType.INFO, f"line {number}")
        if number % 100 == 50:
            log.info(f"{number} s of work")
    log.error("the end")
    log.end_of_output()
    log.flush()
    own = [message for message in messages(stored()) if not message.startswith("line")]
    marker = "290 lines of output were left out here; the last 2 follow, with their times."
    assert own == ["50 s of work", "150 s of work", "250 s of work", "the end", marker]


def test_what_is_not_written_yet_goes_with_the_finish_once(log: TaskLogger, claim: Claim, stored: Stored) -> None:
    log.info("written before")
    log.flush()
    for number in range(12):
        log.output(LogType.INFO, f"line {number}")
    log.success("Completed.")
    log.rest()  # an attempt that failed
    claims.finish(claim, EndReason.COMPLETED, None, log.rest())
    begin, marker = ["written before", *(f"line {number}" for number in range(8)), "Completed."], messages(stored())[10]
    assert marker == "2 lines of output were left out here; the last 2 follow, with their times."
    assert messages(stored()) == [*begin, marker, "line 10", "line 11"]


def test_secrets_and_escapes_never_reach_the_database_nor_by_a_flood(log: TaskLogger, stored: Stored) -> None:
    log.info("the password is sword\x1b[0Kfish")
    log.output(LogType.ERROR, "\x1b]0;title\x07token=abcdefgh \x1b[31mred\x1b[0m\0")
    log.hide("orange-73")
    for line in ("a line",) * 20 + ("sword\x1b[0Kfish and orange-73", "x" * 9_000):
        log.output(LogType.INFO, line)
    log.end_of_output()
    log.flush()
    first, second, *_, hidden, cut = messages(stored())
    assert (first, second) == ("the password is [hidden]", "token=[hidden] \x1b[31mred\x1b[0m\ufffd")
    assert hidden == "[hidden] and [hidden]"
    assert cut.endswith("x … (9,000 characters, cut)") and len(cut) == 8_000


def test_a_task_that_is_gone_stops_its_logger(log: TaskLogger, hand: Hand, ada: Actor, claim: Claim) -> None:
    commands.delete_one(ada, claim.task_id)
    log.info("late")
    hand.time += 1
    with pytest.raises(ClaimLost):
        log.beat()
    with pytest.raises(ClaimLost):
        log.flush()


def test_it_is_full_until_what_waits_is_written(log: TaskLogger, stored: Stored, monkeypatch: Patch) -> None:
    monkeypatch.setattr(task_logger, "FULL", 5_000)
    for _ in range(1_000):
        log.output(LogType.INFO, "a line")
    assert not log.full
    with monkeypatch.context() as patch:
        patch.setattr(claims, "record", away)
        log.info("y" * 5_000)
        assert log.full
        with pytest.raises(engine.Unavailable):
            log.flush()
        assert log.full
    log.flush()
    assert not log.full
    assert messages(stored())[-1] == "y" * 5_000


def test_one_thread_may_say_while_another_writes(claim: Claim, stored: Stored) -> None:
    log, said = TaskLogger(claim, lines=100_000), threading.Event()

    def write() -> None:
        while not said.is_set():
            log.flush()

    writer = threading.Thread(target=write)
    writer.start()
    for number in range(2_000):
        log.output(LogType.INFO, f"line {number}")
    said.set()
    writer.join()
    while log._size:
        log.flush()
    assert messages(stored()) == [f"line {number}" for number in range(2_000)]
    assert no_gap(stored())


def test_a_beat_writes_a_batch_and_asks_again(log: TaskLogger, hand: Hand, stored: Stored, monkeypatch: Patch) -> None:
    monkeypatch.setattr(task_logger, "LARGEST_BATCH", 300)
    for number in range(700):
        log.info(str(number))
    for written, batch_ready in ((300, True), (600, False), (700, False)):
        log.batch_ready.clear()
        hand.time += 1
        log.beat()
        assert (len(stored()), log.batch_ready.is_set()) == (written, batch_ready)

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from core.database import engine
from core.database.models import Artifact, EndReason, Task, TaskLog, TaskStatus
from core.database.ownership import Actor
from core.errors import ClaimLost
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Claim, Entry
from core.sandbox.output import StoredArtifact
from core.tasks import commands, listing, logs
from tests.core.living import claimed
from tests.support.databases import unguarded
from tests.support.waiting import eventually

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(message: str) -> Entry:
    return Entry(LogType.INFO, message, engine.now())


def everything() -> list[object]:
    """All rows that a runner writes."""
    with unguarded() as session:
        return [row for model in (Task, TaskLog, Artifact) for row in session.execute(select(model.__table__)).all()]


def test_four_runners_claim_a_hundred_tasks_each_exactly_once(ada: Actor, bob: Actor) -> None:
    created = [commands.create(actor, prompt="x").id for _ in range(50) for actor in (ada, bob)]

    def take(runner: str) -> list[int]:
        taken: list[int] = []
        while True:
            with suppress(engine.Unavailable):  # its turn did not come within WAIT_SECONDS: it asks again
                claim = claims.claim(runner, 30)
                if claim is None:
                    return taken
                taken.append(claim.task_id)

    with ThreadPoolExecutor(4) as pool:
        shares = list(pool.map(take, "abcd"))
    assert sorted(task_id for share in shares for task_id in share) == created
    assert all(share == sorted(share) for share in shares)


def test_the_oldest_task_goes_first_and_of_one_instant_the_first_made(ada: Actor) -> None:
    made = [commands.create(ada, prompt="x").id for _ in range(4)]
    with unguarded() as session:
        session.execute(update(Task).values(created_at=NOON))
        session.execute(update(Task).where(Task.id == made[2]).values(created_at=NOON - timedelta(days=1)))
    order = [claim.task_id for _ in made if (claim := claims.claim("runner", 30))]
    assert (order, claims.claim("runner", 30)) == ([made[2], made[0], made[1], made[3]], None)


@pytest.mark.parametrize(("waits", "said"), [(2.5, "2.5"), (-600, "0.0")], ids=["a wait", "a clock set back"])
def test_a_claim_starts_the_task_and_says_how_long_it_waited(waits: float, said: str, ada: Actor) -> None:
    task = commands.create(ada, prompt="hello", repo_url="https://git.example.org/x", agent="data-processor")
    started = task.created_at + timedelta(seconds=waits)
    claim = claims.claim("me", 30, now=started)
    assert claim == Claim(task.id, ada.id, "me", 1, "hello", "https://git.example.org/x", "data-processor", None)
    now = commands.find(ada, task.id)
    assert (now.status, now.started_at, now.updated_at, now.attempt) == (TaskStatus.PROCESSING, started, started, 1)
    assert (now.claimed_by, now.lease_until) == ("me", started + timedelta(seconds=30))
    assert [line.message for line in logs.after(ada, task.id, 1)] == [f"Started after waiting {said} s."]


LOST: dict[str, Callable[[Claim, Actor], object]] = {
    "deleted": lambda claim, owner: commands.delete_one(owner, claim.task_id),
    "expired": lambda claim, _: claims.expire(now=engine.now() + timedelta(days=1)),
    "finished": lambda claim, _: claims.finish(claim, EndReason.FAILED, "It failed."),
    "completed": lambda claim, _: claims.finish(claim, EndReason.COMPLETED),
    "taken by another runner": lambda claim, _: change(claim, claimed_by="other"),
    "in its next attempt": lambda claim, _: change(claim, attempt=2),
    "pending again": lambda claim, _: change(claim, status=TaskStatus.PENDING),
}


def change(claim: Claim, **values: object) -> None:
    with unguarded() as session:
        session.execute(update(Task).where(Task.id == claim.task_id).values(**values))


@pytest.mark.parametrize("how", LOST)
def test_a_runner_that_lost_its_claim_writes_nothing(how: str, ada: Actor) -> None:
    claim = claimed(ada)
    LOST[how](claim, ada)
    before = everything()
    with pytest.raises(ClaimLost):
        claims.record(claim, [entry("late")], 90)
    for reason in EndReason:
        with pytest.raises(ClaimLost):
            claims.finish(claim, reason, "late", [entry("late")], [StoredArtifact("f", 1, "0" * 64, "text/plain")])
    for ask in (lambda: claims.renew(claim, 30), lambda: claims.read_control(claim), lambda: claims.release(claim)):
        with pytest.raises(ClaimLost):
            ask()
    assert everything() == before


def test_numbers_have_no_gap_when_a_runner_writes_while_its_lease_is_ended(ada: Actor) -> None:
    held = [claimed(ada) for _ in range(5)]
    begin, wrote = threading.Barrier(6), dict.fromkeys(range(5), 0)

    def write(number: int) -> None:
        begin.wait(5)
        with pytest.raises(ClaimLost):
            while True:
                with suppress(engine.Unavailable):  # its turn did not come within WAIT_SECONDS: nothing is written
                    claims.record(held[number], [entry("a"), entry("b"), entry("c")])
                    wrote[number] += 3

    writers = [threading.Thread(target=write, args=[number]) for number in range(5)]
    for writer in writers:
        writer.start()
    begin.wait(5)
    eventually(lambda: sum(wrote.values()) >= 30, 60)
    claims.expire(now=engine.now() + timedelta(days=1))
    for writer in writers:
        writer.join(30)
    for number, claim in enumerate(held):
        seqs = [line.seq for line in logs.after(ada, claim.task_id)]
        # accepted, started, what was written, interrupted
        assert (seqs, commands.find(ada, claim.task_id).log_count) == (list(range(1, wrote[number] + 4)), seqs[-1])


def test_progress_never_falls_and_a_branch_once_named_stays(ada: Actor) -> None:
    claim, seen = claimed(ada), []
    for percent, branch in ((10, None), (30, "task/1-fix"), (20, None), (0, None), (31, None), (0, None)):
        claims.record(claim, [], percent, branch)
        seen.append(commands.find(ada, claim.task_id).progress)
    assert seen == [10, 30, 30, 30, 31, 31]
    claims.finish(claim, EndReason.FAILED, "Why.")
    assert commands.find(ada, claim.task_id).branch_name == "task/1-fix"


@pytest.mark.parametrize("reason", EndReason)
def test_completed_means_a_hundred_percent_and_any_other_end_leaves_the_progress(reason: EndReason, ada: Actor) -> None:
    claim = claimed(ada)
    claims.record(claim, [entry("at work")], 42)
    completed = reason is EndReason.COMPLETED
    claims.finish(claim, reason, None if completed else "Why.", [entry("over")], branch="task/2-late")
    task = commands.find(ada, claim.task_id)
    assert task.status is (TaskStatus.COMPLETED if completed else TaskStatus.ERROR)
    assert (task.end_reason, task.progress, task.error) == (reason, *((100, None) if completed else (42, "Why.")))
    assert (task.finished_at, task.lease_until, task.branch_name) == (task.updated_at, None, "task/2-late")
    assert [line.message for line in logs.after(ada, task.id, 2)] == ["at work", "over"]


def test_artifacts_are_stored_with_the_end_or_not_at_all(ada: Actor) -> None:
    claim, kept = claimed(ada), StoredArtifact("report.md", 5, "0" * 64, "text/markdown")
    before = everything()
    with pytest.raises(Exception, match=r"(?i)unique"):
        claims.finish(claim, EndReason.COMPLETED, None, [entry("over")], [kept, kept])
    assert everything() == before
    claims.finish(claim, EndReason.COMPLETED, None, [entry("over")], [kept])
    assert commands.find(ada, claim.task_id).sandbox_url == f"/api/tasks/{claim.task_id}/artifacts/"


def test_only_a_lease_that_has_passed_is_ended_once_with_an_entry_and_the_old_log(ada: Actor) -> None:
    first, second = (claimed(ada, lease=lease, now=NOON) for lease in (10, 20))
    commands.create(ada, prompt="pending")
    claims.record(first, [entry("done so far")], 30)
    assert claims.expire(now=NOON + timedelta(seconds=10)) == []
    assert claims.expire(now=NOON + timedelta(seconds=10, microseconds=1)) == [first.task_id]
    assert claims.expire(now=NOON + timedelta(seconds=11)) == []
    task = commands.find(ada, first.task_id)
    assert (task.status, task.end_reason, task.progress) == (TaskStatus.ERROR, EndReason.INTERRUPTED, 30)
    *_, earlier, last = logs.after(ada, first.task_id)
    assert (earlier.message, last.type, last.message) == ("done so far", LogType.ERROR, task.error)
    claims.renew(second, 20, now=NOON)
    assert listing.counts(ada)[TaskStatus.PENDING] == 1


def test_a_lease_is_renewed_for_the_one_claim_alone(ada: Actor) -> None:
    mine, unnamed, theirs = (claimed(ada, lease=10, now=NOON) for _ in range(3))
    change(theirs, claimed_by="other")
    claims.renew(mine, 10, now=NOON + timedelta(seconds=5))
    assert claims.expire(now=NOON + timedelta(seconds=12)) == [unnamed.task_id, theirs.task_id]
    claims.read_control(mine)
    assert claims.expire(now=NOON + timedelta(seconds=16)) == [mine.task_id]


def test_a_lease_from_before_the_clock_was_set_back_is_ended_too(ada: Actor) -> None:
    held, kept = (claimed(ada, lease=30, now=NOON) for _ in range(2))
    earlier = NOON - timedelta(minutes=10)
    claims.renew(kept, claims.LONGEST_LEASE, now=earlier)
    assert claims.expire(now=earlier) == [held.task_id]
    task = commands.find(ada, held.task_id)
    assert (task.end_reason, task.error) == (EndReason.INTERRUPTED, claims.RUNNER_GONE)
    claims.read_control(kept)


def test_a_runner_sees_what_its_owner_wants(ada: Actor, bob: Actor) -> None:
    claim, other = claimed(ada), claimed(bob)
    assert claims.read_control(claim) == claims.Control(None, 0)
    change(claim, extension=90.5)
    asked = commands.cancel(ada, claim.task_id).cancel_requested_at
    assert claims.read_control(claim) == claims.Control(asked, 90.5)
    assert claims.read_control(other) == claims.Control(None, 0)


def test_an_entry_is_known_to_be_stored_by_all_that_it_holds_and_by_its_place(ada: Actor) -> None:
    claim, other = claimed(ada), claimed(ada)
    said = entry("said")
    assert not claims.recorded(claim, said, 0)
    seq = claims.record(claim, [entry("before"), said])
    assert claims.record(claim, [], 50) == seq == logs.after(ada, claim.task_id)[-1].seq == 4
    assert claims.recorded(claim, said, seq - 1) and not claims.recorded(claim, said, seq)
    assert not claims.recorded(other, said, 0)
    for changed in ({"message": "sad"}, {"type": LogType.ERROR}, {"timestamp": said.timestamp + timedelta(0, 0, 1)}):
        assert not claims.recorded(claim, replace(said, **changed), 0)


def test_a_finish_may_be_repeated_and_only_the_same_one(ada: Actor) -> None:
    claim, kept = claimed(ada), StoredArtifact("report.md", 5, "0" * 64, "text/markdown")
    end = partial(claims.finish, claim, EndReason.COMPLETED, None, [entry("over")], [kept])
    end(now=NOON)
    before = everything()
    end(now=NOON)
    assert everything() == before
    with pytest.raises(ClaimLost):
        end(now=NOON + timedelta(microseconds=1))
    with pytest.raises(ClaimLost):
        claims.finish(claim, EndReason.FAILED, "late", [entry("late")], now=NOON)
    with pytest.raises(ClaimLost):
        claims.finish(replace(claim, attempt=2), EndReason.COMPLETED, now=NOON)
    assert everything() == before

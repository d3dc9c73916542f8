"""What is counted, by its change: the counters are of the whole process."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY, generate_latest

from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor
from core.errors import ClaimLost, Conflict
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from core.tasks import commands
from tests.core.living import Life, claimed, ended

Change = Callable[..., float]


@pytest.fixture
def change() -> Iterator[Change]:
    """By how much a sample changed since the test began."""

    def value(name: str, labels: dict[str, str]) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }
    yield lambda name, **labels: value(name, labels) - before.get((name, tuple(sorted(labels.items()))), 0.0)


def entry(message: str) -> Entry:
    return Entry(LogType.INFO, message, engine.now())


@pytest.mark.parametrize("reason", EndReason)
def test_each_end_is_counted_once_under_its_reason(reason: EndReason, ada: Actor, bob: Actor, change: Change) -> None:
    ended(ada, reason), ended(bob, reason)
    counted = {each: change("taskdeck_tasks_ended_total", end_reason=each) for each in EndReason}
    assert counted == dict.fromkeys(EndReason, 0) | {reason: 2}
    assert change("taskdeck_task_duration_seconds_count") == 2


def test_entries_count_when_they_are_stored_and_a_finish_that_is_repeated_or_comes_too_late_does_not(
    ada: Actor, change: Change
) -> None:
    claim, now = claimed(ada), engine.now()
    claims.record(claim, [entry("a"), entry("b")])
    claims.record(claim, [], 50)
    for _ in range(3):
        claims.finish(claim, EndReason.COMPLETED, None, [entry("over")], now=now)
    with pytest.raises(ClaimLost):
        claims.finish(claim, EndReason.FAILED, "late", [entry("late")])
    with pytest.raises(ClaimLost):
        claims.record(claim, [entry("late")])
    assert change("taskdeck_tasks_ended_total", end_reason="completed") == 1
    assert change("taskdeck_tasks_ended_total", end_reason="failed") == 0
    assert change("taskdeck_log_entries_total") == 3


def test_the_wait_is_up_to_the_claim_and_the_duration_the_rest(ada: Actor, run_task: Life, change: Change) -> None:
    task = commands.create(ada, prompt="x")
    begun = task.created_at + timedelta(seconds=7)
    claim = claims.claim("runner", 30, now=begun)
    assert claim and claims.claim("runner", 30) is None
    claims.finish(claim, EndReason.COMPLETED, now=begun + timedelta(seconds=20))
    for name, seconds in (("wait", 7), ("duration", 20)):
        assert change(f"taskdeck_task_{name}_seconds_count") == 1
        assert change(f"taskdeck_task_{name}_seconds_sum") == pytest.approx(seconds)
    assert change("taskdeck_task_duration_seconds_bucket", le="15.0") == 0
    assert change("taskdeck_task_duration_seconds_bucket", le="30.0") == 1
    task = run_task.script("print('done')")  # a whole life
    assert change("taskdeck_tasks_ended_total", end_reason="completed") == 2
    assert change("taskdeck_task_wait_seconds_count") == change("taskdeck_task_duration_seconds_count") == 2
    assert change("taskdeck_log_entries_total") == task.log_count - 2  # all but those of acceptance and start


def test_an_expired_lease_counts_as_an_interruption(ada: Actor, change: Change) -> None:
    begun = engine.now()
    for _ in range(2):
        claimed(ada, now=begun)
    claims.expire(now=begun + timedelta(seconds=31))
    claims.expire(now=begun + timedelta(seconds=31))
    assert change("taskdeck_tasks_ended_total", end_reason="interrupted") == 2
    assert change("taskdeck_task_duration_seconds_sum") == pytest.approx(62)


def test_a_task_that_is_stopped_is_counted_once_at_its_end(ada: Actor, change: Change) -> None:
    claim, waiting = claimed(ada), commands.create(ada, prompt="x")
    commands.cancel(ada, waiting.id)
    with pytest.raises(Conflict):
        commands.cancel(ada, waiting.id)
    commands.cancel(ada, claim.task_id), commands.cancel(ada, claim.task_id)
    assert change("taskdeck_tasks_ended_total", end_reason="cancelled") == 1
    assert change("taskdeck_task_duration_seconds_count") == 0, "of one that never began"
    claims.finish(claim, EndReason.CANCELLED, "Stopped.")
    assert change("taskdeck_tasks_ended_total", end_reason="cancelled") == 2


def test_they_are_shown_as_prometheus_wants_them() -> None:
    lines = generate_latest().decode().splitlines()
    shown = {line.split()[2] for line in lines if line.startswith("# TYPE taskdeck_")}
    assert shown >= {"taskdeck_tasks_ended_total", "taskdeck_log_entries_total", "taskdeck_tasks_pending"}
    buckets = [float(line.split('"')[1]) for line in lines if line.startswith("taskdeck_task_wait_seconds_bucket")]
    assert all(before < after for before, after in pairwise(buckets))
    assert 300 in buckets

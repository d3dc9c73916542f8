"""Whose lease has really run out, when the time jumps or the database was away; on clocks that the test moves."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from core.config import Settings
from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims
from core.runner.chores.expiry import EXPIRY_SECONDS, JUMP_SECONDS, Expiry
from core.runner.claims import Claim
from core.tasks import commands
from tests.core.living import Hand, claimed

LEASE = 30.0


class Clocks:
    """The monotonic clock and the time of day, which go on together, unless the time jumps."""

    def __init__(self) -> None:
        self.hand = Hand()
        self.time = datetime(2026, 1, 1, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def pass_by(self, seconds: float) -> None:
        self.hand.time += seconds
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def expiry(clocks: Clocks) -> Expiry:
    return Expiry(Settings(lease=LEASE), threading.Event(), clocks.hand, clocks.now)


@pytest.fixture
def judged(expiry: Expiry, clocks: Clocks, ada: Actor) -> Callable[..., float | None]:
    """How many seconds of sweeps until this claim was ended as interrupted; None when it never was.

    Claims that are ``alive`` are renewed as their runners would.
    """

    def sweep(claim: Claim, *alive: Claim, seconds: float = 3 * LEASE) -> float | None:
        passed = 0.0
        while passed <= seconds:
            for each in alive:
                claims.renew(each, LEASE, now=clocks.time)
            expiry.run_once()
            if commands.find(ada, claim.task_id).end_reason is EndReason.INTERRUPTED:
                return passed
            clocks.pass_by(expiry.interval)
            passed += expiry.interval
        return None

    return sweep


def test_it_is_due_several_times_within_a_lease(clocks: Clocks) -> None:
    due = [Expiry(Settings(lease=lease), threading.Event(), clocks.hand, clocks.now).interval for lease in (1.5, 30)]
    assert due == [0.5, EXPIRY_SECONDS]


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_jump_of_the_time_interrupts_nothing_that_lives_and_spares_nothing_that_is_dead(
    minutes: int,
    expiry: Expiry,
    clocks: Clocks,
    judged: Callable[..., float | None],
    ada: Actor,
    caplog: pytest.LogCaptureFixture,
) -> None:
    dead, living = (claimed(ada, lease=LEASE, now=clocks.time) for _ in range(2))
    expiry.run_once()
    clocks.time += timedelta(minutes=minutes)
    expiry.run_once()
    took = judged(dead, living)
    assert took is not None and LEASE <= took <= LEASE + 2 * expiry.interval, "every runner could renew first"
    assert commands.find(ada, living.task_id).end_reason is None
    assert f"the time jumped by {minutes * 60}.0 s" in caplog.messages


def test_time_that_is_slewed_is_no_jump(expiry: Expiry, clocks: Clocks, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(4):
        expiry.run_once()
        clocks.pass_by(2)
        clocks.time += timedelta(seconds=JUMP_SECONDS * 0.9)
    assert caplog.messages == []


def test_a_jump_in_the_middle_of_a_sweep_interrupts_nothing_that_lives(
    expiry: Expiry, clocks: Clocks, judged: Callable[..., float | None], ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = claimed(ada, lease=LEASE, now=clocks.time)
    expire = claims.expire

    def jump_first(**more: object) -> list[int]:
        clocks.time += timedelta(minutes=10)
        return expire(**more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(claims, "expire", jump_first)
        expiry.run_once()
    expiry.run_once()
    assert commands.find(ada, claim.task_id).end_reason is None
    assert judged(claim, claim) is None


def test_after_an_outage_no_lease_is_judged_before_it_could_be_renewed(
    expiry: Expiry, clocks: Clocks, judged: Callable[..., float | None], ada: Actor
) -> None:
    claim = claimed(ada, lease=LEASE, now=clocks.time)
    expiry.run_once()
    clocks.pass_by(LEASE + 1)
    expiry.after_outage()
    assert judged(claim, seconds=LEASE - expiry.interval) is None
    assert judged(claim, claim, seconds=LEASE) is None
    assert judged(claim) == LEASE

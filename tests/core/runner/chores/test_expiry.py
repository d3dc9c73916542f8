"""Whose lease has really run out, when the time jumps or the database was away; on clocks that the test moves."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from core.config import Settings
from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner import claims
from core.runner.chores.expiry import EXPIRY_SECONDS, JUMP_SECONDS, Expiry
from core.runner.claims import Claim
from core.tasks import commands
from tests.core.living import Hand, Patch, claimed

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


class Sweeps(Expiry):
    """The chore on such clocks, for Ada's tasks."""

    def __init__(self, ada: Actor) -> None:
        self.ada, self.clocks = ada, Clocks()
        super().__init__(Settings(lease=LEASE), threading.Event(), self.clocks.hand, self.clocks.now)

    def claimed(self) -> Claim:
        return claimed(self.ada, lease=LEASE, now=self.clocks.time)

    def judged(self, claim: Claim, *alive: Claim, seconds: float = 3 * LEASE) -> float | None:
        """How many seconds of sweeps until this claim was ended as interrupted; None when it never was.

        Claims that are ``alive`` are renewed as their runners would.
        """
        for sweep in range(int(seconds / self.interval) + 1):
            for each in alive:
                claims.renew(each, LEASE, now=self.clocks.time)
            self.run_once()
            if commands.find(self.ada, claim.task_id).end_reason is EndReason.INTERRUPTED:
                return sweep * self.interval
            self.clocks.pass_by(self.interval)
        return None


@pytest.fixture
def sweeps(ada: Actor) -> Sweeps:
    return Sweeps(ada)


def test_it_is_due_several_times_within_a_lease(sweeps: Sweeps) -> None:
    assert sweeps.interval == EXPIRY_SECONDS
    sweeps._settings = Settings(lease=1.5)
    assert sweeps.interval == 0.5


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_jump_of_the_time_interrupts_nothing_that_lives_and_spares_nothing_that_is_dead(
    minutes: int, sweeps: Sweeps, caplog: pytest.LogCaptureFixture
) -> None:
    dead, living = sweeps.claimed(), sweeps.claimed()
    sweeps.run_once()
    sweeps.clocks.time += timedelta(minutes=minutes)
    sweeps.run_once()
    took = sweeps.judged(dead, living)
    assert took is not None and LEASE <= took <= LEASE + 2 * sweeps.interval, "every runner could renew first"
    assert commands.find(sweeps.ada, living.task_id).end_reason is None
    assert f"the time jumped by {minutes * 60}.0 s" in caplog.messages


def test_time_that_is_slewed_is_no_jump(sweeps: Sweeps, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(4):
        sweeps.run_once()
        sweeps.clocks.pass_by(2)
        sweeps.clocks.time += timedelta(seconds=JUMP_SECONDS * 0.9)
    assert caplog.messages == []


def test_a_jump_in_the_middle_of_a_sweep_interrupts_nothing_that_lives(sweeps: Sweeps, monkeypatch: Patch) -> None:
    claim, expire = sweeps.claimed(), claims.expire

    def jump_first(**more: object) -> list[int]:
        sweeps.clocks.time += timedelta(minutes=10)
        return expire(**more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(claims, "expire", jump_first)
        sweeps.run_once()
    sweeps.run_once()
    assert (commands.find(sweeps.ada, claim.task_id).end_reason, sweeps.judged(claim, claim)) == (None, None)


def test_after_an_outage_no_lease_is_judged_before_it_could_be_renewed(sweeps: Sweeps) -> None:
    claim = sweeps.claimed()
    sweeps.run_once()
    sweeps.clocks.pass_by(LEASE + 1)
    sweeps.after_outage()
    assert sweeps.judged(claim, seconds=LEASE - sweeps.interval) is None
    assert (sweeps.judged(claim, claim, seconds=LEASE), sweeps.judged(claim)) == (None, LEASE)

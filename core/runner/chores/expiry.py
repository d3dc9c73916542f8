"""Ends the tasks whose runner is gone, and removes what they left on the disk."""

import logging

from core.runner import claims
from core.runner.chores import leftovers
from core.runner.chores.base import Chore

EXPIRY_SECONDS = 2.0

#: How far the time may move against the monotonic clock between two runs, in seconds, without being a jump.
JUMP_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Expiry(Chore):
    """Judges leases, but none that its runner may just have been unable to renew.

    After a jump of the time, a sleep of the machine or an outage of the database a lease that looks late may only look
    so: then none is judged for the length of one.
    """

    _judge_from = 0.0
    _drift: float | None = None

    @property
    def interval(self) -> float:
        """Seconds; several times within a lease."""
        return min(EXPIRY_SECONDS, self._settings.lease / 3)

    def run_once(self) -> None:
        """See Chore."""
        now = self._now()  # once: a jump after this is noticed by the next run
        drift = now.timestamp() - self._monotonic()
        if self._drift is not None and abs(drift - self._drift) > JUMP_SECONDS:
            _log.warning("the time jumped by %.1f s", drift - self._drift)
            self.after_outage()
        self._drift = drift
        if self._monotonic() < self._judge_from:
            return
        for task_id in claims.expire(now=now, longest=2 * self._settings.lease):
            _log.warning("task %s was interrupted: its runner is gone", task_id, extra={"task": task_id})
            leftovers.remove(task_id, self._settings)

    def after_outage(self) -> None:
        """Let every runner renew its leases before this one judges any."""
        self._judge_from = self._monotonic() + self._settings.lease

"""A running task's line to the database, on a thread and connections of its own.

It renews the lease, writes the log and asks what the owner wants. The thread that watches the process never waits for
the database: it only reads here how things stand. An outage of the database therefore delays neither the limit nor the
lease's end.
"""

import threading
from collections.abc import Callable
from typing import Self

from core.database import engine
from core.errors import OutOfContact, StopRequested
from core.runner import claims
from core.runner.claims import Claim, Control
from core.runner.task_logger import BATCH_SECONDS, TaskLogger

#: How often it asks what the owner wants, in seconds.
CONTROL_SECONDS = 0.5

#: After how long the database is asked again that did not answer, in seconds.
RETRY_SECONDS = 1.0

#: A thread that gave no sign of life for so long hangs: its lease is not renewed any more. In seconds.
HUNG_SECONDS = 60.0

#: A stop is seen so late at most while the database answers, in seconds: a larger difference is a jump of the time.
LATEST_SECONDS = 5.0


class Heartbeat:
    """Beats from the beginning of its ``with`` to the end, for a claim of ``lease`` seconds from ``start``, or now."""

    def __init__(
        self,
        claim: Claim,
        log: TaskLogger,
        lease: float,
        monotonic: Callable[[], float],
        start: float | None = None,
    ) -> None:
        start = monotonic() if start is None else start
        self.extension = 0.0  #: by how many seconds the owner put the limit off
        self._claim = claim
        self._log = log
        self._lease = lease
        self._monotonic = monotonic
        self._held_until = start + lease
        self._renew_at = start + lease / 3
        self._control_at = self._seen_alive_at = monotonic()
        self._verdict: Exception | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat-{claim.task_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._log.batch_ready.set()
        self._thread.join()

    def check(self) -> None:
        """Say how things stand; to be called often, as a sign of life.

        Raises ClaimLost, StopRequested or OutOfContact when the work must end, and whatever broke the heartbeat.
        """
        self._seen_alive_at = self._monotonic()
        if self._verdict:
            raise self._verdict
        if self._seen_alive_at >= self._held_until:
            raise OutOfContact

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._beat()
            except engine.Unavailable:
                self._over.wait(RETRY_SECONDS)
            except Exception as verdict:
                self._verdict = verdict
                return
            else:
                self._log.batch_ready.wait(BATCH_SECONDS)
                self._log.batch_ready.clear()

    def _beat(self) -> None:
        now = self._monotonic()
        if now >= self._control_at:  # first: what cannot be written must not delay what the owner wants
            self._obey(claims.read_control(self._claim), now)
            self._control_at = now + CONTROL_SECONDS
        if now >= self._renew_at and now - self._seen_alive_at < HUNG_SECONDS:
            claims.renew(self._claim, self._lease)
            self._held_until = now + self._lease  # from before the question: others count from after it
            self._renew_at = now + self._lease / 3
        self._log.beat()

    def _obey(self, control: Control, now: float) -> None:
        self.extension = control.extension
        if control.cancel_requested_at and self._verdict is None:
            late = (engine.now() - control.cancel_requested_at).total_seconds()
            self._verdict = StopRequested(now - min(max(0.0, late), LATEST_SECONDS))

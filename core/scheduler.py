"""The embedded engine: APScheduler keeps the time, a bounded pool of threads lives the tasks.

The bell and the sweep both only look for pending tasks and hand them to free slots; neither runs a task itself, so
a ring never waits behind work. Rings are jobs of their own, looks follow one another under a lock, and a slot that
becomes free rings too: whatever is committed before a ring is seen by the look after it.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC

from apscheduler.schedulers.background import BackgroundScheduler

from core import claims, db, dispatch, processor
from core.config import Settings

SWEEP_SECONDS = 2

_log = logging.getLogger(__name__)


class Scheduler:
    """Runs this process's share of the tasks between ``start`` and ``stop``."""

    def __init__(self, settings: Settings) -> None:
        self.runner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._settings = settings
        self._slots = threading.Semaphore(settings.concurrency)
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="task")
        self._stopping = threading.Event()
        self._looking = threading.Lock()
        self._running: set[int] = set()
        self._judge_from = 0.0
        # Never drop a late job (the default drops it after one second), and make up for many with one.
        self._clock = BackgroundScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def start(self) -> None:
        """Begin to take tasks: at the bell, and by sweeping for what no bell announced."""
        processor.clear_up_orphans(self._settings)
        self._deafen = dispatch.listen(lambda _: self._ring())
        self._clock.add_job(self._sweep, "interval", seconds=min(SWEEP_SECONDS, self._settings.lease / 3))
        self._clock.start()
        self._clock.add_job(self._sweep)

    def stop(self) -> None:
        """Take no more tasks, end the running ones as interrupted, and return when all that is written."""
        self._deafen()
        self._stopping.set()
        # A job that falls due while the clock stops would look for itself in vain and say so with a traceback.
        self._clock.pause()
        self._clock.remove_all_jobs()
        self._clock.shutdown(wait=True)
        self._pool.shutdown(wait=True)

    def _ring(self) -> None:
        if not self._stopping.is_set():
            self._clock.add_job(self._look)

    def _look(self) -> None:
        """Hand pending tasks to free slots, oldest first."""
        with self._looking, self._unless_away():
            while not self._stopping.is_set() and self._slots.acquire(blocking=False):
                try:
                    claim = claims.claim(self.runner, self._settings.lease)
                except BaseException:
                    self._slots.release()
                    raise
                if claim is None:
                    self._slots.release()
                    return
                self._running.add(claim.task_id)
                self._pool.submit(self._live, claim)

    def _live(self, claim: claims.Claim) -> None:
        try:
            processor.live(claim, self._settings, self._stopping)
        except Exception:
            # The end could not be written; without renewal the lease runs out and the task ends as interrupted.
            _log.exception("task %s could not be ended", claim.task_id)
        finally:
            self._running.discard(claim.task_id)
            self._slots.release()
            self._ring()

    def _sweep(self) -> None:
        with self._unless_away():
            self._renew()  # first: after a sleep of the machine our own leases are late, our tasks are not
            late = claims.expire() if time.monotonic() >= self._judge_from else []
            for task_id in late:
                _log.warning("task %s was interrupted: its runner is gone", task_id)
                processor.clear_up(task_id, self._settings)
        self._look()

    def _renew(self) -> None:
        if running := tuple(self._running):
            claims.renew(self.runner, running, self._settings.lease)

    @contextmanager
    def _unless_away(self) -> Iterator[None]:
        """What the clock does it does again soon; so a database that is away is only worth a line."""
        try:
            yield
        except db.Unavailable as error:
            _log.warning("the database did not answer the scheduler: %s", error)
            # Nobody could renew meanwhile: give every other server the time to do so.
            self._judge_from = time.monotonic() + self._settings.lease

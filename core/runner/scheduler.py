"""The embedded engine: APScheduler keeps the time, a bounded pool of threads runs the tasks.

Notifications and chores both only lead to a look for pending tasks, which hands them to free slots; neither runs a task
itself, so none waits behind work. Each look is a job of its own, looks follow one another under a lock, and a slot that
becomes free leads to one too: whatever is committed before a notification is found by the look after it.
"""

import logging
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

from core import server_log
from core.config import Settings
from core.database import engine
from core.runner import claims, processor
from core.runner.chores import CHORES
from core.runner.chores.base import Chore
from core.runner.chores.expiry import Expiry
from core.tasks import notifications

#: After how long without a sweep that got through something is wrong, in seconds.
STALLED_SECONDS = 15.0

_log = logging.getLogger(__name__)


class Scheduler:
    """Runs this process's share of the tasks between ``start`` and ``stop``."""

    def __init__(
        self,
        settings: Settings,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = engine.now,
    ) -> None:
        self.runner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self.slots = settings.concurrency
        self.away = False  #: whether the database did not answer when it was last asked for something
        self._settings = settings
        self._monotonic = monotonic
        self._free = threading.Semaphore(settings.concurrency)
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="task")
        self._closing = threading.Event()
        self._stopping = threading.Event()
        self._claiming = threading.Lock()
        self._running: dict[Future[None], int] = {}
        self._in_doubt = False  # whether a claim was made: the database did not answer
        self._unsubscribe: Callable[[], None] = lambda: None
        self._swept_at: float | None = None
        self._close_at = math.inf
        self._chores = [chore(settings, self._closing, monotonic, now) for chore in CHORES]
        # Never drop a late job (the default drops it after one second), and make up for many with one.
        self._clock = BackgroundScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def start(self) -> None:
        """Begin to take tasks: at each notification, and after each chore those that no notification told of."""
        self._unsubscribe = notifications.task_waiting.subscribe(lambda _: self._look_soon())
        for chore in self._chores:
            self._clock.add_job(self._way_of(chore), "interval", [chore], seconds=chore.interval)
        self._clock.start()
        _log.info("the runner started, with %s slots", self.slots, extra={"runner": self.runner})
        for chore in self._chores:
            self._clock.add_job(self._way_of(chore), args=[chore])

    @property
    def running(self) -> int:
        """How many tasks run here."""
        return len(self._running)

    @property
    def since_sweep(self) -> float | None:
        """How many seconds ago a sweep got through; None before the first one."""
        return None if self._swept_at is None else self._monotonic() - self._swept_at

    def close(self) -> None:
        """Take no more tasks, from this moment on; the grace begins."""
        self._close_at = min(self._close_at, self._monotonic())
        self._closing.set()

    def interrupt_all(self) -> None:
        """Take no more tasks and end those that run, as interrupted."""
        self.close()
        self._stopping.set()

    def stop(self) -> None:
        """Take no more tasks, let the running ones end within the grace, interrupt the others.

        Returns when every end is written and no thread is left.
        """
        self.close()
        self._unsubscribe()
        with self._claiming:  # a claim that was just being made is running now
            running = tuple(self._running)
        wait(running, timeout=max(0.0, self._close_at + self._settings.grace - self._monotonic()))
        self.interrupt_all()
        if self._clock.running:
            # A job that falls due while the clock stops would find no clock and say so with a traceback.
            self._clock.pause()
            self._clock.remove_all_jobs()
            self._clock.shutdown(wait=True)
        self._pool.shutdown(wait=True)
        _log.info("the runner stopped", extra={"runner": self.runner})

    def _look_soon(self) -> None:
        if not self._closing.is_set():
            self._clock.add_job(self._look)

    def _look(self) -> None:
        """Hand pending tasks to free slots, oldest first."""
        with self._claiming, self._unless_away():
            self._release_what_nobody_runs()
            while not self._closing.is_set() and self._free.acquire(blocking=False):
                taken_at = self._monotonic()
                try:
                    claim = claims.claim(self.runner, self._settings.lease)
                except BaseException:
                    self._in_doubt = True
                    self._free.release()
                    raise
                if claim is None:
                    self._free.release()
                    return
                run = self._pool.submit(self._run, claim, taken_at)
                self._running[run] = claim.task_id
                run.add_done_callback(self._running.pop)

    def _release_what_nobody_runs(self) -> None:
        """A claim whose answer got lost was made all the same: let its task wait again."""
        if self._in_doubt:
            for claim in claims.held_by(self.runner, but=tuple(self._running.values())):
                claims.release(claim)
            self._in_doubt = False

    def _run(self, claim: claims.Claim, taken_at: float) -> None:
        try:
            with server_log.bound(task=claim.task_id, owner=claim.user_id, runner=claim.runner):
                processor.run_task(claim, self._settings, self._stopping, self._monotonic, taken_at)
        except Exception:
            # The end could not be written; without renewal the lease runs out and the task ends as interrupted.
            _log.exception("task %s could not be ended", claim.task_id, extra={"task": claim.task_id})
        finally:
            self._free.release()
            self._look_soon()

    def _way_of(self, chore: Chore) -> Callable[[Chore], None]:
        return self._sweep if isinstance(chore, Expiry) else self._do

    def _do(self, chore: Chore) -> None:
        """A chore; then a look for what no notification told of."""
        with self._unless_away():
            chore.run_once()
        self._look()

    def _sweep(self, expiry: Chore) -> None:
        """The chore that comes most often, unless nobody can write: so it also tells whether the database is there."""
        with self._unless_away():
            engine.ping(claims.WAIT_SECONDS)
            self.away = False
            expiry.run_once()
            self._swept_at = self._monotonic()
        self._look()

    @contextmanager
    def _unless_away(self) -> Iterator[None]:
        """What is started by the clock is started again soon, so an outage of the database is only worth a line."""
        try:
            yield
        except engine.Unavailable as error:
            self.away = True
            _log.warning("the database did not answer the scheduler: %s", engine.said(error))
            for chore in self._chores:
                chore.after_outage()

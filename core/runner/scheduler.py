"""The embedded engine: APScheduler keeps the time, a bounded pool of threads lives the tasks.

The bell and the sweep both only look for pending tasks and hand them to free slots; neither runs a task itself, so
a ring never waits behind work. Rings are jobs of their own, looks follow one another under a lock, and a slot that
becomes free rings too: whatever is committed before a ring is seen by the look after it.
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
from core.runner.chores import leftovers
from core.tasks import notifications, removal

SWEEP_SECONDS = 2
TIDY_HOURS = 1

#: After how long without a sweep that got through something is wrong, in seconds.
STALLED_SECONDS = 15.0

#: How far the time may move against the monotonic clock between two sweeps, in seconds, without being a jump.
JUMP_SECONDS = 1.0

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
        self._now = now
        self._free = threading.Semaphore(settings.concurrency)
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="task")
        self._closing = threading.Event()
        self._stopping = threading.Event()
        self._looking = threading.Lock()
        self._running: dict[Future[None], int] = {}
        self._in_doubt = False  # whether a claim was made: the database did not answer
        self._unsubscribe: Callable[[], None] = lambda: None
        self._swept_at: float | None = None
        self._close_at = math.inf
        self._judge_from = 0.0
        self._drift: float | None = None
        # Never drop a late job (the default drops it after one second), and make up for many with one.
        self._clock = BackgroundScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def start(self) -> None:
        """Begin to take tasks: at the bell, and by sweeping for what no bell announced."""
        self._unsubscribe = notifications.task_waiting.subscribe(lambda _: self._ring())
        self._clock.add_job(self._sweep, "interval", seconds=min(SWEEP_SECONDS, self._settings.lease / 3))
        self._clock.start()
        _log.info("the runner started, with %s slots", self.slots, extra={"runner": self.runner})
        self._clock.add_job(self._sweep)
        self._clock.add_job(self._tidy)
        self._clock.add_job(self._tidy, "interval", hours=TIDY_HOURS)

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
        with self._looking:  # a claim that was just being made is running now
            running = tuple(self._running)
        wait(running, timeout=max(0.0, self._close_at + self._settings.grace - self._monotonic()))
        self.interrupt_all()
        if self._clock.running:
            # A job that falls due while the clock stops would look for itself in vain and say so with a traceback.
            self._clock.pause()
            self._clock.remove_all_jobs()
            self._clock.shutdown(wait=True)
        self._pool.shutdown(wait=True)
        _log.info("the runner stopped", extra={"runner": self.runner})

    def _ring(self) -> None:
        if not self._closing.is_set():
            self._clock.add_job(self._look)

    def _look(self) -> None:
        """Hand pending tasks to free slots, oldest first."""
        with self._looking, self._unless_away():
            self._give_back_what_nobody_runs()
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
                life = self._pool.submit(self._live, claim, taken_at)
                self._running[life] = claim.task_id
                life.add_done_callback(self._running.pop)

    def _give_back_what_nobody_runs(self) -> None:
        """A claim whose answer got lost was made all the same: let its task wait again."""
        if self._in_doubt:
            for claim in claims.held_by(self.runner, but=tuple(self._running.values())):
                claims.release(claim)
            self._in_doubt = False

    def _live(self, claim: claims.Claim, taken_at: float) -> None:
        try:
            with server_log.bound(task=claim.task_id, owner=claim.user_id, runner=claim.runner):
                processor.run_task(claim, self._settings, self._stopping, self._monotonic, taken_at)
        except Exception:
            # The end could not be written; without renewal the lease runs out and the task ends as interrupted.
            _log.exception("task %s could not be ended", claim.task_id, extra={"task": claim.task_id})
        finally:
            self._free.release()
            self._ring()

    def _sweep(self) -> None:
        with self._unless_away():
            now = self._now()  # once: what jumps after this look is judged by the next one
            self._watch_the_time(now)
            engine.ping(claims.WAIT_SECONDS)
            self.away = False
            judging = self._monotonic() >= self._judge_from
            late = claims.expire(now=now, longest=2 * self._settings.lease) if judging else []
            self._swept_at = self._monotonic()
            for task_id in late:
                _log.warning("task %s was interrupted: its runner is gone", task_id, extra={"task": task_id})
                leftovers.remove(task_id, self._settings)
        self._look()

    def _watch_the_time(self, now: datetime) -> None:
        """After a jump of the time, or a sleep of the machine, a lease that looks late may only look so."""
        drift = now.timestamp() - self._monotonic()
        if self._drift is not None and abs(drift - self._drift) > JUMP_SECONDS:
            _log.warning("the time jumped by %.1f s", drift - self._drift)
            self._give_time()
        self._drift = drift

    def _give_time(self) -> None:
        """Let every runner renew its leases before this one judges any."""
        self._judge_from = self._monotonic() + self._settings.lease

    def _tidy(self) -> None:
        with self._unless_away():
            leftovers.remove_orphans(self._settings)
            if days := self._settings.retention:
                for number in removal.retire(days):
                    _log.info("%s tasks that ended more than %g days ago were deleted", number, days)
                    if self._closing.is_set():
                        return

    @contextmanager
    def _unless_away(self) -> Iterator[None]:
        """What the clock does it does again soon; so a database that is away is only worth a line."""
        try:
            yield
        except engine.Unavailable as error:
            self.away = True
            _log.warning("the database did not answer the scheduler: %s", engine.said(error))
            self._give_time()

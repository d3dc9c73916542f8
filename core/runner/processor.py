"""One task's whole life: its steps, the outcome of them, and the one write of its end."""

import errno
import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from core.agents.catalog import catalog
from core.config import Settings, signing_keys
from core.database import engine
from core.errors import ClaimLost, StopRequested, WorkStopped
from core.log_text import LogType, storable
from core.runner import claims
from core.runner.claims import Claim
from core.runner.clock import Clock
from core.runner.execution import READ_SECONDS, Execution
from core.runner.heartbeat import RETRY_SECONDS, Heartbeat
from core.runner.steps import Steps
from core.runner.task_logger import TaskLogger
from core.sandbox import folders
from core.sandbox.workspace import Workspace
from core.states import EndReason
from core.tasks.commands import NEVER_BEGAN
from core.tasks.entries import Entry
from core.tasks.stores import artifact_store
from core.words import duration

#: How long a server that goes down tries to write an end when the database is away, in seconds.
LAST_SECONDS = 5.0

DISK_FULL = "The server's disk is full. Ask an administrator to free some space."
BROKEN = "Something went wrong inside Taskdeck; the server's log has the details."

_server_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What came of a task's work; the sentence is its last log entry and, unless it is completed, its error."""

    reason: EndReason
    sentence: str


def run_task(
    claim: Claim,
    settings: Settings,
    stopping: threading.Event,
    monotonic: Callable[[], float] = time.monotonic,
    taken_at: float | None = None,
) -> None:
    """A claimed task's whole life, from ``taken_at`` on. Whatever happens becomes the one end of the task."""
    run = Run(claim, settings, stopping, monotonic, monotonic() if taken_at is None else taken_at)
    if stopping.is_set():
        run.release()
        return
    try:
        with Workspace(settings.workspaces / str(claim.task_id), claim.task_id) as workspace:
            run.finish(run.work(workspace))
    except ClaimLost:
        run.abandon()


class Run:
    """A task's life around its steps: what they share, how they end, and what is written of it."""

    def __init__(
        self,
        claim: Claim,
        settings: Settings,
        stopping: threading.Event,
        monotonic: Callable[[], float],
        taken_at: float,
    ) -> None:
        limits = catalog().limits(claim.agent, settings)
        self._claim = claim
        self._clock = Clock(limits.timeout, limits.warning, settings.tick, monotonic, taken_at)
        self._log = TaskLogger(claim, lines=settings.log_lines, monotonic=monotonic)
        self._log.hide(*signing_keys(), *catalog().secrets())
        self._heartbeat = Heartbeat(claim, self._log, settings.lease, monotonic, taken_at)
        execution = Execution(self._log, self._heartbeat, self._clock, stopping, settings.lease, monotonic)
        self._store = artifact_store(settings)
        self._steps = Steps(claim, self._log, execution, self._store)
        self._workspace = settings.workspaces / str(claim.task_id)
        self._stopping = stopping
        self._monotonic = monotonic

    def work(self, workspace: Workspace) -> Outcome:
        """Take the steps; whatever ends them becomes the outcome. Raises ClaimLost: then there is nobody to tell."""
        try:
            with self._heartbeat:
                self._steps.take(workspace)
        except WorkStopped as stop:
            return Outcome(
                stop.reason, self._stopped_since(stop.at) if isinstance(stop, StopRequested) else stop.message
            )
        except ClaimLost:
            raise
        except Exception as fault:
            _server_log.exception("task %s ended by a fault of Taskdeck", self._claim.task_id)
            full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
            return Outcome(EndReason.FAILED, DISK_FULL if full else BROKEN)
        return Outcome(EndReason.COMPLETED, f"Completed in {duration(self._clock.elapsed)}.")

    def finish(self, outcome: Outcome) -> None:
        """The one guarded write of the end, with the last log entries and the files that were kept. Raises ClaimLost.

        While the database is away it is tried again; raises one of engine.Unavailable when the server goes down then.
        """
        log, reason = self._log, outcome.reason
        sentence = storable(outcome.sentence, log.secrets)
        log.end_of_output()
        say = {EndReason.COMPLETED: log.success, EndReason.CANCELLED: log.info}.get(reason, log.error)
        say(sentence)
        kept = self._steps.kept
        if not kept:  # some may have been copied before the end came
            self._store.delete(self._claim.task_id)
        error = None if reason is EndReason.COMPLETED else sentence
        reached, branch, now = log.reached, log.branch, engine.now()
        self._write_until_done(
            lambda: claims.finish(self._claim, reason, error, log.rest(), kept, reached, branch, now=now)
        )

    def release(self) -> None:
        """Nothing of the work was begun: let the task wait for the next start, unless it was to stop anyway."""

        def write() -> None:
            if claims.read_control(self._claim).cancel_requested_at:
                never = Entry(LogType.INFO, NEVER_BEGAN, engine.now())
                claims.finish(self._claim, EndReason.CANCELLED, NEVER_BEGAN, [never])
            else:
                claims.release(self._claim)

        with suppress(ClaimLost):  # it was released already, and the answer got lost
            self._write_until_done(write)

    def abandon(self) -> None:
        """The task is gone or somebody else's: leave nothing of it here."""
        _server_log.info("task %s was taken away while it ran", self._claim.task_id)
        self._store.delete(self._claim.task_id)

    def _stopped_since(self, asked: float) -> str:
        """The sentence for a task that was stopped because its owner asked for it at that time."""
        took = self._monotonic() - asked
        return f"Stopped in {took:.1f} s, after {duration(self._clock.elapsed)} of work."

    def _write_until_done(self, write: Callable[[], None]) -> None:
        """Write what must be written, also when the database is away for a while.

        Raises ClaimLost, or one of engine.Unavailable when the server goes down meanwhile and LAST_SECONDS
        did not help; then the lease runs out.
        """
        deadline = math.inf
        while True:
            try:
                write()
                return
            except engine.Unavailable:
                folders.remove(self._workspace)  # the disk may be full of it
                if self._stopping.wait(RETRY_SECONDS):
                    deadline = min(deadline, self._monotonic() + LAST_SECONDS)
                    if self._monotonic() >= deadline:
                        raise
                    time.sleep(READ_SECONDS)

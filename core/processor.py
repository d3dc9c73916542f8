"""One task's whole life, in named steps: claim, clock, run, finish."""

import errno
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from core import claims, db, health, repositories
from core.agents import agents
from core.agents.base import Agent, Assignment, Command, Done, Kept
from core.agents.catalog import catalog
from core.agents.process import Process
from core.agents.workspace import ARTIFACT_FILES, ARTIFACT_MIB, Workspace
from core.claims import Claim
from core.clock import Clock, duration
from core.config import Settings, signing_keys
from core.entries import Entry
from core.errors import AgentFailed, ClaimLost, InvalidInput, TimedOut
from core.heartbeat import RETRY_SECONDS, Heartbeat, OutOfContact, StopRequested
from core.log_text import storable
from core.models import EndReason, LogType
from core.task_logger import TaskLogger
from core.tasks import NEVER_BEGAN

#: How far a task has come when a stage begins, in percent.
STARTING, WORKSPACE, CLONED, RUNNING, COLLECTING, KEEPING = 10, 15, 20, 30, 90, 95
RAN = 85  # the agent's own 100 %

#: How long one look for a process's output takes at most, in seconds: so soon is everything else noticed.
READ_SECONDS = 0.1

#: A folder's name with more digits is no task's.
ID_DIGITS = 19

#: How long a server that goes down tries to write an end when the database is away, in seconds.
LAST_SECONDS = 5.0

INTERRUPTED = "Taskdeck was stopped while the task ran; what it did until then is in the log. Run it again if needed."
OUT_OF_CONTACT = (
    "The runner was held up, or could not reach the database, for longer than its lease; the work was stopped. "
    "Run it again if needed."
)
DISK_FULL = "There is no space left on the server's disk; an administrator has to make some."
BROKEN = "Something went wrong inside Taskdeck; the server's log has the details."

_server_log = logging.getLogger(__name__)


class Stopped(Exception):
    """The server is going down."""


def live(
    claim: Claim,
    settings: Settings,
    stopping: threading.Event,
    monotonic: Callable[[], float] = time.monotonic,
    taken_at: float | None = None,
) -> None:
    """A claimed task's whole life, from ``taken_at`` on. Whatever happens becomes the one end of the task."""
    run = Run(claim, settings, stopping, monotonic, monotonic() if taken_at is None else taken_at)
    if stopping.is_set():
        run.give_back()
        return
    with Workspace(settings.workspaces / str(claim.task_id)) as workspace:
        try:
            with run.heartbeat:
                run.enter(STARTING, "starting")
                agent = run.choose_agent()
                run.enter(WORKSPACE, "preparing the workspace")
                workspace.make()
                repository = run.clone(workspace)
                run.enter(RUNNING, f"{agent.name} at work")
                run.work(agent, Assignment(claim.prompt, claim.model, repository, workspace.output))
                run.enter(COLLECTING, "collecting the results")
                artifacts = run.collect(workspace)
        except TimedOut as end:
            run.finish(EndReason.TIMED_OUT, end.message)
        except AgentFailed as end:
            run.finish(EndReason.FAILED, end.message)
        except StopRequested as asked:
            run.finish(EndReason.CANCELLED, run.stopped_since(asked.at))
        except Stopped:
            run.finish(EndReason.INTERRUPTED, INTERRUPTED)
        except OutOfContact:
            run.finish(EndReason.INTERRUPTED, OUT_OF_CONTACT)
        except ClaimLost:
            run.forget()
        except Exception as fault:
            full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
            _server_log.exception("task %s ended by a fault of Taskdeck", claim.task_id)
            run.finish(EndReason.FAILED, DISK_FULL if full else BROKEN)
        else:
            run.finish(EndReason.COMPLETED, artifacts=artifacts)


def clear_up_orphans(settings: Settings) -> None:
    """Remove what lies there for nobody: workspaces of tasks that nobody runs, artifacts of tasks that are gone."""
    for folder, wanted in ((settings.workspaces, health.running), (settings.artifacts, health.existing)):
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        numbers = [int(name) for name in names if name.isdecimal() and len(name) < ID_DIGITS]
        kept = {str(task_id) for task_id in wanted(numbers)}  # after the names: a task has a row before it has a folder
        for name in names:
            if name not in kept:
                shutil.rmtree(folder / name, ignore_errors=True)


def clear_up(task_id: int, settings: Settings) -> None:
    """Remove what a task left on the disk whose runner died in its middle."""
    for folder in (settings.workspaces, settings.artifacts):
        shutil.rmtree(folder / str(task_id), ignore_errors=True)


class Run:
    """The steps of a task's life and what they share: the log, the heartbeat, the clock, the stage."""

    def __init__(
        self,
        claim: Claim,
        settings: Settings,
        stopping: threading.Event,
        monotonic: Callable[[], float],
        taken_at: float,
    ) -> None:
        self.claim = claim
        limits = catalog().limits(claim.agent, settings)
        self.clock = Clock(limits.timeout, limits.warning, settings.tick, monotonic, taken_at)
        self._secrets = signing_keys()
        self.log = TaskLogger(claim, lines=settings.log_lines, secrets=self._secrets, monotonic=monotonic)
        self.heartbeat = Heartbeat(claim, self.log, settings.lease, monotonic, taken_at)
        self._lease = settings.lease
        self._artifacts = settings.artifacts / str(claim.task_id)
        self._workspace = settings.workspaces / str(claim.task_id)
        self._stopping = stopping
        self._monotonic = monotonic
        self._stage = ""
        self._last_error = ""

    def enter(self, percent: int, stage: str) -> None:
        """Begin a stage of the work."""
        self._stage = stage
        self.log.progress(percent)
        self._beat()

    def choose_agent(self) -> Agent:
        """The agent that the task asks for. Raises AgentFailed when it cannot run here."""
        agent = agents().get(self.claim.agent)
        if agent is None:
            raise AgentFailed(f"There is no agent {self.claim.agent} any more; run the task again with another one.")
        if reason := agent.unavailable():
            raise AgentFailed(reason)
        return agent

    def clone(self, workspace: Workspace) -> Path | None:
        """The task's repository, cloned; None when it names none. Raises AgentFailed."""
        if self.claim.repo_url is None:
            return None
        self._stage = "cloning the repository"
        # The address was checked when the task was made; the administrator's roots may have changed since.
        try:
            address = repositories.checked(self.claim.repo_url)
        except InvalidInput as error:
            raise AgentFailed(error.message) from None
        repository = workspace.clone(address, lambda command, limit: self._execute(command, self._hear_text, limit))
        self.log.progress(CLONED)
        return repository

    def work(self, agent: Agent, assignment: Assignment) -> None:
        """Let the agent's process do its work. Raises AgentFailed when it ends without success."""

        def hear(line: str, is_error: bool) -> None:
            if is_error:
                self._hear_text(line, is_error)
                return
            meaning = agent.parse(line)
            if isinstance(meaning, Done):
                self.log.progress(RUNNING + int(meaning.share * (RAN - RUNNING)))
                return
            self.log.output(LogType(meaning.type), meaning.message)
            if meaning.type == "error":
                self._last_error = meaning.message

        status = self._execute(agent.command(assignment), hear)
        self.log.end_of_output()
        if status != 0:
            raise AgentFailed(self._last_error or f"{agent.name} ended with exit status {status}.")

    def collect(self, workspace: Workspace) -> list[Kept]:
        """Keep the files that the agent made."""
        names, left = workspace.made()
        if left:
            limits = f"files of up to {ARTIFACT_MIB} MiB, at most {ARTIFACT_FILES}"
            self.log.info(f"Not kept: {', '.join(left)}. What is kept: {limits}.")
        artifacts = []
        for kept in workspace.keep(names, self._artifacts):
            artifacts.append(kept)
            self._beat()
        self.log.progress(KEEPING)
        if artifacts:
            self.log.info(f"Kept {len(artifacts)} files: {', '.join(kept.name for kept in artifacts)}.")
        return artifacts

    def finish(self, reason: EndReason, error: str | None = None, artifacts: Sequence[Kept] = ()) -> None:
        """The one guarded write of the end state, with the last log entries."""
        error = error and storable(error, self._secrets)
        self.log.end_of_output()
        if error is None:
            self.log.success(f"Completed in {duration(self.clock.elapsed)}.")
        elif reason is EndReason.CANCELLED:
            self.log.info(error)
        else:
            self.log.error(error)
        if not artifacts:  # files may have been copied before the end came
            shutil.rmtree(self._artifacts, ignore_errors=True)
        now = db.now()
        try:
            self._insist(
                lambda: claims.finish(self.claim, reason, error, self.log.rest(), artifacts, self.log.reached, now=now)
            )
        except ClaimLost:
            self.forget()

    def stopped_since(self, asked: float) -> str:
        """The sentence for a task that was stopped because its owner asked for it at that time."""
        took = self._monotonic() - asked
        return f"Stopped in {took:.1f} s, after {duration(self.clock.elapsed)} of work."

    def give_back(self) -> None:
        """Nothing of the work was begun: let the task wait for the next start, unless it was to stop anyway."""

        def write() -> None:
            if claims.look(self.claim).cancel_requested_at:
                never = Entry(LogType.INFO, NEVER_BEGAN, db.now())
                claims.finish(self.claim, EndReason.CANCELLED, NEVER_BEGAN, [never])
            else:
                claims.release(self.claim)

        with suppress(ClaimLost):  # it was given back already, and the answer got lost
            self._insist(write)

    def forget(self) -> None:
        """The task is gone or somebody else's: leave nothing of it here."""
        _server_log.info("task %s was taken away while it ran", self.claim.task_id)
        shutil.rmtree(self._artifacts, ignore_errors=True)

    def _insist(self, write: Callable[[], None]) -> None:
        """Write what must be written, also when the database is away for a while.

        Raises ClaimLost, or one of db.Unavailable when the server goes down meanwhile and LAST_SECONDS did not help;
        then the lease runs out.
        """
        deadline = math.inf
        while True:
            try:
                write()
                return
            except db.Unavailable:
                shutil.rmtree(self._workspace, ignore_errors=True)  # the disk may be full of it
                if self._stopping.wait(RETRY_SECONDS):
                    deadline = min(deadline, self._monotonic() + LAST_SECONDS)
                    if self._monotonic() >= deadline:
                        raise
                    time.sleep(READ_SECONDS)

    def _execute(self, command: Command, hear: Callable[[str, bool], None], limit: float = math.inf) -> int:
        """Run a process to its end, at most ``limit`` seconds; its exit status."""
        self.log.command(command.shown)
        deadline = self._monotonic() + limit
        with Process(command, silence=self._lease) as process:
            while not process.ended:
                process.alive()
                if self.log.full:
                    time.sleep(READ_SECONDS)  # nothing is read: the pipe fills, and the process waits
                else:
                    for line, is_error in process.read(READ_SECONDS):
                        hear(line, is_error)
                self._beat()
                if self._monotonic() >= deadline:
                    raise AgentFailed(f"{command.argv[0]} was stopped after {duration(limit)} without an end.")
            self._beat()  # its end may be ours: it was killed because this thread was held up for too long
            return process.exit_status

    def _hear_text(self, line: str, _: bool) -> None:
        self.log.output(LogType.INFO, line)

    def _beat(self) -> None:
        """What goes on whatever the step: the clock, and the look whether the task is still wanted."""
        self.heartbeat.check()
        if self._stopping.is_set():
            raise Stopped
        self.clock.extend(self.heartbeat.extension)
        self.clock.check()
        if warning := self.clock.warning():
            self.log.info(warning)
        if elapsed := self.clock.tick():
            self.log.info(f"{elapsed} of work: {self._stage}.")

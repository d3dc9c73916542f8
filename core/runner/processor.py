"""One task's whole life, in named steps: claim, clock, workspace, repository, agent, commit, keep, push, finish."""

import errno
import logging
import math
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from core.agents.base import Agent, Assignment
from core.agents.catalog import catalog
from core.agents.registry import agents
from core.config import Settings, signing_keys
from core.database import engine
from core.database.models import EndReason
from core.errors import AgentFailed, ClaimLost, InvalidInput, TimedOut
from core.log_text import LogType, storable
from core.repositories import addresses
from core.repositories.checkout import Checkout, branch_name
from core.runner import claims
from core.runner.claims import Claim
from core.runner.clock import Clock
from core.runner.execution import READ_SECONDS, Execution, Stopped
from core.runner.heartbeat import RETRY_SECONDS, Heartbeat, OutOfContact, StopRequested
from core.runner.task_logger import TaskLogger
from core.sandbox import isolation, output
from core.sandbox.gateway import Gateway
from core.sandbox.output import StoredArtifact
from core.sandbox.workspace import Workspace
from core.tasks.commands import NEVER_BEGAN
from core.tasks.entries import Entry
from core.words import duration

#: How far a task has come when a stage begins, in percent.
STARTING, WORKSPACE, CLONED, BRANCHED, RUNNING, COLLECTING, KEEPING = 10, 15, 20, 25, 30, 90, 95
RAN = 85  # the agent's own 100 %

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
    with Workspace(settings.workspaces / str(claim.task_id), claim.task_id) as workspace:
        try:
            with run.heartbeat:
                run.enter(STARTING, "starting")
                agent = run.choose_agent()
                run.enter(WORKSPACE, "preparing the workspace")
                workspace.make()
                checkout = run.check_out(agent, workspace)
                run.enter(RUNNING, f"{agent.info.name} at work")
                run.work(agent, workspace)
                run.enter(COLLECTING, "collecting the results")
                run.commit(agent, checkout, workspace)
                run.keep(agent, workspace)
                run.push(checkout)
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
            run.abandon()
        except Exception as fault:
            full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
            _server_log.exception("task %s ended by a fault of Taskdeck", claim.task_id)
            run.finish(EndReason.FAILED, DISK_FULL if full else BROKEN)
        else:
            run.finish(EndReason.COMPLETED)


class Run:
    """The steps of a task's life and what they share: the log, the heartbeat, the clock, the processes."""

    def __init__(
        self,
        claim: Claim,
        settings: Settings,
        stopping: threading.Event,
        monotonic: Callable[[], float],
        taken_at: float,
    ) -> None:
        self.claim = claim
        self.kept: list[StoredArtifact] = []  #: the files that the task made, once all of them are copied
        limits = catalog().limits(claim.agent, settings)
        self.clock = Clock(limits.timeout, limits.warning, settings.tick, monotonic, taken_at)
        self._secrets = [*signing_keys(), *catalog().secrets()]
        self.log = TaskLogger(claim, lines=settings.log_lines, secrets=self._secrets, monotonic=monotonic)
        self.heartbeat = Heartbeat(claim, self.log, settings.lease, monotonic, taken_at)
        self._execution = Execution(self.log, self.heartbeat, self.clock, stopping, settings.lease, monotonic)
        self._artifacts = settings.artifacts / str(claim.task_id)
        self._workspace = settings.workspaces / str(claim.task_id)
        self._address: str | None = None  # of the repository, in the one form
        self._stopping = stopping
        self._monotonic = monotonic

    def enter(self, percent: int, stage: str) -> None:
        """Begin a stage of the work."""
        self._execution.stage = stage
        self.log.progress(percent)
        self._execution.beat()

    def choose_agent(self) -> Agent:
        """The agent that the task asks for. Raises AgentFailed when it cannot run here."""
        agent = agents().get(self.claim.agent)
        if agent is None:
            raise AgentFailed(f"There is no agent {self.claim.agent} any more; run the task again with another one.")
        if reason := agent.unavailable() or agent.why_not_accepted(self.claim.prompt, self.claim.repo_url):
            raise AgentFailed(reason)
        self._secrets += [*agent.secrets, *([agent.info.upstream.key] if agent.info.upstream else [])]
        return agent

    def check_out(self, agent: Agent, workspace: Workspace) -> Checkout | None:
        """The task's repository, on its branch if the agent changes it; None when there is nothing to work on.

        Raises AgentFailed when the repository cannot be had.
        """
        if self.claim.repo_url is None and not agent.info.changes_files:
            return None
        checkout = Checkout(workspace, self._execution.run)
        if self.claim.repo_url is None:
            checkout.begin()
        else:
            self._execution.stage = "cloning the repository"
            # The address was checked when the task was made; where it leads may have changed since.
            try:
                remote = addresses.resolve(self.claim.repo_url)
            except InvalidInput as error:
                raise AgentFailed(error.message) from None
            self._address = remote.address
            checkout.clone(remote)
            self.log.progress(CLONED)
        if agent.info.changes_files:
            if self.claim.repo_url is not None:
                self.log.branch = branch_name(self.claim.task_id, self.claim.prompt)
                checkout.branch(self.log.branch)
                self.log.progress(BRANCHED)
            checkout.copy_git_dir_for_agent()
        return checkout

    def work(self, agent: Agent, workspace: Workspace) -> None:
        """Let the agent's process do its work. Raises AgentFailed when it ends without success."""
        gateway = Gateway(agent.info.upstream, workspace.gateway, workspace.user) if agent.info.upstream else None
        with ExitStack() as stack:
            if gateway:
                stack.callback(self._say, gateway.summary)  # after its end: a call that is cut off counts too
                endpoint = stack.enter_context(gateway)
                self._secrets.append(endpoint.token)
            assignment = Assignment(
                prompt=self.claim.prompt,
                model=self.claim.model,
                repository=workspace.repository if workspace.repository.exists() else None,
                repository_url=self._address,
                output=workspace.output,
                home=workspace.home,
                sandbox=workspace.sandbox(agent.info.limits, changes_files=agent.info.changes_files),
                endpoint=endpoint if gateway else None,
            )
            listener = agent.output_parser(assignment)
            # A model that thinks prints nothing, but its API sends signs of life.
            sign = (lambda: gateway.heard) if gateway else (lambda: 0.0)
            status = self._execution.work(agent, agent.command(assignment), listener, self._advance, sign)
        if sentence := listener.failure(status):
            raise AgentFailed(sentence)

    def commit(self, agent: Agent, checkout: Checkout | None, workspace: Workspace) -> None:
        """Commit what the agent changed; where there is a repository, make a patch of it. Raises AgentFailed."""
        if checkout is None or not agent.info.changes_files:
            return
        changes = checkout.collect(self.claim.prompt, agent.info.name, self.claim.task_id)
        for line in changes.said:
            self.log.info(line)
        if changes.commit and self.claim.repo_url:
            checkout.patch(workspace.output)

    def keep(self, agent: Agent, workspace: Workspace) -> None:
        """Keep the files that the agent made; without a repository that is all of its work tree."""
        folder = workspace.output
        if agent.info.changes_files and not self.claim.repo_url:
            folder = workspace.repository
            isolation.remove(folder / ".git")
        names, left = output.find(folder)
        if left:
            self.log.info(f"Not kept: {', '.join(left)}. What is kept: {output.LIMITS}.")
        kept = []
        for file in output.store(names, folder, self._artifacts):
            kept.append(file)
            self._execution.beat()
        self.kept = kept
        self.log.progress(KEEPING)
        if kept:
            files = "1 file" if len(kept) == 1 else f"{len(kept)} files"
            self.log.info(f"Kept {files}: {', '.join(file.name for file in kept)}.")

    def push(self, checkout: Checkout | None) -> None:
        """Push the branch where the agent's settings and the repository's host allow it.

        Raises NotPushed when that fails: the patch is there all the same.
        """
        if checkout and catalog().pushes(self.claim.agent) and checkout.push(self._secrets):
            self.log.success(f"Pushed the branch {self.log.branch}.")

    def finish(self, reason: EndReason, error: str | None = None) -> None:
        """The one guarded write of the end state, with the last log entries and the files that were kept."""
        error = error and storable(error, self._secrets)
        self.log.end_of_output()
        if error is None:
            self.log.success(f"Completed in {duration(self.clock.elapsed)}.")
        elif reason is EndReason.CANCELLED:
            self.log.info(error)
        else:
            self.log.error(error)
        if not self.kept:  # some may have been copied before the end came
            shutil.rmtree(self._artifacts, ignore_errors=True)
        reached, branch, now = self.log.reached, self.log.branch, engine.now()
        try:
            self._write_until_done(
                lambda: claims.finish(self.claim, reason, error, self.log.rest(), self.kept, reached, branch, now=now)
            )
        except ClaimLost:
            self.abandon()

    def stopped_since(self, asked: float) -> str:
        """The sentence for a task that was stopped because its owner asked for it at that time."""
        took = self._monotonic() - asked
        return f"Stopped in {took:.1f} s, after {duration(self.clock.elapsed)} of work."

    def release(self) -> None:
        """Nothing of the work was begun: let the task wait for the next start, unless it was to stop anyway."""

        def write() -> None:
            if claims.read_control(self.claim).cancel_requested_at:
                never = Entry(LogType.INFO, NEVER_BEGAN, engine.now())
                claims.finish(self.claim, EndReason.CANCELLED, NEVER_BEGAN, [never])
            else:
                claims.release(self.claim)

        with suppress(ClaimLost):  # it was given back already, and the answer got lost
            self._write_until_done(write)

    def abandon(self) -> None:
        """The task is gone or somebody else's: leave nothing of it here."""
        _server_log.info("task %s was taken away while it ran", self.claim.task_id)
        shutil.rmtree(self._artifacts, ignore_errors=True)

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
                isolation.remove(self._workspace)  # the disk may be full of it
                if self._stopping.wait(RETRY_SECONDS):
                    deadline = min(deadline, self._monotonic() + LAST_SECONDS)
                    if self._monotonic() >= deadline:
                        raise
                    time.sleep(READ_SECONDS)

    def _advance(self, share: float) -> None:
        self.log.progress(RUNNING + int(share * (RAN - RUNNING)))

    def _say(self, sentence: Callable[[], str | None]) -> None:
        if said := sentence():
            self.log.info(said)

"""The steps of a task's work: agent, workspace, repository, the agent's process, commit, files, push."""

from collections.abc import Callable
from contextlib import ExitStack

from core.agents.base import Agent, Assignment
from core.agents.catalog import catalog
from core.agents.registry import agents
from core.errors import AgentFailed, InvalidInput
from core.repositories import addresses
from core.repositories.checkout import Checkout, branch_name
from core.runner.claims import Claim
from core.runner.execution import Execution
from core.runner.task_logger import TaskLogger
from core.sandbox import folders, output
from core.sandbox.gateway import Gateway
from core.sandbox.output import StoredArtifact
from core.sandbox.workspace import Workspace
from core.tasks.stores import ArtifactStore
from core.words import count

#: How far a task has come when a stage begins, in percent.
STARTING, WORKSPACE, CLONED, BRANCHED, RUNNING, COLLECTING, KEEPING = 10, 15, 20, 25, 30, 90, 95
RAN = 85  # the agent's own 100 %


class Steps:
    """Takes the steps for one claim, and holds what one step leaves to the next."""

    def __init__(self, claim: Claim, log: TaskLogger, execution: Execution, store: ArtifactStore) -> None:
        self.kept: list[StoredArtifact] = []  #: the files that the task made, once all of them are copied
        self._claim = claim
        self._log = log
        self._execution = execution
        self._store = store
        self._address: str | None = None  # of the repository, in the one form

    def take(self, workspace: Workspace) -> None:
        """All of them, in order. Raises WorkStopped when one cannot be taken, or ClaimLost."""
        self._enter(STARTING, "starting")
        agent = self._choose_agent()
        self._enter(WORKSPACE, "preparing the workspace")
        workspace.make()
        checkout = self._check_out(agent, workspace)
        self._enter(RUNNING, f"{agent.info.name} at work")
        self._work(agent, workspace)
        self._enter(COLLECTING, "collecting the results")
        self._commit(agent, checkout, workspace)
        self._keep(agent, workspace)
        self._push(checkout)

    def _enter(self, percent: int, stage: str) -> None:
        """Begin a stage of the work."""
        self._execution.stage = stage
        self._log.progress(percent)
        self._execution.beat()

    def _choose_agent(self) -> Agent:
        """The agent that the task asks for. Raises AgentFailed when it cannot run here."""
        agent = agents().get(self._claim.agent)
        if agent is None:
            raise AgentFailed(f"There is no agent {self._claim.agent} any more; run the task again with another one.")
        if reason := agent.unavailable() or agent.why_not_accepted(self._claim.prompt, self._claim.repo_url):
            raise AgentFailed(reason)
        self._log.hide(*agent.secrets, *([agent.info.upstream.key] if agent.info.upstream else []))
        return agent

    def _check_out(self, agent: Agent, workspace: Workspace) -> Checkout | None:
        """The task's repository, on its branch if the agent changes it; None when there is nothing to work on.

        Raises AgentFailed when the repository cannot be had.
        """
        if self._claim.repo_url is None and not agent.info.changes_files:
            return None
        checkout = Checkout(workspace, self._execution.run)
        if self._claim.repo_url is None:
            checkout.begin()
        else:
            self._clone(checkout, self._claim.repo_url)
        if agent.info.changes_files:
            if self._claim.repo_url is not None:
                self._log.branch = branch_name(self._claim.task_id, self._claim.prompt)
                checkout.branch(self._log.branch)
                self._log.progress(BRANCHED)
            checkout.copy_git_dir_for_agent()
        return checkout

    def _clone(self, checkout: Checkout, repo_url: str) -> None:
        self._execution.stage = "cloning the repository"
        # The address was checked when the task was made; where it leads may have changed since.
        try:
            remote = addresses.resolve(repo_url)
        except InvalidInput as error:
            raise AgentFailed(error.message) from None
        self._address = remote.address
        checkout.clone(remote)
        self._log.progress(CLONED)

    def _work(self, agent: Agent, workspace: Workspace) -> None:
        """Let the agent's process do its work. Raises AgentFailed when it ends without success."""
        gateway = Gateway(agent.info.upstream, workspace.gateway, workspace.user) if agent.info.upstream else None
        with ExitStack() as stack:
            if gateway:
                stack.callback(self._log_if_any, gateway.summary)  # after its end: a call that is cut off counts too
                endpoint = stack.enter_context(gateway)
                self._log.hide(endpoint.token)
            assignment = Assignment(
                prompt=self._claim.prompt,
                model=self._claim.model,
                repository=workspace.repository if workspace.repository.exists() else None,
                repository_url=self._address,
                output=workspace.output,
                home=workspace.home,
                sandbox=workspace.sandbox(agent.info.limits, changes_files=agent.info.changes_files),
                endpoint=endpoint if gateway else None,
            )
            parser = agent.output_parser(assignment)
            # A model that thinks prints nothing, but its API sends signs of life.
            activity = (lambda: gateway.heard) if gateway else (lambda: 0.0)
            status = self._execution.work(agent, agent.command(assignment), parser, self._advance, activity)
        if sentence := parser.failure(status):
            raise AgentFailed(sentence)

    def _commit(self, agent: Agent, checkout: Checkout | None, workspace: Workspace) -> None:
        """Commit what the agent changed; where there is a repository, make a patch of it. Raises AgentFailed."""
        if checkout is None or not agent.info.changes_files:
            return
        changes = checkout.collect(self._claim.prompt, agent.info.name, self._claim.task_id)
        for line in changes.said:
            self._log.info(line)
        if changes.commit and self._claim.repo_url:
            checkout.patch(workspace.output)

    def _keep(self, agent: Agent, workspace: Workspace) -> None:
        """Keep the files that the agent made; without a repository that is all of its work tree."""
        folder = workspace.output
        if agent.info.changes_files and not self._claim.repo_url:
            folder = workspace.repository
            folders.remove(folder / ".git")
        names, left = output.find(folder)
        if left:
            self._log.info(f"Not kept: {', '.join(left)}. What is kept: {output.LIMITS}.")
        kept = []
        for file in self._store.put(self._claim.task_id, names, folder):
            kept.append(file)
            self._execution.beat()
        self.kept = kept
        self._log.progress(KEEPING)
        if kept:
            self._log.info(f"Kept {count(len(kept), 'file')}: {', '.join(file.name for file in kept)}.")

    def _push(self, checkout: Checkout | None) -> None:
        """Push the branch where the agent's settings and the repository's host allow it.

        Raises NotPushed when that fails: the patch is there all the same.
        """
        if checkout and catalog().pushes(self._claim.agent) and checkout.push(self._log.secrets):
            self._log.success(f"Pushed the branch {self._log.branch}.")

    def _advance(self, share: float) -> None:
        self._log.progress(RUNNING + int(share * (RAN - RUNNING)))

    def _log_if_any(self, sentence: Callable[[], str | None]) -> None:
        if said := sentence():
            self._log.info(said)

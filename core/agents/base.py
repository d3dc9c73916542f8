"""The contract between an agent and whoever runs it. Agents never see the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from core.sandbox.command import Command, GatewayEndpoint, ResourceLimits, Sandbox, Upstream

EntryType = Literal["info", "command", "success", "error"]


@dataclass(frozen=True)
class Assignment:
    """What an agent is asked to do, and where."""

    prompt: str
    model: str | None
    repository: Path | None  #: the task's repository, or None when it names none; see ``Agent.changes_files``
    repository_url: str | None  #: where it came from, in the form that ``repositories.checked`` gives
    output: Path  #: an empty folder; regular files in it become the task's artifacts
    home: Path  #: an empty folder, the process's HOME and TMPDIR
    sandbox: Sandbox  #: output and home, the repository too; an agent may narrow it, or add what it needs
    endpoint: GatewayEndpoint | None = None  #: for an agent with an ``upstream``


@dataclass(frozen=True)
class LogLine:
    """A log entry that a line of an agent's output stands for."""

    type: EntryType
    message: str


@dataclass(frozen=True)
class Progress:
    """The share of its own work, 0 to 1, that an agent says is done."""

    share: float


class OutputParser(Protocol):
    """Hears one run of an agent."""

    def feed(self, line: str) -> Iterable[LogLine | Progress]:
        """What a line of its standard output means."""

    def failure(self, status: int) -> str | None:
        """Why the run failed that ended with this exit status, in one sentence; None when it did not."""


class Agent(Protocol):
    """Something that can work on a task by running one process."""

    @property
    def name(self) -> str:
        """The word for it in the API, the log and agents.toml."""

    @property
    def title(self) -> str:
        """The words for it on a page."""

    @property
    def summary(self) -> str:
        """What it does, in a sentence or two."""

    @property
    def models(self) -> Sequence[str]:
        """The models to choose from, the default first; empty when there is no choice."""

    @property
    def allow_other_models(self) -> bool:
        """Whether a model may be asked for that is not in the list."""

    @property
    def examples(self) -> Sequence[str]:
        """Prompts to start from."""

    @property
    def changes_files(self) -> bool:
        """Whether it works on files.

        Then its assignment always has a repository, an empty one if need be, which it may write to and whose
        changes become a commit and a patch. Otherwise it can only read the repository.
        """

    @property
    def upstream(self) -> Upstream | None:
        """The model's API that it needs a door to."""

    @property
    def secrets(self) -> Sequence[str]:
        """The values that no log may show, beside the key of its upstream."""

    @property
    def limits(self) -> ResourceLimits:
        """What its process may use."""

    @property
    def idle(self) -> float:
        """After how many seconds without a line of output it is given up; infinite for never."""

    def unavailable(self) -> str | None:
        """Why it cannot run here, in one sentence, or None when it can."""

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        """Why it can never do this task, in one sentence that says what to ask instead; None when it can."""

    def command(self, assignment: Assignment) -> Command:
        """The process that does the work. Raises AgentFailed when this assignment cannot be done."""

    def output_parser(self, assignment: Assignment) -> OutputParser:
        """Who hears that process."""

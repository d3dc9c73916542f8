"""The contract between an agent and whoever runs it. Agents never see the database."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from core.log_text import LogType
from core.sandbox.command import Command, GatewayEndpoint, ResourceLimits, Sandbox, Upstream


@dataclass(frozen=True)
class AgentInfo:
    """What is known of an agent before it gets a task."""

    name: str  #: the word for it in the API, the log and agents.toml
    title: str  #: the words for it on a page
    summary: str  #: what it does, in a sentence or two
    models: Sequence[str] = ()  #: to choose from, the default first; empty when there is no choice
    allow_other_models: bool = False  #: whether a model may be asked for that is not in the list
    examples: Sequence[str] = ()  #: prompts to start from
    #: Whether it works on files. Then its assignment always has a repository, an empty one if need be, which it may
    #: write to and whose changes become a commit and a patch. Otherwise it can only read the repository.
    changes_files: bool = False
    upstream: Upstream | None = None  #: the model's API that it needs a gateway to
    limits: ResourceLimits = field(default_factory=ResourceLimits)  #: what its process may use
    idle: float = math.inf  #: after how many seconds without a line of output it is given up; infinite for never


@dataclass(frozen=True)
class Assignment:
    """What an agent is asked to do, and where."""

    prompt: str
    model: str | None
    repository: Path | None  #: the task's repository, or None when it names none; see ``AgentInfo.changes_files``
    repository_url: str | None  #: where it came from, as ``addresses.validate_address`` returns it
    output: Path  #: an empty folder; regular files in it become the task's artifacts
    home: Path  #: an empty folder, the process's HOME and TMPDIR
    sandbox: Sandbox  #: output and home, the repository too; an agent may narrow it, or add what it needs
    endpoint: GatewayEndpoint | None = None  #: for an agent with an ``upstream``


@dataclass(frozen=True)
class LogLine:
    """A log entry that a line of an agent's output stands for."""

    type: LogType
    message: str


@dataclass(frozen=True)
class Progress:
    """The share of its own work, 0 to 1, that an agent says is done."""

    share: float


class OutputParser(Protocol):
    """Reads the output of one run of an agent."""

    def feed(self, line: str) -> Iterable[LogLine | Progress]:
        """What a line of its standard output means."""

    def failure(self, status: int) -> str | None:
        """Why the run failed that ended with this exit status, in one sentence; None when it did not."""


class Agent(ABC):
    """Something that can work on a task by running one process."""

    info: AgentInfo

    @property
    def secrets(self) -> Sequence[str]:
        """The values that no log may show, beside the key of its upstream."""
        return ()

    def unavailable(self) -> str | None:
        """Why it cannot run here, in one sentence, or None when it can."""
        return None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        """Why it can never do this task, in one sentence that says what to ask instead; None when it can."""
        return None

    @abstractmethod
    def command(self, assignment: Assignment) -> Command:
        """The process that does the work. Raises AgentFailed when this assignment cannot be done."""

    @abstractmethod
    def output_parser(self, assignment: Assignment) -> OutputParser:
        """What reads the output of that process."""

"""The contract between an agent and whoever runs it. Agents never see the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

EntryType = Literal["info", "command", "success", "error"]


@dataclass(frozen=True)
class Assignment:
    """What an agent is asked to do, and where."""

    prompt: str
    model: str | None
    repository: Path | None  #: the cloned repository, or None when the task names none
    output: Path  #: an empty folder; regular files in it become the task's artifacts


@dataclass(frozen=True)
class Command:
    """A process to start: no shell, and no environment but ``env`` and the few names every process gets."""

    argv: Sequence[str]
    cwd: Path
    shown: str  #: how the log shows it
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """A log entry that a line of an agent's output stands for."""

    type: EntryType
    message: str


@dataclass(frozen=True)
class Done:
    """The share of its own work, 0 to 1, that an agent says is done."""

    share: float


@dataclass(frozen=True)
class Kept:
    """A file that an agent made and that now lies in the artifact folder; size in bytes."""

    name: str
    size: int
    sha256: str
    media_type: str


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
    def examples(self) -> Sequence[str]:
        """Prompts to start from."""

    def unavailable(self) -> str | None:
        """Why it cannot run here, in one sentence, or None when it can."""

    def command(self, assignment: Assignment) -> Command:
        """The process that does the work."""

    def parse(self, line: str) -> Said | Done:
        """What a line of its standard output means."""

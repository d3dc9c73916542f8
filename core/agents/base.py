"""The contract between an agent and whoever runs it. Agents never see the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

EntryType = Literal["info", "command", "success", "error"]

#: none: only what is in the box. open: the machine's network, its own addresses too.
Network = Literal["none", "open"]


@dataclass(frozen=True)
class Bounds:
    """What a process and all that it starts may use; time is bounded elsewhere."""

    memory: int = 2 * 2**30  #: bytes, together
    address_space: int | None = None  #: bytes of each process; None where a program reserves more than it uses
    processes: int = 512
    cpu: int = 600  #: seconds of each process
    file: int = 256 * 2**20  #: bytes of one file
    disk: int = 2 * 2**30  #: bytes in the writable folders, together: a clone of the largest size, and its copy
    files: int = 50_000  #: in the writable folders, together


@dataclass(frozen=True)
class Box:
    """What a process may touch: of the machine's files only the system's programs, read-only, and these folders.

    Paths are the same inside as outside. A box belongs to one task: no other task runs as ``user``.
    """

    writable: Sequence[Path] = ()
    readable: Sequence[Path] = ()
    network: Network = "none"
    bounds: Bounds = Bounds()
    user: int | None = None  #: the number it runs as where the server is root
    required: bool = False  #: whether the program never runs without one, unless the administrator wants none


@dataclass(frozen=True)
class Door:
    """The way to a model's API: a socket that reaches the gateway, and this task's own token instead of the key."""

    socket: Path
    token: str
    port: int  #: where a program in the box finds the API: http://127.0.0.1:PORT


@dataclass(frozen=True)
class Upstream:
    """A model's API, as the gateway speaks to it."""

    url: str
    key: str = field(repr=False)
    header: Literal["x-api-key", "authorization"]  #: where the key goes; authorization: as a bearer
    paths: Sequence[str]  #: the only ones that may be asked


@dataclass(frozen=True)
class Assignment:
    """What an agent is asked to do, and where."""

    prompt: str
    model: str | None
    repository: Path | None  #: the task's repository, or None when it names none; see ``Agent.changes_files``
    repository_url: str | None  #: where it came from, in the form that ``repositories.checked`` gives
    output: Path  #: an empty folder; regular files in it become the task's artifacts
    home: Path  #: an empty folder, the process's HOME and TMPDIR
    box: Box  #: output and home, the repository too; an agent may narrow it, or add what it needs
    door: Door | None = None  #: for an agent with an ``upstream``


@dataclass(frozen=True)
class Command:
    """A process to start: no shell, and no environment but ``env`` and the few names every process gets."""

    argv: Sequence[str]
    cwd: Path
    shown: str  #: how the log shows it; nothing for a step that is not worth an entry
    box: Box
    stdin: str = ""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


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
    """A file that an agent made and that now lies in the artifact folder; size in bytes.

    The name is its path there, with slashes.
    """

    name: str
    size: int
    sha256: str
    media_type: str


class Listener(Protocol):
    """Hears one run of an agent."""

    def hear(self, line: str) -> Iterable[Said | Done]:
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
    def bounds(self) -> Bounds:
        """What its process may use."""

    @property
    def idle(self) -> float:
        """After how many seconds without a line of output it is given up; infinite for never."""

    def unavailable(self) -> str | None:
        """Why it cannot run here, in one sentence, or None when it can."""

    def refusal(self, prompt: str, repository_url: str | None) -> str | None:
        """Why it can never do this task, in one sentence that says what to ask instead; None when it can."""

    def command(self, assignment: Assignment) -> Command:
        """The process that does the work. Raises AgentFailed when this assignment cannot be done."""

    def listen(self, assignment: Assignment) -> Listener:
        """Who hears that process."""

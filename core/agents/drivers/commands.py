"""What the agents share that run a program of the administrator's or of the repository's, and print text."""

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from core.agents.base import Assignment, LogLine, Progress
from core.agents.settings import ProgramSettings
from core.errors import AgentFailed
from core.log_text import LogType
from core.sandbox import isolation
from core.sandbox.command import Command, Network

_SYSTEM = ("usr", "bin", "sbin")


@dataclass(frozen=True)
class Access:
    """What such a program gets beside its task."""

    network: Network = "none"
    readable: Sequence[Path] = ()
    variables: Sequence[str] = ()  #: names of environment variables, handed over with their values

    @classmethod
    def of(cls, settings: ProgramSettings) -> Self:
        """What these settings give it."""
        return cls(settings.network, settings.readable, settings.secrets)

    @property
    def secrets(self) -> Sequence[str]:
        """The values of the variables."""
        return [os.environ[name] for name in self.variables if os.environ.get(name)]

    def missing(self) -> str | None:
        """What it cannot have here, as the middle of a sentence; None when it can have all."""
        if reason := isolation.unavailable():
            return reason
        unset = [name for name in self.variables if not os.environ.get(name)]
        return f"the environment variable {unset[0]} is not set" if unset else None


def is_of_repository(program: str) -> bool:
    """Whether a command's first word means a file of the repository and not a program of this machine."""
    return "/" in program and not program.startswith("/")


def is_there(program: str) -> bool:
    """Whether a program of this machine can be started; one of the repository is looked for when it is wanted."""
    return is_of_repository(program) or shutil.which(program, path=isolation.path()) is not None


def needed(program: str) -> tuple[Path, ...]:
    """What a sandbox must have beside /usr, which every sandbox has, so that this program can be started in it.

    That is the program itself where it has an absolute path elsewhere; for what else it needs there is ``readable``.
    """
    own = Path(program)
    return (own,) if own.is_absolute() and own.parts[1:2] and own.parts[1] not in _SYSTEM else ()


def start(argv: Sequence[str], assignment: Assignment, access: Access) -> Command:
    """The process that runs ``argv`` in the repository. The prompt is data there, never a part of a command.

    Raises AgentFailed when ``argv`` begins with a program of the repository and there is none.
    """
    repository = assignment.repository
    assert repository is not None  # noqa: S101  AgentInfo.changes_files promises one
    if is_of_repository(argv[0]) and not is_program(repository, argv[0]):
        raise AgentFailed(f"The repository has no program {argv[0]} that can be started: is it there and executable?")
    home = str(assignment.home)
    model = {"TASK_MODEL": assignment.model} if assignment.model else {}
    values = {name: os.environ[name] for name in access.variables}
    return Command(
        argv=argv,
        cwd=repository,
        shown=shlex.join(argv),
        sandbox=replace(
            assignment.sandbox,
            required=True,
            network=access.network,
            readable=(*assignment.sandbox.readable, *access.readable, *needed(argv[0])),
        ),
        stdin=assignment.prompt,
        env={**values, **model, "TASK_PROMPT": assignment.prompt, "HOME": home, "TMPDIR": home},
    )


def is_program(repository: Path, name: str) -> bool:
    """Whether ``name`` is an executable file in the repository; a link that leads out of it is none."""
    path = os.path.realpath(repository / name)  # Path.resolve raises for a link to itself, each Python another error
    is_inside = Path(path).is_relative_to(os.path.realpath(repository))
    return is_inside and os.path.isfile(path) and os.access(path, os.X_OK)


class Text:
    """Reads what a program prints as text: each line is an entry, the exit status is the verdict."""

    def __init__(self, name: str) -> None:
        self._name = name

    def feed(self, line: str) -> Iterable[LogLine | Progress]:
        return (LogLine(LogType.INFO, line),)

    def failure(self, status: int) -> str | None:
        return f"{self._name} ended with exit status {status}." if status else None

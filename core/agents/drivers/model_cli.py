"""What the agents share that are a vendor's program and speak to a model's API through the gateway."""

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.agents.base import Assignment
from core.errors import AgentFailed
from core.sandbox import isolation
from core.sandbox.command import ResourceLimits, Sandbox
from core.sandbox.gateway import SHIM


@dataclass(frozen=True)
class ModelCli:
    """An agent that is such a program, which the administrator installed.

    ``program`` is its name or path, with arguments if need be; ``readable`` are more files of this machine that it
    needs; ``key_variable`` is the name of the environment variable that holds the API's key.
    """

    name: str
    title: str
    summary: str
    program: Sequence[str]
    models: Sequence[str]
    key_variable: str
    upstream_url: str
    limits: ResourceLimits
    idle: float
    allow_other_models: bool = False
    readable: Sequence[Path] = ()
    examples: Sequence[str] = ()
    secrets: Sequence[str] = ()
    changes_files: bool = True

    def unavailable(self) -> str | None:
        if reason := isolation.unavailable() or self._missing():
            return f"{self.name} is not set up: {reason}; try data-processor."
        return None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        return None

    @property
    def key(self) -> str:
        """The API's key; empty where there is none."""
        return os.environ.get(self.key_variable, "")

    def _missing(self) -> str | None:
        if shutil.which(self.program[0]) is None:
            return f"there is no program {self.program[0]} that can be started"
        return None if self.key else f"the environment variable {self.key_variable} is not set"

    def _started(self, assignment: Assignment, *arguments: str) -> Sequence[str]:
        """What to start so that the program runs beside its way to the API. Raises AgentFailed without the program."""
        found, endpoint = shutil.which(self.program[0]), assignment.endpoint
        if found is None or endpoint is None:
            raise AgentFailed(self.unavailable() or f"{self.name} has no way to the model's API.")
        shim = (sys.executable, "-I", str(SHIM), str(endpoint.socket), str(endpoint.port), "--")
        return (*shim, str(Path(found).resolve()), *self.program[1:], *arguments)

    def _sandboxed(self, assignment: Assignment) -> Sandbox:
        """The assignment's box, with the program and its door."""
        own = [installed(Path(shutil.which(self.program[0]) or self.program[0]))]
        endpoint = [assignment.endpoint.socket.parent] if assignment.endpoint else []
        readable = (*assignment.sandbox.readable, *own, *self.readable, *endpoint)
        return replace(assignment.sandbox, readable=readable, network="none", required=True)


def installed(program: Path) -> Path:
    """What must be readable so that a program can run: the packages that npm installed it with, or the file alone.

    Never its folder as such, which could be somebody's home.
    """
    path = program.resolve()
    parts = path.parts
    return Path(*parts[: parts.index("node_modules") + 1]) if "node_modules" in parts else path

"""What the agents share that are a vendor's program and speak to a model's API through the gateway."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from core.agents.base import Agent, AgentInfo, Assignment
from core.agents.settings import ModelSettings
from core.errors import AgentFailed
from core.sandbox import isolation
from core.sandbox.command import Sandbox
from core.sandbox.gateway import SHIM

#: Prompts for the agents that write code.
CODING = (
    "Find the cause of the failing test and fix it.",
    "Add a test for what is not tested yet in the newest module.",
    "Explain how this repository is built and write it into the README.",
)


@dataclass(frozen=True)
class ModelCli(Agent):
    """An agent that is such a program, which the administrator installed.

    ``program`` is its name or path, with arguments if need be; ``readable`` are more files of this machine that it
    needs; ``key_variable`` is the name of the environment variable that holds the API's key.
    """

    info: AgentInfo
    program: Sequence[str]
    key_variable: str
    readable: Sequence[Path] = ()

    @classmethod
    def of(cls, name: str, settings: ModelSettings) -> Self:
        """The agent of this name that these settings stand for."""
        return cls(settings.info(name), settings.command, settings.secrets.api_key, settings.readable)

    def unavailable(self) -> str | None:
        if reason := isolation.unavailable() or self._missing():
            return f"{self.info.name} is not set up: {reason}; try data-processor."
        return None

    def _missing(self) -> str | None:
        if shutil.which(self.program[0]) is None:
            return f"there is no program {self.program[0]} that can be started"
        has_key = self.info.upstream and self.info.upstream.key
        return None if has_key else f"the environment variable {self.key_variable} is not set"

    def _started(self, assignment: Assignment, *arguments: str) -> Sequence[str]:
        """What to start so that the program runs beside its way to the API. Raises AgentFailed without the program."""
        found, endpoint = shutil.which(self.program[0]), assignment.endpoint
        if found is None or endpoint is None:
            raise AgentFailed(self.unavailable() or f"{self.info.name} has no way to the model's API.")
        shim = (sys.executable, "-I", str(SHIM), str(endpoint.socket), str(endpoint.port), "--")
        return (*shim, str(Path(found).resolve()), *self.program[1:], *arguments)

    def _sandboxed(self, assignment: Assignment) -> Sandbox:
        """The assignment's sandbox, with the program and its way to the gateway."""
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

"""Agents that are part of Taskdeck: Python programs that speak in JSON lines on their standard output.

{"type": "info" | "command" | "success" | "error", "message": "…"}     a log entry
{"type": "progress", "done": 3, "total": 12}                          the share of the work that is done
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from core.agents.base import Agent, AgentInfo, Assignment, LogLine, Progress
from core.agents.settings import AgentSettings
from core.log_text import LogType
from core.sandbox.command import Command, ResourceLimits

ROOT = Path(__file__).parent.parent.parent.parent

#: What a Python program with its libraries reserves and never uses, in bytes.
RESERVED = 4 * 2**30


def python_limits(memory: int) -> ResourceLimits:
    """The limits of a Python program that may use ``memory`` bytes, also where the machine cannot count them."""
    return ResourceLimits(memory=memory, address_space=memory + RESERVED)


class BuiltIn(Agent):
    """An agent that is the Python program ``module``.

    It is called with ``arguments``, then ``--output FOLDER`` and, when the task names a repository, ``--input FOLDER``;
    the prompt comes on its standard input. Exit status 0 is success; otherwise its last error entry says why. What else
    ``AgentInfo`` has can be given by name.
    """

    def __init__(
        self,
        name: str,
        title: str,
        summary: str,
        module: str,
        needs_repository: bool = False,
        limits: ResourceLimits | None = None,
        secrets: Sequence[str] = (),
        arguments: Sequence[str] = (),
        **more: Any,
    ) -> None:
        self.info = AgentInfo(name, title, summary, limits=limits or python_limits(ResourceLimits.memory), **more)
        self.module = module
        self.needs_repository = needs_repository
        self.arguments = arguments
        self._secrets = secrets

    @property
    def secrets(self) -> Sequence[str]:
        return self._secrets

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        if self.needs_repository and not repository_url:
            return f"{self.info.name} works on a repository: give its address."
        return None

    def command(self, assignment: Assignment) -> Command:
        return python_command(self.info.name, (self.module, *self.arguments), assignment)

    def output_parser(self, assignment: Assignment) -> "Events":
        return Events(self.info.name)


def python_command(name: str, module: Sequence[str], assignment: Assignment) -> Command:
    """The process that runs a module with its arguments, shown by its agent's name and without the real paths."""
    given = ("--input", str(assignment.repository)) if assignment.repository else ()
    return Command(
        argv=(sys.executable, "-m", *module, "--output", str(assignment.output), *given),
        cwd=ROOT,
        shown=f"{name} --output output" + (" --input repository" if given else ""),
        sandbox=assignment.sandbox,
        stdin=assignment.prompt,
        env={"HOME": str(assignment.home), "TMPDIR": str(assignment.home)},
    )


class BuiltInSettings(AgentSettings):
    """An agent that is such a program of Taskdeck's own."""

    program: ClassVar[str]  #: its name for core.programs
    needs_repository: ClassVar[bool] = False

    def info(self, name: str) -> AgentInfo:
        return replace(super().info(name), limits=python_limits(self.memory))

    def agent(self, name: str) -> BuiltIn:
        return BuiltIn(
            **vars(self.info(name)),
            module="core.programs",
            arguments=(self.program,),
            needs_repository=self.needs_repository,
        )


class Events:
    """Reads the JSON lines of one run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last_error = ""

    def feed(self, line: str) -> Iterable[LogLine | Progress]:
        meaning = _meaning(line)
        if isinstance(meaning, LogLine) and meaning.type is LogType.ERROR:
            self._last_error = meaning.message
        return (meaning,)

    def failure(self, status: int) -> str | None:
        if status == 0:
            return None
        return self._last_error or f"{self._name} ended with exit status {status}."


def _meaning(line: str) -> LogLine | Progress:
    try:
        event = json.loads(line)
        if event["type"] == "progress":
            return Progress(min(1.0, max(0.0, event["done"] / event["total"])) if event["total"] else 0.0)
        return LogLine(LogType(event["type"]), str(event["message"]))
    # Not an event: a library printed something.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return LogLine(LogType.INFO, line)

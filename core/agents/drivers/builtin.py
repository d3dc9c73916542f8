"""Agents that are part of Taskdeck: Python programs that speak in JSON lines on their standard output.

{"type": "info" | "command" | "success" | "error", "message": "…"}     a log entry
{"type": "progress", "done": 3, "total": 12}                          the share of the work that is done
"""

import json
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.agents.base import Assignment, EntryType, LogLine, Progress
from core.sandbox.command import Command, ResourceLimits, Upstream

ROOT = Path(__file__).parent.parent.parent.parent

_TYPES: dict[str, EntryType] = {"info": "info", "command": "command", "success": "success", "error": "error"}

#: What a Python program with its libraries reserves and never uses, in bytes.
RESERVED = 4 * 2**30


def python_limits(memory: int) -> ResourceLimits:
    """The bounds of a Python program that may use ``memory`` bytes, also where the machine cannot count them."""
    return ResourceLimits(memory=memory, address_space=memory + RESERVED)


@dataclass(frozen=True)
class BuiltIn:
    """An agent that is the Python program ``module``.

    It is called with ``--output FOLDER`` and, when the task names a repository, ``--input FOLDER``; the prompt comes
    on its standard input. Exit status 0 is success; otherwise its last error entry says why.
    """

    name: str
    title: str
    summary: str
    module: str
    needs_repository: bool = False
    limits: ResourceLimits = field(default_factory=lambda: python_limits(ResourceLimits.memory))
    idle: float = math.inf
    examples: Sequence[str] = ()
    models: Sequence[str] = ()
    allow_other_models: bool = False
    changes_files: bool = False
    upstream: Upstream | None = None
    secrets: Sequence[str] = ()

    def unavailable(self) -> str | None:
        return None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        if self.needs_repository and not repository_url:
            return f"{self.name} works on a repository: give its address."
        return None

    def command(self, assignment: Assignment) -> Command:
        given = ("--input", str(assignment.repository)) if assignment.repository else ()
        return Command(
            argv=(sys.executable, "-m", self.module, "--output", str(assignment.output), *given),
            cwd=ROOT,
            shown=f"{self.name} --output output" + (" --input repository" if given else ""),
            sandbox=assignment.sandbox,
            stdin=assignment.prompt,
            env={"HOME": str(assignment.home), "TMPDIR": str(assignment.home)},
        )

    def output_parser(self, assignment: Assignment) -> "Events":
        return Events(self.name)


class Events:
    """Hears the JSON lines of one run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last_error = ""

    def feed(self, line: str) -> Iterable[LogLine | Progress]:
        meaning = _meaning(line)
        if isinstance(meaning, LogLine) and meaning.type == "error":
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
        return LogLine(_TYPES[event["type"]], str(event["message"]))
    # Not an event: a library printed something.
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return LogLine("info", line)

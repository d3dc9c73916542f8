"""Agents that are part of Taskdeck: Python programs that speak in JSON lines on their standard output.

{"type": "info" | "command" | "success" | "error", "message": "…"}     a log entry
{"type": "progress", "done": 3, "total": 12}                          the share of the work that is done
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.agents.base import Assignment, Command, Done, EntryType, Said

ROOT = Path(__file__).parent.parent.parent

_TYPES: dict[str, EntryType] = {"info": "info", "command": "command", "success": "success", "error": "error"}


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
    examples: Sequence[str] = ()
    models: Sequence[str] = ()

    def unavailable(self) -> str | None:
        return None

    def command(self, assignment: Assignment) -> Command:
        given = ("--input", str(assignment.repository)) if assignment.repository else ()
        home = str(assignment.output.parent / "home")
        return Command(
            argv=(sys.executable, "-m", self.module, "--output", str(assignment.output), *given),
            cwd=ROOT,
            shown=f"{self.name} --output output" + (" --input repository" if given else ""),
            stdin=assignment.prompt,
            env={"HOME": home, "TMPDIR": home},
        )

    def parse(self, line: str) -> Said | Done:
        try:
            event = json.loads(line)
            if event["type"] == "progress":
                return Done(min(1.0, max(0.0, event["done"] / event["total"])) if event["total"] else 0.0)
            return Said(_TYPES[event["type"]], str(event["message"]))
        # Not an event: a library printed something.
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return Said("info", line)


@dataclass(frozen=True)
class NotIncluded:
    """An agent that has a name here and no driver: it says so and runs nothing."""

    name: str
    title: str
    summary: str
    models: Sequence[str] = ()
    examples: Sequence[str] = ()

    def unavailable(self) -> str | None:
        return f"{self.name} is not set up: this release has no driver for it yet; try data-processor."

    def command(self, assignment: Assignment) -> Command:
        raise NotImplementedError(self.unavailable())

    def parse(self, line: str) -> Said | Done:
        raise NotImplementedError(self.unavailable())

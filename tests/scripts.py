"""Agents with a special behaviour: a few lines of Python, each run in a real process of its own."""

import sys
from dataclasses import dataclass, replace

import core.agents
from core.agents.base import Assignment, Command
from core.agents.builtin import BuiltIn


@dataclass(frozen=True)
class Script(BuiltIn):
    """An agent that is Python code; it gets the prompt on standard input and the output folder as its one argument."""

    code: str = ""

    def command(self, assignment: Assignment) -> Command:
        return replace(super().command(assignment), argv=(sys.executable, "-c", self.code, str(assignment.output)))


def registry(**codes: str) -> tuple[object, ...]:
    """The registry with these agents in it, each by its name."""
    scripts = (Script(name=name, title=name, summary=name, module="", code=code) for name, code in codes.items())
    return (*core.agents._AGENTS, *scripts)

"""Agents with a special behaviour: a few lines of Python, each run in a real process of its own."""

import sys
from dataclasses import replace
from typing import Any

from core.agents.base import Assignment
from core.agents.drivers.builtin import BuiltIn
from core.sandbox.command import Command


class Script(BuiltIn):
    """An agent that is Python code; it gets the prompt on standard input and the output folder as its one argument.

    It is there once it is in ``registry.extra``. What else a BuiltIn takes can be given by name.
    """

    def __init__(self, name: str, code: str, **more: Any) -> None:
        super().__init__(name, **{"title": name, "summary": name, "module": ""} | more)
        self.code = code

    def command(self, assignment: Assignment) -> Command:
        return replace(super().command(assignment), argv=(sys.executable, "-c", self.code, str(assignment.output)))

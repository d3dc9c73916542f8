"""Agents with a special behaviour: a few lines of Python, each run in a real process of its own."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import core.agents.registry
from core.agents.base import Agent, Assignment
from core.agents.catalog import Catalog
from core.agents.drivers.builtin import BuiltIn
from core.sandbox.command import Command

#: The agents of the catalog alone, whatever a test has put in its place.
made = core.agents.registry.build_agents


@dataclass(frozen=True)
class Script(BuiltIn):
    """An agent that is Python code; it gets the prompt on standard input and the output folder as its one argument."""

    code: str = ""

    def command(self, assignment: Assignment) -> Command:
        return replace(super().command(assignment), argv=(sys.executable, "-c", self.code, str(assignment.output)))


def scripts(**codes: str) -> list[Script]:
    """Agents by name and code."""
    return [Script(name=name, title=name, summary=name, module="", code=code) for name, code in codes.items()]


def with_agents(added: Iterable[Agent]) -> Callable[[Catalog], Mapping[str, Agent]]:
    """What to put in the place of ``core.agents.registry.build_agents``, so that these agents are there too."""
    before, more = core.agents.registry.build_agents, {agent.name: agent for agent in added}
    return lambda settled: {**before(settled), **more}

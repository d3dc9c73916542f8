"""The driver ``lines``: any command of the administrator's, in the repository."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.agents.base import Assignment
from core.agents.drivers import commands
from core.sandbox.command import Command, ResourceLimits, Upstream


@dataclass(frozen=True)
class Lines:
    """An agent that is a command.

    It gets the prompt on standard input and in $TASK_PROMPT, and the model, if there is a choice, in $TASK_MODEL. When
    its first word is a relative path, the program is the repository's.
    """

    name: str
    title: str
    summary: str
    argv: Sequence[str]
    surroundings: commands.Access
    limits: ResourceLimits
    idle: float = math.inf
    examples: Sequence[str] = ()
    models: Sequence[str] = ()
    allow_other_models: bool = False
    changes_files: bool = True
    upstream: Upstream | None = None

    @property
    def secrets(self) -> Sequence[str]:
        return self.surroundings.secrets

    def unavailable(self) -> str | None:
        if reason := self.surroundings.missing():
            return f"{self.name} is not set up: {reason}."
        if not commands.is_there(self.argv[0]):
            return f"{self.name} is not set up: there is no program {self.argv[0]} that can be started."
        return None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        if commands.is_of_repository(self.argv[0]) and not repository_url:
            return f"{self.name} runs a program of the repository: give the repository's address."
        return None

    def command(self, assignment: Assignment) -> Command:
        return commands.start(self.argv, assignment, self.surroundings)

    def output_parser(self, assignment: Assignment) -> commands.Text:
        return commands.Text(self.name)

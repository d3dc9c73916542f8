"""The driver ``lines``: any command of the administrator's, in the repository."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from core.agents.base import Agent, AgentInfo, Assignment
from core.agents.drivers import commands
from core.agents.fields import Argv, ModelName
from core.agents.settings import ProgramSettings, Words
from core.sandbox.command import Command


class LinesSettings(ProgramSettings):
    """The command, and the models to choose from."""

    words: ClassVar[Words] = Words("", "Runs a command that the administrator chose.")

    driver: Literal["lines"]
    command: Argv
    models: tuple[ModelName, ...] = ()
    allow_other_models: bool = False

    def info(self, name: str) -> AgentInfo:
        return replace(super().info(name), models=self.models, allow_other_models=self.allow_other_models)

    def agent(self, name: str) -> "Lines":
        return Lines(self.info(name), self.command, commands.Access.of(self))


@dataclass(frozen=True)
class Lines(Agent):
    """An agent that is a command.

    It gets the prompt on standard input and in $TASK_PROMPT, and the model, if there is a choice, in $TASK_MODEL. When
    its first word is a relative path, the program is the repository's.
    """

    info: AgentInfo
    argv: Sequence[str]
    access: commands.Access

    @property
    def secrets(self) -> Sequence[str]:
        return self.access.secrets

    def unavailable(self) -> str | None:
        if reason := self.access.missing():
            return f"{self.info.name} is not set up: {reason}."
        if not commands.is_there(self.argv[0]):
            return f"{self.info.name} is not set up: there is no program {self.argv[0]} that can be started."
        return None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        if commands.is_of_repository(self.argv[0]) and not repository_url:
            return f"{self.info.name} runs a program of the repository: give the repository's address."
        return None

    def command(self, assignment: Assignment) -> Command:
        return commands.start(self.argv, assignment, self.access)

    def output_parser(self, assignment: Assignment) -> commands.Text:
        return commands.Text(self.info.name)

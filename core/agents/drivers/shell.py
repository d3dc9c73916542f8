"""The driver ``shell``: recipes by name, the administrator's or the repository's own. The prompt is never a command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import Field

from core.agents.base import Agent, AgentInfo, Assignment
from core.agents.drivers import commands
from core.agents.fields import RECIPE, Argv, RecipeName
from core.agents.settings import ProgramSettings, Words
from core.errors import AgentFailed
from core.sandbox.command import Command

#: Where a repository has recipes of its own: executable files.
FOLDER = ".tasks"


class ShellSettings(ProgramSettings):
    """The administrator's recipes."""

    words: ClassVar[Words] = Words(
        "Shell", "Runs a recipe by its name: one of the administrator's, or a program of the repository."
    )

    driver: Literal["shell"]
    recipes: dict[RecipeName, Argv] = Field({})

    def info(self, name: str) -> AgentInfo:
        return replace(super().info(name), examples=tuple(self.recipes))

    def agent(self, name: str) -> "Shell":
        return Shell(self.info(name), self.recipes, commands.Access.of(self))


@dataclass(frozen=True)
class Shell(Agent):
    """An agent that runs the recipe which the prompt's first word names.

    The administrator's recipe comes before the repository's of the same name. A recipe gets the whole prompt on
    standard input and in $TASK_PROMPT.
    """

    info: AgentInfo
    recipes: Mapping[str, Sequence[str]]
    access: commands.Access

    @property
    def secrets(self) -> Sequence[str]:
        return self.access.secrets

    def unavailable(self) -> str | None:
        reason = self.access.missing()
        return f"{self.info.name} is not set up: {reason}." if reason else None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        recipe = _first_word(prompt)
        argv = self.recipes.get(recipe)
        if argv is None:
            return None if repository_url and RECIPE.fullmatch(recipe) else self._choice()
        if commands.is_of_repository(argv[0]) and not repository_url:
            return f"The recipe {recipe} is a program of the repository: give the repository's address."
        return None

    def command(self, assignment: Assignment) -> Command:
        recipe = _first_word(assignment.prompt)
        if argv := self.recipes.get(recipe):
            if not commands.is_there(argv[0]):
                raise AgentFailed(f"The recipe {recipe} needs the program {argv[0]}, which cannot be started here.")
            return commands.start(argv, assignment, self.access)
        assert assignment.repository is not None  # noqa: S101  AgentInfo.changes_files promises one
        own = f"{FOLDER}/{recipe}"
        if not RECIPE.fullmatch(recipe) or not commands.is_program(assignment.repository, own):
            raise AgentFailed(f"There is no recipe of the name {recipe[:64]}. {self._choice()}")
        return commands.start((own,), assignment, self.access)

    def output_parser(self, assignment: Assignment) -> commands.Text:
        return commands.Text(self.info.name)

    def _choice(self) -> str:
        own = f"of an executable file in the repository's {FOLDER} folder"
        if not self.recipes:
            return f"Begin the prompt with the name {own}, and give the repository's address."
        return f"Begin the prompt with the name of a recipe: {', '.join(self.recipes)}; or {own}."


def _first_word(prompt: str) -> str:
    return (prompt.split(maxsplit=1) or [""])[0]

"""The driver ``shell``: recipes by name, the administrator's or the repository's own. The prompt is never a command."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.agents.base import Assignment
from core.agents.drivers import commands
from core.agents.fields import RECIPE
from core.errors import AgentFailed
from core.sandbox.command import Command, ResourceLimits, Upstream

#: Where a repository has recipes of its own: executable files.
FOLDER = ".tasks"


@dataclass(frozen=True)
class Shell:
    """An agent that runs the recipe which the prompt's first word names.

    The administrator's recipe comes before the repository's of the same name. A recipe gets the whole prompt on
    standard input and in $TASK_PROMPT.
    """

    name: str
    title: str
    summary: str
    recipes: Mapping[str, Sequence[str]]
    surroundings: commands.Access
    limits: ResourceLimits
    idle: float = math.inf
    models: Sequence[str] = ()
    allow_other_models: bool = False
    changes_files: bool = True
    upstream: Upstream | None = None

    @property
    def examples(self) -> Sequence[str]:
        return tuple(self.recipes)

    @property
    def secrets(self) -> Sequence[str]:
        return self.surroundings.secrets

    def unavailable(self) -> str | None:
        reason = self.surroundings.missing()
        return f"{self.name} is not set up: {reason}." if reason else None

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
            return commands.start(argv, assignment, self.surroundings)
        assert assignment.repository is not None  # noqa: S101  base.Agent.changes_files promises one
        own = f"{FOLDER}/{recipe}"
        if not RECIPE.fullmatch(recipe) or not commands.is_program(assignment.repository, own):
            raise AgentFailed(f"There is no recipe of the name {recipe[:64]}. {self._choice()}")
        return commands.start((own,), assignment, self.surroundings)

    def output_parser(self, assignment: Assignment) -> commands.Text:
        return commands.Text(self.name)

    def _choice(self) -> str:
        own = f"of an executable file in the repository's {FOLDER} folder"
        if not self.recipes:
            return f"Begin the prompt with the name {own}, and give the repository's address."
        return f"Begin the prompt with the name of a recipe: {', '.join(self.recipes)}; or {own}."


def _first_word(prompt: str) -> str:
    return (prompt.split(maxsplit=1) or [""])[0]

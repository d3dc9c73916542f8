"""The driver ``deployment-bot``: a repository's own recipe, or the administrator's, deploys to an environment.

A recipe gets network and secrets only from a target of agents.toml that names the repository and the environment. The
bot reads the repository and works on a copy of it: a deployment changes no files, so it makes no commit and no patch.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import model_validator

from core.agents.base import Agent, AgentInfo, Assignment
from core.agents.drivers import commands
from core.agents.drivers.builtin import Events, python_command
from core.agents.fields import Environment, Folder, RepositoryAddress, Variable, WebAddress, Word
from core.agents.settings import AgentSettings, StrictModel, Words
from core.errors import AgentFailed
from core.programs.deployment_bot.request import NotUnderstood, understood
from core.programs.deployment_bot.target import VARIABLE, Target
from core.sandbox import isolation
from core.sandbox.command import Command, Network

PROGRAM = ("core.programs", "deployment_bot")


class DeploymentTarget(StrictModel):
    """Where a repository may be deployed to. Without a command the repository's own recipe is used."""

    repo: RepositoryAddress  #: https, or file for a folder: in the form that addresses.validate_address returns
    env: Environment
    command: tuple[Word, ...] = ()
    health_url: WebAddress | None = None
    secrets: tuple[Variable, ...] = ()
    readable: tuple[Folder, ...] = ()
    network: Network = "none"

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.health_url is not None and self.network != "open":
            raise ValueError('a health_url needs network = "open"')
        return self


class DeploymentSettings(AgentSettings):
    """The administrator's targets."""

    words: ClassVar[Words] = Words(
        "Deployment bot",
        "Runs a repository's own deployment recipe, or the administrator's.",
        ("Dry run staging", "Deploy to staging"),
    )

    driver: Literal["deployment-bot"]
    targets: tuple[DeploymentTarget, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        places = [(target.repo, target.env) for target in self.targets]
        if len(set(places)) < len(places):
            raise ValueError("a repository's environment is there twice among the targets")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for target in self.targets for name in target.secrets)

    def agent(self, name: str) -> "DeploymentBot":
        return DeploymentBot(self.info(name), self.targets)


@dataclass(frozen=True)
class DeploymentBot(Agent):
    """An agent that deploys. It reads the values of secrets only when they are asked for."""

    info: AgentInfo
    targets: Sequence[DeploymentTarget]

    @property
    def secrets(self) -> Sequence[str]:
        names = {name for target in self.targets for name in target.secrets}
        return [os.environ[name] for name in sorted(names) if os.environ.get(name)]

    def unavailable(self) -> str | None:
        reason = isolation.unavailable()
        return (
            f"{self.info.name} runs a repository's own recipe, and that needs a sandbox: {reason}." if reason else None
        )

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        try:
            understood(prompt)
        except NotUnderstood as error:
            return str(error)
        return None if repository_url else f"{self.info.name} deploys a repository: give its address."

    def command(self, assignment: Assignment) -> Command:
        try:
            request = understood(assignment.prompt)
        except NotUnderstood as error:
            raise AgentFailed(str(error)) from None
        target = self._target_of(assignment.repository_url or "", request.environment)
        given = None if request.is_dry_run else target  # what a dry run shows gets neither network nor secrets
        sandbox = replace(
            assignment.sandbox,
            required=True,
            network=given.network if given else "none",
            readable=(*assignment.sandbox.readable, *_needed(target)),
        )
        secrets = _values(given.secrets) if given else {}
        base = python_command(self.info.name, PROGRAM, assignment)
        return replace(base, sandbox=sandbox, env={**secrets, **base.env, VARIABLE: _told(target).dumped()})

    def output_parser(self, assignment: Assignment) -> Events:
        return Events(self.info.name)

    def _target_of(self, address: str, environment: str) -> DeploymentTarget | None:
        for target in self.targets:
            if target.env == environment and _plain(target.repo) == _plain(address):
                return target
        return None


def _needed(target: DeploymentTarget | None) -> tuple[Path, ...]:
    """What the administrator's command reads outside the repository."""
    if target is None:
        return ()
    return (*target.readable, *(commands.needed(target.command[0]) if target.command else ()))


def _values(names: Sequence[str]) -> dict[str, str]:
    for name in names:
        if not os.environ.get(name):
            raise AgentFailed(f"This deployment needs {name}, which is not set on the server: tell the administrator.")
    return {name: os.environ[name] for name in names}


def _told(target: DeploymentTarget | None) -> Target:
    if target is None:
        return Target()
    return Target(target.command, target.health_url, target.secrets, target.network == "open", is_settled=True)


def _plain(address: str) -> str:
    """An address without what makes no difference: capitals of the host, the port of https, .git at the end.

    Of a folder all makes a difference.
    """
    parts = urlsplit(address)
    if parts.scheme == "file":
        return address
    port = "" if parts.port in (None, 443) else f":{parts.port}"
    path = parts.path.rstrip("/").removesuffix(".git")
    return f"{parts.scheme.lower()}://{parts.hostname or ''}{port}{path}"

"""The driver ``deployment-bot``: a repository's own recipe, or the administrator's, deploys to an environment.

A recipe gets network and secrets only from a target of agents.toml that names the repository and the environment. The
bot reads the repository and works on a copy of it: a deployment changes no files, so it makes no commit and no patch.
"""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from core.agents import settings
from core.agents.base import Assignment
from core.agents.drivers import commands
from core.agents.drivers.builtin import ROOT, Events
from core.errors import AgentFailed
from core.programs.deployment_bot.request import NotUnderstood, understood
from core.programs.deployment_bot.target import VARIABLE, Target
from core.sandbox import isolation
from core.sandbox.command import Command, ResourceLimits, Upstream

MODULE = "core.programs.deployment_bot"


@dataclass(frozen=True)
class DeploymentBot:
    """An agent that deploys. It reads the values of secrets only when they are asked for."""

    name: str
    title: str
    summary: str
    targets: Sequence[settings.Target]
    limits: ResourceLimits
    idle: float = math.inf
    examples: Sequence[str] = ("Dry run staging", "Deploy to staging")
    models: Sequence[str] = ()
    allow_other_models: bool = False
    changes_files: bool = False
    upstream: Upstream | None = None

    @property
    def secrets(self) -> Sequence[str]:
        names = {name for target in self.targets for name in target.secrets}
        return [os.environ[name] for name in sorted(names) if os.environ.get(name)]

    def unavailable(self) -> str | None:
        reason = isolation.unavailable()
        return f"{self.name} runs a repository's own recipe, and that needs a box: {reason}." if reason else None

    def why_not_accepted(self, prompt: str, repository_url: str | None) -> str | None:
        try:
            understood(prompt)
        except NotUnderstood as error:
            return str(error)
        return None if repository_url else f"{self.name} deploys a repository: give its address."

    def command(self, assignment: Assignment) -> Command:
        try:
            request = understood(assignment.prompt)
        except NotUnderstood as error:
            raise AgentFailed(str(error)) from None
        target, secrets = self._settled(assignment.repository_url or "", request.environment), {}
        has_network = target is not None and target.network == "open" and not request.is_dry_run
        if target is not None and not request.is_dry_run:
            secrets = _values(target.secrets)
        given = ("--input", str(assignment.repository)) if assignment.repository else ()
        home = str(assignment.home)
        return Command(
            argv=(sys.executable, "-m", MODULE, "--output", str(assignment.output), *given),
            cwd=ROOT,
            shown=f"{self.name} --output output" + (" --input repository" if given else ""),
            sandbox=replace(
                assignment.sandbox,
                required=True,
                network="open" if has_network else "none",
                readable=(*assignment.sandbox.readable, *_needed(target)),
            ),
            stdin=assignment.prompt,
            env={**secrets, "HOME": home, "TMPDIR": home, VARIABLE: _told(target).dumped()},
        )

    def output_parser(self, assignment: Assignment) -> Events:
        return Events(self.name)

    def _settled(self, address: str, environment: str) -> settings.Target | None:
        for target in self.targets:
            if target.env == environment and _plain(target.repo) == _plain(address):
                return target
        return None


def _needed(target: settings.Target | None) -> tuple[Path, ...]:
    """What the administrator's command reads outside the repository."""
    if target is None:
        return ()
    return (*target.readable, *(commands.needed(target.command[0]) if target.command else ()))


def _values(names: Sequence[str]) -> dict[str, str]:
    for name in names:
        if not os.environ.get(name):
            raise AgentFailed(f"This deployment needs {name}, which is not set on the server: tell the administrator.")
    return {name: os.environ[name] for name in names}


def _told(target: settings.Target | None) -> Target:
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

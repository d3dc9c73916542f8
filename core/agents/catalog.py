"""What the administrator wrote in agents.toml, and the agents that it stands for."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_core import ErrorDetails

from core.agents import plugins as packages
from core.agents.base import Agent
from core.agents.drivers import DRIVERS, KNOWN, AnySettings
from core.agents.fields import AgentName, HostName, RepositoryName, Root, Variable
from core.agents.settings import AgentSettings, StrictModel, Times
from core.agents.toml_lines import line_of
from core.config import Settings, settings
from core.errors import ConfigurationError
from core.log_text import hidden, mask


class Host(StrictModel):
    """A host of repositories that is private, or that Taskdeck signs in to."""

    private: bool = False  #: whether its name may lead to an address that is not public
    user: str = "oauth2"
    token: Variable | None = None
    push: tuple[RepositoryName, ...] = ()


class Repositories(StrictModel):
    """Where repositories may come from, beside public ones over https."""

    local_roots: tuple[Root, ...] = ()
    hosts: Mapping[HostName, Host] = {}


@dataclass(frozen=True)
class TimeLimits:
    """An agent's time, in seconds: the hard limit, when the warning comes, by how much an owner may extend it once."""

    timeout: float
    warning: float
    extension: float


class Catalog(StrictModel):
    """The whole file, with the defaults of what it does not say."""

    plugins: tuple[AgentName, ...] = ()
    repositories: Repositories = Repositories()
    agents: Mapping[AgentName, AnySettings]

    @model_validator(mode="before")
    @classmethod
    def _with_drivers(cls, given: Any) -> Any:
        """Every known agent is there, and an agent known by its name has its driver."""
        tables, plugins = given.get("agents", {}), given.get("plugins", [])
        if not isinstance(tables, dict) or not isinstance(plugins, list):
            return given
        known: dict[str, Any] = {name: {} for name in KNOWN}
        named = [name for name in plugins if isinstance(name, str)]
        drivers = dict.fromkeys(named) | {name: name for name in KNOWN}
        return {**given, "agents": {name: _driven(table, name, drivers) for name, table in (known | tables).items()}}

    @cached_property
    def built(self) -> Mapping[str, Agent]:
        """Every agent by name, the plugins' last. Raises ConfigurationError for a plugin that cannot be used."""
        found = {name: given.agent(name) for name, given in self.agents.items() if isinstance(given, AgentSettings)}
        for agent in packages.load(self.plugins):
            if agent.info.name in found:
                raise ConfigurationError(
                    f"There are two agents of the name {agent.info.name}: a plugin's, and another one."
                )
            found[agent.info.name] = agent
        return found

    def limits(self, agent: str, settings: Settings) -> TimeLimits:
        """An agent's limits. Its own timeout moves the warning in proportion, unless it has a warning of its own."""
        own = self.agents.get(agent, Times())
        timeout = own.timeout or settings.timeout
        warning = own.warning or timeout * settings.warning / settings.timeout
        return TimeLimits(timeout, warning, own.extension)

    def pushes(self, agent: str) -> bool:
        """Whether an agent's branches may be pushed, where the repository's host allows it too."""
        return agent in self.agents and self.agents[agent].pushed

    def secrets(self) -> tuple[str, ...]:
        """What no log may show: every value that the file's names of environment variables lead to, and its lines."""
        names = {name for agent in self.agents.values() for name in agent.variables}
        names |= {host.token for host in self.repositories.hosts.values() if host.token}
        return hidden(os.environ.get(name, "") for name in sorted(names))


def _driven(table: Any, name: str, drivers: Mapping[str, str | None]) -> Any:
    if isinstance(table, dict) and "driver" not in table and name in drivers:
        return {"driver": drivers[name], **table}
    return table


@cache
def catalog() -> Catalog:
    """The configured catalog; the defaults when there is no file.

    Raises ConfigurationError that names the file, the line and the key; a value is never shown.
    """
    path = settings().agents
    try:
        text = path.read_text() if path.exists() else ""
        found = Catalog.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {mask(str(error))}.") from None  # it may repeat a key
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ConfigurationError(_explain(path, text, first)) from None
    for agent in found.agents:
        limits = found.limits(agent, settings())
        if limits.warning >= limits.timeout:
            place = ("agents", agent)
            raise ConfigurationError(f"{_where(path, text, place)}.warning must be less than its timeout.")
    return found


def _explain(path: Path, text: str, error: ErrorDetails) -> str:
    place = [part for part in error["loc"] if part != "[key]"]
    message = error["msg"].removeprefix("Value error, ")
    driver = place.pop(2) if place[0] == "agents" and len(place) > 2 else None
    if error["type"] == "extra_forbidden":
        whose = f"the driver {driver}" if driver in DRIVERS else "a plugin" if driver else "the file"
        message = f"{whose} has no such key; agents.toml.example shows them all"
    elif error["type"] == "missing":
        message = f"{place.pop()} is missing"
    return f"{_where(path, text, place, _shown(place, error))}: {message}."


def _shown(place: Sequence[int | str], error: ErrorDetails) -> Sequence[int | str]:
    """A place without what may be a secret in the place of a key: one among secrets, an address with a password."""
    unsafe = {"secrets"} | ({"hosts"} if "[key]" in error["loc"] else set())
    return next((place[: number + 1] for number, part in enumerate(place) if part in unsafe), place)


def _where(path: Path, text: str, place: Sequence[int | str], shown: Sequence[int | str] | None = None) -> str:
    line = line_of(text, place)
    key = "".join(f".{part}" if isinstance(part, str) else f"[{part}]" for part in shown or place)
    return f"{path}{f', line {line}' if line else ''}: {key.removeprefix('.')}"

"""What the administrator settled in agents.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.agents import agents
from core.config import Settings, settings
from core.errors import ConfigurationError


class Repositories(BaseModel):
    """Where repositories may come from, beside https."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    local_roots: tuple[Path, ...] = ()

    @field_validator("local_roots")
    @classmethod
    def _absolute(cls, roots: tuple[Path, ...]) -> tuple[Path, ...]:
        for root in roots:
            if not root.is_absolute():
                raise ValueError("each folder must be an absolute path")
        return tuple(root.resolve() for root in roots)


@dataclass(frozen=True)
class Limits:
    """An agent's time, in seconds: the hard limit, when the warning comes, by how much an owner may extend it once."""

    timeout: float
    warning: float
    extension: float


class AgentSettings(BaseModel):
    """One agent's own settings; times are in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout: float | None = Field(None, gt=0, allow_inf_nan=False)
    warning: float | None = Field(None, gt=0, allow_inf_nan=False)
    extension: float = Field(0, ge=0, allow_inf_nan=False)


def _known(name: str) -> str:
    if name not in agents():
        raise ValueError(f"there is no such agent; known are {', '.join(agents())}")
    return name


class Catalog(BaseModel):
    """The whole file; a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repositories: Repositories = Repositories()
    agents: dict[Annotated[str, AfterValidator(_known)], AgentSettings] = {}

    def limits(self, agent: str, settings: Settings) -> Limits:
        """An agent's limits. Its own timeout moves the warning in proportion, unless it has a warning of its own."""
        own = self.agents.get(agent, AgentSettings())
        timeout = own.timeout or settings.timeout
        warning = own.warning or timeout * settings.warning / settings.timeout
        return Limits(timeout, warning, own.extension)


@cache
def catalog() -> Catalog:
    """The configured catalog; the defaults when there is no file.

    Raises ConfigurationError that names the file and the key.
    """
    path = settings().agents
    if not path.exists():
        return Catalog()
    try:
        text = path.read_text()
        made = Catalog.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        first["loc"] = tuple(part for part in first["loc"] if part != "[key]")
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{path}{_line_of(text, first['loc'])}: {key}: {message}.") from None
    for agent in made.agents:
        limits = made.limits(agent, settings())
        if limits.warning >= limits.timeout:
            line = _line_of(text, ("agents", agent))
            raise ConfigurationError(f"{path}{line}: agents.{agent}.warning must be less than its timeout.")
    return made


def _line_of(text: str, location: tuple[int | str, ...]) -> str:
    """Where the key or the section of ``location`` stands, as far as the text shows it."""
    wanted = ".".join(part for part in location if isinstance(part, str))
    section = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if line.startswith("["):
            section = here = line.strip("[] ")
        else:
            here = ".".join(filter(None, (section, line.partition("=")[0].strip())))
        if here == wanted:
            return f", line {number}"
    return ""

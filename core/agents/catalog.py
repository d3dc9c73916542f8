"""What the administrator settled in agents.toml."""

import tomllib
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from core.config import settings
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


class Catalog(BaseModel):
    """The whole file; a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repositories: Repositories = Repositories()


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
        return Catalog.model_validate(tomllib.loads(text))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path}{_line_of(text, first['loc'])}: {key}: {first['msg']}.") from None


def _line_of(text: str, location: tuple[int | str, ...]) -> str:
    """Where the last named key of ``location`` stands, as far as the text shows it."""
    names = [part for part in location if isinstance(part, str)]
    for number, line in enumerate(text.splitlines(), 1):
        if names and line.strip().lstrip("[").startswith(names[-1]):
            return f", line {number}"
    return ""

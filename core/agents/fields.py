"""The kinds of values in agents.toml, each with the sentence for one that does not fit. A value is never repeated."""

import os
import re
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, Field

from core.log_text import mask

#: A model's name: it may become an argument of a program, so it never begins with a dash.
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")

#: A recipe's name: also that of a file in a repository's .tasks folder.
RECIPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def _matching(pattern: str | re.Pattern[str], otherwise: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(otherwise)
        return text

    return AfterValidator(check)


def _absolute(folder: Path) -> Path:
    if not folder.is_absolute():
        raise ValueError("each folder must be an absolute path")
    return folder


def _address(*schemes: str) -> Callable[[str], str]:
    """A validator of web addresses, which never repeats them: one may hold a password."""
    wanted = f"must be an {' or '.join(schemes)} address without user name and password"

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(wanted) from None
        plain = text.isascii() and text.isprintable() and not set(text) & set(' \\"<>')
        if not plain or parts.scheme not in schemes or not host or "@" in parts.netloc or parts.fragment:
            raise ValueError(wanted)
        return text.rstrip("/")

    return check


def _repository_address(text: str) -> str:
    if text.startswith("/"):
        folder = text
    elif text.startswith("file:///"):
        folder = unquote(urlsplit(text).path)
    else:
        try:
            return _address("https")(text)
        except ValueError as error:
            raise ValueError(f"{error}, or a folder's absolute path") from None
    if not folder.isprintable():
        raise ValueError("must be a folder's path without signs that cannot be shown")
    return f"file://{quote(os.path.realpath(folder))}"


def _variable(name: str) -> str:
    # Some keys look like names, and a name may be shown: so what the log would mask is refused here too.
    if not re.fullmatch("[A-Z][A-Z0-9_]*", name) or mask(name) != name:
        raise ValueError("must be the name of an environment variable, such as API_KEY, and not its value")
    return name


def _host_name(name: str) -> str:
    if re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
        return name
    try:
        return str(ip_address(name))
    except ValueError:
        raise ValueError("must be a host's name in small letters, without port and path") from None


def _repository(name: str) -> str:
    if name != "*" and not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", name):
        raise ValueError('each repository must be written as owner/name; "*" means all')
    return name


Variable = Annotated[str, AfterValidator(_variable)]
AgentName = Annotated[
    str, _matching("[a-z][a-z0-9-]{0,39}", "a name has small letters, digits and dashes, a letter first, at most 40")
]
ModelName = Annotated[str, _matching(MODEL, "a model's name has letters, digits and . _ : / -, no sign first")]
RecipeName = Annotated[str, _matching(RECIPE, "a recipe's name has letters, digits and . _ -, no sign first")]
Models = Annotated[tuple[ModelName, ...], Field(min_length=1)]
Word = Annotated[str, _matching(r"[^\0]+", "each word of a command must be a text that is not empty")]
Argv = Annotated[tuple[Word, ...], Field(min_length=1)]
Folder = Annotated[Path, AfterValidator(_absolute)]
Root = Annotated[Folder, AfterValidator(Path.resolve)]
WebAddress = Annotated[str, AfterValidator(_address("https", "http"))]
HostName = Annotated[str, AfterValidator(_host_name)]
RepositoryName = Annotated[str, AfterValidator(_repository)]
RepositoryAddress = Annotated[str, AfterValidator(_repository_address)]
Environment = Annotated[
    str, _matching("[a-z0-9][a-z0-9-]{0,39}", "must be small letters, digits and dashes, at most 40")
]

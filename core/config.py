"""Settings: read once from the environment, checked at start, frozen afterwards."""

import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import ConfigurationError

PREFIX = "TASKDECK_"
SECRET_BYTES = 32
SECRET_CHARACTERS = 10  #: different ones; a random key has more, even in hexadecimal

#: What documentation and examples put where a key belongs.
_PLACEHOLDER = re.compile(r"change.?(me|this|it)|default|example|password|secret|some.?key|your.?key", re.IGNORECASE)

_WEB_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+]|[a-z0-9._-]+)(?P<port>:\d{1,5})?(?P<path>/[^\s?#]*)?", re.IGNORECASE
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Settings(BaseSettings):
    """Everything an operator may set. Times are in seconds, but ``retention`` is in days; 0 keeps tasks forever.

    The variable's name is the field's, in capitals and after ``TASKDECK_``, unless an alias says otherwise.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, populate_by_name=True, env_ignore_empty=True)

    database_url: str = Field("", validation_alias="DATABASE_URL")
    worker_database_url: str = Field("", validation_alias="WORKER_DATABASE_URL")
    migration_database_url: str = Field("", validation_alias="MIGRATION_DATABASE_URL")
    port: int = Field(8501, validation_alias="PORT", ge=1, le=65535)
    data: Path = Path("data")
    secret: SecretStr = SecretStr("")
    old_secret: SecretStr = SecretStr("")
    public_url: str = ""
    proxies: Annotated[tuple[str, ...], NoDecode] = ()
    agents: Path = Path("agents.toml")
    sandbox: Literal["bwrap", "none"] = "bwrap"
    timeout: float = Field(300, gt=0, allow_inf_nan=False)
    warning: float = Field(240, gt=0, allow_inf_nan=False)
    tick: float = Field(60, gt=0, allow_inf_nan=False)
    lease: float = Field(30, ge=1, le=300, allow_inf_nan=False)
    grace: float = Field(10, ge=0, allow_inf_nan=False)
    retention: float = Field(0, ge=0, le=36_500, allow_inf_nan=False)
    concurrency: int = Field(2, ge=1, le=64)
    log_lines: int = Field(10_000, ge=10, le=100_000)
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url", "worker_database_url", "migration_database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        return url and database_address(url)

    @field_validator("secret", "old_secret")
    @classmethod
    def _unguessable(cls, secret: SecretStr) -> SecretStr:
        if key := secret.get_secret_value():
            check_key(key)
        return secret

    @field_validator("public_url")
    @classmethod
    def _as_browsers_write_it(cls, url: str) -> str:
        if not url:
            return url
        found = _WEB_ADDRESS.fullmatch(url)
        if not found:
            raise ValueError("must be like https://tasks.example.org")
        scheme, host = found["scheme"].lower(), found["host"].lower()
        port = "" if found["port"] in (None, _DEFAULT_PORTS[scheme]) else found["port"]
        return f"{scheme}://{host}{port}{found['path'] or ''}".rstrip("/")

    @field_validator("proxies", mode="before")
    @classmethod
    def _addresses_or_networks(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        proxies = tuple(one.strip() for one in given.split(","))
        for proxy in proxies:
            try:
                ip_network(proxy)
            except ValueError:
                raise ValueError(f"{proxy!r} is neither an address nor a network such as 10.0.0.0/8") from None
        return proxies

    @model_validator(mode="after")
    def _warning_before_limit(self) -> Self:
        if self.warning >= self.timeout:
            raise ValueError("TASKDECK_WARNING must be less than TASKDECK_TIMEOUT")
        return self

    @model_validator(mode="after")
    def _one_kind_of_database(self) -> Self:
        others = {
            "WORKER_DATABASE_URL": self.worker_database_url,
            "MIGRATION_DATABASE_URL": self.migration_database_url,
        }
        for name, url in others.items():
            if url and not (url.startswith("postgresql") and self.database_url.startswith("postgresql")):
                raise ValueError(f"{name} and DATABASE_URL must both lead to the same PostgreSQL")
        return self

    @property
    def url(self) -> str:
        """The database's address; a file in the data folder unless DATABASE_URL says otherwise."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'taskdeck.db'}"

    @property
    def worker_url(self) -> str:
        """Where runners log in."""
        return self.worker_database_url or self.url

    @property
    def migration_url(self) -> str:
        """Where the tables' owner logs in."""
        return self.migration_database_url or self.url

    @property
    def passwords(self) -> list[str]:
        """Those of the database's logins, for what shows none."""
        found = (urlsplit(url).password for url in (self.url, self.worker_url, self.migration_url))
        return [unquote(password) for password in found if password]

    @property
    def home(self) -> str:
        """The address that people open, without a slash at the end."""
        return self.public_url or f"http://localhost:{self.port}"

    @property
    def origin(self) -> str | None:
        """What browsers call the origin of the public address; None when none is set."""
        return "/".join(self.public_url.split("/")[:3]) or None

    @property
    def workspaces(self) -> Path:
        """Where running tasks have their private folders."""
        return self.data.absolute() / "workspaces"

    @property
    def artifacts(self) -> Path:
        """Where the files that tasks made are kept."""
        return self.data.absolute() / "artifacts"


def check_key(key: str) -> None:
    """Raise ValueError for a key that is too short or can be guessed."""
    if len(key.encode()) < SECRET_BYTES:
        raise ValueError(f"must be at least {SECRET_BYTES} bytes long")
    if len(set(key)) < SECRET_CHARACTERS or _PLACEHOLDER.search(key):
        raise ValueError("can be guessed: make one with `openssl rand -base64 32`")


def database_address(url: str) -> str:
    """An address with the driver that Taskdeck uses. Raises ValueError for another kind of database."""
    if re.fullmatch(r"sqlite:///[^:?].*", url):
        return url
    if not re.fullmatch(r"postgres(ql)?(\+psycopg2)?://.+", url):
        raise ValueError("must be postgresql+psycopg2://user:password@host/name or sqlite:///path/to/file.db")
    url = "postgresql+psycopg2://" + url.partition("://")[2]
    try:
        _ = urlsplit(url).port  # which is read only here
    except ValueError:
        raise ValueError(
            "cannot be read: postgresql+psycopg2://user:password@host:port/name, signs as in a URL"
        ) from None
    return url


@cache
def settings() -> Settings:
    """The settings of this process.

    Raises ConfigurationError that names the variable; its value is never shown.
    """
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    if unknown := sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known):
        raise ConfigurationError(f"{', '.join(unknown)}: there is no such setting; docs/operations.md lists them all.")
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(_explain(error)) from None


@cache
def signing_secret() -> str:
    """The key that signs session cookies and one-time links.

    TASKDECK_SECRET, or one that is made once and kept in ``data/secret``, readable by its owner only. Raises
    ConfigurationError when what is kept there is no such key, OSError when it can be neither read nor made.
    """
    given = settings().secret.get_secret_value()
    if given:
        return given
    path = settings().data / "secret"
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(SECRET_BYTES))
    kept = path.read_text().strip()
    if len(kept) < SECRET_BYTES:
        raise ConfigurationError(f"{path} is damaged: delete it, and everybody signs in anew.")
    return kept


def signing_keys() -> list[str]:
    """The keys that verify what was signed, the oldest first; the last one signs. Raises as ``signing_secret``."""
    old = settings().old_secret.get_secret_value()
    return [old, signing_secret()] if old else [signing_secret()]


def _write_once(path: Path, text: str) -> None:
    """Write a whole file, or leave the one that another process wrote first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)


def _explain(error: ValidationError) -> str:
    sentences = []
    for item in error.errors(include_input=False, include_url=False):
        where = str(item["loc"][0]) if item["loc"] else ""
        name = where if not where or where.isupper() else f"{PREFIX}{where.upper()}"
        message = item["msg"].removeprefix("Value error, ")
        sentences.append(f"{name}: {message}" if name else message)
    return "; ".join(sentences) + "."

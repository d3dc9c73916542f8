"""What agents.toml may say of an agent: a model for each driver. Secrets are names of environment variables only."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from core.agents.fields import (
    Command,
    Environment,
    Folder,
    ModelName,
    Models,
    RecipeName,
    RepositoryAddress,
    Variable,
    WebAddress,
    Word,
)
from core.sandbox.command import Network

MEMORY_MB = 2048
MODEL_SILENCE_SECONDS = 120.0


class StrictModel(BaseModel):
    """A table of the file; a key that is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Times(StrictModel):
    """What every agent may be given, in seconds."""

    timeout: float | None = Field(None, gt=0, allow_inf_nan=False)
    warning: float | None = Field(None, gt=0, allow_inf_nan=False)
    extension: float = Field(0, ge=0, allow_inf_nan=False)

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that hold its secrets."""
        return ()

    @property
    def pushed(self) -> bool:
        """Whether its branches may be pushed."""
        return False


class PluginSettings(Times):
    """What a plugin's agent may be given; it brings the rest."""

    driver: None = None  # which no file can say
    push: bool = False

    @property
    def pushed(self) -> bool:
        return self.push


class AgentSettings(Times):
    """What every agent that has a driver may be given."""

    driver: str
    title: str = Field("", max_length=60)
    summary: str = Field("", max_length=300)
    idle: float = Field(float("inf"), gt=0)  #: after how many seconds without a line it is given up; inf: never
    memory_mb: int = Field(MEMORY_MB, ge=64, le=2**20)


class DataProcessorSettings(AgentSettings):
    driver: Literal["data-processor"]


class CodeReviewSettings(AgentSettings):
    driver: Literal["code-review"]


class ModelSecrets(StrictModel):
    api_key: Variable


class ModelSettings(AgentSettings):
    """An agent that works with a model's API."""

    command: Command
    models: Models
    allow_other_models: bool = False
    secrets: ModelSecrets
    upstream: WebAddress
    readable: tuple[Folder, ...] = ()
    push: bool = False
    network: Literal["model-only"] = "model-only"
    idle: float = Field(MODEL_SILENCE_SECONDS, gt=0)

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.secrets.api_key,)

    @property
    def pushed(self) -> bool:
        return self.push


class ClaudeSettings(ModelSettings):
    driver: Literal["claude"]
    command: Command = ("claude",)
    models: Models = ("sonnet", "opus", "haiku")
    secrets: ModelSecrets = ModelSecrets(api_key="ANTHROPIC_API_KEY")
    upstream: WebAddress = "https://api.anthropic.com"


class CodexSettings(ModelSettings):
    driver: Literal["codex"]
    command: Command = ("codex",)
    models: Models = ("gpt-6.1-sol", "gpt-6-astra", "gpt-6-luna")
    secrets: ModelSecrets = ModelSecrets(api_key="OPENAI_API_KEY")
    upstream: WebAddress = "https://api.openai.com"


class ProgramSettings(AgentSettings):
    """An agent that runs programs which the administrator or the repository chooses."""

    secrets: tuple[Variable, ...] = ()  #: given to the program as they are: it can read and send them
    readable: tuple[Folder, ...] = ()
    push: bool = False
    network: Network = "none"

    @property
    def variables(self) -> tuple[str, ...]:
        return self.secrets

    @property
    def pushed(self) -> bool:
        return self.push


class LinesSettings(ProgramSettings):
    driver: Literal["lines"]
    command: Command
    models: tuple[ModelName, ...] = ()
    allow_other_models: bool = False


class ShellSettings(ProgramSettings):
    driver: Literal["shell"]
    recipes: dict[RecipeName, Command] = {}


class Target(StrictModel):
    """Where a repository may be deployed to. Without a command the repository's own recipe is used."""

    repo: RepositoryAddress  #: https, or file for a folder: in the form that repositories.checked gives
    env: Environment
    command: tuple[Word, ...] = ()
    health_url: WebAddress | None = None
    secrets: tuple[Variable, ...] = ()
    readable: tuple[Folder, ...] = ()
    network: Network = "none"

    @model_validator(mode="after")
    def _can_be_asked(self) -> "Target":
        if self.health_url is not None and self.network != "open":
            raise ValueError('a health_url needs network = "open"')
        return self


class DeploymentSettings(AgentSettings):
    driver: Literal["deployment-bot"]
    targets: tuple[Target, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> "DeploymentSettings":
        places = [(target.repo, target.env) for target in self.targets]
        if len(set(places)) < len(places):
            raise ValueError("a repository's environment is there twice among the targets")
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(name for target in self.targets for name in target.secrets)


#: By the word in the file. The first agents run everywhere; those of KNOWN are there without a word in it.
DRIVERS: dict[str, type[AgentSettings]] = {
    "data-processor": DataProcessorSettings,
    "claude": ClaudeSettings,
    "codex": CodexSettings,
    "code-review": CodeReviewSettings,
    "deployment-bot": DeploymentSettings,
    "shell": ShellSettings,
    "lines": LinesSettings,
}
KNOWN = tuple(name for name in DRIVERS if name != "lines")


def _tag(table: Any) -> str | None:
    if isinstance(table, dict):
        driver = table.get("driver", "")
        if driver is None:
            return "plugin"
        return driver if isinstance(driver, str) and driver in DRIVERS else None
    return None


AnySettings = Annotated[
    Annotated[PluginSettings, Tag("plugin")]
    | Annotated[DataProcessorSettings, Tag("data-processor")]
    | Annotated[ClaudeSettings, Tag("claude")]
    | Annotated[CodexSettings, Tag("codex")]
    | Annotated[CodeReviewSettings, Tag("code-review")]
    | Annotated[DeploymentSettings, Tag("deployment-bot")]
    | Annotated[ShellSettings, Tag("shell")]
    | Annotated[LinesSettings, Tag("lines")],
    Discriminator(
        _tag,
        custom_error_type="driver",
        custom_error_message=f"give it a driver, one of {', '.join(DRIVERS)}; "
        f"without one only {', '.join(KNOWN)} and plugins are known",
    ),
]

"""What agents.toml may say of an agent: what all drivers share. Secrets are names of environment variables only."""

import os
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.agents.base import Agent, AgentInfo
from core.agents.fields import Argv, Folder, Models, Variable, WebAddress
from core.sandbox.command import Network, ResourceLimits, Upstream

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


@dataclass(frozen=True)
class Words:
    """How a driver's agent is shown unless agents.toml has other words."""

    title: str
    summary: str
    examples: tuple[str, ...] = ()


class AgentSettings(Times):
    """What every agent that has a driver may be given."""

    words: ClassVar[Words]

    driver: str
    title: str = Field("", max_length=60)
    summary: str = Field("", max_length=300)
    idle: float = Field(float("inf"), gt=0)  #: after how many seconds without a line it is given up; inf: never
    memory_mb: int = Field(MEMORY_MB, ge=64, le=2**20)

    @abstractmethod
    def agent(self, name: str) -> Agent:
        """The agent of this name that the table stands for."""

    @property
    def memory(self) -> int:
        """What its process may use, in bytes."""
        return self.memory_mb * 2**20

    def info(self, name: str) -> AgentInfo:
        """What all drivers know of the agent of this name."""
        # A second agent of a driver goes by its own name: two with one title could not be told apart.
        return AgentInfo(
            name=name,
            title=self.title or (self.words.title if name == self.driver else name),
            summary=self.summary or self.words.summary,
            examples=self.words.examples,
            limits=ResourceLimits(memory=self.memory),
            idle=self.idle,
        )


class ModelSecrets(StrictModel):
    api_key: Variable


class ModelSettings(AgentSettings):
    """An agent that works with a model's API."""

    header: ClassVar[Literal["x-api-key", "authorization"]]
    paths: ClassVar[tuple[str, ...]]

    command: Argv
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

    def info(self, name: str) -> AgentInfo:
        key = os.environ.get(self.secrets.api_key, "")
        return replace(
            super().info(name),
            models=self.models,
            allow_other_models=self.allow_other_models,
            changes_files=True,
            upstream=Upstream(self.upstream, key, self.header, self.paths),
        )


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

    def info(self, name: str) -> AgentInfo:
        return replace(super().info(name), changes_files=True)

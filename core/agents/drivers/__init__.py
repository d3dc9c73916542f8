"""How to talk to each kind of agent: a file a driver."""

from dataclasses import dataclass
from typing import Any

from core.agents.base import Agent
from core.agents.drivers.builtin import BuiltIn, python_limits
from core.agents.drivers.claude import Claude
from core.agents.drivers.codex import Codex
from core.agents.drivers.commands import Access
from core.agents.drivers.deployment import DeploymentBot
from core.agents.drivers.lines import Lines
from core.agents.drivers.shell import Shell
from core.agents.settings import (
    AgentSettings,
    ClaudeSettings,
    CodeReviewSettings,
    CodexSettings,
    DataProcessorSettings,
    DeploymentSettings,
    LinesSettings,
    ModelSettings,
    ProgramSettings,
    ShellSettings,
)
from core.sandbox.command import ResourceLimits


@dataclass(frozen=True)
class Words:
    """How a driver's agent is shown unless agents.toml has other words."""

    title: str
    summary: str
    examples: tuple[str, ...] = ()


_CODING = (
    "Find the cause of the failing test and fix it.",
    "Add a test for what is not tested yet in the newest module.",
    "Explain how this repository is built and write it into the README.",
)
_WORDS = {
    "data-processor": Words(
        "Data processor",
        "Reads every CSV, TSV, Parquet and JSON file of a repository and writes a report with charts. "
        "Without a repository it works on sample data.",
        (
            "Profile the data: what is in it, what is missing, what stands out?",
            "Compare the regions and find the outliers.",
            "Check the quality of the data before we publish it.",
        ),
    ),
    "claude": Words("Claude Code", "Writes and changes code in a repository, with a Claude model.", _CODING),
    "codex": Words("Codex", "Writes and changes code in a repository, with an OpenAI model.", _CODING),
    "code-review": Words(
        "Code review",
        "Checks the Python code of a repository with ruff and reports what it finds.",
        ("Review the code before the release.", "Which files need the most work?"),
    ),
    "deployment-bot": Words("Deployment bot", "Runs a repository's own deployment recipe, or the administrator's."),
    "shell": Words("Shell", "Runs a recipe by its name: one of the administrator's, or a program of the repository."),
    "lines": Words("", "Runs a command that the administrator chose."),
}


def make(name: str, settings: AgentSettings) -> Agent:
    """The agent that these settings stand for."""
    words = _WORDS[settings.driver]
    # A second agent of a driver goes by its own name: two with one title could not be told apart.
    shown: dict[str, Any] = {
        "name": name,
        "title": settings.title or (words.title if name == settings.driver else name),
        "summary": settings.summary or words.summary,
        "idle": settings.idle,
    }
    memory = settings.memory_mb * 2**20
    match settings:
        case DataProcessorSettings():
            return BuiltIn(
                **shown, module="core.programs.data_processor", limits=python_limits(memory), examples=words.examples
            )
        case LinesSettings():
            return Lines(
                **shown,
                argv=settings.command,
                surroundings=_surroundings(settings),
                limits=ResourceLimits(memory=memory),
                models=settings.models,
                allow_other_models=settings.allow_other_models,
            )
        case ShellSettings():
            return Shell(
                **shown,
                recipes=settings.recipes,
                surroundings=_surroundings(settings),
                limits=ResourceLimits(memory=memory),
            )
        case CodeReviewSettings():
            return BuiltIn(
                **shown,
                module="core.programs.code_review",
                needs_repository=True,
                limits=python_limits(memory),
                examples=words.examples,
            )
        case DeploymentSettings():
            return DeploymentBot(**shown, targets=settings.targets, limits=ResourceLimits(memory=memory))
        case ClaudeSettings():
            return Claude(
                **shown, **_model_cli(settings), limits=ResourceLimits(memory=memory), examples=words.examples
            )
        case CodexSettings():
            return Codex(**shown, **_model_cli(settings), limits=ResourceLimits(memory=memory), examples=words.examples)
    raise NotImplementedError(settings.driver)


def _model_cli(settings: ModelSettings) -> dict[str, Any]:
    return {
        "program": settings.command,
        "models": settings.models,
        "allow_other_models": settings.allow_other_models,
        "key_variable": settings.secrets.api_key,
        "upstream_url": settings.upstream,
        "readable": settings.readable,
    }


def _surroundings(settings: ProgramSettings) -> Access:
    return Access(settings.network, settings.readable, settings.secrets)

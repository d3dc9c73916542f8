"""The registry: which agents there are."""

from collections.abc import Mapping

from core.agents.base import Agent
from core.agents.builtin import BuiltIn, NotIncluded

DEFAULT = "claude"

_AGENTS: tuple[Agent, ...] = (
    BuiltIn(
        name="data-processor",
        title="Data processor",
        summary="Reads every CSV, TSV, Parquet and JSON file of a repository and writes a report with charts. "
        "Without a repository it works on sample data.",
        module="core.agents.data_processor",
        examples=(
            "Profile the data: what is in it, what is missing, what stands out?",
            "Compare the regions and find the outliers.",
            "Check the quality of the data before we publish it.",
        ),
    ),
    NotIncluded("claude", "Claude Code", "Writes and changes code in a repository."),
    NotIncluded("codex", "Codex", "Writes and changes code in a repository."),
    NotIncluded("code-review", "Code review", "Checks a repository with ruff and reports what it finds."),
    NotIncluded("deployment-bot", "Deployment bot", "Runs a repository's own deployment recipe."),
    NotIncluded("shell", "Shell", "Runs a recipe that the administrator named."),
)


def agents() -> Mapping[str, Agent]:
    """Every agent by name."""
    return {agent.name: agent for agent in _AGENTS}

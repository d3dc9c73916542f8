"""The registry: which agents there are."""

from collections.abc import Mapping

from core.agents.base import Agent
from core.agents.catalog import catalog

DEFAULT = "claude"

#: Agents of this process alone, by name: they come after the catalog's and take the place of those of the same name.
extra: dict[str, Agent] = {}


def agents() -> Mapping[str, Agent]:
    """Every agent by name; those first that run everywhere. Raises ConfigurationError as ``catalog`` does."""
    return {**catalog().built, **extra}

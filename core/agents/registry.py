"""The registry: which agents there are."""

from collections.abc import Mapping
from functools import lru_cache

from core.agents import catalog, drivers, plugins
from core.agents.base import Agent
from core.agents.settings import AgentSettings
from core.errors import ConfigurationError

DEFAULT = "claude"


def agents() -> Mapping[str, Agent]:
    """Every agent by name; those first that run everywhere. Raises ConfigurationError as ``catalog`` does."""
    return build_agents(catalog.catalog())


@lru_cache(maxsize=1)
def build_agents(settled: catalog.Catalog) -> Mapping[str, Agent]:
    """The agents that a catalog stands for. Raises ConfigurationError for a plugin that cannot be used."""
    found: dict[str, Agent] = {
        name: drivers.make(name, given) for name, given in settled.agents.items() if isinstance(given, AgentSettings)
    }
    for agent in plugins.load(settled.plugins):
        if agent.name in found:
            raise ConfigurationError(f"There are two agents of the name {agent.name}: a plugin's, and another one.")
        found[agent.name] = agent
    return found

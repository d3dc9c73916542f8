"""Agents from other packages: entry points of one group, loaded only when agents.toml names them."""

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from core.agents.base import Agent, AgentInfo
from core.errors import ConfigurationError

#: An entry point leads to a callable without arguments that returns an Agent of the entry point's name.
GROUP = "taskdeck.agents"


def load(names: Sequence[str]) -> Iterator[Agent]:
    """The agents of these plugins. Raises ConfigurationError that names the first one that cannot be used."""
    for name in names:
        yield _load(name)


def _load(name: str) -> Agent:
    found = entry_points(group=GROUP, name=name)
    if not found:
        installed = ", ".join(sorted(entry_points(group=GROUP).names)) or "none"
        raise ConfigurationError(f"There is no plugin {name} of the group {GROUP}; installed: {installed}.")
    if len(found) > 1:
        raise ConfigurationError(f"The plugin {name} is installed {len(found)} times; uninstall all but one.")
    (point,) = found
    plugin = f"The plugin {name} ({point.value})"
    try:
        agent: object = point.load()()
        is_agent = isinstance(agent, Agent) and isinstance(agent.info, AgentInfo)
    except Exception as error:  # whatever foreign code may raise
        raise ConfigurationError(f"{plugin} cannot be loaded: {error!r}.") from error
    if not isinstance(agent, Agent) or not is_agent:
        wanted = "it must return a core.agents.base.Agent whose info is an AgentInfo (see docs/agents.md)"
        raise ConfigurationError(f"{plugin} returns no agent: {wanted}.")
    if agent.info.name != name:
        raise ConfigurationError(f"{plugin} returns an agent of another name: {agent.info.name!r}.")
    return agent

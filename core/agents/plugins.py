"""Agents from other packages: entry points of one group, loaded only when agents.toml names them."""

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

from core.agents.base import Agent
from core.errors import ConfigurationError

#: An entry point leads to a callable without arguments that returns an Agent of the entry point's name.
GROUP = "taskdeck.agents"

_MEMBERS = [name for name in vars(Agent) if not name.startswith("_")]


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
        raise ConfigurationError(f"The plugin {name} is there {len(found)} times; uninstall all but one.")
    (point,) = found
    try:
        agent = point.load()()
        lacking = [member for member in _MEMBERS if not hasattr(agent, member)]
    except Exception as error:  # whatever foreign code may raise
        raise ConfigurationError(f"The plugin {name} ({point.value}) cannot be loaded: {error!r}.") from error
    if lacking:
        raise ConfigurationError(f"The plugin {name} ({point.value}) gives no agent: it lacks {', '.join(lacking)}.")
    if agent.name != name:
        raise ConfigurationError(f"The plugin {name} ({point.value}) gives an agent of another name: {agent.name!r}.")
    return agent  # type: ignore[no-any-return]  # looked at above

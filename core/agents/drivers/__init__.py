"""How to talk to each kind of agent: a file for each driver, and one line here."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import Discriminator, Tag

from core.agents.drivers.claude import ClaudeSettings
from core.agents.drivers.code_review import CodeReviewSettings
from core.agents.drivers.codex import CodexSettings
from core.agents.drivers.data_processor import DataProcessorSettings
from core.agents.drivers.deployment import DeploymentSettings
from core.agents.drivers.lines import LinesSettings
from core.agents.drivers.shell import ShellSettings
from core.agents.settings import AgentSettings, PluginSettings, Times

#: What agents.toml may say of each driver's agents, in the order in which the agents are listed.
_SETTINGS: tuple[type[AgentSettings], ...] = (
    DataProcessorSettings,
    ClaudeSettings,
    CodexSettings,
    CodeReviewSettings,
    DeploymentSettings,
    ShellSettings,
    LinesSettings,
)


def _word(settings: type[AgentSettings]) -> str:
    (word,) = get_args(settings.model_fields["driver"].annotation)
    return str(word)


def _needs_a_table(settings: type[AgentSettings]) -> bool:
    return any(field.is_required() for name, field in settings.model_fields.items() if name != "driver")


#: By the word in the file.
DRIVERS = {_word(settings): settings for settings in _SETTINGS}

#: The agents that are there without a word in the file.
KNOWN = tuple(word for word, settings in DRIVERS.items() if not _needs_a_table(settings))


def _tag(table: Any) -> str | None:
    driver = table.get("driver", "") if isinstance(table, dict) else ""
    if driver is None:
        return "plugin"
    return driver if isinstance(driver, str) and driver in DRIVERS else None


if TYPE_CHECKING:
    AnySettings = Times
else:
    _MODELS = {"plugin": PluginSettings, **DRIVERS}
    AnySettings = Annotated[
        reduce(or_, (Annotated[model, Tag(word)] for word, model in _MODELS.items())),
        Discriminator(
            _tag,
            custom_error_type="driver",
            custom_error_message=f"give it a driver, one of {', '.join(DRIVERS)}; "
            f"without one only {', '.join(KNOWN)} and plugins are known",
        ),
    ]

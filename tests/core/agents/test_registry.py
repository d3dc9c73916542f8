import math

import pytest

from core.agents.base import AgentInfo
from core.agents.drivers.builtin import python_limits
from core.agents.registry import DEFAULT, agents
from core.sandbox.command import ResourceLimits
from tests.support.world import World

NAMES = ["data-processor", "claude", "codex", "code-review", "deployment-bot", "shell"]


def test_the_agents_of_the_contract_are_there_and_the_one_that_runs_everywhere_comes_first() -> None:
    assert (list(agents()), DEFAULT) == (NAMES, "claude")


@pytest.mark.attack(103)
@pytest.mark.parametrize("name", NAMES)
def test_every_agent_can_be_shown_and_either_can_run_or_says_in_a_sentence_why_not(name: str) -> None:
    info, reason = agents()[name].info, agents()[name].unavailable()
    assert info.name == name
    assert info.title and info.summary.endswith(".") and all(len(example) > 10 for example in info.examples)
    assert reason is None or (reason.startswith(f"{name} ") and reason.endswith("."))


def test_agents_are_built_once_for_a_catalog(world: World) -> None:
    before = agents()["claude"]
    assert agents()["claude"] is before
    world.catalog("")
    assert agents()["claude"] is not before


def test_the_file_adds_agents_after_the_known_ones_and_changes_these(world: World) -> None:
    world.catalog(
        """
        [agents]
        shell = { recipes = { test = ["make", "test"] } }
        data-processor = { memory_mb = 8192 }
        nightly = { driver = "lines", command = ["x"] }
        big-data = { driver = "data-processor" }
        [agents.report]
        title = "The report"
        summary = "Takes its time."
        models = ["small", "large"]
        driver = "lines"
        command = ["x"]
        allow_other_models = true
        idle = 50
        memory_mb = 100
        """
    )
    known = {name: agent.info for name, agent in agents().items()}
    assert list(known) == [*NAMES, "nightly", "big-data", "report"]
    limits, models = ResourceLimits(memory=100 * 2**20), ("small", "large")
    given = {"models": models, "allow_other_models": True, "changes_files": True, "limits": limits, "idle": 50}
    assert known["report"] == AgentInfo("report", "The report", "Takes its time.", **given)
    assert (known["shell"].title, known["shell"].examples, known["shell"].idle) == ("Shell", ("test",), math.inf)
    assert known["data-processor"].limits == python_limits(2**33)
    # A second agent of a driver goes by its own name.
    titles = [known[name].title for name in ("data-processor", "big-data", "nightly")]
    assert titles == ["Data processor", "big-data", "nightly"]
    assert known["nightly"].summary == "Runs a command that the administrator chose."

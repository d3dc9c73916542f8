import math
from pathlib import Path

import pytest

from core.agents.drivers.builtin import python_limits
from core.agents.drivers.lines import Lines
from core.agents.drivers.shell import Shell
from core.agents.registry import DEFAULT, agents
from core.sandbox.command import ResourceLimits
from tests.support.world import World

NAMES = ["data-processor", "claude", "codex", "code-review", "deployment-bot", "shell"]


def test_the_agents_of_the_contract_are_there_and_the_one_that_runs_everywhere_comes_first() -> None:
    assert list(agents()) == NAMES
    assert DEFAULT == "claude"


@pytest.mark.attack(103)
@pytest.mark.parametrize("name", NAMES)
def test_every_agent_can_be_shown_and_either_can_run_or_says_in_a_sentence_why_not(name: str) -> None:
    info, reason = agents()[name].info, agents()[name].unavailable()
    assert info.name == name
    assert info.title and info.summary.endswith(".")
    assert all(len(example) > 10 for example in info.examples)
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
        [agents.slow-report]
        driver = "lines"
        command = ["./bin/report", "--all"]
        title = "The slow report"
        summary = "Takes its time."
        models = ["small", "large"]
        allow_other_models = true
        readable = ["/opt/report"]
        network = "open"
        idle = 50
        memory_mb = 100
        """
    )
    assert list(agents()) == [*NAMES, "nightly", "big-data", "slow-report"]
    report, shell = agents()["slow-report"], agents()["shell"]
    assert isinstance(report, Lines) and isinstance(shell, Shell)
    assert (report.info.title, report.info.summary) == ("The slow report", "Takes its time.")
    assert (report.argv, report.info.idle) == (("./bin/report", "--all"), 50)
    assert report.info.limits == ResourceLimits(memory=100 * 2**20)
    assert (report.info.models, report.info.allow_other_models) == (("small", "large"), True)
    assert (report.access.network, report.access.readable) == ("open", (Path("/opt/report"),))
    assert (shell.recipes, shell.info.title, shell.info.idle) == ({"test": ("make", "test")}, "Shell", math.inf)
    assert agents()["data-processor"].info.limits == python_limits(2**33)
    # A second agent of a driver goes by its own name.
    assert (agents()["data-processor"].info.title, agents()["big-data"].info.title) == ("Data processor", "big-data")
    nightly = agents()["nightly"].info
    assert (nightly.title, nightly.summary) == ("nightly", "Runs a command that the administrator chose.")

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.catalog import catalog
from core.agents.drivers.builtin import BuiltIn, python_limits
from core.agents.drivers.lines import Lines
from core.agents.drivers.shell import Shell
from core.agents.registry import DEFAULT, agents
from core.sandbox.command import ResourceLimits

NAMES = ["data-processor", "claude", "codex", "code-review", "deployment-bot", "shell"]


@pytest.fixture
def settle(tmp_path: Path) -> Callable[[str], None]:
    """Write agents.toml."""

    def write(text: str) -> None:
        (tmp_path / "agents.toml").write_text(text)
        catalog.cache_clear()

    return write


def test_the_agents_of_the_contract_are_there_and_the_one_that_runs_everywhere_comes_first() -> None:
    assert list(agents()) == NAMES
    assert DEFAULT == "claude"


@pytest.mark.parametrize("name", NAMES)
def test_every_agent_can_be_shown(name: str) -> None:
    agent = agents()[name]
    assert agent.name == name
    assert agent.title
    assert agent.summary.endswith(".")
    assert all(len(example) > 10 for example in agent.examples)


@pytest.mark.attack(103)
@pytest.mark.parametrize("name", NAMES)
def test_an_agent_either_can_run_or_says_in_a_sentence_why_not(name: str) -> None:
    reason = agents()[name].unavailable()
    assert reason is None or (reason.startswith(f"{name} ") and reason.endswith("."))


@pytest.mark.parametrize("name", ["data-processor", "code-review"])
def test_what_is_part_of_taskdeck_runs_everywhere(name: str) -> None:
    agent = agents()[name]
    assert isinstance(agent, BuiltIn)
    assert agent.unavailable() is None
    assert importlib.util.find_spec(f"{agent.module}.__main__") is not None


def test_agents_are_built_once_for_a_catalog(settle: Callable[[str], None]) -> None:
    before = agents()
    assert agents() is before
    settle("")
    assert agents() is not before


def test_a_review_needs_a_repository_and_a_report_none() -> None:
    assert (
        agents()["code-review"].why_not_accepted("Review it", None)
        == "code-review works on a repository: give its address."
    )
    assert agents()["data-processor"].why_not_accepted("Count", None) is None


def test_the_file_adds_agents_after_the_known_ones_and_changes_these(settle: Callable[[str], None]) -> None:
    settle(
        """
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
        [agents.shell]
        recipes = { test = ["make", "test"] }
        [agents.data-processor]
        memory_mb = 8192
        [agents.big-data]
        driver = "data-processor"
        """
    )
    assert list(agents()) == [*NAMES, "slow-report", "big-data"]
    report, shell = agents()["slow-report"], agents()["shell"]
    assert isinstance(report, Lines) and isinstance(shell, Shell)
    assert (report.title, report.summary) == ("The slow report", "Takes its time.")
    assert (report.argv, report.limits, report.idle) == (
        ("./bin/report", "--all"),
        ResourceLimits(memory=100 * 2**20),
        50,
    )
    assert (report.models, report.allow_other_models) == (("small", "large"), True)
    assert (report.surroundings.network, report.surroundings.readable) == ("open", (Path("/opt/report"),))
    assert (shell.recipes, shell.title, shell.idle) == ({"test": ("make", "test")}, "Shell", math.inf)
    assert agents()["data-processor"].limits == python_limits(2**33)


def test_a_second_agent_of_a_driver_goes_by_its_own_name(settle: Callable[[str], None]) -> None:
    settle("[agents.claude-at-night]\ndriver = 'claude'\n[agents.nightly]\ndriver = 'lines'\ncommand = ['x']")
    assert (agents()["claude"].title, agents()["claude-at-night"].title) == ("Claude Code", "claude-at-night")
    assert (agents()["nightly"].title, agents()["nightly"].summary) == (
        "nightly",
        "Runs a command that the administrator chose.",
    )

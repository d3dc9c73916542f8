import importlib.util

import pytest

from core.agents import DEFAULT, agents
from core.agents.builtin import BuiltIn

NAMES = ["data-processor", "claude", "codex", "code-review", "deployment-bot", "shell"]


def test_the_agents_of_the_contract_are_there_and_the_one_that_runs_comes_first() -> None:
    assert list(agents()) == NAMES
    assert DEFAULT == "claude"


@pytest.mark.parametrize("name", NAMES)
def test_every_agent_can_be_shown(name: str) -> None:
    agent = agents()[name]
    assert agent.name == name
    assert agent.title
    assert agent.summary.endswith(".")
    assert all(len(example) > 10 for example in agent.examples)


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_either_has_a_program_or_says_in_a_sentence_why_it_cannot_run(name: str) -> None:
    agent = agents()[name]
    if isinstance(agent, BuiltIn):
        assert agent.unavailable() is None
        assert importlib.util.find_spec(agent.module) is not None
    else:
        assert str(agent.unavailable()).startswith(f"{name} is not set up: ")
        assert str(agent.unavailable()).endswith("; try data-processor.")

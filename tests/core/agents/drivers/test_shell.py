from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.drivers.shell import Shell, ShellSettings
from core.errors import AgentFailed
from tests.core.agents.drivers.assignments import Given, program

RECIPES = {"test": ("sh", "-c", "exit 0"), "own": ("./check.sh",), "gone": ("no-such-program",)}
URL = "https://h/x"

pytestmark = pytest.mark.usefixtures("has_sandbox")


def shell(recipes: dict[str, tuple[str, ...]]) -> Shell:
    return ShellSettings(driver="shell", recipes=recipes).agent("shell")


AGENT, BARE = shell(RECIPES), shell({})


@pytest.mark.parametrize("prompt", ["test", "  test  ", "test\nthe rest", "test\t; rm -rf /"])
def test_the_first_word_names_the_recipe_and_the_prompt_is_data(prompt: str, given: Given, tmp_path: Path) -> None:
    # The administrator's recipe comes before the repository's of the same name.
    program(tmp_path / "repository" / ".tasks" / "test")
    assert AGENT.why_not_accepted(prompt, None) is None
    command = AGENT.command(given(prompt))
    assert (command.argv, command.cwd) == (RECIPES["test"], tmp_path / "repository")
    assert (command.stdin, command.env["TASK_PROMPT"], command.shown) == (prompt, prompt, "sh -c 'exit 0'")


@pytest.mark.attack(68)
@pytest.mark.parametrize(
    "prompt", ["Test", "test;id", "$(id)", "`id`", "--help", "/bin/sh", "../../bin/sh", "test|sh", "tests", "./test"]
)
def test_what_is_no_recipe_runs_nothing_and_the_recipes_are_named(prompt: str, given: Given) -> None:
    refusal = str(AGENT.why_not_accepted(prompt, None))
    assert "Begin the prompt with the name of a recipe: test, own, gone" in refusal
    with pytest.raises(AgentFailed, match=r"There is no recipe of the name .*: test, own, gone"):
        AGENT.command(given(prompt))


@pytest.mark.parametrize("name", ["$(id)", "--help", ".hidden", "a/b", "..", "x" * 65])
def test_a_word_that_can_be_no_recipe_is_refused_also_with_a_repository(name: str) -> None:
    assert "Begin the prompt with" in str(AGENT.why_not_accepted(name, URL))


def test_an_executable_of_the_repository_s_tasks_folder_is_a_recipe(given: Given, tmp_path: Path) -> None:
    program(tmp_path / "repository" / ".tasks" / "nightly.sh")
    for agent in (AGENT, BARE):
        assert agent.why_not_accepted("nightly.sh please", URL) is None
        command = agent.command(given("nightly.sh please"))
        assert (command.argv, command.shown) == ((".tasks/nightly.sh",), ".tasks/nightly.sh")
    assert "give the repository's address" in str(BARE.why_not_accepted("nightly.sh", None))


@pytest.mark.parametrize("name", ["plain", "away", "itself", "endless", "absent"])
def test_what_is_no_program_in_the_tasks_folder_is_no_recipe(name: str, given: Given, tmp_path: Path) -> None:
    folder = tmp_path / "repository" / ".tasks"
    program(folder / "plain", mode=0o644)
    for link, target in (("away", "/bin/sh"), ("itself", "itself"), ("endless", "x" * 300)):
        (folder / link).symlink_to(target)
    with pytest.raises(AgentFailed, match=f"There is no recipe of the name {name}"):
        BARE.command(given(name))


@pytest.mark.attack(103)
def test_a_recipe_without_its_program_says_so(given: Given) -> None:
    assert "give the repository's address" in str(AGENT.why_not_accepted("own", None))
    assert AGENT.why_not_accepted("own", URL) is None
    with pytest.raises(AgentFailed, match=r"The repository has no program \./check\.sh"):
        AGENT.command(given("own"))
    with pytest.raises(AgentFailed, match="The recipe gone needs the program no-such-program, which cannot be started"):
        AGENT.command(given("gone"))


def test_it_can_run_without_recipes_but_not_without_a_sandbox(has_none: Callable[[], str]) -> None:
    assert (AGENT.unavailable(), BARE.unavailable()) == (None, None)
    assert f"shell is not set up: {has_none()}." == BARE.unavailable()


def test_its_recipes_are_its_examples_and_it_changes_files() -> None:
    assert (list(AGENT.info.examples), list(BARE.info.examples)) == (["test", "own", "gone"], [])
    assert AGENT.info.changes_files

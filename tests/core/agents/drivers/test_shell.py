from dataclasses import replace
from pathlib import Path

import pytest

from core.agents.drivers.commands import Access
from core.agents.drivers.shell import Shell
from core.errors import AgentFailed
from core.sandbox import isolation
from core.sandbox.command import ResourceLimits
from tests.core.agents.drivers.assignments import assignment, program

RECIPES = {"test": ("sh", "-c", "exit 0"), "own": ("./check.sh",), "gone": ("no-such-program",)}
AGENT = Shell("shell", "Shell", "Runs.", RECIPES, Access(), ResourceLimits())
BARE = replace(AGENT, recipes={})
URL = "https://h/x"


@pytest.fixture(autouse=True)
def boxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has a box, whatever this one has."""
    monkeypatch.setattr(isolation, "unavailable", lambda: None)


@pytest.mark.parametrize("prompt", ["test", "  test  ", "test everything", "test\nthe rest", "test\t; rm -rf /"])
def test_the_first_word_names_the_recipe_and_the_whole_prompt_is_data(prompt: str, tmp_path: Path) -> None:
    assert AGENT.why_not_accepted(prompt, None) is None
    command = AGENT.command(assignment(tmp_path, prompt))
    assert (command.argv, command.cwd) == (RECIPES["test"], tmp_path / "repository")
    assert (command.stdin, command.env["TASK_PROMPT"]) == (prompt, prompt)
    assert command.shown == "sh -c 'exit 0'"


@pytest.mark.attack(68)
@pytest.mark.parametrize(
    "prompt", ["Test", "test;id", "$(id)", "`id`", "--help", "/bin/sh", "../../bin/sh", "test|sh", "tests", "./test"]
)
def test_what_is_no_recipe_runs_nothing_and_the_recipes_are_named(prompt: str, tmp_path: Path) -> None:
    why_not_accepted = str(AGENT.why_not_accepted(prompt, None))
    assert "Begin the prompt with the name of a recipe: test, own, gone" in why_not_accepted
    with pytest.raises(AgentFailed, match=r"There is no recipe of the name .*: test, own, gone"):
        AGENT.command(assignment(tmp_path, prompt))


@pytest.mark.parametrize("name", ["$(id)", "--help", ".hidden", "a/b", "..", "x" * 65])
def test_a_word_that_can_be_no_recipe_is_refused_also_with_a_repository(name: str) -> None:
    assert "Begin the prompt with" in str(AGENT.why_not_accepted(name, URL))


def test_an_executable_of_the_repository_s_tasks_folder_is_a_recipe(tmp_path: Path) -> None:
    program(tmp_path / "repository" / ".tasks" / "nightly.sh")
    for agent in (AGENT, BARE):
        assert agent.why_not_accepted("nightly.sh please", URL) is None
        command = agent.command(assignment(tmp_path, "nightly.sh please"))
        assert (command.argv, command.shown) == ((".tasks/nightly.sh",), ".tasks/nightly.sh")
    assert "give the repository's address" in str(BARE.why_not_accepted("nightly.sh", None))


def test_the_administrators_recipe_comes_before_the_repository_s_of_the_same_name(tmp_path: Path) -> None:
    program(tmp_path / "repository" / ".tasks" / "test")
    assert AGENT.command(assignment(tmp_path, "test")).argv == RECIPES["test"]


def test_what_is_no_program_in_the_tasks_folder_is_no_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "repository" / ".tasks"
    program(folder / "plain", mode=0o644)
    (folder / "sub").mkdir()
    (folder / "away").symlink_to("/bin/sh")
    (folder / "itself").symlink_to("itself")
    (folder / "endless").symlink_to("x" * 300)
    for name in ("plain", "sub", "away", "itself", "endless", "absent"):
        with pytest.raises(AgentFailed, match=f"There is no recipe of the name {name}"):
            BARE.command(assignment(tmp_path, name))


def test_a_recipe_that_is_a_program_of_the_repository_needs_one(tmp_path: Path) -> None:
    assert "give the repository's address" in str(AGENT.why_not_accepted("own", None))
    assert AGENT.why_not_accepted("own", URL) is None
    with pytest.raises(AgentFailed, match=r"The repository has no program \./check\.sh"):
        AGENT.command(assignment(tmp_path, "own"))


@pytest.mark.attack(103)
def test_a_recipe_whose_program_is_not_on_this_machine_says_so(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed, match="The recipe gone needs the program no-such-program, which cannot be started"):
        AGENT.command(assignment(tmp_path, "gone"))


def test_it_can_run_without_recipes_but_not_without_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (AGENT.unavailable(), BARE.unavailable()) == (None, None)
    monkeypatch.setattr(isolation, "unavailable", lambda: "bubblewrap is not installed (apt install bubblewrap)")
    assert BARE.unavailable() == "shell is not set up: bubblewrap is not installed (apt install bubblewrap)."


def test_its_recipes_are_its_examples() -> None:
    assert (list(AGENT.examples), list(BARE.examples)) == (["test", "own", "gone"], [])

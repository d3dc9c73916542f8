from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from core.agents.catalog import catalog
from core.database.models import Task
from tests.api.calls import Caller, rows, sentence

NAMES = {"claude", "codex", "code-review", "data-processor", "deployment-bot", "shell"}
FIELDS = {
    *("name", "title", "summary", "models", "allow_other_models", "changes_files", "default", "available", "reason"),
}


@pytest.fixture
def settle(tmp_path: Path) -> Callable[[str], None]:
    """Write agents.toml."""

    def write(text: str) -> None:
        (tmp_path / "agents.toml").write_text(text)
        catalog.cache_clear()

    return write


def listed(by: Caller) -> dict[str, dict[str, object]]:
    """What /agents says, by name."""
    answer = by.get("/agents")
    assert answer.status_code == 200 and set(answer.json()) == {"agents"}
    return {agent["name"]: agent for agent in answer.json()["agents"]}


@pytest.mark.attack(103)
def test_every_agent_is_listed_and_one_that_cannot_run_says_why_in_a_sentence(by_ada: Caller) -> None:
    found = listed(by_ada)
    assert set(found) == NAMES
    for name, agent in found.items():
        assert set(agent) == FIELDS
        assert agent["default"] is (name == "claude")
        reason = agent["reason"]
        assert agent["available"] is (reason is None)
        assert reason is None or (str(reason).startswith(f"{name} ") and str(reason).endswith("."))
    assert found["data-processor"]["available"] is True
    assert found["claude"]["models"] == ["sonnet", "opus", "haiku"]
    assert [name for name, agent in found.items() if agent["changes_files"]] == ["claude", "codex", "shell"]


@pytest.mark.attack(103)
def test_an_agent_without_its_program_or_its_key_is_not_available_and_no_value_is_shown(
    by_ada: Caller, settle: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKDECK_SANDBOX", "none")
    monkeypatch.setenv("SECRET_KEY", "hush-hush-hush")
    monkeypatch.delenv("UNSET_KEY", raising=False)
    settle(
        """
        [agents.claude]
        command = ["/no/such/claude"]
        secrets = { api_key = "SECRET_KEY" }
        [agents.codex]
        command = ["sh"]
        secrets = { api_key = "UNSET_KEY" }
        [agents.report]
        driver = "lines"
        command = ["no-such-report"]
        secrets = ["SECRET_KEY"]
        """
    )
    found = listed(by_ada)
    for name, word in (("claude", "/no/such/claude"), ("codex", "UNSET_KEY"), ("report", "no-such-report")):
        assert found[name]["available"] is False
        assert str(found[name]["reason"]).startswith(f"{name} is not set up: ") and word in str(found[name]["reason"])
    assert "hush" not in by_ada.get("/agents").text


def test_a_task_is_accepted_for_every_listed_agent_also_of_an_administrators_own_with_its_first_model(
    by_ada: Caller, settle: Callable[[str], None]
) -> None:
    report = "[agents.report]\ndriver = 'lines'\ncommand = ['sh']\nmodels = ['small']\nallow_other_models = true\n"
    settle(report + "[agents.shell]\nrecipes = { deploy = ['make', 'deploy'] }")
    found = listed(by_ada)
    assert list(found)[-1] == "report" and found["report"]["allow_other_models"] is True
    for name, agent in found.items():
        task = {"prompt": "deploy to staging", "repoUrl": "https://git.example.org/a/b", "selectedAgent": name}
        answer = by_ada.post("/tasks", json=task)
        assert answer.status_code == 201, answer.text
        made, models = answer.json()["task"], cast(list[str], agent["models"])
        assert (made["selected_agent"], made["selected_model"]) == (name, models[0] if models else None)


def test_a_task_that_its_agent_can_never_do_is_refused_with_what_it_needs_also_when_it_runs_again(
    by_ada: Caller, settle: Callable[[str], None]
) -> None:
    settle("[agents.shell]\nrecipes = { test = ['make', 'test'] }")
    recipes = "Begin the prompt with the name of a recipe: test; or"
    for agent, prompt, words in (
        ("code-review", "Review", "give its address"),
        ("deployment-bot", "Deploy to staging", "give its address"),
        *(("shell", prompt, recipes) for prompt in ("nightly", "$(id)")),
    ):
        answer = by_ada.post("/tasks", json={"prompt": prompt, "selectedAgent": agent})
        assert answer.status_code == 400
        assert words in sentence(answer)
    first = by_ada.post("/tasks", json={"prompt": "Count", "selectedAgent": "data-processor"}).json()["task"]["id"]
    answer = by_ada.post(f"/tasks/{first}/rerun", json={"selectedAgent": "code-review"})
    assert (answer.status_code, sentence(answer)) == (400, "code-review works on a repository: give its address.")
    assert rows(Task) == 1

import pytest

from tests.api.calls import Caller

NAMES = {"claude", "codex", "code-review", "data-processor", "deployment-bot", "shell"}


def test_every_agent_is_listed_and_one_that_cannot_run_says_why_in_a_sentence(by_ada: Caller) -> None:
    answer = by_ada.get("/agents")
    assert answer.status_code == 200 and set(answer.json()) == {"agents"}
    listed = {agent["name"]: agent for agent in answer.json()["agents"]}
    assert set(listed) == NAMES and len(answer.json()["agents"]) == len(NAMES)
    for name, agent in listed.items():
        assert set(agent) == {"name", "title", "summary", "models", "default", "available", "reason"}
        assert agent["default"] is (name == "claude")
        if agent["available"]:
            assert agent["reason"] is None
        else:
            assert agent["reason"].startswith(f"{name} is not set up: ") and agent["reason"].endswith(".")
    assert listed["data-processor"]["available"] is True


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_task_is_accepted_for_every_listed_agent(by_ada: Caller, name: str) -> None:
    answer = by_ada.post("/tasks", json={"prompt": "Count", "selectedAgent": name})
    assert (answer.status_code, answer.json()["task"]["selected_agent"]) == (201, name)

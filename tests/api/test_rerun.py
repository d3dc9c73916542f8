"""POST /api/tasks/{id}/rerun: a new task like an old one, with what was sent in place of what was."""

import json
from typing import Any

import pytest

from core.database.models import Task
from core.database.ownership import Actor
from tests.api.calls import TASK_FIELDS, Caller, rows, sentence, stored
from tests.api.conftest import MakeTask

REPOSITORY = "https://git.example.org/team/data"
OTHER = "https://git.example.org/team/other"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def first(ada: Actor, make_task: MakeTask) -> int:
    """A task of Ada's that failed."""
    return make_task(ada, "error", entries=3, progress=30, error="Too slow.", repo_url=REPOSITORY)


def made(by: Caller, number: int, **given: Any) -> dict[str, Any]:
    """The task that a re-run made; the old one is as it was."""
    before = by.get(f"/tasks/{number}").json()
    answer = by.post(f"/tasks/{number}/rerun", **given)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"task", "message"} and set(answer.json()["task"]) == TASK_FIELDS
    assert str(number) in answer.json()["message"]
    assert by.get(f"/tasks/{number}").json() == before
    assert rows(Task) == 2
    task: dict[str, Any] = answer.json()["task"]
    return task


@pytest.mark.parametrize(
    "given",
    [{}, {"json": {}}, {"content": b"", "headers": JSON}, {"content": b"null", "headers": JSON}],
    ids=["no body", "{}", "empty", "null"],
)
def test_without_changes_the_same_task_waits_again_as_a_new_one(
    by_ada: Caller, first: int, given: dict[str, Any]
) -> None:
    task = made(by_ada, first, **given)
    assert (task["id"], task["rerun_of"]) == (str(first + 1), str(first))
    assert (task["status"], task["progress"], task["end_reason"], task["error"]) == ("pending", 0, None, None)
    assert (task["started_at"], task["finished_at"], task["cancel_requested_at"]) == (None, None, None)
    assert (task["prompt"], task["repo_url"], task["selected_agent"]) == ("Count", REPOSITORY, "data-processor")
    assert [entry["id"] for entry in task["logs"]] == ["1", "2"] and task["log_count"] == 2
    assert f"task {first} " in task["logs"][0]["message"] and "unchanged" in task["logs"][0]["message"]


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"prompt": " Count again "}, ("prompt", "Count again"), "prompt changed"),
        ({"repoUrl": OTHER}, ("repo_url", OTHER), f"repository {REPOSITORY} -> {OTHER}"),
        ({"repoUrl": None}, ("repo_url", None), f"repository {REPOSITORY} -> none"),
        ({"repoUrl": ""}, ("repo_url", None), f"repository {REPOSITORY} -> none"),
        ({"selectedAgent": "codex"}, ("selected_agent", "codex"), "agent data-processor -> codex"),
    ],
)
def test_what_is_sent_is_used_and_said_and_the_rest_stays(
    by_ada: Caller, first: int, change: dict[str, Any], field: tuple[str, Any], words: str
) -> None:
    task = made(by_ada, first, json=change)
    same = {"prompt": "Count", "repo_url": REPOSITORY, "selected_agent": "data-processor"}
    assert {name: task[name] for name in same} == same | dict([field])
    assert task["rerun_of"] == str(first)
    assert words in task["logs"][0]["message"] and "unchanged" not in task["logs"][0]["message"]


def test_several_changes_are_all_used_and_all_said(by_ada: Caller, first: int) -> None:
    task = made(by_ada, first, json={"prompt": "Sum", "repoUrl": OTHER, "selectedAgent": "claude"})
    assert (task["prompt"], task["repo_url"], task["selected_agent"]) == ("Sum", OTHER, "claude")
    assert all(word in task["logs"][0]["message"] for word in ("prompt", "repository", "agent"))


def test_to_send_what_already_is_changes_nothing(by_ada: Caller, first: int) -> None:
    task = made(by_ada, first, json={"prompt": "Count", "repoUrl": REPOSITORY, "selectedAgent": "data-processor"})
    assert "unchanged" in task["logs"][0]["message"]


@pytest.mark.parametrize("status", ["pending", "processing", "completed", "error"])
def test_a_task_in_any_state_can_be_run_again(by_ada: Caller, ada: Actor, make_task: MakeTask, status: str) -> None:
    assert made(by_ada, make_task(ada, status))["status"] == "pending"


def test_a_rerun_can_be_run_again(by_ada: Caller, first: int) -> None:
    second = made(by_ada, first)["id"]
    assert by_ada.post(f"/tasks/{second}/rerun").json()["task"]["rerun_of"] == second


def refused(by: Caller, number: int, body: str | bytes, kind: str = "application/json") -> str:
    """The sentence with which this body is refused; nothing is written."""
    before = stored()
    answer = by.post(f"/tasks/{number}/rerun", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text
    assert stored() == before
    return sentence(answer)


@pytest.mark.parametrize(
    "body",
    [
        *(
            " ",
            "{",
            "not json",
            "{'prompt': 'x'}",
            "{}{}",
            "NaN",
            "[" * 100_000,
            b"\xff\xfe\xfa",
            b'{"prompt": "\xe9"}',
        ),
        *("[]", '[{"prompt": "x"}]', '"Count"', "5", "true"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_no_json_object_is_refused(by_ada: Caller, first: int, body: str | bytes) -> None:
    assert "JSON" in refused(by_ada, first, body)


def test_a_body_that_is_not_called_json_is_refused(by_ada: Caller, first: int) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        assert "application/json" in refused(by_ada, first, '{"prompt": "Sum"}', kind)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        *(({"prompt": value}, "prompt") for value in (None, 5, True, [], {}, ["Count"])),
        *(({"prompt": value}, "prompt") for value in ("", " ", "\n\u2003", "x" * 20_001, "a\0b", "\ud800")),
        *(({"repoUrl": value}, "repo") for value in (5, [], {}, False, "http://h/x", "https://u:p@h/x")),
        *(({"selectedAgent": value}, "agent") for value in (None, 5, [], {}, True, "gpt", "Claude", "claude\0")),
        *(({"selectedModel": value}, "model") for value in (5, [], {}, False, "opus-99", "\ud800")),
        ({"prompt": "Sum", "selectedAgent": "gpt"}, "agent"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_value_that_cannot_be_used_is_refused_by_its_name(
    by_ada: Caller, first: int, change: dict[str, Any], names: str
) -> None:
    assert names in refused(by_ada, first, json.dumps(change)).lower()


def test_an_empty_agent_is_refused_or_the_same_and_never_another_one(by_ada: Caller, first: int) -> None:
    answer = by_ada.post(f"/tasks/{first}/rerun", json={"selectedAgent": ""})
    if answer.status_code == 400:
        assert "agent" in sentence(answer).lower()
    else:
        assert answer.json()["task"]["selected_agent"] == "data-processor"


@pytest.mark.parametrize("name", ["promt", "agent", "repo_url", "selected_agent", "user_id", "status"])
def test_a_key_that_is_not_known_is_refused_by_its_name(by_ada: Caller, first: int, name: str) -> None:
    """Every field is optional here, so a mistyped one would run the unchanged task again."""
    assert name in refused(by_ada, first, json.dumps({name: "Count"}))


def test_another_persons_task_is_absent_whatever_is_sent(by_bob: Caller, first: int) -> None:
    before = stored()
    for body in ("{}", '{"prompt": "Sum"}', '{"prompt": ""}', '{"selectedAgent": "gpt"}', "[]", "{"):
        theirs, absent = (
            by_bob.post(f"/tasks/{number}/rerun", content=body, headers=JSON) for number in (first, 987654)
        )
        assert (theirs.status_code, theirs.content) == (absent.status_code, absent.content)
        assert theirs.status_code in (400, 404) and sentence(theirs)
    assert stored() == before


def test_the_new_task_belongs_to_its_caller_alone(by_ada: Caller, by_bob: Caller, ada: Actor, first: int) -> None:
    task = made(by_ada, first)
    assert task["user_id"] == str(ada.id)
    assert by_bob.get("/tasks").json()["tasks"] == []
    assert by_bob.get(f"/tasks/{task['id']}").status_code == 404


def test_a_page_of_ours_runs_again_with_the_cookie(by_cookie: Caller, first: int) -> None:
    assert made(by_cookie.having(Sec_Fetch_Site="same-origin"), first)["rerun_of"] == str(first)

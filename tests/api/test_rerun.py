"""POST /api/tasks/{id}/rerun: a new task like an old one, with what was sent in place of what was.

Which changes are possible is shown in tests/core/tasks/test_rerun.py, and in test_bad_tasks.py for a new task.
"""

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
    before, known = by.get(f"/tasks/{number}").json(), rows(Task)
    answer = by.post(f"/tasks/{number}/rerun", **given)
    assert answer.status_code == 201, answer.text
    assert set(answer.json()) == {"task", "message"} and set(answer.json()["task"]) == TASK_FIELDS
    assert str(number) in answer.json()["message"]
    assert by.get(f"/tasks/{number}").json() == before
    assert rows(Task) == known + 1
    task: dict[str, Any] = answer.json()["task"]
    assert task["rerun_of"] == str(number)
    return task


def test_without_changes_the_same_task_waits_again_as_a_new_one(
    by_ada: Caller, by_bob: Caller, ada: Actor, first: int
) -> None:
    for given in ({}, {"json": {}}, {"content": b"", "headers": JSON}, {"content": b"null", "headers": JSON}):
        task = made(by_ada, first, **given)
        assert (task["status"], task["progress"], task["end_reason"], task["error"]) == ("pending", 0, None, None)
        assert (task["started_at"], task["finished_at"], task["cancel_requested_at"]) == (None, None, None)
        assert (task["prompt"], task["repo_url"], task["selected_agent"]) == ("Count", REPOSITORY, "data-processor")
        assert (task["user_id"], task["log_count"]) == (str(ada.id), 2)
        assert f"task {first} again, unchanged" in task["logs"][0]["message"]
    assert by_bob.get("/tasks").json()["tasks"] == []


def test_what_is_sent_is_used_and_said_and_the_rest_stays(by_cookie: Caller, first: int) -> None:
    by_page = by_cookie.having(Sec_Fetch_Site="same-origin")
    same = {"prompt": "Count", "repo_url": REPOSITORY, "selected_agent": "data-processor"}
    for change, used, words in (
        ({"prompt": " Count again "}, {"prompt": "Count again"}, ["prompt changed"]),
        ({"repoUrl": OTHER}, {"repo_url": OTHER}, [f"repository {REPOSITORY} -> {OTHER}"]),
        ({"repoUrl": ""}, {"repo_url": None}, [f"repository {REPOSITORY} -> none"]),
        (
            {"prompt": "Sum", "selectedAgent": "codex"},
            {"prompt": "Sum", "selected_agent": "codex"},
            ["prompt", "agent"],
        ),
        ({"prompt": "Count", "repoUrl": REPOSITORY, "selectedAgent": "data-processor"}, {}, ["unchanged"]),
    ):
        task = made(by_page, first, json=change)
        assert {name: task[name] for name in same} == same | used
        assert all(word in task["logs"][0]["message"] for word in words)


def refused(by: Caller, number: int, body: str | bytes, kind: str = "application/json") -> str:
    """The sentence with which this body is refused; nothing is written."""
    before = stored()
    answer = by.post(f"/tasks/{number}/rerun", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400, answer.text
    assert stored() == before
    return sentence(answer)


def test_a_body_that_is_no_json_object_is_refused(by_ada: Caller, first: int) -> None:
    broken = (" ", "{", "not json", "{'prompt': 'x'}", "{}{}", "NaN", "[" * 100_000, b"\xff\xfe", b'{"prompt": "\xe9"}')
    for body in (*broken, "[]", '[{"prompt": "x"}]', '"Count"', "5", "true"):
        assert "JSON" in refused(by_ada, first, body), body[:20]
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        assert "application/json" in refused(by_ada, first, '{"prompt": "Sum"}', kind)


def test_a_value_that_cannot_be_used_and_a_key_that_is_not_known_are_refused_by_their_names(
    by_ada: Caller, first: int
) -> None:
    """Every field is optional here, so a mistyped one would run the unchanged task again."""
    for name, word, values in (
        ("prompt", "prompt", (None, 5, True, [], {}, ["Count"], "", " ", "\ud800")),
        ("repoUrl", "repo", (5, [], {}, False, "http://h/x", "https://u:p@h/x")),
        ("selectedAgent", "agent", (None, 5, [], {}, True, "", "gpt", "claude\0")),
        ("selectedModel", "model", (5, [], {}, False, "opus-99", "\ud800")),
        *((name, name, ("Count",)) for name in ("promt", "agent", "repo_url", "selected_agent", "user_id", "status")),
    ):
        for value in values:
            assert word in refused(by_ada, first, json.dumps({name: value})).lower(), (name, value)


def test_another_persons_task_is_absent_whatever_is_sent(by_bob: Caller, first: int) -> None:
    before = stored()
    for body in ("{}", '{"prompt": "Sum"}', '{"prompt": ""}', '{"selectedAgent": "gpt"}', "[]", "{"):
        theirs, absent = (
            by_bob.post(f"/tasks/{number}/rerun", content=body, headers=JSON) for number in (first, 987654)
        )
        assert (theirs.status_code, theirs.content) == (absent.status_code, absent.content)
        assert theirs.status_code in (400, 404) and sentence(theirs)
    assert stored() == before

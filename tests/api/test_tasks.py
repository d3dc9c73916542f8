import re
from datetime import UTC, datetime, timedelta

import pytest

from core.database.models import EndReason, Task, TaskLog
from core.database.ownership import Actor
from tests.api.calls import TASK_CALLS, TASK_FIELDS, Caller, rows, same, sentence, stored
from tests.api.conftest import MakeTask

ISO_Z = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def test_a_new_task_is_pending_at_0_percent_and_has_every_field_of_the_contract(by_ada: Caller, ada: Actor) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    given = {"prompt": "Count", "repoUrl": "https://git.example.org/team/data", "selectedAgent": "data-processor"}
    answer = by_ada.post("/tasks", json=given)
    assert answer.status_code == 201
    assert set(answer.json()) == {"task", "message"}
    task = answer.json()["task"]
    assert set(task) == TASK_FIELDS
    assert (task["status"], task["progress"], task["user_id"]) == ("pending", 0, str(ada.id))
    assert (task["prompt"], task["repo_url"], task["selected_agent"]) == tuple(given.values())
    assert task["id"].isdigit()
    for name in ("created_at", "updated_at"):
        assert ISO_Z.fullmatch(task[name])
        assert before <= datetime.fromisoformat(task[name]) <= datetime.now(UTC)
    for name in ("sandbox_url", "branch_name", "end_reason", "error", "started_at", "finished_at", "rerun_of"):
        assert task[name] is None
    assert (task["cancel_requested_at"], task["deadline"], task["extendable"]) == (None, None, False)
    (entry,) = task["logs"]
    assert set(entry) == {"id", "timestamp", "type", "message"}
    assert (entry["id"], entry["type"], task["log_count"]) == ("1", "info", 1)
    assert ISO_Z.fullmatch(entry["timestamp"])
    usual = by_ada.post("/tasks", json={"prompt": "Count"}).json()["task"]
    assert (usual["selected_agent"], usual["selected_model"], usual["repo_url"]) == ("claude", "sonnet", None)


def test_an_ended_task_says_when_and_why(by_ada: Caller, mine: MakeTask) -> None:
    moment = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    ended = {"end_reason": EndReason.TIMED_OUT, "error": "Too slow.", "progress": 30, "rerun_of": 7}
    number = mine("error", started_at=moment, finished_at=moment + timedelta(seconds=300.25), **ended)
    answer = by_ada.get(f"/tasks/{number}")
    assert answer.status_code == 200 and set(answer.json()) == {"task"}
    task = answer.json()["task"]
    assert set(task) == TASK_FIELDS
    shown = ended | {"id": str(number), "status": "error", "rerun_of": "7"}
    assert {name: task[name] for name in shown} == shown
    assert datetime.fromisoformat(task["started_at"]) == moment
    assert datetime.fromisoformat(task["finished_at"]) == moment + timedelta(seconds=300.25)


STATES = ("pending", "processing", "completed", "error")


def test_a_bulk_deletion_takes_the_callers_own_tasks_of_those_states_and_counts_them(
    by_ada: Caller, bob: Actor, mine: MakeTask, make_task: MakeTask
) -> None:
    """Which words mean which tasks is shown in tests/core/tasks/test_commands.py."""
    for status in (*STATES, "completed"):
        mine(status, entries=2), make_task(bob, status, entries=2)
    for action, count, said in (
        *((" failed, failed ", 1, "1 task deleted."), ("failed,completed", 2, "2 tasks deleted.")),
        ("completed", 0, "0 tasks deleted."),
    ):
        answer = by_ada.delete("/tasks", params={"action": action})
        assert (answer.status_code, answer.json()) == (200, {"message": said, "deletedCount": count})
    assert {task["status"] for task in by_ada.get("/tasks").json()["tasks"]} == {"pending", "processing"}
    assert (rows(Task), rows(TaskLog)) == (7, 14)


def test_a_task_is_deleted_once_whatever_its_state(by_ada: Caller, mine: MakeTask) -> None:
    numbers, other = [mine(status, entries=3) for status in STATES], mine()
    for number in numbers:
        answer = by_ada.delete(f"/tasks/{number}")
        assert answer.status_code == 200 and set(answer.json()) == {"message"}
        again = by_ada.delete(f"/tasks/{number}")
        assert again.status_code == 404 and sentence(again)
    assert by_ada.get(f"/tasks/{other}").status_code == 200
    assert (rows(Task), rows(TaskLog)) == (1, 0)


@pytest.mark.parametrize(("method", "path"), TASK_CALLS)
def test_another_persons_task_answers_byte_for_byte_like_an_absent_one(
    by_ada: Caller, by_bob: Caller, bob: Actor, make_task: MakeTask, method: str, path: str
) -> None:
    absent = by_ada.call(method, f"/tasks/987654{path}")
    assert absent.status_code == 404 and sentence(absent)
    for status in STATES:
        theirs = make_task(bob, status, entries=2)
        before = stored()
        assert same(by_ada.call(method, f"/tasks/{theirs}{path}"), absent)
        assert stored() == before
        assert by_bob.get(f"/tasks/{theirs}").json()["task"]["status"] == status

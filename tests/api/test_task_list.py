"""GET /api/tasks and a task's log: what they answer; pages, filters and search are shown in tests/core/tasks."""

import pytest

from core.database.models import Role, User
from core.database.ownership import Actor
from tests.api.calls import TASK_FIELDS, Caller, sentence
from tests.api.conftest import MakeTask
from tests.support.databases import unguarded


@pytest.mark.attack(21)
@pytest.mark.parametrize("role", Role)
def test_the_list_is_the_callers_own_newest_first_whatever_their_role(
    by_ada: Caller, ada: Actor, bob: Actor, mine: MakeTask, make_task: MakeTask, role: Role
) -> None:
    with unguarded() as session:
        session.get_one(User, ada.id).role = role
    mine = [mine() for _ in range(3)]
    make_task(bob)
    for address in ("/tasks", "/tasks?limit=50&cursor=&status=&q=&logs=all"):
        answer = by_ada.get(address)
        assert answer.status_code == 200 and set(answer.json()) == {"tasks", "nextCursor"}
        assert [int(task["id"]) for task in answer.json()["tasks"]] == mine[::-1]
        assert answer.json()["nextCursor"] is None
        assert all(set(task) == TASK_FIELDS for task in answer.json()["tasks"])


def test_the_list_is_walked_by_its_cursors_and_limited_to_a_status_or_a_text(by_ada: Caller, mine: MakeTask) -> None:
    words = ("pending", "processing", "completed", "error")
    made = {word: str(mine(word, prompt=f"100% {word}")) for word in words}

    def found(**asked: str) -> list[str]:
        return [task["id"] for task in by_ada.get("/tasks", params=asked).json()["tasks"]]

    page = by_ada.get("/tasks?limit=3&logs=none").json()
    assert [task["id"] for task in page["tasks"]] + found(cursor=page["nextCursor"]) == list(made.values())[::-1]
    assert [found(status=word) for word in words] == [[made[word]] for word in words]
    assert (found(q="0% PEND"), found(q="1%0"), found(q="\0pending ")) == ([made["pending"]], [], [made["pending"]])


def test_a_task_carries_as_much_log_as_was_asked_for(by_ada: Caller, mine: MakeTask) -> None:
    number = mine(entries=1_500)
    shown = {"/tasks": 1_000, "/tasks?logs=all": 1_000, "/tasks?logs=tail": 20, "/tasks?logs=none": 0}
    for address, count in {**shown, f"/tasks/{number}": 1_000}.items():
        answer = by_ada.get(address).json()
        task = answer["task"] if "task" in answer else answer["tasks"][0]
        assert [entry["message"] for entry in task["logs"]] == [f"line {seq}" for seq in range(1_501 - count, 1_501)]
        assert task["log_count"] == 1_500
        for entry in task["logs"][-1:]:
            assert (entry["id"], entry["type"], entry["timestamp"][-1]) == ("1500", "info", "Z")
            assert set(entry) == {"id", "timestamp", "type", "message"}


def ids(by: Caller, path: str) -> list[int]:
    answer = by.get(path)
    assert answer.status_code == 200 and set(answer.json()) == {"logs"}, answer.text
    return [int(entry["id"]) for entry in answer.json()["logs"]]


def test_the_log_is_read_oldest_first_from_after_an_entry(by_ada: Caller, mine: MakeTask) -> None:
    mine(entries=5)
    number = mine(entries=1_500)
    for asked, first, last in (
        *(("", 1, 1_000), ("?after=0", 1, 1_000), ("?after=1000", 1_001, 1_500), ("?limit=1", 1, 1)),
        *(("?after=7&limit=3", 8, 10), *((f"?after={after}", 1, 0) for after in (1_500, 1_501, 10**9, 2**63 - 1))),
    ):
        assert ids(by_ada, f"/tasks/{number}/logs{asked}") == list(range(first, last + 1)), asked


def test_a_place_or_number_that_cannot_be_is_refused_by_its_name_before_any_stream(
    by_ada: Caller, mine: MakeTask
) -> None:
    number = mine("completed", entries=3)
    places, sizes = ("-1", "abc", str(2**70), "1.5", "%00", "", "9" * 5_000), ("0", "-1", "1001", "abc", str(2**70))
    for part, name, values in (("logs", "after", places), ("events", "after", places), ("logs", "limit", sizes)):
        for value in values:
            answer = by_ada.get(f"/tasks/{number}/{part}?{name}={value}")
            assert answer.status_code == 400 and sentence(answer).startswith(name), (part, value)

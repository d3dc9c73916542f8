import pytest

from core.database.ownership import Actor
from tests.api.calls import Caller, sentence
from tests.api.conftest import MakeTask


def ids(by: Caller, path: str) -> list[int]:
    answer = by.get(path)
    assert answer.status_code == 200 and set(answer.json()) == {"logs"}, answer.text
    return [int(entry["id"]) for entry in answer.json()["logs"]]


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("", 1, 1_000),
        ("?after=0", 1, 1_000),
        ("?after=1000", 1_001, 1_500),
        ("?after=1499", 1_500, 1_500),
        ("?limit=1", 1, 1),
        ("?after=7&limit=3", 8, 10),
        ("?after=600&limit=1000", 601, 1_500),
    ],
)
def test_the_log_is_read_oldest_first_from_after_an_entry(
    by_ada: Caller, ada: Actor, make_task: MakeTask, asked: str, first: int, last: int
) -> None:
    number = make_task(ada, entries=1_500)
    assert ids(by_ada, f"/tasks/{number}/logs{asked}") == list(range(first, last + 1))


@pytest.mark.parametrize("after", [3, 4, 10**9, 2**63 - 1])
def test_there_is_nothing_after_the_end_of_a_log(by_ada: Caller, ada: Actor, make_task: MakeTask, after: int) -> None:
    number = make_task(ada, entries=3)
    assert ids(by_ada, f"/tasks/{number}/logs?after={after}") == []


def test_an_entry_has_its_id_time_type_and_message(by_ada: Caller, ada: Actor, make_task: MakeTask) -> None:
    number = make_task(ada, entries=1)
    (entry,) = by_ada.get(f"/tasks/{number}/logs").json()["logs"]
    assert (entry["id"], entry["type"], entry["message"]) == ("1", "info", "line 1")
    assert entry["timestamp"].endswith("Z") and set(entry) == {"id", "timestamp", "type", "message"}
    assert by_ada.get(f"/tasks/{number}").json()["task"]["logs"] == [entry]


def test_a_log_holds_only_its_own_tasks_entries(by_ada: Caller, ada: Actor, bob: Actor, make_task: MakeTask) -> None:
    make_task(ada, entries=5), make_task(bob, entries=5)
    number = make_task(ada, entries=2)
    assert ids(by_ada, f"/tasks/{number}/logs") == [1, 2]


@pytest.mark.parametrize(
    "asked",
    [
        *("after=-1", "after=abc", f"after={2**70}", "after=1.5", "after=%00", "after="),
        *("limit=0", "limit=-1", "limit=1001", "limit=abc", f"limit={2**70}", f"limit={'9' * 5000}"),
    ],
)
def test_a_place_or_number_that_cannot_be_is_refused_by_its_name(
    by_ada: Caller, ada: Actor, make_task: MakeTask, asked: str
) -> None:
    number = make_task(ada, entries=3)
    answer = by_ada.get(f"/tasks/{number}/logs?{asked}")
    assert answer.status_code == 400
    assert sentence(answer).startswith(asked.partition("=")[0])

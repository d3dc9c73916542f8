from datetime import UTC, datetime

import pytest

from core.database.ownership import Actor
from core.errors import InvalidInput, NotFound
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Entry
from core.tasks import commands, logs
from tests.core.living import claimed

MOMENT = datetime(2026, 5, 4, 13, 2, 1, 5000, UTC)


@pytest.fixture
def task_id(ada: Actor) -> int:
    """A task of Ada's with entries 1 to 12: two of Taskdeck's own, then ten in turns of info and error."""
    claim, types = claimed(ada), (LogType.INFO, LogType.ERROR)
    claims.record(claim, [Entry(types[number % 2], f"line {number}", MOMENT) for number in range(10)])
    return claim.task_id


def test_entries_follow_the_one_that_was_named(ada: Actor, task_id: int) -> None:
    assert [entry.seq for entry in logs.after(ada, task_id)] == list(range(1, 13))
    assert [entry.seq for entry in logs.after(ada, task_id, 4, 3)] == [5, 6, 7]
    assert (logs.after(ada, task_id, 12), logs.after(ada, task_id, 2**63 - 1)) == ([], [])


@pytest.mark.parametrize("given", [{"limit": 0}, {"limit": -1}, {"limit": 1_001}, {"seq": -1}, {"seq": 2**63}])
def test_bounds_are_explained(given: dict[str, int], ada: Actor, task_id: int) -> None:
    with pytest.raises(InvalidInput, match=r"limit must be|after must be"):
        logs.after(ada, task_id, **given)


def test_anothers_log_is_like_an_absent_one(bob: Actor, task_id: int) -> None:
    for absent in (task_id, 0, -1, 2**63):
        with pytest.raises(NotFound):
            logs.after(bob, absent)


def test_all_entries_of_the_wanted_types_since_one_and_none_of_anothers(ada: Actor, bob: Actor, task_id: int) -> None:
    errors = logs.since(ada, task_id, 9, [LogType.ERROR])
    assert [(entry.seq, entry.message) for entry in errors] == [(10, "line 7"), (12, "line 9")]
    assert logs.since(ada, task_id, 0, [LogType.COMMAND]) == logs.since(ada, task_id, 0, []) == []
    assert (len(logs.since(ada, task_id, 0, list(LogType))), logs.since(bob, task_id, 0, list(LogType))) == (12, [])


def test_the_newest_entries_come_oldest_first_and_none_of_anothers_task(ada: Actor, bob: Actor, task_id: int) -> None:
    assert [entry.seq for entry in logs.newest(ada, [task_id], 3)[task_id]] == [10, 11, 12]
    own = commands.create(bob, prompt="x").id
    found = logs.newest(bob, [task_id, own], 5)
    assert (found[task_id], len(found[own])) == ([], 1)


def test_a_log_as_text_has_a_line_for_each_entry_with_its_time_in_utc(ada: Actor, task_id: int) -> None:
    lines = logs.as_text(logs.after(ada, task_id, 2, 2)).splitlines()
    assert lines == ["2026-05-04T13:02:01.005000Z info    line 0", "2026-05-04T13:02:01.005000Z error   line 1"]

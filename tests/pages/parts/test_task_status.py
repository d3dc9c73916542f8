from datetime import timedelta

from core.database.engine import now
from core.database.models import EndReason, Task, TaskStatus
from pages.parts import task_status


def task(ran: float | None = None, **values: object) -> Task:
    started_at = None if ran is None else now() - timedelta(seconds=ran)
    usual = {"status": TaskStatus.PENDING if ran is None else TaskStatus.PROCESSING, "progress": 0, "extension": 0.0}
    return Task(**usual | {"created_at": now(), "started_at": started_at} | values)


def test_the_countdown_runs_only_while_the_task_does() -> None:
    assert [task_status.left(task(ran)) for ran in (75, 400, None)] == ["3:45", "0:00", ""]
    assert task_status.left(task(75, status=TaskStatus.COMPLETED)) == ""
    assert [task_status.is_late(task(ran)) for ran in (75, 241)] == [False, True]


def test_a_failed_task_says_which_kind_of_failure() -> None:
    names = {EndReason.FAILED: "Failed", EndReason.TIMED_OUT: "Timed out", EndReason.INTERRUPTED: "Interrupted"}
    for reason, name in names.items():
        assert f">{name}<" in task_status.status_pill(task(status=TaskStatus.ERROR, end_reason=reason))

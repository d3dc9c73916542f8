"""The owner gives a running task more time, as far as agents.toml allows it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from core.agents import catalog
from core.config import Settings
from core.database import engine
from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.errors import Conflict, NotFound
from core.log_text import LogType
from core.runner import claims
from core.tasks import commands, logs
from tests.core.living import Life, claimed, ended, row_counts
from tests.support.databases import unguarded
from tests.support.waiting import eventually
from tests.support.world import World


@pytest.fixture
def allow(tmp_path: Path) -> Callable[..., None]:
    """Write agents.toml: by how many seconds an agent's tasks may be extended, and more of its settings."""

    def write(agent: str, extension: float, **more: float | str) -> None:
        lines = [f"{name} = {value!r}" for name, value in {"extension": extension, **more}.items()]
        (tmp_path / "agents.toml").write_text("\n".join([f"[agents.{agent}]", *lines]))
        catalog.catalog.cache_clear()

    return write


def unchanged(actor: Actor, task_id: int, extension: float = 0) -> bool:
    """Whether the task has this extension and its log speaks of none that was refused."""
    said = [entry for entry in logs.after(actor, task_id) if "gave it" in entry.message]
    return commands.find(actor, task_id).extension == extension and len(said) == bool(extension)


def test_a_running_task_gets_what_its_agents_settings_allow_and_its_log_says_so(
    ada: Actor, allow: Callable[..., None]
) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    before = commands.deadline(commands.find(ada, claim.task_id))
    task = commands.extend(ada, claim.task_id)
    assert (task.status, task.extension) == (TaskStatus.PROCESSING, 120)
    assert before
    assert commands.deadline(task) == before + timedelta(seconds=120)
    last = logs.after(ada, claim.task_id)[-1]
    assert (last.type, last.message) == (LogType.INFO, "Ada gave it 2 min more: the limit is 7 min now.")
    assert (last.seq, last.timestamp) == (task.log_count, task.updated_at)
    assert claims.read_control(claim).extension == 120


def test_once_is_all(ada: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    commands.extend(ada, claim.task_id)
    with pytest.raises(Conflict, match="once"):
        commands.extend(ada, claim.task_id)
    assert unchanged(ada, claim.task_id, 120)


def test_of_many_who_press_the_button_at_once_one_succeeds(ada: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    begin = threading.Barrier(6)

    def press() -> bool:
        begin.wait(5)
        try:
            return bool(commands.extend(ada, claim.task_id))
        except Conflict:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(done.result() for done in [pool.submit(press) for _ in range(6)]) == 1
    assert unchanged(ada, claim.task_id, 120)


@pytest.mark.parametrize("other", [None, "codex"])
def test_without_a_word_in_its_agents_settings_there_is_no_more_time(
    other: str | None, ada: Actor, allow: Callable[..., None]
) -> None:
    if other:
        allow(other, 120)
    claim = claimed(ada)
    with pytest.raises(Conflict, match="give tasks of claude no more time"):
        commands.extend(ada, claim.task_id)
    assert unchanged(ada, claim.task_id)


def test_only_a_running_task_gets_more_time(ada: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    over = [ended(ada, reason).id for reason in EndReason]
    for task_id in (commands.create(ada, prompt="x").id, *over):
        with pytest.raises(Conflict, match="Only a running task"):
            commands.extend(ada, task_id)
        assert unchanged(ada, task_id)
        assert commands.deadline(commands.find(ada, task_id)) is None


@pytest.mark.parametrize(("age", "late"), [(294.5, False), (295.5, True), (299.9, True), (400, True)])
def test_a_task_that_is_about_to_reach_its_limit_gets_no_more_time(
    age: float, late: bool, ada: Actor, allow: Callable[..., None]
) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    with unguarded() as session:
        session.execute(update(Task).values(started_at=engine.now()))
    task = commands.find(ada, claim.task_id)
    assert task.started_at
    reason = commands.why_not_extend(task, now=task.started_at + timedelta(seconds=age))
    assert reason == ("The task is about to be stopped." if late else None)


def test_too_late_writes_nothing(ada: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    claim = claimed(ada, now=engine.now() - timedelta(seconds=299))
    with pytest.raises(Conflict, match="about to be stopped"):
        commands.extend(ada, claim.task_id)
    assert unchanged(ada, claim.task_id)


def test_a_task_that_its_owner_stops_gets_no_more_time(ada: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    commands.cancel(ada, claim.task_id)
    with pytest.raises(Conflict, match="about to be stopped"):
        commands.extend(ada, claim.task_id)
    assert unchanged(ada, claim.task_id)


def test_another_persons_task_is_like_an_absent_one(ada: Actor, bob: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    before = row_counts()
    for absent in (claim.task_id, claim.task_id + 1):
        with pytest.raises(NotFound, match=r"^There is no such task\.$"):
            commands.extend(bob, absent)
    assert row_counts() == before
    assert unchanged(ada, claim.task_id)


def test_an_extended_task_may_still_be_stopped(ada: Actor, allow: Callable[..., None]) -> None:
    allow("claude", 120)
    claim = claimed(ada)
    commands.extend(ada, claim.task_id)
    asked = commands.cancel(ada, claim.task_id)
    assert claims.read_control(claim) == claims.Control(asked.cancel_requested_at, 120)


def test_the_limit_really_moves_and_the_warning_comes_again_before_the_new_one(
    run_task: Life,
    data: Path,
    allow: Callable[..., None],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "TOO_LATE_SECONDS", 0.5)
    run_task.settings = Settings(timeout=30, warning=20, tick=100, data=data)
    name = world.script_agent("sleeper", "import time; time.sleep(600)")
    allow(name, 2, timeout=4, warning=1, driver="data-processor")
    task, thread = run_task.begin(name)
    eventually(lambda: "3 s left: the task will be stopped at 4 s." in run_task.log(task), 4)
    commands.extend(run_task.actor, task.id)
    thread.join(15)
    assert not thread.is_alive()
    task = commands.find(run_task.actor, task.id)
    assert (task.end_reason, task.error) == (EndReason.TIMED_OUT, "The task was stopped at its limit of 6 s.")
    assert task.started_at and task.finished_at
    assert 5.9 <= (task.finished_at - task.started_at).total_seconds() < 9
    log = [line for line in run_task.log(task) if "left:" in line or "gave it" in line or "limit of" in line]
    assert log == [
        "3 s left: the task will be stopped at 4 s.",
        "Ada gave it 2 s more: the limit is 6 s now.",
        "3 s left: the task will be stopped at 6 s.",
        task.error,
    ]


def test_work_that_ends_within_the_extension_is_completed(
    run_task: Life,
    allow: Callable[..., None],
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "TOO_LATE_SECONDS", 0.5)
    name = world.script_agent("slow", "import time; print('begun', flush=True); time.sleep(3.2)")
    allow(name, 30, timeout=3, warning=2, driver="data-processor")
    task, thread = run_task.begin(name)
    eventually(lambda: "begun" in run_task.log(task))
    commands.extend(run_task.actor, task.id)
    thread.join(15)
    task = commands.find(run_task.actor, task.id)
    assert (task.end_reason, task.progress) == (EndReason.COMPLETED, 100)

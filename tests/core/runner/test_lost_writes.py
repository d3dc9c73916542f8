"""A write of a runner is made, and only its answer gets lost: a task still has one end, and every line once."""

import threading
from pathlib import Path

import pytest

from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.log_text import LogType
from core.runner import claims, heartbeat, processor
from core.tasks import artifacts, commands, logs
from tests.core.living import Life, away, claimed, left_behind, lose_answer
from tests.support.world import World

WRITER = "import sys; open(sys.argv[1] + '/report.md', 'w').write('# Done')\nfor n in range(300): print('line', n)"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (processor, heartbeat):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)


def lines(actor: Actor, task_id: int) -> list[str]:
    """What the task's process printed."""
    found = logs.since(actor, task_id, 0, LogType)
    assert [entry.seq for entry in found] == list(range(1, commands.find(actor, task_id).log_count + 1))
    return [entry.message for entry in found if entry.message.startswith("line ")]


def test_a_finish_whose_answer_got_lost_ends_the_task_once_and_keeps_its_files(
    run_task: Life, data: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_answer(monkeypatch, "finish", 3)
    task = run_task(world.script_agent("writer", WRITER))
    assert len(lost) == 3
    assert (task.end_reason, task.progress) == (EndReason.COMPLETED, 100)
    assert lines(run_task.actor, task.id) == [f"line {n}" for n in range(300)]
    assert [line for line in run_task.log(task) if line.startswith("Completed in")] == run_task.log(task)[-1:]
    (kept,) = artifacts.of(run_task.actor, task.id)
    assert artifacts.find(run_task.actor, task.id, kept.name)[1].read_text() == "# Done"
    assert task.sandbox_url == f"/api/tasks/{task.id}/artifacts/"


@pytest.mark.parametrize(
    ("code", "reason"),
    [("raise SystemExit(3)", EndReason.FAILED), ("import time; time.sleep(60)", EndReason.TIMED_OUT)],
)
def test_every_other_end_is_also_written_once(
    code: str, reason: EndReason, run_task: Life, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_task.settings = run_task.settings.model_copy(update={"timeout": 0.5, "warning": 0.4})
    lose_answer(monkeypatch, "finish", 2)
    task = run_task(world.script_agent("worker", code))
    assert task.end_reason is reason
    assert run_task.log(task).count(str(task.error)) == 1


def test_a_task_that_is_deleted_after_a_lost_answer_leaves_no_file(
    run_task: Life, ada: Actor, data: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_answer(monkeypatch, "finish")
    lossy = claims.finish

    def delete_then_finish(*arguments: object, **more: object) -> None:
        if lost:
            commands.delete_one(ada, 1)
        lossy(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "finish", delete_then_finish)
    commands.create(ada, prompt="x", agent=world.script_agent("writer", WRITER))
    run_task.run_task()
    assert left_behind(data) == []


def test_lines_whose_answer_got_lost_are_stored_once(
    run_task: Life, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = lose_answer(monkeypatch, "record", 4)
    code = "import time\nfor n in range(50): print('line', n, flush=True); time.sleep(0.03)"
    task = run_task(world.script_agent("talker", code))
    assert len(lost) == 4
    assert task.end_reason is EndReason.COMPLETED
    assert lines(run_task.actor, task.id) == [f"line {n}" for n in range(50)]


def test_a_doubt_at_the_end_is_resolved_before_the_finish(
    run_task: Life, tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"
    code = (
        "import pathlib, time\nfor n in range(250): print('line', n)\n"
        f"while not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    )
    lose_answer(monkeypatch, "record")
    with monkeypatch.context() as patch:
        doubtful = threading.Event()
        recorded = claims.recorded

        def later(*arguments: object) -> object:
            if not doubtful.is_set():
                doubtful.set()
                seen.touch()
                away()
            return recorded(*arguments)  # type: ignore[arg-type]

        patch.setattr(claims, "recorded", later)
        task = run_task(world.script_agent("talker", code))
    assert doubtful.is_set()
    assert task.end_reason is EndReason.COMPLETED
    assert lines(run_task.actor, task.id) == [f"line {n}" for n in range(250)]


def test_a_renewal_whose_answer_got_lost_is_asked_again_and_the_task_goes_on(
    run_task: Life, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_task.settings = run_task.settings.model_copy(update={"lease": 3})
    lost = lose_answer(monkeypatch, "renew")
    task = run_task(world.script_agent("slow", "import time; time.sleep(1.6)"))
    assert (lost, task.end_reason) == (["renew"], EndReason.COMPLETED)


def test_a_task_that_waits_again_without_an_answer_waits_once(
    run_task: Life, ada: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answer(monkeypatch, "release")
    claim = claimed(ada)
    run_task.stopping.set()
    monkeypatch.setattr(processor, "LAST_SECONDS", 5)
    processor.run_task(claim, run_task.settings, run_task.stopping)
    waiting = commands.find(ada, claim.task_id)
    assert (waiting.status, waiting.log_count) == (TaskStatus.PENDING, 3)

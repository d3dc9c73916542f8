"""The database did what a runner told it, but its answer got lost: one end, every line once, nothing left undone."""

from pathlib import Path

import pytest

from core.database.models import EndReason, Task, TaskStatus
from core.database.ownership import Actor
from core.log_text import LogType
from core.runner import claims, heartbeat, processor
from core.tasks import commands, logs
from tests.core.deck import Deck
from tests.core.living import Life, Patch, away, claimed, left_behind, lose_answer

WRITER = "import sys; open(sys.argv[1] + '/report.md', 'w').write('# Done')\nfor n in range(300): print('line', n)"
CODES = {
    EndReason.COMPLETED: WRITER,
    EndReason.FAILED: "raise SystemExit(3)",
    EndReason.TIMED_OUT: "import time; time.sleep(60)",
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: Patch) -> None:
    for module in (processor, heartbeat):
        monkeypatch.setattr(module, "RETRY_SECONDS", 0.05)


def lines(actor: Actor, task_id: int) -> list[str]:
    """What the task's process printed."""
    found = logs.since(actor, task_id, 0, LogType)
    assert [entry.seq for entry in found] == list(range(1, commands.find(actor, task_id).log_count + 1))
    return [entry.message for entry in found if entry.message.startswith("line ")]


@pytest.mark.parametrize("reason", CODES)
def test_an_end_whose_answer_got_lost_is_written_once(reason: EndReason, run_task: Life, monkeypatch: Patch) -> None:
    if reason is EndReason.TIMED_OUT:
        run_task.settle(timeout=0.8, warning=0.4)
    lost, task = lose_answer(monkeypatch, "finish", 3), run_task.script(CODES[reason])
    log = run_task.log(task)
    assert (len(lost), task.end_reason) == (3, reason)
    assert [line for line in log if line.startswith("Completed in") or line == task.error] == log[-1:]
    if reason is EndReason.COMPLETED:
        assert lines(run_task.actor, task.id) == [f"line {n}" for n in range(300)]
        assert (task.progress, run_task.files(task)) == (100, {"report.md": "# Done"})
        assert task.sandbox_url == f"/api/tasks/{task.id}/artifacts/"


def test_a_task_deleted_after_a_lost_answer_leaves_no_file(run_task: Life, data: Path, monkeypatch: Patch) -> None:
    lost, lossy = lose_answer(monkeypatch, "finish"), claims.finish

    def delete_then_finish(*arguments: object, **more: object) -> None:
        if lost:
            commands.delete_one(run_task.actor, 1)
        lossy(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "finish", delete_then_finish)
    _, thread = run_task.begin(run_task.agent(WRITER))
    thread.join(15)
    assert (thread.is_alive(), left_behind(data)) == (False, [])


def test_a_doubt_at_the_end_is_resolved_before_the_finish(run_task: Life, tmp_path: Path, monkeypatch: Patch) -> None:
    seen = tmp_path / "seen"
    code = (
        "import pathlib, time\nfor n in range(250): print('line', n)\n"
        f"while not pathlib.Path({str(seen)!r}).exists(): time.sleep(0.01)"
    )
    lose_answer(monkeypatch, "record")
    recorded = claims.recorded

    def later(*arguments: object) -> object:
        if not seen.exists():
            seen.touch()
            away()
        return recorded(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "recorded", later)
    task = run_task.script(code)
    assert (seen.exists(), task.end_reason) == (True, EndReason.COMPLETED)
    assert lines(run_task.actor, task.id) == [f"line {n}" for n in range(250)]


def test_a_claim_whose_answer_is_lost_is_released_and_the_task_runs_once(deck: Deck, monkeypatch: Patch) -> None:
    task_id, lost = deck.create("quick"), lose_answer(monkeypatch, "claim")
    deck.start(lease=30, grace=0)
    deck.wait(EndReason.COMPLETED, task_id)
    assert (lost, deck.log(task_id).count("done")) == (["claim"], 1)
    assert "The work was not begun; the task waits again." in deck.log(task_id)


def stopped_before(run_task: Life, claim: claims.Claim) -> Task:
    """The task when its server was stopping before anything was begun."""
    run_task.stopping.set()
    processor.run_task(claim, run_task.settings, run_task.stopping)
    return commands.find(run_task.actor, claim.task_id)


@pytest.mark.parametrize("lost", [False, True])
def test_a_task_of_which_nothing_was_begun_waits_again_once_when_the_server_stops(
    lost: bool, run_task: Life, claim: claims.Claim, monkeypatch: Patch
) -> None:
    if lost:
        lose_answer(monkeypatch, "release")
    task = stopped_before(run_task, claim)
    assert (task.status, task.started_at, task.claimed_by, task.log_count) == (TaskStatus.PENDING, None, None, 3)
    assert "waits again" in run_task.log(task)[-1]
    with pytest.raises(claims.ClaimLost):
        claims.record(claim, [])


def test_what_another_runner_took_stays(run_task: Life, claim: claims.Claim, data: Path, monkeypatch: Patch) -> None:
    kept = data / "artifacts" / str(claim.task_id) / "report.md"
    lose_answer(monkeypatch, "release")
    real = claims.read_control

    def read(claim: claims.Claim) -> claims.Control:
        if commands.find(run_task.actor, claim.task_id).status is TaskStatus.PENDING:  # between the two tries
            assert claims.claim("another", 30)
            kept.parent.mkdir(parents=True)
            kept.write_text("# Theirs")
        return real(claim)

    monkeypatch.setattr(claims, "read_control", read)
    assert (stopped_before(run_task, claim).claimed_by, kept.read_text()) == ("another", "# Theirs")


def test_a_task_that_was_to_stop_does_not_wait_again_but_is_stopped(run_task: Life, ada: Actor) -> None:
    claim = claimed(ada)
    commands.cancel(ada, claim.task_id)
    task = stopped_before(run_task, claim)
    assert (task.end_reason, task.error) == (EndReason.CANCELLED, commands.NEVER_BEGAN)
    assert run_task.log(task)[2:] == ["Stop requested by Ada.", commands.NEVER_BEGAN]

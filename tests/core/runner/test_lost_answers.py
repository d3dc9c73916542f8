"""The database did what it was told, but its answer got lost: nothing is done twice, and nothing is left undone."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from core.config import Settings
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.runner import claims, processor
from core.runner.scheduler import Scheduler
from core.tasks import commands, logs
from tests.support.waiting import eventually
from tests.support.world import World


@pytest.fixture
def lose_the_first_answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a function of claims do its work, and fail afterwards, the first time."""

    def lose(name: str) -> None:
        real, lost = getattr(claims, name), []

        def do(*arguments: object, **named: object) -> object:
            done = real(*arguments, **named)
            if not lost and (done is not None or name != "claim"):
                lost.append(done)
                raise OperationalError("COMMIT", {}, Exception("server closed the connection"))
            return done

        monkeypatch.setattr(claims, name, do)

    return lose


@pytest.fixture
def scheduler(data: Path) -> Iterator[Scheduler]:
    made = Scheduler(Settings(data=data, lease=30, grace=0))
    made.start()
    yield made
    made.stop()


@pytest.mark.usefixtures("scheduler")
def test_a_claim_whose_answer_is_lost_is_given_back_and_the_task_runs_once(
    ada: Actor, lose_the_first_answer: Callable[[str], None], world: World
) -> None:
    lose_the_first_answer("claim")
    task = commands.create(ada, prompt="x", agent=world.script_agent("quick", "print('ran')"))
    eventually(lambda: commands.find(ada, task.id).status is TaskStatus.COMPLETED, 8)
    said = [entry.message for entry in logs.after(ada, task.id)]
    assert said.count("ran") == 1
    assert "The work was not begun; the task waits again." in said


def given_back(data: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A claimed task whose server stops before anything was begun."""
    claim = claims.claim("runner", 30)
    assert claim
    meanwhile()
    stopping = threading.Event()
    stopping.set()
    processor.run_task(claim, Settings(data=data), stopping)


def test_what_was_given_back_and_taken_by_another_runner_keeps_its_files(
    ada: Actor, data: Path, lose_the_first_answer: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = commands.create(ada, prompt="x")
    monkeypatch.setattr(processor, "RETRY_SECONDS", 0.01)
    kept = data / "artifacts" / str(task.id) / "report.md"
    lose_the_first_answer("release")
    real = claims.read_control

    def look(claim: claims.Claim) -> claims.Control:
        if commands.find(ada, task.id).status is TaskStatus.PENDING:  # between the two tries
            assert claims.claim("another", 30)
            kept.parent.mkdir(parents=True)
            kept.write_text("# Theirs")
        return real(claim)

    monkeypatch.setattr(claims, "read_control", look)
    given_back(data)
    assert kept.read_text() == "# Theirs"
    assert commands.find(ada, task.id).claimed_by == "another"


def test_a_task_that_was_to_stop_is_not_given_back_but_stopped(ada: Actor, data: Path) -> None:
    task = commands.create(ada, prompt="x")
    given_back(data, lambda: commands.cancel(ada, task.id))
    ended = commands.find(ada, task.id)
    assert (ended.end_reason, ended.error) == (EndReason.CANCELLED, commands.NEVER_BEGAN)
    assert [entry.message for entry in logs.after(ada, task.id, 2)] == ["Stop requested by Ada.", commands.NEVER_BEGAN]

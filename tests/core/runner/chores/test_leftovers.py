"""What lies on the disk for nobody goes; what somebody has or works on stays."""

import threading
import time
from pathlib import Path

from core.config import Settings
from core.database import engine
from core.database.models import EndReason
from core.database.ownership import Actor
from core.runner.chores import leftovers
from core.runner.chores.leftovers import Leftovers
from core.tasks import commands
from tests.core.living import Patch, claimed, ended


def test_workspaces_of_nobody_and_files_of_tasks_that_are_gone_go(ada: Actor, bob: Actor, data: Path) -> None:
    done, held = [ended(actor, EndReason.COMPLETED).id for actor in (ada, bob)], claimed(ada).task_id
    odd = ("4711", f"0{done[0]}", "9" * 30, "what is this")
    for name in (*map(str, [*done, held]), *odd):
        (data / "artifacts" / name / "deep").mkdir(parents=True)
        (data / "workspaces" / name).mkdir(parents=True)
    (data / "artifacts" / "a file").touch()
    Leftovers(Settings(data=data), threading.Event(), time.monotonic, engine.now).run_once()
    assert [folder.name for folder in (data / "workspaces").iterdir()] == [str(held)]
    assert {folder.name for folder in (data / "artifacts").iterdir()} == {str(each) for each in (*done, held)}


def test_where_nothing_was_ever_made_there_is_nothing_to_do(data: Path) -> None:
    Leftovers(Settings(data=data), threading.Event(), time.monotonic, engine.now).run_once()
    assert not (data / "workspaces").exists() and not (data / "artifacts").exists()


def test_which_tasks_run_and_which_are_there_is_told_of_everybodys(ada: Actor, bob: Actor, monkeypatch: Patch) -> None:
    monkeypatch.setattr(leftovers, "ASKED_AT_ONCE", 2)
    over, held = ended(ada, EndReason.COMPLETED).id, {claimed(actor).task_id for actor in (ada, bob, ada)}
    waits = commands.create(ada, prompt="waits").id
    assert leftovers.running([over, *held, waits, 4711]) == held
    assert leftovers.running([over]) == leftovers.running([]) == set()
    assert leftovers.existing([over, *held, waits, 4711]) == {over, *held, waits}

"""PostgreSQL commits, and its answer gets lost on the way: nothing is done twice, no end is lost."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from core.database.models import EndReason
from core.database.ownership import Actor
from core.tasks import artifacts, commands
from tests.faults import test_postgresql as broken
from tests.faults.checks import QUICK, ended, ended_once, ran
from tests.faults.proxy import losing
from tests.faults.test_postgresql import TALKER, Eventually, lines
from tests.support.postgresql import PostgreSQL
from tests.support.world import World

pytestmark = [pytest.mark.usefixtures("postgresql"), pytest.mark.timeout(180)]
own, ada = broken.own, broken.ada


def test_commits_whose_answers_get_lost_are_made_once(
    own: PostgreSQL,
    ada: Actor,
    world: World,
    schedule: Callable[..., object],
    tmp_path: Path,
    data: Path,
    eventually: Eventually,
) -> None:
    world.script_agent("talker", TALKER.format(path=str(tmp_path / "go")))
    armed = threading.Event()
    turns: dict[bytes, int] = {}

    def lose(said: bytes) -> bool:
        kind = next((word for word in (b"INSERT INTO artifacts", b"INSERT INTO task_logs") if word in said), b"")
        turns[kind] = turns.get(kind, 0) + 1
        return armed.is_set() and bool(kind) and turns[kind] % 2 == 1

    with losing(own, lose) as proxy:
        url = os.environ["WORKER_DATABASE_URL"].replace(str(own.folder), str(proxy.folder))
        world.settle(WORKER_DATABASE_URL=url)
        schedule(lease=30)
        task = commands.create(ada, prompt="x", agent="talker").id
        eventually(lambda: len(lines(ada, task)) > 5)
        armed.set()
        eventually(lambda: len(proxy.lost) >= 4, 30)
        (tmp_path / "go").touch()
        eventually(lambda: ended(ada, [task]), 30)
        assert any(b"INSERT INTO artifacts" in said for said in proxy.lost), "the end's answer got lost"
        assert ended_once(ada, task).end_reason is EndReason.COMPLETED
        found = lines(ada, task)
        assert found == list(range(len(found)))
        assert [kept.name for kept in artifacts.of(ada, task)] == ["report.md"]
        assert (data / "artifacts" / str(task) / "report.md").read_text() == "# Done"
        world.settle(WORKER_DATABASE_URL=os.environ["DATABASE_URL"].replace("taskdeck_web", "taskdeck_runner"))


def test_a_claim_whose_answer_gets_lost_is_given_back_and_runs_once(
    own: PostgreSQL, ada: Actor, world: World, schedule: Callable[..., object], tmp_path: Path, eventually: Eventually
) -> None:
    world.script_agent("quick", QUICK.format(path=str(tmp_path / "ran")))
    lost = threading.Event()

    def lose(said: bytes) -> bool:
        first = b"Started after waiting" in said and not lost.is_set()
        if first:
            lost.set()
        return first

    with losing(own, lose) as proxy:
        world.settle(WORKER_DATABASE_URL=os.environ["WORKER_DATABASE_URL"].replace(str(own.folder), str(proxy.folder)))
        schedule(lease=2)
        first, second = (commands.create(ada, prompt=f"t{number}", agent="quick").id for number in range(2))
        assert lost.wait(10)
        eventually(lambda: ended(ada, [first, second]), 20)
        assert {ended_once(ada, task).end_reason for task in (first, second)} == {EndReason.COMPLETED}
        assert ran(tmp_path / "ran").count("t0") == 1
        world.settle(WORKER_DATABASE_URL=os.environ["DATABASE_URL"].replace("taskdeck_web", "taskdeck_runner"))

"""PostgreSQL commits, and its answer gets lost on the way: nothing is done twice, no end is lost."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from core.database.models import EndReason
from core.tasks import artifacts
from tests.faults import test_postgresql as broken
from tests.faults.proxy import Proxy, losing
from tests.faults.scene import QUICK, TALKER, Scene
from tests.support.postgresql import PostgreSQL
from tests.support.waiting import eventually

pytestmark = [pytest.mark.usefixtures("postgresql"), pytest.mark.timeout(180)]
own, ada = broken.own, broken.ada  # fixtures


@contextmanager
def between(own: PostgreSQL, lose: Callable[[bytes], bool], scene: Scene) -> Iterator[Proxy]:
    """The runners reach the database by a proxy that loses answers."""
    straight = os.environ["WORKER_DATABASE_URL"]
    with losing(own, lose) as proxy:
        scene.world.settle(WORKER_DATABASE_URL=straight.replace(str(own.folder), str(proxy.folder)))
        yield proxy
        scene.world.settle(WORKER_DATABASE_URL=straight)


def test_commits_whose_answers_get_lost_are_made_once(own: PostgreSQL, scene: Scene) -> None:
    scene.agent("talker", TALKER)
    armed = threading.Event()
    turns: dict[bytes, int] = {}

    def lose(said: bytes) -> bool:
        kind = next((word for word in (b"INSERT INTO artifacts", b"INSERT INTO task_logs") if word in said), b"")
        turns[kind] = turns.get(kind, 0) + 1
        return armed.is_set() and bool(kind) and turns[kind] % 2 == 1

    with between(own, lose, scene) as proxy:
        scene.schedule(lease=30)
        task = scene.create("talker")
        eventually(lambda: len(scene.lines(task)) > 5)
        armed.set()
        eventually(lambda: len(proxy.lost) >= 4, 30)
        scene.go()
        eventually(lambda: scene.ended(task), 30)
        assert any(b"INSERT INTO artifacts" in said for said in proxy.lost), "the end's answer got lost"
        assert scene.ended_once(task).end_reason is EndReason.COMPLETED
        found = scene.lines(task)
        assert found == list(range(len(found)))
        assert [kept.name for kept in artifacts.of(scene.ada, task)] == ["report.md"]
        assert (scene.data / "artifacts" / str(task) / "report.md").read_text() == "# Done"


def test_a_claim_whose_answer_gets_lost_is_released_and_runs_once(own: PostgreSQL, scene: Scene) -> None:
    scene.agent("quick", QUICK)
    lost = threading.Event()

    def lose(said: bytes) -> bool:
        first = b"Started after waiting" in said and not lost.is_set()
        if first:
            lost.set()
        return first

    with between(own, lose, scene):
        scene.schedule(lease=2)
        first, second = (scene.create("quick", f"t{number}") for number in range(2))
        assert lost.wait(10)
        scene.wait(EndReason.COMPLETED, first, second, seconds=20)
        assert scene.ran().count("t0") == 1

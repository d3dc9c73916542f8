"""The owner gives a running task more time, as far as agents.toml allows it."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from core.database import engine
from core.database.models import EndReason, TaskStatus
from core.database.ownership import Actor
from core.errors import Conflict
from core.log_text import LogType
from core.runner import claims
from core.runner.claims import Claim
from core.tasks import commands, logs
from tests.core.living import Life, Patch, Shifted, claimed, ended
from tests.support.waiting import eventually
from tests.support.world import World

Allow = Callable[..., None]

ONCE = "already extended once"
TOO_LATE = "The task is about to be stopped."


@pytest.fixture
def allow(world: World) -> Allow:
    """Write agents.toml: by how many seconds an agent's tasks may be extended, and more of its settings."""

    def write(agent: str = "claude", extension: float = 120, **more: float | str) -> None:
        lines = [f"{name} = {value!r}" for name, value in {"extension": extension, **more}.items()]
        world.catalog("\n".join([f"[agents.{agent}]", *lines]))

    return write


def refused(actor: Actor, task_id: int, reason: str, extension: float = 0) -> bool:
    """Whether the task gets no more time for this reason, and nothing is written of it."""
    with pytest.raises(Conflict, match=reason):
        commands.extend(actor, task_id)
    said = [entry for entry in logs.after(actor, task_id) if "gave it" in entry.message]
    return commands.find(actor, task_id).extension == extension and len(said) == bool(extension)


def test_a_running_task_gets_what_its_agents_settings_allow_once_and_its_log_says_so(ada: Actor, allow: Allow) -> None:
    allow()
    claim = claimed(ada)
    before, task = commands.deadline(commands.find(ada, claim.task_id)), commands.extend(ada, claim.task_id)
    assert (task.status, task.extension) == (TaskStatus.PROCESSING, 120)
    assert before
    assert commands.deadline(task) == before + timedelta(seconds=120)
    last = logs.after(ada, claim.task_id)[-1]
    assert (last.type, last.message) == (LogType.INFO, "Ada gave it 2 min more: the limit is 7 min now.")
    assert (last.seq, last.timestamp) == (task.log_count, task.updated_at)
    assert refused(ada, claim.task_id, ONCE, 120)
    asked = commands.cancel(ada, claim.task_id)
    assert claims.read_control(claim) == claims.Control(asked.cancel_requested_at, 120)


def test_of_many_who_press_the_button_at_once_one_succeeds(ada: Actor, allow: Allow) -> None:
    allow()
    claim, begin = claimed(ada), threading.Barrier(6)

    def press() -> bool:
        begin.wait(5)
        try:
            return bool(commands.extend(ada, claim.task_id))
        except Conflict:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(done.result() for done in [pool.submit(press) for _ in range(6)]) == 1
    assert refused(ada, claim.task_id, ONCE, 120)


@pytest.mark.parametrize("other", [None, "codex"])
def test_without_a_word_in_its_agents_settings_is_no_more_time(other: str | None, ada: Actor, allow: Allow) -> None:
    if other:
        allow(other)
    assert refused(ada, claimed(ada).task_id, "not enabled for claude")


def test_only_a_running_task_gets_more_time(ada: Actor, allow: Allow) -> None:
    allow()
    for task in (*(ended(ada, reason) for reason in EndReason), commands.create(ada, prompt="x")):
        assert refused(ada, task.id, "Only a running task")
        assert commands.deadline(commands.find(ada, task.id)) is None


def test_a_task_that_is_about_to_reach_its_limit_or_to_stop_gets_no_more_time(ada: Actor, allow: Allow) -> None:
    allow()
    late, stopped = claimed(ada, now=engine.now() - timedelta(seconds=299)), claimed(ada)
    task = commands.find(ada, stopped.task_id)
    assert task.started_at
    for age, reason in ((294.5, None), (295.5, TOO_LATE), (400, TOO_LATE)):
        assert commands.why_not_extend(task, now=task.started_at + timedelta(seconds=age)) == reason
    commands.cancel(ada, stopped.task_id)
    assert all(refused(ada, claim.task_id, TOO_LATE) for claim in (late, stopped))


def test_the_limit_really_moves_after_another_warning(run_task: Life, allow: Allow, monkeypatch: Patch) -> None:
    clock, known = Shifted(), threading.Event()
    read_control = claims.read_control

    def read(claim: Claim) -> claims.Control:
        if (control := read_control(claim)).extension:
            known.set()
        return control

    monkeypatch.setattr(claims, "read_control", read)
    run_task.settle(timeout=300, warning=240, tick=60, lease=10_000)
    run_task.monotonic = clock
    agent = run_task.agent("import time; print('begun', flush=True); time.sleep(60)")
    allow(agent, timeout=300, warning=240, driver="data-processor")
    task, thread = run_task.begin(agent)
    first, second = (f"1 min left: the task will be stopped at {minutes} min." for minutes in (5, 7))
    eventually(lambda: "begun" in run_task.log(task))
    clock.by = 240
    eventually(lambda: first in run_task.log(task))
    commands.extend(run_task.actor, task.id)
    assert known.wait(10)
    clock.by = 360
    eventually(lambda: second in run_task.log(task))
    clock.by = 420
    task = run_task.after(thread, task, 15)
    assert (task.end_reason, task.error) == (EndReason.TIMED_OUT, "The task was stopped at its limit of 7 min.")
    said = [line for line in run_task.log(task) if re.search("left:|gave it|limit of", line)]
    assert said == [first, "Ada gave it 2 min more: the limit is 7 min now.", second, task.error]

"""A task's life, lived in the test's own thread, and what tests of such lives share."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from core.config import Settings
from core.database import engine
from core.database.models import EndReason, Task, TaskLog
from core.database.ownership import Actor
from core.log_text import LogType
from core.runner import claims, processor
from core.runner.claims import Claim
from core.runner.scheduler import Scheduler
from core.tasks import artifacts, commands, logs
from tests.support.databases import unguarded
from tests.support.waiting import eventually
from tests.support.world import Patch, World

#: The entries of a task's log, as they are stored now.
Stored = Callable[[], list[TaskLog]]

#: The beginning of an agent's code that speaks in events.
SAY = "import json, sys\ndef say(**event): print(json.dumps(event), flush=True)\n"

#: Adds its number to the file ``path`` and sleeps.
SLEEPER = "import os, time; open({path!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(600)"

#: Detaches a grandchild completely, which writes its number to the file ``path``; both sleep.
DETACH = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    with open({path!r} + ".draft", "w") as file:
        file.write(str(os.getpid()))
    os.rename({path!r} + ".draft", {path!r})
    time.sleep(600)
time.sleep(600)
"""


class Hand:
    """A monotonic clock that only the test moves."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


class Shifted:
    """The real monotonic clock, ahead ``by`` so many seconds."""

    def __init__(self) -> None:
        self.by = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.by


class Wall:
    """The time of day as the test sets it: it runs, but can jump by ``offset``."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.offset = timedelta(0)
        self._now = now

    def __call__(self) -> datetime:
        return self._now() + self.offset


class Life:
    """Creates, claims and lives Ada's tasks, with limits small enough for a test."""

    def __init__(self, actor: Actor, data: Path, world: World) -> None:
        self.actor = actor
        self.settings = Settings(timeout=30, warning=20, tick=10, data=data)
        self.stopping = threading.Event()
        self.monotonic: Callable[[], float] = time.monotonic
        self._world = world

    def __call__(self, agent: str, repo_url: str | None = None) -> Task:
        """The task after its whole life."""
        task = commands.create(self.actor, prompt="the prompt", repo_url=repo_url, agent=agent)
        self.run_task()
        return self.find(task)

    def script(self, code: str) -> Task:
        """A task after the whole life that this code gave it, as the agent ``worker``."""
        return self(self.agent(code))

    def agent(self, code: str, name: str = "worker") -> str:
        """The name of an agent that is this code."""
        return self._world.script_agent(name, code)

    def settle(self, **values: object) -> None:
        """Change these settings."""
        self.settings = self.settings.model_copy(update=values)

    def run_task(self) -> None:
        claim = taken(lease=self.settings.lease)
        processor.run_task(claim, self.settings, self.stopping, self.monotonic)

    def begin(self, agent: str, repo_url: str | None = None) -> tuple[Task, threading.Thread]:
        """Live a new task in a thread of its own."""
        task = commands.create(self.actor, prompt="the prompt", repo_url=repo_url, agent=agent)
        thread = threading.Thread(target=self.run_task)
        thread.start()
        return task, thread

    def after(self, thread: threading.Thread, task: Task, seconds: float = 5) -> Task:
        """The task when its thread has ended, which it does within so many seconds."""
        thread.join(seconds)
        assert not thread.is_alive()
        return self.find(task)

    def find(self, task: Task) -> Task:
        return commands.find(self.actor, task.id)

    def files(self, task: Task) -> dict[str, str]:
        """What the task made: the text of each file."""
        made = artifacts.of(self.actor, task.id)
        return {file.name: artifacts.find(self.actor, task.id, file.name)[1].read_text() for file in made}

    def log(self, task: Task) -> list[str]:
        return [entry.message for entry in logs.after(self.actor, task.id)]

    def types(self, task: Task) -> list[LogType]:
        return [entry.type for entry in logs.after(self.actor, task.id)]


def claimed(actor: Actor, agent: str = "claude", lease: float = 30, now: datetime | None = None) -> Claim:
    """The claim of a new task."""
    commands.create(actor, prompt="the prompt", agent=agent)
    return taken("runner", lease, now=now)


def taken(runner: str = "runner", lease: float = 30, now: datetime | None = None) -> Claim:
    """The claim of the task that waits longest."""
    claim = claims.claim(runner, lease, now=now)
    assert claim
    return claim


def ended(actor: Actor, reason: EndReason, prompt: str = "x", now: datetime | None = None) -> Task:
    """A task that has ended."""
    task = commands.create(actor, prompt=prompt)
    while claim := claims.claim("runner", 30):
        claims.finish(claim, reason, None if reason is EndReason.COMPLETED else "It failed.", now=now)
    return task


def take_every_connection(stack: ExitStack) -> None:
    """Leave people none of theirs."""
    pool = engine.configured().pool
    assert isinstance(pool, QueuePool)
    for _ in range(pool.size() + pool._max_overflow):
        stack.enter_context(engine.configured().connect())


def row_counts() -> tuple[int | None, int | None]:
    """How many tasks and log entries there are, of everybody."""
    with unguarded() as session:
        return session.scalar(select(func.count(Task.id))), session.scalar(select(func.count(TaskLog.seq)))


def lose_answer(patch: Patch, name: str, times: int = 1) -> list[str]:
    """Let the first calls of claims.NAME do their work and then fail as if only the answer got lost; those lost."""
    real, lost = getattr(claims, name), []

    def call(*arguments: object, **more: object) -> object:
        answer = real(*arguments, **more)
        if len(lost) < times and not (name == "claim" and answer is None):
            lost.append(name)
            raise OperationalError("COMMIT", {}, Exception("the connection broke"))
        return answer

    patch.setattr(claims, name, call)
    return lost


def away(*_: object) -> NoReturn:
    """A database that does not answer."""
    raise OperationalError("BEGIN", {}, Exception("away"))


def messages(entries: list[TaskLog]) -> list[str]:
    return [entry.message for entry in entries]


def no_gap(entries: list[TaskLog]) -> bool:
    return [entry.seq for entry in entries] == list(range(3, 3 + len(entries)))


def next_sweep(scheduler: Scheduler) -> None:
    """Wait for a sweep that gets through after now."""
    begun = time.monotonic()
    eventually(lambda: (since := scheduler.since_sweep) is not None and since < time.monotonic() - begun)


def with_files(data: Path, *task_ids: int) -> None:
    """Let these tasks have a file each."""
    for task_id in task_ids:
        (data / "artifacts" / str(task_id)).mkdir(parents=True)
        (data / "artifacts" / str(task_id) / "report.md").write_text("x")


def files_of(data: Path) -> set[int]:
    """The tasks that have files."""
    return {int(folder.name) for folder in (data / "artifacts").iterdir()}


def left_behind(data: Path) -> list[str]:
    """What lies in the folders of tasks."""
    return [path.name for name in ("workspaces", "artifacts") for path in sorted((data / name).rglob("*"))]


def read_pid(path: Path) -> int:
    return int(path.read_text() or 0) if path.exists() else 0


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []

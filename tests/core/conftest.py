"""What several tests of core share: lives of tasks, schedulers, a locked database, real git repositories."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.agents import registry
from core.database import engine
from core.database.models import Role, TaskLog
from core.database.ownership import Actor
from core.identity import people
from core.log_text import LogType
from core.runner.claims import Claim
from core.runner.task_logger import TaskLogger
from core.sandbox import folders
from core.tasks import logs
from tests.conftest import PASSWORD
from tests.core.deck import Deck, Schedulers, Shell
from tests.core.living import Hand, Life, Wall, claimed
from tests.core.repositories.running import git
from tests.support import clis, databases
from tests.support.world import World


@pytest.fixture
def admin() -> Actor:
    return people.add("grace", "grace@example.org", "Grace", PASSWORD, Role.ADMIN)


@pytest.fixture
def run_task(ada: Actor, data: Path, world: World) -> Life:
    return Life(ada, data, world)


@pytest.fixture(scope="session")
def programs() -> None:
    """The real agents' programs are there; ``make test`` installs them."""
    assert clis.CLAUDE.exists() and clis.CODEX.exists(), "install them with: python -m tests.support.clis"


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """The time of day, for all of core, as this test moves it."""
    moved = Wall(engine.now)
    monkeypatch.setattr(engine, "now", moved)
    return moved


@pytest.fixture
def start(data: Path) -> Iterator[Schedulers]:
    made = Schedulers(data)
    yield made
    made.close()


@pytest.fixture
def deck(ada: Actor, bob: Actor, start: Schedulers, tmp_path: Path, world: World) -> Deck:
    made = Deck(ada, bob, start, tmp_path)
    world.settle(TASKDECK_SANDBOX="none")
    for name, code in made.codes().items():
        world.monkeypatch.setitem(registry.extra, name, Shell(name, code))
    return made


@pytest.fixture
def lock(data: Path) -> Iterator[Callable[[float], Callable[[], None]]]:
    """Let another program keep everybody from writing, for some seconds or until the returned call."""
    threads: list[threading.Thread] = []
    releases: list[threading.Event] = []

    def hold(seconds: float = 60) -> Callable[[], None]:
        held, released = threading.Event(), threading.Event()

        def keep() -> None:
            with databases.current.locked():
                held.set()
                released.wait(seconds)

        threads.append(threading.Thread(target=keep))
        releases.append(released)
        threads[-1].start()
        assert held.wait(5)
        return released.set

    yield hold
    for released in releases:
        released.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., Path]:
    """Make a real git repository with these files committed; its folder."""

    def make(folder: Path, files: dict[str, str], *extra: tuple[str, ...]) -> Path:
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", "--all")
        for arguments in extra:
            git(folder, *arguments)
        if files or extra:
            git(folder, "commit", "--quiet", "--message", "first")
        return folder

    return make


@pytest.fixture
def claim(ada: Actor) -> Claim:
    return claimed(ada)


@pytest.fixture
def stored(ada: Actor, claim: Claim) -> Callable[[], list[TaskLog]]:
    """The entries in the database, without the two of acceptance and start."""
    return lambda: logs.since(ada, claim.task_id, 2, LogType)


@pytest.fixture
def log(claim: Claim, hand: Hand) -> TaskLogger:
    log = TaskLogger(claim, lines=10, monotonic=hand)
    log.hide("swordfish")
    return log


@pytest.fixture
def dig() -> Iterator[Callable[..., None]]:
    """Make folders of one name in one another, and files in the innermost, however long the path becomes."""
    dug: list[Path] = []

    def down(folder: Path, depth: int, *files: str, name: str = "d") -> None:
        dug.append(folder / name)
        handle = os.open(folder, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir(name, dir_fd=handle)
            inner = os.open(name, os.O_RDONLY, dir_fd=handle)
            os.close(handle)
            handle = inner
        for file_name in files:
            with os.fdopen(os.open(file_name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=handle), "w") as file:
                file.write("a = 1\n")
        os.close(handle)

    yield down
    for folder in dug:  # pytest itself could not remove them
        folders.remove(folder)

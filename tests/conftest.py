"""A fresh data folder and database for each test, and two people: Ada and Bob."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import core.agents
from core import config, db
from core.agents import catalog
from core.auth import people, tokens
from core.ownership import Actor
from tests.scripts import registry

PASSWORD = "correct horse battery"

os.environ.pop("DATABASE_URL", None)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes more than about eight seconds; run by make faults")


def _forget() -> None:
    for cached in (config.settings, config.signing_secret, catalog.catalog):
        cached.cache_clear()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the newest schema, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TASKDECK_DATA", str(folder))
        _forget()
        db.upgrade()
        db.dispose()
        _forget()
    return folder / "taskdeck.db"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of this test, with a migrated and empty database in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copy(migrated, folder / "taskdeck.db")
    monkeypatch.setenv("TASKDECK_DATA", str(folder))
    monkeypatch.setenv("TASKDECK_AGENTS", str(tmp_path / "agents.toml"))
    monkeypatch.setattr(people, "ROUNDS", 4)  # bcrypt at its cheapest
    _forget()
    yield folder
    db.dispose()
    _forget()


@pytest.fixture
def ada() -> Actor:
    return people.add("ada", "ada@example.org", "Ada", PASSWORD)


@pytest.fixture
def bob() -> Actor:
    return people.add("bob", "bob@example.org", "Bob", PASSWORD)


@pytest.fixture
def ada_token(ada: Actor) -> str:
    return tokens.create(ada, "test")


@pytest.fixture
def bob_token(bob: Actor) -> str:
    return tokens.create(bob, "test")


@pytest.fixture
def local_root(tmp_path: Path) -> Path:
    """A folder from which agents.toml allows cloning."""
    root = tmp_path / "repositories"
    root.mkdir()
    (tmp_path / "agents.toml").write_text(f'[repositories]\nlocal_roots = ["{root}"]\n')
    catalog.catalog.cache_clear()
    return root


@pytest.fixture
def script_agent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Put an agent into the registry that runs Python code; its name."""

    def register(name: str, code: str) -> str:
        monkeypatch.setattr(core.agents, "_AGENTS", registry(**{name: code}))
        return name

    return register


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Wait until something is true, at most some seconds."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not true after {seconds} s"
            time.sleep(0.01)

    return wait


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Whether a process still runs; a zombie does not."""

    def alive(pid: int) -> bool:
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return alive


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be skipped: a test that did not run proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI"):
        reporter.ensure_newline()
        reporter.write_line(f"{len(skipped)} tests were skipped, which CI does not accept.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

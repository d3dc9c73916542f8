"""A fresh data folder and database for each test, and two people: Ada and Bob."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core import config
from core.agents import catalog
from core.database import engine, schema
from core.database.models import Channel
from core.database.ownership import Actor
from core.identity import audit, passwords, people, tokens
from tests.support import databases
from tests.support.on_postgresql import Present
from tests.support.postgresql import given_or_own
from tests.support.world import World

pytest_plugins = ["tests.attacks.plugin"]

PASSWORD = "correct horse battery"

TESTS = Path(__file__).parent

#: As if each test here had the marker no_database.
NO_DATABASE = (
    *("core/agents", "core/programs", "core/repositories", "core/sandbox"),
    *("core/runner/test_clock.py", "core/test_config.py", "core/test_log_text.py"),
    *("faults/test_table.py", "pages/test_rules.py", "test_readme.py"),
)

#: Not run again on PostgreSQL: what they show lies before the database, and what lies behind is asked of both in core.
ONCE = ("browser", "core/test_main_users.py", "test_operators_log.py", "test_serving.py")
TWICE = ("browser/test_story.py",)

#: As if each test here had the marker slow: each starts a server of its own, or drives a browser for long.
SLOW = (
    *("api/test_events_server.py", "faults/test_sandboxed.py", "faults/test_disk.py", "faults/test_kill.py"),
    *("faults/test_processes.py", "faults/test_stop.py", "faults/test_two_servers.py"),
    *("browser/test_attacks_others.py", "browser/test_attacks_sessions.py", "browser/test_attacks_websocket.py"),
    *("browser/test_headers.py", "browser/test_single_sign_on.py"),
    "core/agents/drivers/test_real_programs.py",
)

for name in databases.LOGINS:
    os.environ.pop(name, None)

#: A file system in memory, where there is room: no test survives a power cut, and waiting for a disk is half of a run.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgresql", action="store_true", help="run on PostgreSQL instead of SQLite")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: of a file or test that takes long; run by make faults")
    config.addinivalue_line("markers", "no_database: touches none; gets none, and is left out on PostgreSQL")


def pytest_itemcollected(item: pytest.Item) -> None:
    if _lies_in(item, SLOW):
        item.add_marker("slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, and never skip, what this run's database cannot be asked."""
    about = [_is_about(item, on_postgresql=config.getoption("--postgresql")) for item in items]
    config.hook.pytest_deselected(items=[item for item, kept in zip(items, about, strict=True) if not kept])
    items[:] = [item for item, kept in zip(items, about, strict=True) if kept]


def _is_about(item: pytest.Item, *, on_postgresql: bool) -> bool:
    wanted = getattr(item, "fixturenames", ())
    if on_postgresql:
        return "sqlite_file" not in wanted and _has_database(item) and not _is_asked_once(item)
    return "postgresql" not in wanted


def _is_asked_once(item: pytest.Item) -> bool:
    return _lies_in(item, ONCE) and not _lies_in(item, TWICE)


def _lies_in(item: pytest.Item, parts: tuple[str, ...]) -> bool:
    return any(item.path.is_relative_to(TESTS / part) for part in parts)


def _has_database(item: pytest.Item) -> bool:
    return not item.get_closest_marker("no_database") and not _lies_in(item, NO_DATABASE)


def _forget() -> None:
    for cached in (config.settings, config.signing_secret, catalog.catalog):
        cached.cache_clear()


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[databases.Database]:
    """The kind of database that this run is about, with a template of the newest schema."""
    with ExitStack() as stack:
        if request.config.getoption("--postgresql"):
            databases.current = databases.OnPostgreSQL(stack.enter_context(given_or_own()))
        folder = tmp_path_factory.mktemp("template")
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("TASKDECK_DATA", str(folder))
        for name, value in databases.current.empty().items():
            patch.setenv(name, value)
        _forget()
        schema.upgrade()
        engine.dispose()
        _forget()
        databases.current.keep(folder)
        patch.undo()
        yield databases.current


@pytest.fixture(autouse=True)
def data(
    tmp_path: Path, request: pytest.FixtureRequest, database: databases.Database, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The data folder of this test, with a migrated and empty database."""
    folder = tmp_path / "data"
    folder.mkdir()
    environment = database.fresh(folder) if _has_database(request.node) else None
    for name, value in (environment or {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TASKDECK_DATA", str(folder))
    monkeypatch.setenv("TASKDECK_AGENTS", str(tmp_path / "agents.toml"))
    monkeypatch.setattr(passwords, "ROUNDS", 4)  # bcrypt at its cheapest
    audit.set_origin(Channel.SYSTEM)  # what a test before this one said
    _forget()
    yield folder
    engine.dispose()
    _forget()
    if environment is not None:
        database.drop(environment)


@pytest.fixture
def postgresql(data: Path, database: databases.Database) -> Present:
    """This test's database. Whoever takes it is about PostgreSQL alone, and left out of a run on SQLite."""
    assert isinstance(database, databases.OnPostgreSQL)
    return Present(database)


@pytest.fixture
def sqlite_file(data: Path) -> Path:
    """This test's database. Whoever takes it is about SQLite alone, and left out of a run on PostgreSQL."""
    return data / "taskdeck.db"


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """A folder that is not below /dev, which some programs' own sandboxes hide."""
    with tempfile.TemporaryDirectory(prefix="taskdeck-") as folder:
        yield Path(folder)


@pytest.fixture
def world(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


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


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be skipped: a test that did not run proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and os.environ.get("CI"):
        reporter.ensure_newline()
        reporter.write_line(f"{len(skipped)} tests were skipped, which CI does not accept.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

"""Faults: the server, or its scheduler, with real processes on a real database, and something that goes wrong."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.agents.registry import agents
from core.database.ownership import Actor
from core.runner.scheduler import Scheduler
from tests.core.deck import Schedulers
from tests.faults import table
from tests.faults.scene import Scene
from tests.support import databases
from tests.support.scripts import Script
from tests.support.server import Server
from tests.support.world import World

UVICORN = "uvicorn app:app --host 127.0.0.1 --port {port}"
Start = Callable[..., Any]

STREAMLIT = "streamlit run app.py --server.port {port}"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", type=Path, metavar="PATH", help="write the table of faults, if all of them ran")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(name, expected): what goes wrong, and what must happen then")
    path = config.getoption("--fault-table", None)
    if path and not hasattr(config, "workerinput"):  # of several processes only the first one writes
        config.pluginmanager.register(table.Writer(path), "fault-table")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if (marker := item.get_closest_marker("fault")) and ("fault", marker.args[0]) not in item.user_properties:
            item.user_properties.append(("fault", marker.args[0]))


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Note a figure for the table. (pytest's own record_property cannot be used with every form of JUnit's XML.)"""
    return lambda figure: request.node.user_properties.append(("measured", figure))


@pytest.fixture
def serve(tmp_path: Path, data: Path) -> Iterator[Callable[..., Server]]:
    """Start a real server on this test's own data, with the scripts that this process has registered as agents.

    Further names are settings: lease=2 is TASKDECK_LEASE=2.
    """
    started: list[Server] = []

    def start(command: str = UVICORN, death: str = "", before: Sequence[str] = (), **more: object) -> Server:
        settings = {f"TASKDECK_{name.upper()}": str(value) for name, value in more.items()}
        scripts = {agent.info.name: agent.code for agent in agents().values() if isinstance(agent, Script)}
        settings |= {name: os.environ[name] for name in databases.LOGINS if name in os.environ}
        settings |= {"FAULT_AGENTS": json.dumps(scripts), "FAULT_DEATH": death}
        server = Server(tmp_path, settings, f"tests.faults.program {command}", before)
        assert server.environment["TASKDECK_DATA"] == str(data)
        started.append(server)  # first: one that does not answer in time must not stay either
        server.start()
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGCONT)
            server.kill()


@pytest.fixture
def schedule(data: Path) -> Iterator[Callable[..., Scheduler]]:
    """Start a scheduler in this process, with these settings; it is stopped at the end."""
    made = Schedulers(data)
    yield lambda **values: made(**({"grace": 0} | values))
    made.close()


@pytest.fixture
def scene(
    ada: Actor, data: Path, tmp_path: Path, world: World, serve: Start, schedule: Start, measured: Callable[[str], None]
) -> Scene:
    return Scene(ada, data, tmp_path / "ran", world, serve, schedule, measured)


@pytest.fixture
def locked(sqlite_file: Path) -> Callable[[], AbstractContextManager[float]]:
    """Hold the file's write lock, as another program would, for the length of a ``with``; since when."""

    @contextmanager
    def hold() -> Iterator[float]:
        with databases.current.locked():
            yield time.monotonic()

    return hold

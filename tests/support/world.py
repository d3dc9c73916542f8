"""What a test may change of the world around it; all of it is as before afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core import config
from core.agents import catalog, registry
from tests.support import databases
from tests.support.scripts import Script

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class World:
    """The settings, the agents and the way to the database."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def settle(self, **variables: str | None) -> None:
        """Set environment variables, or with None delete them, and have the settings read anew."""
        for name, value in variables.items():
            if value is None:
                self.monkeypatch.delenv(name, raising=False)
            else:
                self.monkeypatch.setenv(name, value)
        config.settings.cache_clear()

    def catalog(self, text: str) -> Path:
        """Write agents.toml and have it read anew. Returns where it lies."""
        file = self.folder / "agents.toml"
        file.write_text(text)
        catalog.catalog.cache_clear()
        return file

    def script_agent(self, name: str, code: str) -> str:
        """Register an agent that runs Python code, in no sandbox: it writes where the test reads. Returns its name."""
        self.settle(TASKDECK_SANDBOX="none")
        self.monkeypatch.setitem(registry.extra, name, Script(name, code))
        return name

    @contextmanager
    def nowhere(self) -> Iterator[None]:
        """For the length of a ``with``, the settings lead to a database that does not answer."""
        with self.monkeypatch.context() as patch:
            for name, value in databases.current.nowhere(self.folder).items():
                patch.setenv(name, value)
            config.settings.cache_clear()
            yield
        config.settings.cache_clear()

from collections.abc import Callable
from pathlib import Path

import pytest

from core.agents.base import Assignment
from core.sandbox import isolation
from tests.core.agents.drivers.assignments import assignment


@pytest.fixture
def has_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has a sandbox, whatever this one has."""
    monkeypatch.setattr(isolation, "unavailable", lambda: None)


@pytest.fixture
def has_none(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Take the sandbox away; the reason that is given then."""

    def take() -> str:
        reason = "bubblewrap is not installed (apt install bubblewrap)"
        monkeypatch.setattr(isolation, "unavailable", lambda: reason)
        return reason

    return take


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Assignment]:
    """An assignment in this test's folder."""
    return lambda *words, **more: assignment(tmp_path, *words, **more)

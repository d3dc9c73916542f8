from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to give to a box."""
    made = tmp_path / "work"
    made.mkdir()
    return made

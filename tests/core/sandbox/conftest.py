import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.sandbox.folders import chown_tree
from tests.core.sandbox.commands import NOBODY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to give to a command."""
    made = tmp_path / "work"
    made.mkdir()
    return made


@pytest.fixture
def around() -> Iterator[Path]:
    """A folder that every user of this machine can reach, as pytest's own is not; not in /tmp, which a sandbox has."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def as_ordinary_user(around: Path) -> Iterator[Path]:
    """A folder that belongs to the user that the test is: an ordinary one, for no closed folder stops root."""
    if os.geteuid() != 0:
        yield around
        return
    chown_tree(around, NOBODY)
    os.seteuid(NOBODY)
    yield around
    os.seteuid(0)

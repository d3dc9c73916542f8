"""What the tests of reading share: a folder with data files, and a way to read one of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.programs.data_processor import tables
from core.programs.data_processor.files import find

Read = Callable[..., tables.SourceTable]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder for data files."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def taken() -> list[int]:
    """The bytes that reading took, in order."""
    return []


@pytest.fixture
def read(tmp_path: Path, root: Path, taken: list[int]) -> Read:
    """Write a file, if there is content for it, and read it as a table."""

    def written(name: str, content: bytes | str = b"") -> tables.SourceTable:
        path = root / name
        if content:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        (file,) = [one for one in find(root).files if one.path == path]
        scratch = tmp_path / f"scratch {name}"
        scratch.mkdir()
        return tables.read(file, scratch, taken.append)

    return written


def content(table: tables.SourceTable) -> dict[str, list[object]]:
    """All values of a table, by column."""
    return {one.name: table.values(one).to_list() for one in table.columns}


def kinds(table: tables.SourceTable) -> list[str]:
    return [one.kind.value for one in table.columns]

"""What the tests of several agents share."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.agents import box


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
        box.remove(folder)

"""However much a program writes, so much is looked at and kept."""

import os
from pathlib import Path

import pytest

from core.sandbox import output
from tests.core.sandbox.outputs import kept, write


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The folder that the program wrote."""
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


@pytest.fixture
def kept_in(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / "7"


@pytest.mark.attack(84)
def test_folders_are_looked_into_only_so_deep_and_paths_are_only_so_long(made: Path, kept_in: Path) -> None:
    write(made / "a/b/c/near.md")
    handle = os.open(made, os.O_RDONLY)
    for _ in range(300):  # a path that no single call of the system could name
        os.mkdir("deep-and-deeper", dir_fd=handle)
        inner = os.open("deep-and-deeper", os.O_RDONLY, dir_fd=handle)
        os.close(os.open("file.md", os.O_CREAT | os.O_WRONLY, dir_fd=inner))
        os.close(handle)
        handle = inner
    os.close(handle)
    names = kept(made, kept_in)
    assert "a/b/c/near.md" in names
    assert len(names) == 1 + output.DEPTH - 1
    (left,) = output.find(made)[1]
    assert left.startswith("deep-and-deeper/") and left.endswith(" (too deep)")
    assert len(left) < output.NAMED_CHARACTERS + 20
    write(made / "/".join(["y" * 150] * 3) / ("z" * 60))
    assert "name too long" in output.find(made)[1][-1]


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60,000 files and a report among them."""
    folder = tmp_path_factory.mktemp("crowd")
    handle = os.open(folder, os.O_RDONLY)
    for number in range(60_000):
        os.close(os.open(f"file {number:05}", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    return folder


@pytest.mark.attack(84)
def test_of_too_many_files_the_first_are_kept_and_the_rest_is_counted(crowd: Path, kept_in: Path) -> None:
    names = kept(crowd, kept_in)
    assert names == [f"file {number:05}" for number in range(200)]
    left = output.find(crowd)[1]
    assert left[0] == "file 00200 (over 200 files)"
    assert left[-1] == "59,750 more" and len(left) == output.NAMED + 1


@pytest.mark.attack(84)
def test_a_folder_without_end_is_looked_at_only_so_far(crowd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "LOOKED_AT", 1_000)
    names, left = output.find(crowd)
    assert len(names) == 200
    assert left[-2:] == ["750 more", "what follows the first 1,000 names"]


@pytest.mark.attack(84)
def test_empty_folders_without_end_are_looked_at_only_so_far(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "LOOKED_AT", 100)
    for number in range(300):
        (made / str(number)).mkdir()
    assert output.find(made) == ([], ["what follows the first 100 names"])


def test_a_file_over_the_limit_is_left(made: Path, kept_in: Path) -> None:
    for name, size in (("fits", 100 * 2**20), ("too large", 100 * 2**20 + 1)):
        with (made / name).open("wb") as file:
            file.truncate(size)
    assert output.find(made) == (["fits"], ["too large (over 100 MiB)"])


def test_files_that_are_too_much_together_are_left(made: Path) -> None:
    for number in range(7):
        with (made / f"part {number}").open("wb") as file:
            file.truncate(90 * 2**20)
    write(made / "small.md")
    names, left = output.find(made)
    assert names == [*(f"part {number}" for number in range(5)), "small.md"]
    assert left == ["part 5 (over 500 MiB in all)", "part 6 (over 500 MiB in all)"]

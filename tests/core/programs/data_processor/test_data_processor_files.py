"""The walk: which files count as data, and what is refused with which reason."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.programs.data_processor.files import Folder, Unreadable, _data_file, find
from core.programs.data_processor.limits import MAX_FILE_BYTES, MAX_FILES

NOBODY = 65534


def names(folder: Folder) -> list[str]:
    return [file.name for file in folder.files]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_takes_every_kind_in_order_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.CSV", "a.tsv", "c.Parquet", "d.json", "e.ndjson", "sub/f.jsonl", "g.txt"):
        (tmp_path / name).write_text("x")
    assert names(find(tmp_path)) == [
        "a.tsv", "b.CSV", "c.Parquet", "d.json", "e.ndjson", "sub/f.jsonl",
    ]  # fmt: skip
    assert find(tmp_path).refused == []


def test_skips_hidden_folders(tmp_path: Path) -> None:
    for folder in (".git", ".cache/deep"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.csv").write_text("a\n1\n")
    assert find(tmp_path) == Folder()


def test_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.csv").write_text("a\n1\n")
    root = tmp_path / "root"
    root.mkdir()
    (root / "data.csv").symlink_to("/etc/passwd")
    (root / "loop").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "outside")
    found = find(root)
    assert found.files == []
    assert found.refused == [
        ("data.csv", "It is a symbolic link, and links are not followed."),
    ]


def test_refuses_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.csv")
    assert find(tmp_path).refused == [("data.csv", "It is not a regular file.")]


@pytest.mark.attack(99)
def test_refuses_empty_and_lfs_pointer(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    (tmp_path / "b.parquet").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert find(tmp_path).refused == [
        ("a.csv", "The file is empty."),
        ("b.parquet", "It is a Git LFS pointer; the data itself is not in the repository."),
    ]


def test_refuses_a_file_over_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    ((name, reason),) = find(tmp_path).refused
    assert (name, reason) == ("a.csv", "The file is over 512 MiB, the most that is read.")


def test_refuses_files_over_their_number(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")
    assert _data_file(path, "a.csv", MAX_FILES - 1).size == 1
    with pytest.raises(Unreadable, match="first 1,000 data files"):
        _data_file(path, "a.csv", MAX_FILES)


def test_names_a_folder_that_can_not_be_opened(open_folder: Path) -> None:
    (open_folder / "closed").mkdir(mode=0o000)
    (open_folder / "open.csv").write_text("a\n1\n")
    user = os.geteuid()
    if user == 0:  # root may open anything
        os.seteuid(NOBODY)
    try:
        found = find(open_folder)
    finally:
        os.seteuid(user)
    assert names(found) == ["open.csv"]
    assert found.refused == [("closed/", "The folder could not be opened.")]


def test_finds_a_file_however_deep_it_is_and_names_the_folders_that_are_too_deep(
    tmp_path: Path, dig: Callable[..., None]
) -> None:
    dig(tmp_path, 1_100, "a.csv")
    found = find(tmp_path)
    assert ([file.path.name for file in found.files], found.refused) == (["a.csv"], [])
    (tmp_path / "d" / "d" / "b.csv").write_text("a\n1\n")
    dig(tmp_path, 30, "c.csv", name="e" * 200)
    found = find(tmp_path)
    assert [file.path.name for file in found.files] == ["b.csv", "a.csv"]
    ((name, reason),) = found.refused
    assert (name.startswith("eee"), reason) == (True, "The folder could not be opened.")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"a\nb.csv", "a\\nb.csv"),
        (b"\x1b[31m.csv", "\\x1b[31m.csv"),
        (b"\xff.csv", "\\udcff.csv"),
        ("\u202egnp.csv".encode(), "\\u202egnp.csv"),
    ],
)
def test_makes_hostile_names_visible(tmp_path: Path, name: bytes, shown: str) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("a\n1\n")
    assert names(find(tmp_path)) == [shown]


def test_raises_if_the_root_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find(tmp_path / "none")
